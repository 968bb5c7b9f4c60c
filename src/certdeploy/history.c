#include <stdio.h>
#include <string.h>

#include "history.h"
#include "previous.h"

void history_clear(struct history *history)
{
	pair_clear(&history->previous);
}

void history_note(struct situation *situation, struct history *history)
{
	size_t used = (size_t)snprintf(history->healthy, sizeof(history->healthy), " ");

	for (size_t i = 0; i < situation->serving.count; i++) {
		const struct serving_endpoint *endpoint = &situation->serving.endpoint[i];

		if (endpoint->was_healthy && used < sizeof(history->healthy))
			used += (size_t)snprintf(history->healthy + used,
						 sizeof(history->healthy) - used, "%s ",
						 endpoint->endpoint.name);
	}
	situation->install.note = history->healthy;
}

static void recall_healthy(struct situation *situation, const char *note)
{
	for (size_t i = 0; i < situation->serving.count; i++) {
		struct serving_endpoint *endpoint = &situation->serving.endpoint[i];
		char word[ENDPOINT_NAME_MAX + 3];

		snprintf(word, sizeof(word), " %s ", endpoint->endpoint.name);
		endpoint->was_healthy = strstr(note, word) != NULL;
		endpoint->was_up |= endpoint->was_healthy;
	}
}

enum outcome history_recall(struct situation *situation, struct history *history, bool *unproven)
{
	struct record record;
	enum outcome outcome = record_read(situation->install.state, RECORD_PENDING, &record);

	*unproven = false;
	if (outcome_failed(outcome))
		return outcome_in(outcome, "%s", situation->conf.state_dir);
	/*
	 * Of another pair than the installed one: the run that wrote it came to nothing more, and
	 * whether what it found installed was ever proved, the record before this one said.
	 */
	if (record_is_empty(&record))
		return OUTCOME_OK;
	recall_healthy(situation, record.note);
	outcome = previous_read(situation->install.state, &history->previous);
	*unproven = pair_is_whole(&history->previous);
	return outcome_in(outcome, "%s", situation->conf.state_dir);
}
