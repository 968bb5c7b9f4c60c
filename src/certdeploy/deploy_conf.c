#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "certsync/conf.h"
#include "dane.h"
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

/* --- settings that are one of some words --- */

#define WORDS_MAX 3

static const char *const sni_words[WORDS_MAX] = {
	[DEPLOY_SNI_UPDATE] = "update",
	[DEPLOY_SNI_WARN] = "warn",
	[DEPLOY_SNI_IGNORE] = "ignore",
};

static const char *const dane_words[WORDS_MAX] = {
	[DEPLOY_DANE_AUTO] = "auto",
	[DEPLOY_DANE_REQUIRE] = "require",
	[DEPLOY_DANE_OFF] = "off",
};

/* Which of the ${words} is ${text}? WORDS_MAX: none. */
static unsigned which(const char *const words[static WORDS_MAX], const char *text)
{
	unsigned i = 0;

	while (i < WORDS_MAX && strcmp(text, words[i]) != 0)
		i++;
	return i;
}

static enum outcome check_word(const char *const words[static WORDS_MAX], const char *text)
{
	return which(words, text) < WORDS_MAX
		       ? OUTCOME_OK
		       : outcome_because(OUTCOME_CONF_INVALID, "%s is not %s, %s or %s", text,
					 words[0], words[1], words[2]);
}

static enum outcome check_sni(const char *text)
{
	return check_word(sni_words, text);
}

static enum outcome check_dane(const char *text)
{
	return check_word(dane_words, text);
}

enum deploy_sni deploy_conf_sni(const struct deploy_conf *conf)
{
	return (enum deploy_sni)which(sni_words, conf->sni);
}

enum deploy_dane deploy_conf_dane(const struct deploy_conf *conf)
{
	return (enum deploy_dane)which(dane_words, conf->dane);
}

/* --- all of them --- */

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
	{ "dane", "dane", CONF_TEXT, false, offsetof(struct deploy_conf, dane), check_dane,
	  "auto" },
	SETTING("dane", "hold_until_days_left", hold_until_days_left, CONF_NUMBER, false, "7"),
	{ "dane", "resolver", CONF_TEXT, true, offsetof(struct deploy_conf, resolver),
	  dane_check_resolver, "" },
	{ "dane", "names", CONF_WORDS, true, offsetof(struct deploy_conf, dane_names),
	  dane_check_names, "" },
	{ "dane", "ports", CONF_WORDS, false, offsetof(struct deploy_conf, dane_ports),
	  dane_check_ports, "25" },
	SETTING("dane", "timeout", dane_timeout, CONF_DURATION, false, "10s"),
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
