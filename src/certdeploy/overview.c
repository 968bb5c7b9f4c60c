#include "overview.h"
#include "certsync/cleanup.h"
#include "certsync/table.h"

#define WHERE_MAX 300

static const char *state_word(enum serving_state state)
{
	static const char *const words[] = {
		[SERVING_CURRENT] = "ok",
		[SERVING_STALE] = "STALE",
		[SERVING_DOWN] = "DOWN",
		[SERVING_SKIPPED] = "skipped",
	};

	return words[state];
}

void overview_endpoints(const struct serving *serving, FILE *to)
{
	static const char *const head[] = { "ENDPOINT", "AT", "STATE", "SERVES" };
	_cleanup_(table_freep) struct table *table = table_new(sizeof(head) / sizeof(head[0]));

	if (!table || !table_row(table, head))
		return;
	for (size_t i = 0; i < serving->count; i++) {
		const struct serving_endpoint *endpoint = &serving->endpoint[i];
		char where[WHERE_MAX], what[2 * WIRE_REASON_MAX];

		snprintf(where, sizeof(where), "%s port %d", endpoint->endpoint.address,
			 endpoint->endpoint.port);
		serving_describe(endpoint, what, sizeof(what));
		table_row(table, (const char *const[]){ endpoint->endpoint.name, where,
							state_word(endpoint->state), what });
	}
	table_print(table, to);
}
