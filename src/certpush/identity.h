/* Our own SSH key: the file named by ${identity} in push.conf. */
#ifndef IDENTITY_H
#define IDENTITY_H

#include "certsync/file.h"
#include "certsync/outcome.h"

/*
 * Read the private key in the file ${path}, or what was handed over of it, into ${key}, which the
 * caller clears, and see that it is one that nobody else can read and that this libssh2 can sign
 * with soundly. IDENTITY_EXPOSED, IDENTITY_UNUSABLE, FILE_...
 */
enum outcome identity_load(const char *path, struct bytes *key);

/* Is ${key}, the contents of ${path}, a private key that can be used? IDENTITY_UNUSABLE. */
enum outcome identity_check(const char *path, const struct bytes *key);

#endif
