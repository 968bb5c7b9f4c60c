#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <openssl/crypto.h>

#include "certsync/cleanup.h"
#include "certsync/file.h"

/*
 * How deep a tree that is removed may be: a generation is one level, what a stranger dropped may be
 * more.
 */
#define REMOVE_DEPTH_MAX 8

struct bytes bytes_new(size_t len)
{
	/* The final '\0' is allocated as well. */
	return (struct bytes){ .data = OPENSSL_zalloc(len + 1), .len = len };
}

void bytes_clear(struct bytes *bytes)
{
	if (bytes->data)
		OPENSSL_clear_free(bytes->data, bytes->len + 1);
	*bytes = BYTES_NONE;
}

bool bytes_equal(const struct bytes *one, const struct bytes *other)
{
	return one->len == other->len &&
	       (!one->len || !CRYPTO_memcmp(one->data, other->data, one->len));
}

static enum outcome cannot_open(const char *path, int error)
{
	switch (error) {
	case ENOENT:
	case ENOTDIR:
		return outcome_because(OUTCOME_FILE_MISSING, "%s: %s", path, strerror(error));
	case EACCES:
	case EPERM:
		return outcome_because(OUTCOME_FILE_DENIED, "%s: %s", path, strerror(error));
	case ELOOP:
		return outcome_because(OUTCOME_FILE_UNSAFE, "%s: is a symbolic link", path);
	case ENXIO: /* a socket, or a FIFO */
		return outcome_because(OUTCOME_FILE_UNSAFE, "%s: is not a plain file", path);
	case EAGAIN: /* by a lease (fcntl(2)) */
		return outcome_because(OUTCOME_FILE_UNSAFE, "%s: is held by another process", path);
	case EMFILE:
	case ENFILE:
	case ENOMEM:
		return outcome_because(OUTCOME_NO_MEMORY, "%s: %s", path, strerror(error));
	default:
		return outcome_because(OUTCOME_FILE_IO, "%s: %s", path, strerror(error));
	}
}

/* Is what ${status} describes a file that may be read? */
static enum outcome check_kind(const char *path, enum file_trust trust, const struct stat *status)
{
	if (S_ISLNK(status->st_mode))
		return outcome_because(OUTCOME_FILE_UNSAFE, "%s: is a symbolic link", path);
	if (S_ISDIR(status->st_mode))
		return outcome_because(OUTCOME_FILE_UNSAFE, "%s: is a directory", path);
	if (!S_ISREG(status->st_mode))
		return outcome_because(OUTCOME_FILE_UNSAFE, "%s: is not a plain file", path);
	if (trust == FILE_STAGED && status->st_nlink != 1)
		return outcome_because(OUTCOME_FILE_UNSAFE, "%s: has %ju hard links", path,
				       (uintmax_t)status->st_nlink);
	return OUTCOME_OK;
}

static enum outcome open_plain(int dirfd, const char *path, enum file_trust trust, int *fd)
{
	/* A FIFO or a device must not make us wait, a terminal not become ours. */
	const int flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
	enum outcome outcome;
	struct stat status;

	/* Opening a device can have effects of its own: look first. */
	if (trust == FILE_STAGED) {
		if (fstatat(dirfd, path, &status, AT_SYMLINK_NOFOLLOW) < 0)
			return cannot_open(path, errno);
		outcome = check_kind(path, trust, &status);
		if (outcome_failed(outcome))
			return outcome;
	}
	*fd = openat(dirfd, path, trust == FILE_STAGED ? flags | O_NOFOLLOW : flags);
	if (*fd < 0)
		return cannot_open(path, errno);
	if (fstat(*fd, &status) < 0)
		return cannot_open(path, errno);
	return check_kind(path, trust, &status);
}

enum outcome file_read_fd(int fd, const char *path, size_t limit, struct bytes *out)
{
	_cleanup_(bytes_clear) struct bytes bytes = BYTES_NONE;
	struct stat status;
	size_t room, used = 0;

	*out = BYTES_NONE;
	if (fstat(fd, &status) < 0)
		return cannot_open(path, errno);
	if (status.st_size < 0 || (uintmax_t)status.st_size > limit)
		return outcome_because(OUTCOME_FILE_TOO_LARGE, "%s: larger than %zu bytes", path,
				       limit);

	/* A file may grow while it is read: there is room for one byte more, which tells. */
	room = (size_t)status.st_size;
	bytes.data = OPENSSL_zalloc(room + 2);
	if (!bytes.data)
		return outcome_because(OUTCOME_NO_MEMORY, "%s: out of memory", path);
	bytes.len = room + 1;
	for (;;) {
		ssize_t got = read(fd, bytes.data + used, room + 1 - used);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return outcome_because(OUTCOME_FILE_IO, "%s: %s", path, strerror(errno));
		if (got == 0)
			break;
		used += (size_t)got;
		if (used > room)
			return outcome_because(OUTCOME_FILE_TOO_LARGE, "%s: grew while it was read",
					       path);
	}
	/* The spare byte is never given away with a secret in it: it is the final '\0'. */
	*out = (struct bytes){ .data = bytes.data, .len = used };
	bytes = BYTES_NONE;
	return OUTCOME_OK;
}

bool file_is_unreadable(enum outcome outcome)
{
	return outcome == OUTCOME_FILE_IO || outcome == OUTCOME_FILE_DENIED ||
	       outcome == OUTCOME_NO_MEMORY;
}

enum outcome file_read(int dirfd, const char *path, enum file_trust trust, size_t limit,
		       struct bytes *out)
{
	_cleanup_(fd_closep) int fd = -1;
	enum outcome outcome = open_plain(dirfd, path, trust, &fd);

	*out = BYTES_NONE;
	return outcome_failed(outcome) ? outcome : file_read_fd(fd, path, limit, out);
}

static enum outcome cannot_write(const char *name, const char *step, int error)
{
	bool denied = error == EACCES || error == EPERM;

	return outcome_because(denied ? OUTCOME_FILE_DENIED : OUTCOME_FILE_WRITE,
			       "%s: cannot %s: %s", name, step, strerror(error));
}

static int write_all(int fd, const struct bytes *bytes)
{
	size_t used = 0;

	while (used < bytes->len) {
		ssize_t put = write(fd, bytes->data + used, bytes->len - used);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return -1;
		used += (size_t)put;
	}
	return 0;
}

/* Fill the new file ${fd}; what failed is in errno, and the step is returned. NULL: success. */
static const char *fill(int fd, const struct bytes *bytes, const struct file_access *access)
{
	struct stat status;
	bool owned;

	if (write_all(fd, bytes) < 0)
		return "write";
	if (fstat(fd, &status) < 0)
		return "stat";
	owned = (access->uid == FILE_ANY_UID || status.st_uid == access->uid) &&
		(access->gid == FILE_ANY_GID || status.st_gid == access->gid);
	/* Owner before mode: the mode is meant for that owner. */
	if (!owned && fchown(fd, access->uid, access->gid) < 0)
		return "change the owner";
	if (fchmod(fd, access->mode) < 0)
		return "change the mode";
	if (fsync(fd) < 0)
		return "sync";
	return NULL;
}

enum outcome file_write(int dirfd, const char *name, const struct bytes *bytes,
			const struct file_access *access)
{
	enum outcome outcome;
	const char *step;
	int fd;

	if (unlinkat(dirfd, name, 0) < 0 && errno != ENOENT)
		return cannot_write(name, "remove", errno);
	fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return cannot_write(name, "create", errno);
	step = fill(fd, bytes, access);
	if (step) {
		outcome = cannot_write(name, step, errno);
		close(fd);
		unlinkat(dirfd, name, 0);
		return outcome;
	}
	/* close(2) can tell of a late error on network file systems. */
	if (close(fd) < 0 && errno != EINTR) {
		outcome = cannot_write(name, "close", errno);
		unlinkat(dirfd, name, 0);
		return outcome;
	}
	return OUTCOME_OK;
}

enum outcome file_replace(int dirfd, const char *name, const struct bytes *bytes,
			  const struct file_access *access)
{
	enum outcome outcome;
	char temporary[256];

	snprintf(temporary, sizeof(temporary), ".%s.new", name);
	outcome = file_write(dirfd, temporary, bytes, access);
	if (outcome_failed(outcome))
		return outcome;
	if (renameat(dirfd, temporary, dirfd, name) < 0) {
		outcome = cannot_write(name, "replace", errno);
		unlinkat(dirfd, temporary, 0);
		return outcome;
	}
	return file_sync_directory(dirfd);
}

enum outcome file_sync_directory(int dirfd)
{
	if (fsync(dirfd) < 0)
		return outcome_because(OUTCOME_FILE_WRITE, "cannot sync the directory: %s",
				       strerror(errno));
	return OUTCOME_OK;
}

DIR *file_list(int dirfd, const char *name)
{
	int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *directory = fd < 0 ? NULL : fdopendir(fd);

	if (!directory && fd >= 0)
		close(fd);
	return directory;
}

struct dirent *file_next_entry(DIR *directory)
{
	struct dirent *entry;

	do {
		errno = 0;
		entry = readdir(directory);
	} while (entry && (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")));
	return entry;
}

static int remove_tree(int parent, const char *name, int depth)
{
	_cleanup_(dir_closep) DIR *directory = NULL;
	struct dirent *entry;

	if (!unlinkat(parent, name, 0) || errno == ENOENT)
		return 0;
	if (errno != EISDIR)
		return -1;
	if (depth >= REMOVE_DEPTH_MAX) {
		errno = EOVERFLOW;
		return -1;
	}
	directory = file_list(parent, name);
	if (!directory)
		return -1;
	while ((entry = file_next_entry(directory)))
		if (remove_tree(dirfd(directory), entry->d_name, depth + 1) < 0)
			return -1;
	if (errno)
		return -1;
	return unlinkat(parent, name, AT_REMOVEDIR);
}

enum outcome file_remove_tree(int dirfd, const char *name)
{
	if (remove_tree(dirfd, name, 0) == 0)
		return OUTCOME_OK;
	if (errno == EOVERFLOW)
		return outcome_because(OUTCOME_FILE_WRITE,
				       "%s: cannot remove: directories are nested too deep", name);
	return cannot_write(name, "remove", errno);
}

enum outcome file_open_directory(const char *path, int *fd)
{
	*fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return *fd < 0 ? cannot_open(path, errno) : OUTCOME_OK;
}
