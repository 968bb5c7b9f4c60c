#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "certsync/cleanup.h"
#include "certsync/journal.h"
#include "install.h"
#include "previous.h"
#include "record.h"

/* The two files; the new one waits under its temporary name. */
static const struct part {
	const char *name;
	const char *temporary;
	mode_t mode;
} parts[] = {
	{ "cert.pem", ".cert.pem.new", 0644 },
	{ "key.pem", ".key.pem.new", 0600 },
};

enum {
	CERT,
	KEY,
	PARTS
};

_Static_assert(sizeof(parts) / sizeof(parts[0]) == PARTS, "a pair has two parts");

enum outcome install_mark_pending(const struct install *install, const struct pair *installed)
{
	return record_write(install->state, RECORD_PENDING, installed,
			    install->note ? install->note : "");
}

bool install_is_pending(const struct install *install)
{
	return record_exists(install->state, RECORD_PENDING);
}

enum outcome install_finish(const struct install *install)
{
	return record_remove(install->state, RECORD_PENDING);
}

/* --- recovery --- */

/*
 * Rename the temporary of ${part} if it is complete, the very bytes that the record speaks of; if
 * not, remove it. What cannot be read may be half of the installed pair.
 */
static enum outcome finish_part(const struct install *install, const struct part *part,
				const char *wanted)
{
	_cleanup_(bytes_clear) struct bytes bytes = BYTES_NONE;
	enum outcome outcome =
		file_read(install->ssl, part->temporary, FILE_STAGED, BUNDLE_BYTES_MAX, &bytes);

	if (file_is_unreadable(outcome))
		return outcome;
	if (outcome_failed(outcome) || !record_hash_is(wanted, &bytes))
		return file_remove_tree(install->ssl, part->temporary);
	if (renameat(install->ssl, part->temporary, install->ssl, part->name) < 0)
		return outcome_because(OUTCOME_FILE_WRITE, "%s: %s", part->temporary,
				       strerror(errno));
	return OUTCOME_COMPLETED;
}

enum outcome install_recover(const struct install *install)
{
	enum outcome outcome, result = OUTCOME_OK;
	struct record record;
	const char *hashes[PARTS] = { record.chain, record.key };

	outcome = record_read(install->state, RECORD_PENDING, &record);
	if (outcome_failed(outcome))
		return outcome;
	for (size_t i = 0; i < PARTS; i++) {
		if (faccessat(install->ssl, parts[i].temporary, F_OK, AT_SYMLINK_NOFOLLOW) < 0 &&
		    errno == ENOENT)
			continue;
		outcome = finish_part(install, &parts[i], hashes[i]);
		if (outcome_failed(outcome))
			return outcome;
		if (outcome == OUTCOME_COMPLETED)
			result = outcome;
	}
	if (result == OUTCOME_COMPLETED) {
		outcome = file_sync_directory(install->ssl);
		if (outcome_failed(outcome))
			return outcome;
		outcome_because(result, "an interrupted installation was completed");
	}
	return result;
}

/* --- the pair --- */

enum outcome install_read(const struct install *install, struct pair *pair)
{
	enum outcome chain, key;
	struct stat status;

	/* The key is wanted in any case: it is put back if the new pair cannot be put whole. */
	key = file_read(install->ssl, parts[KEY].name, FILE_OWN, BUNDLE_BYTES_MAX, &pair->key);
	if (file_is_unreadable(key))
		return key;
	chain = file_read(install->ssl, parts[CERT].name, FILE_OWN, BUNDLE_BYTES_MAX, &pair->chain);
	if (outcome_failed(chain))
		return chain;
	if (fstatat(install->ssl, parts[CERT].name, &status, 0) < 0)
		return outcome_because(OUTCOME_FILE_IO, "%s: cannot stat: %s", parts[CERT].name,
				       strerror(errno));
	pair->arrived = status.st_mtim;
	if (outcome_failed(key))
		return outcome_because(key, "%s: cannot be read", parts[KEY].name);
	return OUTCOME_OK;
}

static bool is_link(const struct install *install, const struct part *part)
{
	struct stat status;

	return fstatat(install->ssl, part->name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
	       S_ISLNK(status.st_mode);
}

bool install_is_real(const struct install *install)
{
	return !is_link(install, &parts[CERT]) && !is_link(install, &parts[KEY]);
}

static void tell_symlinks(const struct install *install)
{
	for (size_t i = 0; i < PARTS; i++)
		if (is_link(install, &parts[i]))
			journal_log(OUTCOME_SYMLINK_REPLACED,
				    "%s is a symbolic link, which mailcow's containers cannot "
				    "follow: replacing it by a real file",
				    parts[i].name);
}

typedef enum outcome write_fn(int dirfd, const char *name, const struct bytes *bytes,
			      const struct file_access *access);

/* Have ${write} write ${part} under ${name}, with its mode and the directory's owner. */
static enum outcome write_part(const struct install *install, const struct part *part,
			       const char *name, const struct bytes *bytes, write_fn *write)
{
	struct stat directory;
	struct file_access access = { .mode = part->mode };

	if (fstat(install->ssl, &directory) < 0)
		return outcome_because(OUTCOME_FILE_WRITE, "cannot stat: %s", strerror(errno));
	access.uid = directory.st_uid;
	access.gid = directory.st_gid;
	return write(install->ssl, name, bytes, &access);
}

/*
 * What was staged before the installed pair came is told by that from what came later, even when
 * the generation itself is long gone.
 */
static enum outcome stamp(const struct install *install, const struct pair *pair)
{
	const struct timespec times[] = { { .tv_nsec = UTIME_OMIT }, pair->arrived };

	if (pair->arrived.tv_sec &&
	    utimensat(install->ssl, parts[CERT].temporary, times, AT_SYMLINK_NOFOLLOW) < 0)
		return outcome_because(OUTCOME_FILE_WRITE, "%s: cannot set its time: %s",
				       parts[CERT].temporary, strerror(errno));
	return OUTCOME_OK;
}

static enum outcome write_parts(const struct install *install, const struct pair *pair)
{
	const struct bytes *bytes[PARTS] = { &pair->chain, &pair->key };
	enum outcome outcome;

	for (size_t i = 0; i < PARTS; i++) {
		outcome = write_part(install, &parts[i], parts[i].temporary, bytes[i], file_write);
		if (outcome_failed(outcome))
			return outcome;
	}
	outcome = stamp(install, pair);
	return outcome_failed(outcome) ? outcome : file_sync_directory(install->ssl);
}

static void remove_temporaries(const struct install *install)
{
	for (size_t i = 0; i < PARTS; i++)
		unlinkat(install->ssl, parts[i].temporary, 0);
}

static int rename_part(const struct install *install, const struct part *part)
{
	return renameat(install->ssl, part->temporary, install->ssl, part->name);
}

/*
 * Rename both, or neither: an old key.pem is put back if the new cert.pem cannot be put beside it.
 * The record is removed then if ${old} was ${proved}; or else it says that it was not.
 */
static enum outcome rename_parts(const struct install *install, const struct pair *old, bool proved)
{
	const struct part *failed = &parts[KEY];
	enum outcome outcome;

	if (rename_part(install, &parts[KEY]) == 0) {
		failed = &parts[CERT];
		if (rename_part(install, &parts[CERT]) == 0)
			return OUTCOME_OK;
	}
	outcome = outcome_because(OUTCOME_FILE_WRITE, "%s: cannot replace: %s", failed->name,
				  strerror(errno));
	/* Where that fails as well the record stays, and the next run tries the rename again. */
	if (failed == &parts[CERT] && old->key.len &&
	    outcome_failed(
		    write_part(install, &parts[KEY], parts[KEY].name, &old->key, file_replace)))
		return outcome;
	remove_temporaries(install);
	if (proved)
		install_finish(install);
	return outcome;
}

/*
 * postfix may start an smtpd between the two renames, which would find no pair: nothing comes in
 * between, not even somebody's Ctrl-C.
 */
static enum outcome swap(const struct install *install, const struct pair *old, bool proved)
{
	sigset_t all, before;
	enum outcome outcome;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &before);
	outcome = rename_parts(install, old, proved);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return outcome_failed(outcome) ? outcome : file_sync_directory(install->ssl);
}

/* Docker makes a directory where a file that it is to mount is missing. */
static enum outcome check_targets(const struct install *install)
{
	for (size_t i = 0; i < PARTS; i++) {
		struct stat status;

		if (fstatat(install->ssl, parts[i].name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
		    S_ISDIR(status.st_mode))
			return outcome_because(OUTCOME_FILE_UNSAFE, "%s: is a directory",
					       parts[i].name);
	}
	return OUTCOME_OK;
}

enum outcome install_pair(const struct install *install, const struct pair *new,
			  const struct pair *old, bool keep)
{
	enum outcome outcome = check_targets(install);

	if (outcome_failed(outcome))
		return outcome;
	tell_symlinks(install);
	outcome = write_parts(install, new);
	if (!outcome_failed(outcome) && keep)
		outcome = previous_keep(install->state, old);
	if (!outcome_failed(outcome))
		outcome = outcome_in(install_mark_pending(install, new), "in the state directory");
	if (outcome_failed(outcome)) {
		remove_temporaries(install);
		return outcome;
	}
	return swap(install, old, keep);
}

enum outcome install_correct_modes(const struct install *install)
{
	for (size_t i = 0; i < PARTS; i++) {
		_cleanup_(fd_closep) int fd =
			openat(install->ssl, parts[i].name,
			       O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
		struct stat status;

		if (fd < 0 || fstat(fd, &status) < 0 || !S_ISREG(status.st_mode) ||
		    (status.st_mode & ALLPERMS) == parts[i].mode)
			continue;
		if (fchmod(fd, parts[i].mode) < 0)
			return outcome_because(OUTCOME_FILE_WRITE, "%s: cannot change the mode: %s",
					       parts[i].name, strerror(errno));
		journal_log(OUTCOME_MODE_CORRECTED, "%s had mode %04o, it is %04o again",
			    parts[i].name, status.st_mode & ALLPERMS, parts[i].mode);
	}
	return OUTCOME_OK;
}
