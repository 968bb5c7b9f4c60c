#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sysexits.h>

#include <openssl/crypto.h>

#include "certsync/command.h"
#include "certsync/journal.h"
#include "certsync/memory.h"
#include "certsync/systemd.h"

/* Options without a letter. */
enum {
	OPTION_JSON = 0x100,
	OPTION_WARNING,
	OPTION_CRITICAL,
	OPTION_METRICS,
};

#define DAYS_MAX 36500.0

static const struct option long_options[] = {
	{ "config", required_argument, NULL, 'c' },
	{ "dry-run", no_argument, NULL, 'n' },
	{ "force", no_argument, NULL, 'f' },
	{ "verbose", no_argument, NULL, 'v' },
	{ "quiet", no_argument, NULL, 'q' },
	{ "json", no_argument, NULL, OPTION_JSON },
	{ "warning", required_argument, NULL, OPTION_WARNING },
	{ "critical", required_argument, NULL, OPTION_CRITICAL },
	{ "metrics", required_argument, NULL, OPTION_METRICS },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ 0 },
};

static void print_usage(const struct command_program *program)
{
	printf("Usage: %s [-c FILE] [-n] [-f] [-v|-q] [COMMAND]\n\n%s\n\nCommands:\n",
	       program->name, program->summary);
	for (const struct command *command = program->commands; command->name; command++)
		printf("  %-8s %s%s\n", command->name, command->summary,
		       command == program->commands ? " (default)" : "");
	printf("\nOptions:\n"
	       "  -c, --config FILE    read FILE instead of %s\n"
	       "  -n, --dry-run        say what would be done, change nothing\n"
	       "  -f, --force          do it even if nothing has changed\n"
	       "  -v, --verbose        say how things are done\n"
	       "  -q, --quiet          say only what is wrong\n"
	       "      --json           print tables as JSON\n"
	       "      --warning DAYS   find it a reason to warn if fewer days are left\n"
	       "      --critical DAYS  the same, to raise the alarm\n"
	       "      --metrics FILE   write the state to FILE for Prometheus\n"
	       "  -h, --help           print this help\n"
	       "  -V, --version        print the version\n"
	       "\nSee %s(8) and certsync.conf(5).\n",
	       program->conf, program->name);
}

/* Say what is wrong with the command line, for the reason recorded. */
static int usage_error(const struct command_program *program)
{
	journal_open(program->name, JOURNAL_NORMAL);
	journal_outcome(OUTCOME_USAGE);
	return EX_USAGE;
}

/*
 * Private keys pass through this process: no core dump, no debugger of another process, no readable
 * files.
 */
static void protect_process(void)
{
	const struct rlimit none = { 0, 0 };

	setrlimit(RLIMIT_CORE, &none);
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	umask(077);
	memory_use_for_openssl();
	/*
	 * Nor does OPENSSL_CONF, or the file it would name, load anything into it. What OpenSSL
	 * itself holds in the end goes with the process; what is secret was cleansed when it was
	 * freed.
	 */
	OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT, NULL);
}

static const struct command *find_command(const struct command_program *program, const char *name)
{
	const struct command *command = program->commands;

	while (command->name && strcmp(command->name, name) != 0)
		command++;
	return command->name ? command : NULL;
}

/* The name of an option that was given and that ${command} does not take; NULL if there is none. */
static const char *refused_option(const struct command *command,
				  const struct command_options *options)
{
	if (options->dry_run && !(command->takes & COMMAND_DRY_RUN))
		return "--dry-run";
	if (options->force && !(command->takes & COMMAND_FORCE))
		return "--force";
	if (options->json && !(command->takes & COMMAND_JSON))
		return "--json";
	if (options->warning >= 0 && !(command->takes & COMMAND_THRESHOLDS))
		return "--warning";
	if (options->critical >= 0 && !(command->takes & COMMAND_THRESHOLDS))
		return "--critical";
	if (options->metrics && !(command->takes & COMMAND_METRICS))
		return "--metrics";
	return NULL;
}

/* Record which option it was that getopt_long(3) refused. */
static void refuse_option(const char *word)
{
	if (!optopt)
		outcome_because(OUTCOME_USAGE, "unknown option %s", word);
	else if (!strncmp(word, "--", 2))
		outcome_because(OUTCOME_USAGE, "option %.*s takes no argument",
				(int)strcspn(word, "="), word);
	else
		outcome_because(OUTCOME_USAGE, "unknown option -%c", optopt);
}

/* Take the days that ${option} gives; false: the reason is recorded. */
static bool take_days(const char *option, const char *text, double *days)
{
	/* Without what strtod(3) takes as well: signs, exponents, "inf". */
	if (text[0] && !text[strspn(text, "0123456789.")]) {
		char *end;

		*days = strtod(text, &end);
		if (end != text && !*end && *days <= DAYS_MAX)
			return true;
	}
	outcome_because(OUTCOME_USAGE, "%s %s: must be a number of days, such as 21 or 0.5", option,
			text);
	return false;
}

#define GO_ON (-1)

/* Take the options; the exit status where the program ends with them, otherwise GO_ON. */
static int take_options(const struct command_program *program, int argc, char *argv[],
			struct command_options *options, enum journal_volume *volume)
{
	int letter;

	opterr = 0;
	while ((letter = getopt_long(argc, argv, ":c:nfvqhV", long_options, NULL)) != -1) {
		switch (letter) {
		case 'c':
			options->conf = optarg;
			break;
		case 'n':
			options->dry_run = true;
			break;
		case 'f':
			options->force = true;
			break;
		case 'v':
			*volume = JOURNAL_VERBOSE;
			break;
		case 'q':
			*volume = JOURNAL_QUIET;
			options->quiet = true;
			break;
		case OPTION_JSON:
			options->json = true;
			break;
		case OPTION_WARNING:
			if (!take_days("--warning", optarg, &options->warning))
				return usage_error(program);
			break;
		case OPTION_CRITICAL:
			if (!take_days("--critical", optarg, &options->critical))
				return usage_error(program);
			break;
		case OPTION_METRICS:
			options->metrics = optarg;
			break;
		case 'h':
			print_usage(program);
			return EX_OK;
		case 'V':
			printf("%s %s\n", program->name, CERTSYNC_VERSION);
			return EX_OK;
		case ':':
			outcome_because(OUTCOME_USAGE, "an argument is missing after %s",
					argv[optind - 1]);
			return usage_error(program);
		default:
			refuse_option(argv[optind - 1]);
			return usage_error(program);
		}
	}
	return GO_ON;
}

/*
 * The command that ${argv} names, all that it was given being in order; NULL: the reason is
 * recorded.
 */
static const struct command *choose_command(const struct command_program *program, int argc,
					    char *argv[], const struct command_options *options)
{
	const struct command *command = program->commands;

	if (optind < argc)
		command = find_command(program, argv[optind]);
	if (!command)
		outcome_because(OUTCOME_USAGE, "unknown command %s", argv[optind]);
	else if (optind + 1 < argc)
		outcome_because(OUTCOME_USAGE, "too many arguments: %s", argv[optind + 1]);
	else if (refused_option(command, options))
		outcome_because(OUTCOME_USAGE, "%s does not go with %s",
				refused_option(command, options), command->name);
	else if (options->warning >= 0 && options->critical > options->warning)
		outcome_because(OUTCOME_USAGE,
				"--critical %g is above --warning %g: it must be the lower one",
				options->critical, options->warning);
	else
		return command;
	return NULL;
}

static int run_chosen(const struct command_program *program, int argc, char *argv[])
{
	struct command_options options = { .conf = program->conf, .warning = -1, .critical = -1 };
	enum journal_volume volume = JOURNAL_NORMAL;
	const struct command *command;
	int status = take_options(program, argc, argv, &options, &volume);

	if (status != GO_ON)
		return status;
	command = choose_command(program, argc, argv, &options);
	if (!command)
		return usage_error(program);
	journal_open(program->name, volume);
	return command->run(&options);
}

int command_main(const struct command_program *program, int argc, char *argv[])
{
	int status;

	protect_process();
	status = run_chosen(program, argc, argv);
	systemd_flush();
	return status;
}

const char *command_metrics(const struct command_options *options, const char *configured)
{
	return options->metrics ? options->metrics : configured;
}
