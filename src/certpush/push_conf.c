#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "certsync/address.h"
#include "certsync/cleanup.h"
#include "certsync/conf.h"
#include "push_conf.h"

#define STATE_DIR   "/var/lib/mailcow-cert-push"
#define TARGETS_DIR "push.d"

/* clang-format off */
#define SETTING(section, key, type, may_be_empty, default_text) \
	{ section, #key, type, may_be_empty, offsetof(struct push_conf, key), NULL, default_text }
/* clang-format on */

static const struct conf_setting settings[] = {
	SETTING("source", live_dir, CONF_PATH, false, "/etc/nginx/letsencrypt/live"),
	SETTING("source", hostname, CONF_DNS_NAME, false, NULL),
	SETTING("source", lineage, CONF_NAME, true, ""),
	SETTING("target", host, CONF_HOST, true, ""),
	SETTING("target", port, CONF_PORT, false, "22"),
	SETTING("target", user, CONF_NAME, false, "certsync"),
	SETTING("target", identity, CONF_PATH, false, "/etc/certsync/mailcow_certsync"),
	SETTING("target", known_hosts, CONF_PATH, false, "/etc/certsync/known_hosts"),
	SETTING("target", host_key, CONF_HOST_KEY, true, ""),
	SETTING("target", staging, CONF_TEXT, false, "."),
	SETTING("limits", connect_timeout, CONF_DURATION, false, "10s"),
	SETTING("limits", handshake_timeout, CONF_DURATION, false, "20s"),
	SETTING("limits", run_timeout, CONF_DURATION, false, "60s"),
	SETTING("verify", verify, CONF_SWITCH, false, "on"),
	{ "verify", "endpoint", CONF_TEXT, true, offsetof(struct push_conf, endpoint),
	  address_check, "" },
	SETTING("verify", propagate_within, CONF_DURATION, false, "30m"),
	{ "verify", "timeout", CONF_DURATION, false, offsetof(struct push_conf, verify_timeout),
	  NULL, "5s" },
	{ "state", "dir", CONF_PATH, true, offsetof(struct push_conf, state_dir), NULL, "" },
	SETTING("monitoring", metrics, CONF_PATH, true, ""),
};

#define SETTINGS (sizeof(settings) / sizeof(settings[0]))

/* Is push.d the last part of ${dir}? */
static bool is_targets_dir(const char *dir)
{
	const char *slash = strrchr(dir, '/');

	return !strcmp(slash ? slash + 1 : dir, TARGETS_DIR);
}

/*
 * NAME of the settings for one of several mail hosts, push.d/NAME.conf; "" for others. The
 * caller's, to free; NULL if there is no memory.
 */
static char *target_of(const char *path)
{
	_cleanup_(string_freep) char *copy = strdup(path), *real = NULL;
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	const char *end = strrchr(name, '.'), *dir;

	if (!copy)
		return NULL;
	/* Whether it is given with its directory or not, which may be a link. */
	dir = dirname(copy);
	real = realpath(dir, NULL);
	if (!end || strcmp(end, ".conf") ||
	    !(is_targets_dir(dir) || (real && is_targets_dir(real))))
		return strdup("");
	return strndup(name, (size_t)(end - name));
}

/*
 * What is remembered is of one mail host: each of several has a directory of its own, as
 * mailcow-cert-push@NAME.service has. The caller's, to free; NULL if there is no memory.
 */
static char *default_state_dir(const char *target)
{
	char *dir;

	if (!target[0])
		return strdup(STATE_DIR);
	return asprintf(&dir, STATE_DIR "@%s", target) < 0 ? NULL : dir;
}

/* Have ${made}, if it was made, in the place of ${value} of the settings in ${path}. */
static enum outcome fill(char **value, char *made, const char *path)
{
	if (!made)
		return outcome_because(OUTCOME_NO_MEMORY, "%s: out of memory", path);
	free(*value);
	*value = made;
	return OUTCOME_OK;
}

enum outcome push_conf_load(const char *path, struct push_conf *conf)
{
	enum outcome outcome;

	memset(conf, 0, sizeof(*conf));
	outcome = fill(&conf->target, target_of(path), path);
	if (!outcome_failed(outcome))
		outcome = conf_load(path, settings, SETTINGS, conf);
	if (outcome_failed(outcome))
		return outcome;
	/* The mail host is usually reached by the name on its certificate. */
	if (!conf->host[0])
		outcome = fill(&conf->host, strdup(conf->hostname), path);
	if (!outcome_failed(outcome) && !conf->state_dir[0])
		outcome = fill(&conf->state_dir, default_state_dir(conf->target), path);
	return outcome;
}

void push_conf_clear(struct push_conf *conf)
{
	conf_clear(settings, SETTINGS, conf);
	string_freep(&conf->target);
}
