/*
 * last_fp: the fingerprint of the certificate that was pushed last, one line in the state
 * directory.
 */
#ifndef LAST_FP_H
#define LAST_FP_H

#include <stdbool.h>
#include <time.h>

#include "certsync/outcome.h"

/*
 * Does last_fp in ${state} (a directory, -1: there is none) hold ${fingerprint}? A missing or odd
 * file does not.
 */
bool last_fp_is(int state, const char *fingerprint);

/* When last_fp in ${state} was written; 0 if there is none. */
time_t last_fp_when(int state);

/*
 * Write ${fingerprint} to last_fp, so that a crash leaves the old one or the new one; it belongs to
 * whom the directory belongs. FILE_WRITE.
 */
enum outcome last_fp_write(int state, const char *fingerprint);

#endif
