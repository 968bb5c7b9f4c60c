/* `certpush open`. */
#ifndef OPEN_H
#define OPEN_H

#include "certsync/command.h"

/* Hand over what a run of a user of its own needs of root's; the exit status. */
int open_run(const struct command_options *options);

#endif
