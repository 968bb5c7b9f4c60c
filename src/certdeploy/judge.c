#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h>

#include "certsync/cleanup.h"
#include "certsync/deadline.h"
#include "certsync/text.h"
#include "certsync/worker.h"
#include "domains.h"
#include "judge.h"

/* The judge's own limits end it sooner; this is for one that has been taken over. */
#define LIMIT_MS 60000

/* What comes first of the input; the parts follow in this order. */
struct question {
	char hostname[JUDGE_NAME_MAX];
	int64_t now;
	size_t chain_len, key_len, roots_len, names_len;
};

/* --- in the judge's process --- */

/* Cut ${len} bytes off ${rest}. They are copied, as what is parsed ends in '\0'. */
static struct bytes cut(struct bytes *rest, size_t len)
{
	struct bytes part = len <= rest->len ? bytes_new(len) : BYTES_NONE;

	if (!part.data)
		return BYTES_NONE;
	memcpy(part.data, rest->data, len);
	rest->data += len;
	rest->len -= len;
	return part;
}

static void describe(const struct bundle *bundle, const struct question *question,
		     struct judgement *judgement)
{
	const time_t now = (time_t)question->now;

	snprintf(judgement->fingerprint, sizeof(judgement->fingerprint), "%s",
		 bundle_fingerprint(bundle));
	snprintf(judgement->spki, sizeof(judgement->spki), "%s", bundle_spki(bundle));
	snprintf(judgement->key_type, sizeof(judgement->key_type), "%s", bundle_key_type(bundle));
	judgement->not_before = bundle_not_before(bundle);
	judgement->not_after = bundle_not_after(bundle);
	if (bundle_self_issued(bundle))
		judgement->is |= JUDGED_SELF_ISSUED;
	if (!outcome_failed(bundle_check_leaf(bundle)) &&
	    !outcome_failed(bundle_check_host(bundle, question->hostname)) &&
	    !outcome_failed(bundle_check_validity(bundle, now)))
		judgement->is |= JUDGED_STANDARD;
}

static bool is_uncovered(const char *name, const void *bundle)
{
	return outcome_failed(bundle_check_host(bundle, name));
}

static void give_reason(struct judgement *judgement, enum outcome outcome)
{
	if (outcome_failed(outcome))
		snprintf(judgement->reason, sizeof(judgement->reason), "%s",
			 outcome_reason(outcome));
}

static void judge_bundle(const struct bundle *bundle, const struct question *question,
			 const struct bytes *roots, struct judgement *judgement)
{
	const time_t now = (time_t)question->now;
	enum outcome outcome;

	if (!outcome_failed(bundle_check_key(bundle)))
		judgement->is |= JUDGED_MATCHED;
	outcome = bundle_check(bundle, question->hostname, now);
	if (!outcome_failed(outcome) && roots->len)
		outcome = bundle_check_trust(bundle, roots, now);
	judgement->good = (int)outcome;
	give_reason(judgement, outcome);
}

static void judge_input(const struct bytes *input, struct judgement *judgement)
{
	struct bytes rest = *input;
	struct question question;
	_cleanup_(bundle_freep) struct bundle *bundle = NULL;
	_cleanup_(bytes_clear) struct bytes chain = BYTES_NONE, key = BYTES_NONE,
					    roots = BYTES_NONE, names = BYTES_NONE;
	const char *uncovered;
	enum outcome outcome;

	memcpy(&question, rest.data, sizeof(question));
	rest.data += sizeof(question);
	rest.len -= sizeof(question);
	chain = cut(&rest, question.chain_len);
	key = cut(&rest, question.key_len);
	roots = cut(&rest, question.roots_len);
	names = cut(&rest, question.names_len);
	outcome = chain.data && key.data && roots.data && names.data
			  ? bundle_load(&chain, &key, &bundle)
			  : OUTCOME_NO_MEMORY;
	judgement->loaded = judgement->good = (int)outcome;
	give_reason(judgement, outcome);
	if (bundle)
		judge_bundle(bundle, &question, &roots, judgement);
	else if (chain.data)
		bundle_load_leaf(&chain, &bundle);
	if (!bundle)
		return;
	describe(bundle, &question, judgement);
	uncovered = domains_find(names.data, is_uncovered, bundle);
	if (uncovered)
		snprintf(judgement->uncovered, sizeof(judgement->uncovered), "%s", uncovered);
}

static void judge(void *input, void *prepared, void *reply)
{
	struct bytes *bytes = input;

	(void)prepared;
	judge_input(bytes, reply);
	/* This process ends here, and no key is to be left in its memory. */
	OPENSSL_cleanse(bytes->data, bytes->len);
}

static const struct work judging = {
	.name = "judging the pair",
	.sandbox = SANDBOX_COMPUTE,
	.run = judge,
	.reply_size = sizeof(struct judgement),
};

/* --- in ours --- */

/* OK or a failure: there is no third. */
static bool is_verdict(int number)
{
	return number == OUTCOME_OK ||
	       (number > 0 && number < OUTCOME_COUNT && outcome_failed((enum outcome)number));
}

bool judge_accept(struct judgement *judgement)
{
	const bool loaded = judgement->loaded == OUTCOME_OK;
	/* What was loaded has a leaf; of another one there may be one. */
	const bool leaf = loaded || judgement->fingerprint[0];

	return is_verdict(judgement->loaded) && is_verdict(judgement->good) &&
	       (loaded || judgement->good != OUTCOME_OK) && !(judgement->is & ~JUDGED_ALL) &&
	       text_is(judgement->fingerprint, sizeof(judgement->fingerprint),
		       leaf ? BUNDLE_FINGERPRINT_LEN : 0, BUNDLE_FINGERPRINT_DIGITS) &&
	       text_is(judgement->spki, sizeof(judgement->spki), leaf ? BUNDLE_SPKI_LEN : 0,
		       BUNDLE_SPKI_DIGITS) &&
	       text_accept(judgement->reason, sizeof(judgement->reason)) &&
	       text_accept(judgement->key_type, sizeof(judgement->key_type)) &&
	       text_accept(judgement->uncovered, sizeof(judgement->uncovered));
}

enum outcome judge_outcome(const struct judgement *judgement, int judged)
{
	const enum outcome outcome = (enum outcome)judged;

	return outcome_failed(outcome) ? outcome_because(outcome, "%s", judgement->reason)
				       : OUTCOME_OK;
}

enum outcome judge_pair(const struct bytes *chain, const struct bytes *key,
			const struct judge_rules *rules, struct judgement *judgement)
{
	const struct bytes none = BYTES_NONE;
	const struct bytes *roots = rules->roots ? rules->roots : &none;
	const struct bytes *names = rules->names ? rules->names : &none;
	struct question question = {
		.now = rules->now,
		.chain_len = chain->len,
		.key_len = key->len,
		.roots_len = roots->len,
		.names_len = names->len,
	};
	const struct bytes parts[] = {
		{ .data = (char *)&question, .len = sizeof(question) },
		*chain,
		*key,
		*roots,
		*names,
	};
	enum outcome outcome;

	memset(judgement, 0, sizeof(*judgement));
	snprintf(question.hostname, sizeof(question.hostname), "%s", rules->hostname);
	outcome = worker_call(&judging, parts, sizeof(parts) / sizeof(parts[0]), 0,
			      deadline_in(LIMIT_MS), judgement);
	if (!outcome_failed(outcome) && !judge_accept(judgement))
		outcome = outcome_because(OUTCOME_WORKER_DIED,
					  "the process for judging the pair returned nonsense");
	if (outcome_failed(outcome)) {
		memset(judgement, 0, sizeof(*judgement));
		judgement->loaded = judgement->good = (int)outcome;
		snprintf(judgement->reason, sizeof(judgement->reason), "%s",
			 outcome_reason(outcome));
	}
	return outcome;
}
