/* certdeploy check. */
#ifndef CHECK_H
#define CHECK_H

#include "certsync/command.h"

/*
 * Look at all there is and change nothing: what is staged, installed and served, the SNI
 * directories and mailcow.conf. Returns the exit status of a monitoring plugin (verdict.h).
 */
int check_command(const struct command_options *options);

#endif
