/*
 * judge CHAIN KEY HOST [PROTOCOL:PORT]...: a pair, and then all that is served on 127.0.0.1, with
 * the name and without, as certdeploy does, but in one process, which nothing confines. Prints the
 * milliseconds that the slowest answer took.
 */

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "ask.h"
#include "certsync/bundle.h"
#include "certsync/cleanup.h"

#define QUESTIONS_MAX 32
#define TIMEOUT_MS    20000

static enum outcome judge(const char *chain_file, const char *key_file, const char *host)
{
	_cleanup_(bytes_clear) struct bytes chain = BYTES_NONE, key = BYTES_NONE;
	_cleanup_(bundle_freep) struct bundle *bundle = NULL;
	enum outcome outcome = file_read(AT_FDCWD, chain_file, FILE_OWN, BUNDLE_BYTES_MAX, &chain);

	if (!outcome_failed(outcome))
		outcome = file_read(AT_FDCWD, key_file, FILE_OWN, BUNDLE_BYTES_MAX, &key);
	if (!outcome_failed(outcome))
		outcome = bundle_load(&chain, &key, &bundle);
	return outcome_failed(outcome) ? outcome : bundle_check(bundle, host, time(NULL));
}

static bool take(const char *word, struct wire_question *question)
{
	static const char *const protocols[] = {
		[WIRE_TLS] = "tls",   [WIRE_SMTP] = "smtp",   [WIRE_IMAP] = "imap",
		[WIRE_POP3] = "pop3", [WIRE_SIEVE] = "sieve",
	};
	const size_t len = strcspn(word, ":");

	for (size_t i = 0; i < sizeof(protocols) / sizeof(protocols[0]); i++)
		if (strlen(protocols[i]) == len && !strncmp(word, protocols[i], len)) {
			*question = (struct wire_question){
				.host = "127.0.0.1",
				.protocol = (enum wire_protocol)i,
				.port = word[len] ? atoi(word + len + 1) : 0,
			};
			return question->port > 0;
		}
	return false;
}

/* All must be served, or it is no measure. */
static enum outcome ask(char *const words[], size_t count, const char *host)
{
	struct wire_question questions[QUESTIONS_MAX];
	struct wire_answer answers[QUESTIONS_MAX];
	const deadline end = deadline_in(TIMEOUT_MS);
	struct ask_addresses *addresses;
	enum outcome outcome;
	int slowest = 0;

	for (size_t i = 0; i < count; i++) {
		if (!take(words[i], &questions[2 * i]))
			return outcome_because(OUTCOME_USAGE, "%s: PROTOCOL:PORT is wanted",
					       words[i]);
		questions[2 * i + 1] = questions[2 * i];
		questions[2 * i].sni = host;
	}
	addresses = ask_resolve(questions, 2 * count, end);
	outcome = addresses ? ask_all(questions, 2 * count, addresses, NULL, end, answers)
			    : OUTCOME_NO_MEMORY;
	ask_release(addresses, 2 * count);
	for (size_t i = 0; i < 2 * count && !outcome_failed(outcome); i++) {
		if (answers[i].result != WIRE_SERVED)
			return outcome_because(OUTCOME_ENDPOINT_DOWN, "%s: %s", words[i / 2],
					       answers[i].reason);
		if (answers[i].milliseconds > slowest)
			slowest = answers[i].milliseconds;
	}
	if (!outcome_failed(outcome))
		printf("%d\n", slowest);
	return outcome;
}

int main(int argc, char *argv[])
{
	enum outcome outcome = OUTCOME_USAGE;

	OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT, NULL);
	if (argc >= 4 && argc <= 4 + QUESTIONS_MAX / 2)
		outcome = judge(argv[1], argv[2], argv[3]);
	if (!outcome_failed(outcome) && argc > 4)
		outcome = ask(argv + 4, (size_t)argc - 4, argv[3]);
	if (outcome_failed(outcome))
		fprintf(stderr, "judge: %s\n", outcome_reason(outcome));
	return outcome_failed(outcome);
}
