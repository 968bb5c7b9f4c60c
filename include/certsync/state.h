/*
 * A program's state directory and the lock on it: flock(2) on the directory itself, so that no file
 * is left over and the kernel lets go when the holder dies.
 */
#ifndef CERTSYNC_STATE_H
#define CERTSYNC_STATE_H

#include "certsync/outcome.h"

/*
 * Open the directory ${path} into ${fd}, which the caller closes, and lock it; it is made (mode
 * 0700) if only it is missing. LOCKED, FILE_WRITE, FILE_DENIED...
 */
enum outcome state_open(const char *path, int *fd);

/*
 * Open it to look only: no lock, nothing made. A missing directory is success and leaves ${fd} -1.
 */
enum outcome state_look(const char *path, int *fd);

#endif
