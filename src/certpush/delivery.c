#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h>

#include "certsync/cleanup.h"
#include "certsync/text.h"
#include "certsync/worker.h"
#include "delivery.h"

/* How much longer than the run may take it takes to tidy up and to take leave. */
#define TIDY_MS    15000
#define REASON_MAX 1024

/* What the worker inherits. */
struct errand {
	struct remote *remote;
	const char *fingerprint;
	const struct bytes *chain,
		*key;         /* NULL: nothing is put, it is only seen whether it could */
	enum outcome outcome; /* of what was done before it was confined */
};

/* What it returns. */
struct delivered {
	int outcome;
	char reason[REASON_MAX];
	int stage;
	int removed;
	char name[GENERATION_NAME_LEN + 1];
};

/* --- in the worker --- */

static void *prepare(void *input)
{
	struct errand *errand = input;

	errand->outcome = remote_resolve(errand->remote);
	return NULL;
}

static enum outcome run_errand(struct errand *errand, struct delivered *delivered)
{
	enum outcome outcome = errand->outcome;
	bool removed = false;

	if (!outcome_failed(outcome))
		outcome = remote_connect(errand->remote);
	if (outcome_failed(outcome))
		return outcome;
	if (errand->chain)
		return remote_put(errand->remote, errand->fingerprint, errand->chain, errand->key,
				  delivered->name);
	outcome = remote_probe(errand->remote, &removed);
	delivered->removed = removed;
	return outcome;
}

static void run(void *input, void *prepared, void *reply)
{
	struct errand *errand = input;
	struct delivered *delivered = reply;
	enum outcome outcome = run_errand(errand, delivered);

	(void)prepared;
	delivered->outcome = (int)outcome;
	snprintf(delivered->reason, sizeof(delivered->reason), "%s",
		 outcome_failed(outcome) ? outcome_reason(outcome) : "");
	delivered->stage = (int)remote_stage(errand->remote);
	/* This process ends here, and no key is to be left in its memory. */
	remote_closep(&errand->remote);
	if (errand->key)
		OPENSSL_cleanse(errand->key->data, errand->key->len);
}

static const struct work delivering = {
	.name = "talking to the mail host",
	.sandbox = SANDBOX_CONVERSE,
	.prepare = prepare,
	.run = run,
	.reply_size = sizeof(struct delivered),
};

/* --- in the caller --- */

/* Can it have been what was returned, by a process that may have been taken over? */
static bool is_possible(const struct errand *errand, struct delivered *delivered)
{
	const bool put = errand->chain && delivered->outcome == OUTCOME_OK;

	return delivered->outcome >= 0 && delivered->outcome < OUTCOME_COUNT &&
	       delivered->stage >= REMOTE_SETTINGS && delivered->stage <= REMOTE_READY &&
	       text_accept(delivered->reason, sizeof(delivered->reason)) &&
	       text_accept(delivered->name, sizeof(delivered->name)) &&
	       (!put || generation_is_name(delivered->name));
}

static enum outcome carry_out(const struct push_conf *conf, struct errand *errand,
			      struct delivered *delivered)
{
	const deadline end = deadline_in(conf->run_timeout);
	enum outcome outcome;

	memset(delivered, 0, sizeof(*delivered));
	outcome = remote_new(conf, end, &errand->remote);
	if (outcome_failed(outcome))
		return outcome;
	outcome = worker_run(&delivering, errand, end + TIDY_MS, delivered);
	remote_closep(&errand->remote);
	if (outcome_failed(outcome))
		return outcome;
	if (!is_possible(errand, delivered)) {
		memset(delivered, 0, sizeof(*delivered));
		return outcome_because(OUTCOME_WORKER_DIED, "the process for %s returned nonsense",
				       delivering.name);
	}
	outcome = (enum outcome)delivered->outcome;
	return outcome_failed(outcome) ? outcome_because(outcome, "%s", delivered->reason)
				       : OUTCOME_OK;
}

enum outcome delivery_put(const struct push_conf *conf, const char *fingerprint,
			  const struct bytes *chain, const struct bytes *key,
			  char name[static GENERATION_NAME_LEN + 1])
{
	struct errand errand = { .fingerprint = fingerprint, .chain = chain, .key = key };
	struct delivered delivered;
	enum outcome outcome = carry_out(conf, &errand, &delivered);

	memcpy(name, delivered.name, sizeof(delivered.name));
	return outcome;
}

enum outcome delivery_probe(const struct push_conf *conf, enum remote_stage *stage, bool *removed)
{
	struct errand errand = { .chain = NULL };
	struct delivered delivered;
	enum outcome outcome = carry_out(conf, &errand, &delivered);

	*stage = (enum remote_stage)delivered.stage;
	*removed = delivered.removed != 0;
	return outcome;
}
