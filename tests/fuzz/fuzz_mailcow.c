/* mailcow.conf. */
#include <sys/stat.h>

#include "certsync/address.h"
#include "certsync/conf.h"
#include "endpoints.h"
#include "fuzz.h"
#include "mailcow.h"

/* A mailcow directory whose configuration is a link to ${conf}. */
static void make_root(const char *conf)
{
	const int root = fuzz_make_directory();

	must(mkdirat(root, "data", 0700) == 0 && mkdirat(root, "data/assets", 0700) == 0 &&
	     mkdirat(root, "data/assets/ssl", 0700) == 0);
	must(symlinkat(conf, root, "mailcow.conf") == 0);
	close(root);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	const char *path = fuzz_file(data, size);
	struct deploy_conf conf = { .root = fuzz_directory, .hostname = (char[]){ "" } };
	struct endpoints endpoints;
	struct mailcow mailcow;
	enum outcome outcome;

	if (!fuzz_directory[0])
		make_root(path);
	outcome = mailcow_read(&conf, &mailcow);
	if (outcome_failed(outcome)) {
		must(outcome == OUTCOME_MAILCOW_CONF || outcome == OUTCOME_MAILCOW_MISSING);
		fuzz_check_reason(outcome);
		return 0;
	}
	must(conf_is_dns_name(mailcow.hostname) && mailcow.project[0]);
	for (size_t i = 0; i < MAILCOW_PORTS; i++)
		must(mailcow.published[i].port > 0 && mailcow.published[i].port < 65536 &&
		     address_is_ip(mailcow.published[i].address));
	must(!outcome_failed(endpoints_find(&mailcow, "", &endpoints)) &&
	     endpoints.count == MAILCOW_PORTS);
	return 0;
}
