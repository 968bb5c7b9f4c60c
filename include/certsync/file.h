/*
 * Bytes from files somebody else may control, and files replaced so that a crash leaves the old or
 * the new one, never half of either (rename(2), fsync(2)).
 */
#ifndef CERTSYNC_FILE_H
#define CERTSYNC_FILE_H

#include <dirent.h>
#include <stddef.h>
#include <sys/types.h>

#include "certsync/outcome.h"

/*
 * Owned bytes. Contents are overwritten before the memory is given back. ${data}[${len}] is always
 * '\0'.
 */
struct bytes {
	char *data;
	size_t len;
};

#define BYTES_NONE ((struct bytes){ .data = NULL, .len = 0 })

/* ${len} zero bytes; its data is NULL if there is no memory. The caller clears it. */
struct bytes bytes_new(size_t len);

/* Overwrite and free what ${bytes} holds; it is BYTES_NONE afterwards. For _cleanup_. */
void bytes_clear(struct bytes *bytes);

/* Are both the same, byte for byte? */
bool bytes_equal(const struct bytes *one, const struct bytes *other);

enum file_trust {
	FILE_OWN,    /* ours or root's: symbolic links are followed */
	FILE_STAGED, /* dropped by a less trusted account: a plain file with one link, links not
			followed */
};

/*
 * Read ${path} (relative to directory ${dirfd}, or AT_FDCWD) of at most ${limit} bytes into ${out},
 * which the caller clears. FILE_MISSING, FILE_DENIED, FILE_UNSAFE (not a plain file),
 * FILE_TOO_LARGE or FILE_IO; the reason names ${path}, and ${out} is then BYTES_NONE.
 */
enum outcome file_read(int dirfd, const char *path, enum file_trust trust, size_t limit,
		       struct bytes *out);

/*
 * The same of the open file ${fd}, called ${path} in the reason; who may read it, and what kind it
 * is, the caller has checked. FILE_TOO_LARGE, FILE_IO, NO_MEMORY.
 */
enum outcome file_read_fd(int fd, const char *path, size_t limit, struct bytes *out);

/* Did reading fail for a reason that says nothing of what the file holds, or whether there is one?
 */
bool file_is_unreadable(enum outcome outcome);

/* The owner or group that a new file gets by itself. */
#define FILE_ANY_UID ((uid_t)-1)
#define FILE_ANY_GID ((gid_t)-1)

/* Owner and mode of a file to be written. */
struct file_access {
	uid_t uid;
	gid_t gid;
	mode_t mode;
};

/*
 * Write ${bytes} to a new file ${name} in ${dirfd} and sync it. It never has a wider mode than
 * ${access} says. A file of that name is removed first. On failure no file is left. FILE_WRITE,
 * FILE_DENIED.
 */
enum outcome file_write(int dirfd, const char *name, const struct bytes *bytes,
			const struct file_access *access);

/*
 * Replace ${name} in ${dirfd} by ${bytes}: written under a temporary name (".NAME.new"), synced,
 * renamed, directory synced. On failure no temporary is left, and the old file is untouched unless
 * only the last sync failed. FILE_WRITE, FILE_DENIED.
 */
enum outcome file_replace(int dirfd, const char *name, const struct bytes *bytes,
			  const struct file_access *access);

/* fsync the directory ${dirfd}, so that its renames last. FILE_WRITE. */
enum outcome file_sync_directory(int dirfd);

/*
 * Remove directory ${name} in ${dirfd} and everything in it, never following a link; missing is
 * success. FILE_WRITE, FILE_DENIED.
 */
enum outcome file_remove_tree(int dirfd, const char *name);

/*
 * Open directory ${path} for the *at() functions into ${fd}, which the caller closes. FILE_MISSING,
 * FILE_DENIED and the like.
 */
enum outcome file_open_directory(const char *path, int *fd);

/*
 * Open directory ${name} in ${dirfd} to be listed, not following a link; the caller closes it.
 * NULL: see errno.
 */
DIR *file_list(int dirfd, const char *name);

/*
 * The next entry of ${directory} but "." and ".."; NULL when there is none, or when it cannot be
 * read: errno tells, and is 0 at the end.
 */
struct dirent *file_next_entry(DIR *directory);

#endif
