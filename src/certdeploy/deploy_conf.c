#include <string.h>

#include "certsync/conf.h"
#include "deploy_conf.h"

/* clang-format off */
#define SETTING(section, key, member, type, may_be_empty, default_text) \
	{ section, key, type, may_be_empty, offsetof(struct deploy_conf, member), default_text }
/* clang-format on */

static const struct conf_setting settings[] = {
	SETTING("mailcow", "root", root, CONF_PATH, false, "/opt/mailcow-dockerized"),
	SETTING("mailcow", "hostname", hostname, CONF_DNS_NAME, true, ""),
	SETTING("mailcow", "services", services, CONF_WORDS, false,
		"postfix-mailcow dovecot-mailcow nginx-mailcow"),
	SETTING("mailcow", "docker", docker, CONF_PATH, false, "/usr/bin/docker"),
	SETTING("staging", "dir", staging_dir, CONF_PATH, false, "/home/certsync/incoming"),
	SETTING("staging", "ca_file", ca_file, CONF_PATH, true, ""),
	SETTING("limits", "docker_timeout", docker_timeout, CONF_DURATION, false, "60s"),
	SETTING("state", "dir", state_dir, CONF_PATH, false, "/var/lib/mailcow-cert-deploy"),
};

#define SETTINGS (sizeof(settings) / sizeof(settings[0]))

enum outcome deploy_conf_load(const char *path, struct deploy_conf *conf)
{
	memset(conf, 0, sizeof(*conf));
	return conf_load(path, settings, SETTINGS, conf);
}

void deploy_conf_clear(struct deploy_conf *conf)
{
	conf_clear(settings, SETTINGS, conf);
}
