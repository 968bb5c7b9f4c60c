/* certdeploy run. */
#ifndef RUN_H
#define RUN_H

#include "certsync/command.h"

/* Make installed what is staged, and served what is installed. Returns the exit status. */
int run_command(const struct command_options *options);

#endif
