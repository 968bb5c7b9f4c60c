#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ask.h"
#include "certsync/cleanup.h"
#include "certsync/text.h"
#include "certsync/worker.h"
#include "trust.h"

/* The worker keeps to the limit by itself; this much later it is ended. */
#define GRACE_MS     2000
#define NAME_MAX_LEN 255

/* A question as it is sent to the worker. */
struct asked {
	char host[NAME_MAX_LEN + 1];
	char sni[NAME_MAX_LEN + 1];
	int port;
	enum wire_protocol protocol;
	int with_sni;
	int proxy_header;
};

/* What comes first of the worker's input; ${count} of the above follow, then the roots. */
struct task {
	size_t count;
	size_t roots_len;
	deadline end;
	size_t verify; /* 0 or 1 */
};

/* What it returns; as many answers follow. */
struct result {
	int outcome;
	char reason[WIRE_REASON_MAX];
	struct wire_answer answers[];
};

/* --- in the worker --- */

/* The input, taken apart. */
struct questions {
	struct task task;
	struct wire_question *question;
	struct bytes roots;
	struct ask_addresses *addresses;
};

static void *prepare(void *input)
{
	const struct bytes *bytes = input;
	struct questions *questions = calloc(1, sizeof(*questions));
	struct asked *asked;

	if (!questions)
		return NULL;
	memcpy(&questions->task, bytes->data, sizeof(questions->task));
	asked = (struct asked *)(bytes->data + sizeof(struct task));
	questions->roots = (struct bytes){
		.data = (char *)(asked + questions->task.count),
		.len = questions->task.roots_len,
	};
	questions->question = calloc(questions->task.count, sizeof(*questions->question));
	for (size_t i = 0; questions->question && i < questions->task.count; i++)
		questions->question[i] = (struct wire_question){
			.host = asked[i].host,
			.port = asked[i].port,
			.protocol = asked[i].protocol,
			.sni = asked[i].with_sni ? asked[i].sni : NULL,
			.proxy_header = asked[i].proxy_header,
		};
	if (questions->question)
		questions->addresses = ask_resolve(questions->question, questions->task.count,
						   questions->task.end);
	return questions;
}

static void run(void *input, void *prepared, void *reply)
{
	struct questions *questions = prepared;
	struct result *result = reply;
	enum outcome outcome = OUTCOME_NO_MEMORY;

	(void)input;
	if (questions && questions->addresses)
		outcome = ask_all(questions->question, questions->task.count, questions->addresses,
				  questions->task.verify ? &questions->roots : NULL,
				  questions->task.end, result->answers);
	result->outcome = (int)outcome;
	snprintf(result->reason, sizeof(result->reason), "%s",
		 outcome_failed(outcome) ? outcome_reason(outcome) : "");
	if (questions) {
		ask_release(questions->addresses, questions->task.count);
		free(questions->question);
	}
	free(questions);
}

static const struct work asking = {
	.name = "asking the endpoints",
	.sandbox = SANDBOX_CONVERSE,
	.prepare = prepare,
	.run = run,
};

/* --- in the caller --- */

bool wire_accept(struct wire_answer *answer)
{
	const bool served = answer->result == WIRE_SERVED;
	unsigned char trusted;

	/* Another value than 0 and 1 would make it no bool at all. */
	memcpy(&trusted, &answer->trusted, sizeof(trusted));
	return answer->result <= WIRE_INTERRUPTED && trusted <= 1 &&
	       text_accept(answer->reason, sizeof(answer->reason)) &&
	       text_accept(answer->distrust, sizeof(answer->distrust)) &&
	       text_accept(answer->tls, sizeof(answer->tls)) &&
	       text_is(answer->fingerprint, sizeof(answer->fingerprint),
		       served ? BUNDLE_FINGERPRINT_LEN : 0, BUNDLE_FINGERPRINT_DIGITS) &&
	       text_is(answer->spki, sizeof(answer->spki), served ? BUNDLE_SPKI_LEN : 0,
		       BUNDLE_SPKI_DIGITS);
}

static enum outcome take_result(struct result *result, size_t count, struct wire_answer *answers)
{
	bool accepted = result->outcome >= 0 && result->outcome < OUTCOME_COUNT &&
			text_accept(result->reason, sizeof(result->reason));

	if (accepted && outcome_failed((enum outcome)result->outcome))
		return outcome_because((enum outcome)result->outcome, "%s", result->reason);
	for (size_t i = 0; i < count && accepted; i++)
		accepted = wire_accept(&result->answers[i]);
	if (!accepted)
		return outcome_because(OUTCOME_WORKER_DIED, "the process for %s returned nonsense",
				       asking.name);
	memcpy(answers, result->answers, count * sizeof(*answers));
	return OUTCOME_OK;
}

static void write_question(const struct wire_question *question, struct asked *asked)
{
	snprintf(asked->host, sizeof(asked->host), "%s", question->host);
	snprintf(asked->sni, sizeof(asked->sni), "%s", question->sni ? question->sni : "");
	asked->port = question->port;
	asked->protocol = question->protocol;
	asked->with_sni = question->sni != NULL;
	asked->proxy_header = question->proxy_header;
}

static enum outcome call(const struct wire_question *questions, size_t count,
			 const struct bytes *roots, deadline end, struct wire_answer *answers)
{
	const size_t result_size = sizeof(struct result) + count * sizeof(struct wire_answer);
	struct task task = {
		.count = count,
		.roots_len = roots ? roots->len : 0,
		.end = end,
		.verify = roots != NULL,
	};
	_cleanup_(bytes_clear) struct bytes asked = bytes_new(count * sizeof(struct asked));
	_cleanup_(bytes_clear) struct bytes result = bytes_new(result_size);
	const struct bytes parts[] = {
		{ .data = (char *)&task, .len = sizeof(task) },
		asked,
		roots ? *roots : BYTES_NONE,
	};
	enum outcome outcome;

	if (!asked.data || !result.data)
		return outcome_because(OUTCOME_NO_MEMORY, "out of memory");
	for (size_t i = 0; i < count; i++)
		write_question(&questions[i], (struct asked *)asked.data + i);
	outcome = worker_call(&asking, parts, sizeof(parts) / sizeof(parts[0]), result_size,
			      end + GRACE_MS, result.data);
	return outcome_failed(outcome) ? outcome
				       : take_result((struct result *)result.data, count, answers);
}

enum outcome wire_ask(const struct wire_question *questions, size_t count, const char *roots,
		      deadline end, struct wire_answer *answers)
{
	_cleanup_(bytes_clear) struct bytes bytes = BYTES_NONE;
	enum outcome outcome = roots ? trust_read(roots, &bytes) : OUTCOME_OK;

	return outcome_failed(outcome) || !count
		       ? outcome
		       : call(questions, count, roots ? &bytes : NULL, end, answers);
}
