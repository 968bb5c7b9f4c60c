#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "certsync/conf.h"
#include "mailcow.h"

#define MAILCOW_CONF "mailcow.conf"
#define MAILCOW_SSL  "data/assets/ssl"

static void take(const char *name, const char *value, void *context)
{
	struct mailcow *mailcow = context;

	if (!strcmp(name, "MAILCOW_HOSTNAME"))
		snprintf(mailcow->hostname, sizeof(mailcow->hostname), "%s", value);
	else if (!strcmp(name, "COMPOSE_PROJECT_NAME"))
		snprintf(mailcow->project, sizeof(mailcow->project), "%s", value);
	else if (!strcmp(name, "SKIP_LETS_ENCRYPT"))
		/* As mailcow's scripts take it. */
		mailcow->acme = strcasecmp(value, "y") != 0 && strcasecmp(value, "yes") != 0;
}

/*
 * Without COMPOSE_PROJECT_NAME docker compose takes the directory's name: lower case, letters,
 * digits, - and _.
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
		if (isalnum((unsigned char)*name) || *name == '-' || *name == '_')
			mailcow->project[used++] = (char)tolower((unsigned char)*name);
	mailcow->project[used] = '\0';
}

enum outcome mailcow_read(const struct deploy_conf *conf, struct mailcow *mailcow)
{
	char path[PATH_MAX];
	enum outcome outcome;

	memset(mailcow, 0, sizeof(*mailcow));
	mailcow->acme = true;
	snprintf(path, sizeof(path), "%s/%s", conf->root, MAILCOW_CONF);
	outcome = conf_variables(path, take, mailcow);
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
	if (access(mailcow->ssl_dir, F_OK) < 0)
		return outcome_because(errno == EACCES ? OUTCOME_FILE_DENIED
						       : OUTCOME_MAILCOW_MISSING,
				       "%s: %s", mailcow->ssl_dir, strerror(errno));
	return OUTCOME_OK;
}
