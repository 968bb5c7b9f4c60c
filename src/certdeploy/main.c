/* certdeploy: install the staged certificate as mailcow's and have the services serve it. */

#include "certsync/command.h"
#include "check.h"
#include "run.h"
#include "tlsa.h"

static const struct command commands[] = {
	{ "run", run_command, COMMAND_DRY_RUN | COMMAND_FORCE | COMMAND_METRICS,
	  "install the staged certificate if it is new, and have the services serve it" },
	{ "check", check_command, COMMAND_JSON | COMMAND_THRESHOLDS | COMMAND_METRICS,
	  "show what is staged, installed and served; for monitoring as well" },
	{ "tlsa", tlsa_command, COMMAND_JSON,
	  "print the TLSA records that belong to the served, installed and staged keys" },
	{ 0 },
};

static const struct command_program program = {
	.name = "certdeploy",
	.summary = "Install the certificate that was pushed to this host as mailcow's.",
	.conf = "/etc/certsync/deploy.conf",
	.commands = commands,
};

int main(int argc, char *argv[])
{
	return command_main(&program, argc, argv);
}
