#include <stdlib.h>
#include <string.h>

#include "certsync/address.h"
#include "certsync/conf.h"
#include "push_conf.h"

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
	{ "state", "dir", CONF_PATH, false, offsetof(struct push_conf, state_dir), NULL,
	  "/var/lib/mailcow-cert-push" },
};

#define SETTINGS (sizeof(settings) / sizeof(settings[0]))

enum outcome push_conf_load(const char *path, struct push_conf *conf)
{
	enum outcome outcome;

	memset(conf, 0, sizeof(*conf));
	outcome = conf_load(path, settings, SETTINGS, conf);
	if (outcome_failed(outcome))
		return outcome;
	/* The mail host is usually reached by the name on its certificate. */
	if (!conf->host[0]) {
		char *host = strdup(conf->hostname);

		if (!host)
			return outcome_because(OUTCOME_NO_MEMORY, "%s: out of memory", path);
		free(conf->host);
		conf->host = host;
	}
	return OUTCOME_OK;
}

void push_conf_clear(struct push_conf *conf)
{
	conf_clear(settings, SETTINGS, conf);
}
