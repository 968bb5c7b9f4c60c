/* A command line, one argument a line; and the thresholds that it gives. */
#include <getopt.h>
#include <sys/prctl.h>

#include "certsync/command.h"
#include "certsync/verdict.h"
#include "fuzz.h"

#define ARGUMENTS_MAX 16
#define NOW           1800000000

static int check(const struct command_options *options)
{
	struct verdict_limits limits = verdict_limits(options, NOW, NOW + 7776000);

	must(options->conf && (options->warning < 0 || options->critical < 0 ||
			       options->critical <= options->warning));
	must(limits.critical <= limits.warning && limits.critical >= 0);
	must(options->warning < 0 || limits.warning == options->warning);
	for (int day = -1; day < 100; day++)
		must(verdict_of_age(&limits, NOW + day * 86400, NOW) != VERDICT_OK ||
		     day >= limits.warning);
	return 0;
}

static const struct command commands[] = {
	{ "run", check, COMMAND_DRY_RUN | COMMAND_FORCE, "run" },
	{ "check", check, COMMAND_JSON | COMMAND_THRESHOLDS, "check" },
	{ 0 },
};

static const struct command_program program = {
	.name = "fuzz", .summary = "fuzz", .conf = "/fuzz", .commands = commands
};

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	struct bytes text = fuzz_bytes(data, size);
	char *arguments[ARGUMENTS_MAX + 2] = { (char[]){ "fuzz" } }, *rest = text.data;
	int count = 1;

	while (rest && count <= ARGUMENTS_MAX)
		arguments[count++] = strsep(&rest, "\n");
	/* getopt(3) begins anew. */
	optind = 0;
	command_main(&program, count, arguments);
	/* The leak sanitizer wants to look in the end. */
	prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
	bytes_clear(&text);
	return 0;
}
