/* A configuration file, read by both programs. */
#include "certsync/address.h"
#include "certsync/cleanup.h"
#include "deploy_conf.h"
#include "endpoints.h"
#include "fuzz.h"
#include "push_conf.h"
#include "services.h"

static bool is_plain(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			return false;
	return true;
}

static void check_failure(enum outcome outcome, const char *path)
{
	must(outcome == OUTCOME_CONF_INVALID || outcome == OUTCOME_CONF_MISSING);
	fuzz_check_reason(outcome);
	must(!strncmp(outcome_reason(outcome), path, strlen(path)));
}

static void check_push(const char *path)
{
	_cleanup_(push_conf_clear) struct push_conf conf;
	enum outcome outcome = push_conf_load(path, &conf);

	if (outcome_failed(outcome)) {
		check_failure(outcome, path);
		return;
	}
	must(conf.live_dir[0] == '/' && conf.identity[0] == '/' && conf.known_hosts[0] == '/' &&
	     conf.state_dir[0] == '/');
	must(conf.hostname[0] && conf.host[0] && conf.user[0] && conf.staging[0]);
	must(!strchr(conf.lineage, '/') && !strchr(conf.user, '/'));
	must(is_plain(conf.staging) && is_plain(conf.live_dir));
	must(conf.port > 0 && conf.port < 65536);
	must(conf.connect_timeout > 0 && conf.handshake_timeout > 0 && conf.run_timeout > 0 &&
	     conf.propagate_within > 0 && conf.verify_timeout > 0);
	must(!outcome_failed(address_check(conf.endpoint)));
}

static void check_deploy(const char *path)
{
	_cleanup_(deploy_conf_clear) struct deploy_conf conf;
	enum outcome outcome = deploy_conf_load(path, &conf);

	if (outcome_failed(outcome)) {
		check_failure(outcome, path);
		return;
	}
	must(conf.root[0] == '/' && conf.docker[0] == '/' && conf.staging_dir[0] == '/' &&
	     conf.state_dir[0] == '/');
	must(is_plain(conf.root) && is_plain(conf.docker));
	must(conf.docker_timeout > 0 && conf.verify_timeout > 0 && conf.settle > 0);
	must(!outcome_failed(services_check(conf.services)) &&
	     !outcome_failed(endpoints_check(conf.endpoints)));
	deploy_conf_sni(&conf);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	const char *path = fuzz_file(data, size);

	check_push(path);
	check_deploy(path);
	return 0;
}
