#include <fcntl.h>
#include <string.h>
#include <time.h>

#include "certsync/cleanup.h"
#include "certsync/journal.h"
#include "certsync/metrics.h"
#include "handover.h"
#include "lineage.h"
#include "open.h"
#include "push_conf.h"

/* Whether it will do is for the run to judge; it also says so if there is none to be opened. */
static enum outcome give_identity(const struct push_conf *conf)
{
	_cleanup_(fd_closep) int fd =
		open(conf->identity, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	return fd < 0 ? OUTCOME_OK : handover_give_file(HANDOVER_IDENTITY, fd);
}

static enum outcome give_pair(const struct push_conf *conf, const char *lineage, time_t now)
{
	_cleanup_(bytes_clear) struct bytes chain = BYTES_NONE, key = BYTES_NONE;
	_cleanup_(bundle_freep) struct bundle *bundle = NULL;
	enum outcome outcome = lineage_read_pair(conf, lineage, now, &chain, &key, &bundle);

	if (!outcome_failed(outcome))
		outcome = handover_give(HANDOVER_LINEAGE, lineage, strlen(lineage));
	if (!outcome_failed(outcome))
		outcome = handover_give(HANDOVER_CHAIN, chain.data, chain.len);
	if (!outcome_failed(outcome))
		outcome = handover_give(HANDOVER_KEY, key.data, key.len);
	return outcome;
}

static enum outcome hand_over(const struct command_options *options, struct push_conf *conf,
			      struct metrics *metrics)
{
	_cleanup_(lineage_clear) struct lineage lineage = { .bundle = NULL };
	time_t now = time(NULL);
	enum outcome outcome = push_conf_load(options->conf, conf);

	if (!outcome_failed(outcome))
		outcome = lineage_find(conf, now, &lineage);
	if (outcome_failed(outcome))
		return outcome;
	lineage_describe(&lineage, conf->hostname);
	lineage_note(&lineage, metrics);
	outcome = give_pair(conf, lineage.name, now);
	return outcome_failed(outcome) ? outcome : give_identity(conf);
}

int open_run(const struct command_options *options)
{
	_cleanup_(push_conf_clear) struct push_conf conf = { 0 };
	struct metrics metrics = { 0 };
	enum outcome outcome = hand_over(options, &conf, &metrics);

	metrics.target = conf.target;
	/* What becomes of it is the run's to tell; there is none after a failure. */
	if (outcome_failed(outcome)) {
		journal_outcome(outcome);
		journal_status("%s", outcome_reason(outcome));
		metrics_write_run(command_metrics(options, conf.metrics), "certpush", &metrics,
				  outcome);
	}
	return outcome_text(outcome)->status;
}
