#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "certsync/address.h"
#include "endpoints.h"

#define BLANKS     " \t"
#define LOOPBACK_4 "127.0.0.1"
#define LOOPBACK_6 "::1"

/* The kinds of endpoint; the first nine are those of mailcow.conf, in the order of its ports. */
static const struct scheme {
	const char *name;
	const char *kind;
	enum wire_protocol protocol;
	int port; /* in the container; 0: the one it is published as */
} schemes[] = {
	[MAILCOW_SMTP] = { "smtp", "postfix", WIRE_SMTP, 25 },
	[MAILCOW_SUBMISSION] = { "submission", "postfix", WIRE_SMTP, 587 },
	[MAILCOW_SMTPS] = { "smtps", "postfix", WIRE_TLS, 465 },
	[MAILCOW_IMAP] = { "imap", "dovecot", WIRE_IMAP, 143 },
	[MAILCOW_IMAPS] = { "imaps", "dovecot", WIRE_TLS, 993 },
	[MAILCOW_POP3] = { "pop3", "dovecot", WIRE_POP3, 110 },
	[MAILCOW_POP3S] = { "pop3s", "dovecot", WIRE_TLS, 995 },
	[MAILCOW_SIEVE] = { "sieve", "dovecot", WIRE_SIEVE, 4190 },
	[MAILCOW_HTTPS] = { "https", "nginx", WIRE_TLS, 0 },
};

_Static_assert(sizeof(schemes) / sizeof(schemes[0]) == MAILCOW_PORTS, "a scheme for each port");

static const struct scheme *find_scheme(const char *name, size_t len)
{
	for (size_t i = 0; i < MAILCOW_PORTS; i++)
		if (strlen(schemes[i].name) == len && !strncmp(schemes[i].name, name, len))
			return &schemes[i];
	return NULL;
}

static struct endpoint *find(struct endpoints *endpoints, const char *name)
{
	for (size_t i = 0; i < endpoints->count; i++)
		if (!strcmp(endpoints->endpoint[i].name, name))
			return &endpoints->endpoint[i];
	return NULL;
}

static struct endpoint endpoint_of(const struct scheme *scheme, const char *name)
{
	struct endpoint endpoint = { .protocol = scheme->protocol, .kind = scheme->kind };

	snprintf(endpoint.name, sizeof(endpoint.name), "%s", name);
	return endpoint;
}

/* Of all addresses of this host, loopback is one. */
static void place(struct endpoint *endpoint, const char *address, int port)
{
	if (!strcmp(address, MAILCOW_ANY_4))
		address = LOOPBACK_4;
	else if (!strcmp(address, MAILCOW_ANY_6))
		address = LOOPBACK_6;
	snprintf(endpoint->address, sizeof(endpoint->address), "%s", address);
	endpoint->port = port;
}

static void published(const struct mailcow *mailcow, struct endpoints *endpoints)
{
	for (size_t i = 0; i < MAILCOW_PORTS; i++) {
		struct endpoint endpoint = endpoint_of(&schemes[i], schemes[i].name);

		place(&endpoint, mailcow->published[i].address, mailcow->published[i].port);
		/* mailcow's nginx listens on HTTPS_PORT in the container, too. */
		endpoint.inside = schemes[i].port ? schemes[i].port : endpoint.port;
		endpoint.proxy_header = i == MAILCOW_HTTPS && mailcow->proxy_protocol;
		endpoints->endpoint[endpoints->count++] = endpoint;
	}
}

/* --- what the configuration changes --- */

static enum outcome wrong(const char *word, const char *what)
{
	return outcome_because(OUTCOME_CONF_INVALID, "%s: %s", word, what);
}

static enum outcome move(struct endpoint *endpoint, const char *word, const char *where)
{
	struct address address;

	if (!address_parse(where, 0, &address) || !address.port)
		return wrong(word, "must be NAME=off, NAME=ADDRESS:PORT or "
				   "NAME=SCHEME://ADDRESS:PORT, an IPv6 address in brackets, with "
				   "a port from 1 to 65535");
	place(endpoint, address.host, address.port);
	/* Elsewhere it need not be what the container publishes. */
	endpoint->inside = 0;
	return OUTCOME_OK;
}

static void drop(struct endpoints *endpoints, struct endpoint *endpoint)
{
	struct endpoint *end = endpoints->endpoint + endpoints->count;

	memmove(endpoint, endpoint + 1, (size_t)((char *)end - (char *)(endpoint + 1)));
	endpoints->count--;
}

static enum outcome add(struct endpoints *endpoints, const char *word, const char *name,
			const char *url)
{
	const char *rest = strstr(url, "://");
	const struct scheme *scheme = find_scheme(url, (size_t)(rest - url));
	struct endpoint endpoint;
	enum outcome outcome;

	if (!scheme)
		return wrong(word, "the scheme must be smtp, submission, smtps, imap, imaps, pop3, "
				   "pop3s, sieve or https");
	if (find(endpoints, name))
		return wrong(word, "there is an endpoint of this name already; "
				   "NAME=ADDRESS:PORT changes it");
	if (endpoints->count == ENDPOINTS_MAX)
		return wrong(word, "too many endpoints");
	endpoint = endpoint_of(scheme, name);
	outcome = move(&endpoint, word, rest + strlen("://"));
	if (!outcome_failed(outcome))
		endpoints->endpoint[endpoints->count++] = endpoint;
	return outcome;
}

static enum outcome change(struct endpoints *endpoints, const char *word)
{
	const char *value = strchr(word, '=');
	char name[ENDPOINT_NAME_MAX + 1];
	struct endpoint *endpoint;

	if (!value || value == word || (size_t)(value - word) > ENDPOINT_NAME_MAX)
		return wrong(word, "must be NAME=off, NAME=ADDRESS:PORT or "
				   "NAME=SCHEME://ADDRESS:PORT");
	snprintf(name, sizeof(name), "%.*s", (int)(value - word), word);
	for (const char *c = name; *c; c++)
		if (!isalnum((unsigned char)*c) && *c != '-' && *c != '_')
			return wrong(word, "a name has letters, digits, - and _");
	value++;
	if (strstr(value, "://"))
		return add(endpoints, word, name, value);
	endpoint = find(endpoints, name);
	if (!endpoint)
		return wrong(word, "there is no endpoint of this name; a new one needs a scheme: "
				   "NAME=SCHEME://ADDRESS:PORT");
	if (strcmp(value, "off") != 0)
		return move(endpoint, word, value);
	drop(endpoints, endpoint);
	return OUTCOME_OK;
}

/* Is the endpoint that the word ${at} names changed by one of the words before it? */
static bool is_repeated(const char *changes, const char *at)
{
	const size_t len = strcspn(at, "=" BLANKS);

	if (at[len] != '=')
		return false;
	for (const char *word = changes + strspn(changes, BLANKS); word < at;) {
		if (!strncmp(word, at, len + 1))
			return true;
		word += strcspn(word, BLANKS);
		word += strspn(word, BLANKS);
	}
	return false;
}

enum outcome endpoints_find(const struct mailcow *mailcow, const char *changes,
			    struct endpoints *endpoints)
{
	*endpoints = (struct endpoints){ .count = 0 };
	published(mailcow, endpoints);
	for (const char *at = changes + strspn(changes, BLANKS); *at; at += strspn(at, BLANKS)) {
		size_t len = strcspn(at, BLANKS);
		char word[ENDPOINT_NAME_MAX + ENDPOINT_ADDRESS_MAX + 32];
		enum outcome outcome;

		snprintf(word, sizeof(word), "%.*s", (int)len, at);
		if (len >= sizeof(word))
			outcome = wrong(word, "is too long");
		else if (is_repeated(changes, at))
			outcome = wrong(word, "this endpoint comes twice");
		else
			outcome = change(endpoints, word);
		if (outcome_failed(outcome))
			return outcome;
		at += len;
	}
	return OUTCOME_OK;
}

enum outcome endpoints_check(const char *changes)
{
	static const struct mailcow none;
	struct endpoints endpoints;

	return endpoints_find(&none, changes, &endpoints);
}
