#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "certsync/address.h"
#include "certsync/conf.h"
#include "mailcow.h"

#define MAILCOW_CONF "mailcow.conf"
#define MAILCOW_SSL  "data/assets/ssl"

/* The variables, with the defaults of mailcow's docker-compose.yml. */
static const struct {
	const char *variable;
	int port;
} ports[MAILCOW_PORTS] = {
	[MAILCOW_SMTP] = { "SMTP_PORT", 25 },    [MAILCOW_SUBMISSION] = { "SUBMISSION_PORT", 587 },
	[MAILCOW_SMTPS] = { "SMTPS_PORT", 465 }, [MAILCOW_IMAP] = { "IMAP_PORT", 143 },
	[MAILCOW_IMAPS] = { "IMAPS_PORT", 993 }, [MAILCOW_POP3] = { "POP_PORT", 110 },
	[MAILCOW_POP3S] = { "POPS_PORT", 995 },  [MAILCOW_SIEVE] = { "SIEVE_PORT", 4190 },
	[MAILCOW_HTTPS] = { "HTTPS_PORT", 443 },
};

/* mailcow.conf as far as it is needed, in the words of the file. */
struct variables {
	struct mailcow *mailcow;
	char ports[MAILCOW_PORTS][MAILCOW_ADDRESS_MAX + 8];
	char https_bind[MAILCOW_ADDRESS_MAX + 1];
};

static bool is_yes(const char *value)
{
	return !strcasecmp(value, "y") || !strcasecmp(value, "yes");
}

static void take_port(struct variables *variables, const char *name, const char *value)
{
	for (size_t i = 0; i < MAILCOW_PORTS; i++)
		if (!strcmp(name, ports[i].variable))
			snprintf(variables->ports[i], sizeof(variables->ports[i]), "%s", value);
}

static void take(const char *name, const char *value, void *context)
{
	struct variables *variables = context;
	struct mailcow *mailcow = variables->mailcow;

	if (!strcmp(name, "MAILCOW_HOSTNAME"))
		snprintf(mailcow->hostname, sizeof(mailcow->hostname), "%s", value);
	else if (!strcmp(name, "COMPOSE_PROJECT_NAME"))
		snprintf(mailcow->project, sizeof(mailcow->project), "%s", value);
	else if (!strcmp(name, "SKIP_LETS_ENCRYPT"))
		/* As mailcow's scripts take it. */
		mailcow->acme = !is_yes(value);
	else if (!strcmp(name, "HTTPS_BIND"))
		snprintf(variables->https_bind, sizeof(variables->https_bind), "%s", value);
	else if (!strcmp(name, "NGINX_USE_PROXY_PROTOCOL"))
		mailcow->proxy_protocol = is_yes(value);
	else
		take_port(variables, name, value);
}

/*
 * Without COMPOSE_PROJECT_NAME docker compose takes the directory's name: lower case, letters,
 * digits, - and _; the last two not at its beginning.
 */
static void name_project(const char *root, struct mailcow *mailcow)
{
	const char *end = root + strlen(root), *name;
	size_t used = 0;

	while (end > root && end[-1] == '/')
		end--;
	for (name = end; name > root && name[-1] != '/';)
		name--;
	for (; name < end && used < MAILCOW_PROJECT_MAX; name++)
		if (isalnum((unsigned char)*name) || (used && (*name == '-' || *name == '_')))
			mailcow->project[used++] = (char)tolower((unsigned char)*name);
	mailcow->project[used] = '\0';
}

/*
 * An address of its own, "127.0.0.1:25" or "[::1]:25", or "25", which goes with that of ${bind};
 * false: it is none of these. Docker takes no names.
 */
static bool parse_published(const char *text, const char *bind, struct mailcow_published *to)
{
	const bool alone = !text[strspn(text, "0123456789")];
	struct address address;
	char whole[2 * sizeof(to->address)] = "";

	if (alone)
		snprintf(whole, sizeof(whole), strchr(bind, ':') ? "[%s]:%s" : "%s:%s", bind, text);
	if (!address_parse(alone ? whole : text, 0, &address) || !address.port ||
	    !address_is_ip(address.host))
		return false;
	snprintf(to->address, sizeof(to->address), "%.*s", MAILCOW_ADDRESS_MAX, address.host);
	to->port = address.port;
	return true;
}

/* HTTPS_BIND, an address with or without the brackets of IPv6; "": all addresses. */
static enum outcome parse_bind(const char *text, const char *path, struct address *bind)
{
	if (address_parse(text[0] ? text : MAILCOW_ANY_4, 0, bind) && !bind->port &&
	    address_is_ip(bind->host))
		return OUTCOME_OK;
	return outcome_because(OUTCOME_MAILCOW_CONF, "%s: HTTPS_BIND=%s is not an IP address", path,
			       text);
}

static enum outcome publish(const struct variables *variables, const char *path)
{
	struct address bind;
	enum outcome outcome = parse_bind(variables->https_bind, path, &bind);

	if (outcome_failed(outcome))
		return outcome;
	for (size_t i = 0; i < MAILCOW_PORTS; i++) {
		struct mailcow_published *published = &variables->mailcow->published[i];
		const char *text = variables->ports[i];
		char standard[16];

		snprintf(standard, sizeof(standard), "%d", ports[i].port);
		if (!parse_published(text[0] ? text : standard,
				     i == MAILCOW_HTTPS ? bind.host : MAILCOW_ANY_4, published))
			return outcome_because(OUTCOME_MAILCOW_CONF,
					       "%s: %s=%s is not PORT or ADDRESS:PORT", path,
					       ports[i].variable, text);
	}
	return OUTCOME_OK;
}

enum outcome mailcow_read(const struct deploy_conf *conf, struct mailcow *mailcow)
{
	struct variables variables = { .mailcow = mailcow };
	char path[PATH_MAX];
	enum outcome outcome;

	memset(mailcow, 0, sizeof(*mailcow));
	mailcow->acme = true;
	snprintf(path, sizeof(path), "%s/%s", conf->root, MAILCOW_CONF);
	outcome = conf_variables(path, take, &variables);
	if (outcome == OUTCOME_CONF_MISSING || outcome == OUTCOME_CONF_INVALID)
		return outcome_because(OUTCOME_MAILCOW_MISSING, "no mailcow in %s: %s", conf->root,
				       outcome_reason(outcome));
	if (outcome_failed(outcome))
		return outcome;
	if (conf->hostname[0])
		snprintf(mailcow->hostname, sizeof(mailcow->hostname), "%s", conf->hostname);
	if (!mailcow->hostname[0])
		return outcome_because(OUTCOME_MAILCOW_CONF, "%s: MAILCOW_HOSTNAME is not set",
				       path);
	if (!conf_is_dns_name(mailcow->hostname))
		return outcome_because(OUTCOME_MAILCOW_CONF,
				       "%s: MAILCOW_HOSTNAME=%s is not a host name", path,
				       mailcow->hostname);
	if (!mailcow->project[0])
		name_project(conf->root, mailcow);
	snprintf(mailcow->ssl_dir, sizeof(mailcow->ssl_dir), "%s/%s", conf->root, MAILCOW_SSL);
	outcome = publish(&variables, path);
	if (outcome_failed(outcome))
		return outcome;
	if (access(mailcow->ssl_dir, F_OK) < 0)
		return outcome_because(errno == EACCES ? OUTCOME_FILE_DENIED
						       : OUTCOME_MAILCOW_MISSING,
				       "%s: %s", mailcow->ssl_dir, strerror(errno));
	return OUTCOME_OK;
}
