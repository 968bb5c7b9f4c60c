#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "certsync/address.h"
#include "certsync/cleanup.h"
#include "certsync/conf.h"
#include "dane.h"

#define DNS_PORT   53
#define PORT_MAX   65535
#define NAMES_MAX  8
#define PORTS_MAX  4
#define PLACES_MAX ((size_t)NAMES_MAX * PORTS_MAX)

/* Hand each of the ${words} to ${each} until it fails. */
static enum outcome for_each(const char *words, enum outcome (*each)(const char *word, void *to),
			     void *to)
{
	_cleanup_(string_freep) char *copy = strdup(words);
	enum outcome outcome = OUTCOME_OK;
	char *rest = copy, *word;

	if (!copy)
		return outcome_because(OUTCOME_NO_MEMORY, "out of memory");
	while (!outcome_failed(outcome) && (word = strsep(&rest, " ")))
		if (word[0])
			outcome = each(word, to);
	return outcome;
}

/* --- settings --- */

static enum outcome check_name(const char *word, void *to)
{
	int *left = to;

	if (!conf_is_dns_name(word))
		return outcome_because(OUTCOME_CONF_INVALID, "%s is not a host name", word);
	return (*left)-- ? OUTCOME_OK
			 : outcome_because(OUTCOME_CONF_INVALID, "%s is one name more than %d",
					   word, NAMES_MAX);
}

static int port_of(const char *word)
{
	const long port = word[strspn(word, "0123456789")] ? 0 : strtol(word, NULL, 10);

	return port > 0 && port <= PORT_MAX ? (int)port : 0;
}

static enum outcome check_port(const char *word, void *to)
{
	int *left = to;

	if (!port_of(word))
		return outcome_because(OUTCOME_CONF_INVALID,
				       "%s is not a port number from 1 to 65535", word);
	return (*left)-- ? OUTCOME_OK
			 : outcome_because(OUTCOME_CONF_INVALID, "%s is one port more than %d",
					   word, PORTS_MAX);
}

enum outcome dane_check_names(const char *names)
{
	int left = NAMES_MAX;

	return for_each(names, check_name, &left);
}

enum outcome dane_check_ports(const char *ports)
{
	int left = PORTS_MAX;

	return for_each(ports, check_port, &left);
}

enum outcome dane_check_resolver(const char *resolver)
{
	struct address address;

	if (!resolver[0] ||
	    (address_parse(resolver, DNS_PORT, &address) && address_is_ip(address.host)))
		return OUTCOME_OK;
	return outcome_because(OUTCOME_CONF_INVALID,
			       "%s is neither an IP address nor ADDRESS:PORT nor [ADDRESS]:PORT",
			       resolver);
}

/* --- looking --- */

/* The questions, while they are put together. */
struct questions {
	const struct deploy_conf *conf;
	struct lookup_question question;
	struct dane *dane;
};

static enum outcome ask(const char *port, void *to)
{
	struct questions *questions = to;
	struct dane *dane = questions->dane;

	questions->question.port = port_of(port);
	return lookup_tlsa(&questions->question, &dane->answer[dane->count++]);
}

static enum outcome ask_at_ports(const char *name, void *to)
{
	struct questions *questions = to;

	snprintf(questions->question.host, sizeof(questions->question.host), "%s", name);
	return for_each(questions->conf->dane_ports, ask, to);
}

enum outcome dane_look(const struct deploy_conf *conf, const char *hostname, struct dane *dane)
{
	struct questions questions = {
		.conf = conf,
		.question = { .timeout = conf->dane_timeout },
		.dane = dane,
	};
	struct address resolver;

	*dane = (struct dane){ .answer = calloc(PLACES_MAX, sizeof(dane->answer[0])) };
	if (!dane->answer)
		return outcome_because(OUTCOME_NO_MEMORY, "out of memory");
	if (conf->resolver[0] && address_parse(conf->resolver, DNS_PORT, &resolver)) {
		snprintf(questions.question.resolver, sizeof(questions.question.resolver), "%s",
			 resolver.host);
		questions.question.resolver_port = resolver.port;
	}
	return for_each(conf->dane_names[0] ? conf->dane_names : hostname, ask_at_ports,
			&questions);
}

void dane_clear(struct dane *dane)
{
	free(dane->answer);
	*dane = (struct dane){ .count = 0 };
}

/* --- comparing --- */

enum dane_state dane_compare(const struct lookup_answer *answer, const struct tlsa_chain *chain)
{
	enum dane_state state = DANE_UNUSABLE;

	if (answer->result != LOOKUP_FOUND)
		return answer->result == LOOKUP_NONE ? DANE_ABSENT : DANE_UNKNOWN;
	for (size_t i = 0; i < answer->count; i++) {
		if (tlsa_matches(&answer->record[i], chain))
			return DANE_MATCHED;
		if (tlsa_is_usable(&answer->record[i]))
			state = DANE_MISMATCHED;
	}
	return state;
}

void dane_line(const struct lookup_answer *answer, const struct tlsa_record *record,
	       char to[static DANE_LINE_LEN + 1])
{
	char text[TLSA_TEXT_LEN + 1];

	tlsa_text(record, text);
	snprintf(to, DANE_LINE_LEN + 1, "%s. IN TLSA %s", answer->name, text);
}
