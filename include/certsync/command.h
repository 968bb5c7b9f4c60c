/*
 * The command line both programs share: options, subcommands from a table, usage from the same
 * table.
 */
#ifndef CERTSYNC_COMMAND_H
#define CERTSYNC_COMMAND_H

#include <stdbool.h>

/* What the command line said. */
struct command_options {
	const char *conf;    /* -c FILE */
	bool dry_run;        /* -n */
	bool force;          /* -f */
	bool json;           /* --json */
	bool quiet;          /* -q */
	const char *metrics; /* --metrics FILE; NULL: not given */
	double warning;      /* --warning, days; negative: not given */
	double critical;     /* --critical, the same; never above a warning that was given */
};

/* Which of the options that change what is done a subcommand takes. */
#define COMMAND_DRY_RUN    1U
#define COMMAND_FORCE      2U
#define COMMAND_JSON       4U
#define COMMAND_THRESHOLDS 8U /* --warning and --critical */
#define COMMAND_METRICS    16U

/* A subcommand; ${run} returns the exit status. */
struct command {
	const char *name;
	int (*run)(const struct command_options *options);
	unsigned takes;
	const char *summary;
};

struct command_program {
	const char *name;               /* "certpush" */
	const char *summary;            /* one line for --help */
	const char *conf;               /* the default of -c */
	const struct command *commands; /* the first is the default; ends with a NULL name */
};

/*
 * Parse ${argv}, open the journal, forbid core dumps, run the subcommand and return the exit
 * status. A bad command line is EX_USAGE with a hint.
 */
int command_main(const struct command_program *program, int argc, char *argv[]);

/* The file for Prometheus: that of --metrics, or else the ${configured} one. NULL or "": none. */
const char *command_metrics(const struct command_options *options, const char *configured);

#endif
