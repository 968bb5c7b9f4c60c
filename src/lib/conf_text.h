/* A whole configuration file in memory. */
#ifndef CONF_TEXT_H
#define CONF_TEXT_H

#include "certsync/file.h"

/*
 * Read the text file ${path} into ${text}, which the caller clears. CONF_MISSING: it is not there,
 * or cannot be read; CONF_INVALID: it is no text; NO_MEMORY.
 */
enum outcome conf_read(const char *path, struct bytes *text);

#endif
