/* certpush list */
#ifndef LIST_H
#define LIST_H

#include "certsync/command.h"

/* Print all lineages as a table (or as JSON), the chosen one marked. Returns the exit status. */
int list_run(const struct command_options *options);

#endif
