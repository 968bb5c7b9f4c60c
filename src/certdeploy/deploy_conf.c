#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "certsync/conf.h"
#include "deploy_conf.h"
#include "endpoints.h"
#include "services.h"

static enum outcome check_ca_file(const char *path)
{
	struct stat status;

	if (!path[0])
		return OUTCOME_OK;
	if (access(path, R_OK) < 0 || stat(path, &status) < 0)
		return outcome_because(OUTCOME_CONF_INVALID, "%s: %s", path, strerror(errno));
	if (!S_ISREG(status.st_mode))
		return outcome_because(OUTCOME_CONF_INVALID,
				       "%s: is no file; name one such as "
				       "/etc/ssl/certs/ca-certificates.crt",
				       path);
	return OUTCOME_OK;
}

static const char *const sni_words[] = {
	[DEPLOY_SNI_UPDATE] = "update",
	[DEPLOY_SNI_WARN] = "warn",
	[DEPLOY_SNI_IGNORE] = "ignore",
};

static enum outcome check_sni(const char *text)
{
	for (size_t i = 0; i < sizeof(sni_words) / sizeof(sni_words[0]); i++)
		if (!strcmp(text, sni_words[i]))
			return OUTCOME_OK;
	return outcome_because(OUTCOME_CONF_INVALID, "%s is not update, warn or ignore", text);
}

enum deploy_sni deploy_conf_sni(const struct deploy_conf *conf)
{
	enum deploy_sni sni = DEPLOY_SNI_UPDATE;

	while (sni < DEPLOY_SNI_IGNORE && strcmp(conf->sni, sni_words[sni]) != 0)
		sni++;
	return sni;
}

/* clang-format off */
#define SETTING(section, key, member, type, may_be_empty, default_text) \
	{ section, key, type, may_be_empty, offsetof(struct deploy_conf, member), NULL, default_text }
/* clang-format on */

static const struct conf_setting settings[] = {
	SETTING("mailcow", "root", root, CONF_PATH, false, "/opt/mailcow-dockerized"),
	SETTING("mailcow", "hostname", hostname, CONF_DNS_NAME, true, ""),
	{ "mailcow", "services", CONF_WORDS, true, offsetof(struct deploy_conf, services),
	  services_check, "postfix-mailcow dovecot-mailcow nginx-mailcow" },
	SETTING("mailcow", "docker", docker, CONF_PATH, false, "/usr/bin/docker"),
	{ "mailcow", "sni", CONF_TEXT, false, offsetof(struct deploy_conf, sni), check_sni,
	  "update" },
	SETTING("staging", "dir", staging_dir, CONF_PATH, false, "/home/certsync/incoming"),
	{ "staging", "ca_file", CONF_PATH, true, offsetof(struct deploy_conf, ca_file),
	  check_ca_file, "" },
	SETTING("limits", "docker_timeout", docker_timeout, CONF_DURATION, false, "60s"),
	SETTING("verify", "verify", verify, CONF_SWITCH, false, "on"),
	{ "verify", "endpoints", CONF_TEXT, true, offsetof(struct deploy_conf, endpoints),
	  endpoints_check, "" },
	SETTING("verify", "timeout", verify_timeout, CONF_DURATION, false, "10s"),
	SETTING("verify", "settle", settle, CONF_DURATION, false, "10s"),
	SETTING("state", "dir", state_dir, CONF_PATH, false, "/var/lib/mailcow-cert-deploy"),
	SETTING("monitoring", "metrics", metrics, CONF_PATH, true, ""),
};

#define SETTINGS (sizeof(settings) / sizeof(settings[0]))

enum outcome deploy_conf_load(const char *path, struct deploy_conf *conf)
{
	enum outcome outcome;

	memset(conf, 0, sizeof(*conf));
	outcome = conf_load(path, settings, SETTINGS, conf);
	/* A standby, whose services do not run. */
	if (!outcome_failed(outcome) && !conf->services[0])
		conf->verify = false;
	return outcome;
}

void deploy_conf_clear(struct deploy_conf *conf)
{
	conf_clear(settings, SETTINGS, conf);
}
