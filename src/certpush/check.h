/* certpush check */
#ifndef CHECK_H
#define CHECK_H

#include "certsync/command.h"

/*
 * Look at everything that a run needs, from the lineage to what the mail host serves, and print it
 * with a verdict. Changes nothing that lasts. Returns the exit status of a monitoring plugin.
 */
int check_run(const struct command_options *options);

#endif
