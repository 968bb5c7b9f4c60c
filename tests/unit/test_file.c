/* Files that somebody else may control, and files replaced whole or not at all. */
#include <dirent.h>
#include <signal.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>

#include "certsync/cleanup.h"
#include "certsync/file.h"
#include "run_child.h"
#include "scratch.h"

#define LIMIT ((size_t)64)

/* --- the system calls that tests look at --- */

/* What happened, one letter a call: m fchmod, o fchown, s fsync, r renameat, d fsync of a
 * directory. */
static char calls[32];
static mode_t mode_before_fchmod;
static int fail_fsync, fail_fchown, fail_renameat;
static int grow_fd = -1;

static void note(char call)
{
	size_t used = strlen(calls);

	if (used + 1 < sizeof(calls))
		calls[used] = call;
}

int fchmod(int fd, mode_t mode)
{
	struct stat status;

	note('m');
	if (fstat(fd, &status) == 0)
		mode_before_fchmod = status.st_mode & 07777;
	return (int)syscall(SYS_fchmod, fd, mode);
}

int fchown(int fd, uid_t uid, gid_t gid)
{
	note('o');
	if (fail_fchown) {
		errno = fail_fchown;
		return -1;
	}
	return (int)syscall(SYS_fchown, fd, uid, gid);
}

int fsync(int fd)
{
	struct stat status;

	note(fstat(fd, &status) == 0 && S_ISDIR(status.st_mode) ? 'd' : 's');
	if (fail_fsync) {
		errno = fail_fsync;
		return -1;
	}
	return (int)syscall(SYS_fsync, fd);
}

int renameat(int olddirfd, const char *oldpath, int newdirfd, const char *newpath)
{
	note('r');
	if (fail_renameat) {
		errno = fail_renameat;
		return -1;
	}
	return (int)syscall(SYS_renameat2, olddirfd, oldpath, newdirfd, newpath, 0);
}

/* A file that grows between the moment its size is known and the moment it is read. */
ssize_t read(int fd, void *to, size_t size)
{
	if (grow_fd >= 0) {
		assert_int_equal(write(grow_fd, "more", 4), 4);
		close(grow_fd);
		grow_fd = -1;
	}
	return syscall(SYS_read, fd, to, size);
}

/* A stranger who exchanges a file for a link between two of our steps. */
static bool exchange_after_look, exchange_after_unlink;

int fstatat(int dirfd, const char *restrict path, struct stat *restrict status, int flags)
{
	int result = (int)syscall(SYS_newfstatat, dirfd, path, status, flags);

	if (exchange_after_look) {
		exchange_after_look = false;
		assert_int_equal(syscall(SYS_renameat2, scratch_fd, "link", scratch_fd, "a", 0), 0);
	}
	return result;
}

int unlinkat(int dirfd, const char *path, int flags)
{
	int result = (int)syscall(SYS_unlinkat, dirfd, path, flags);
	int error = errno;

	if (exchange_after_unlink && result < 0 && error == EISDIR) {
		exchange_after_unlink = false;
		assert_int_equal(syscall(SYS_renameat2, scratch_fd, "link", scratch_fd, "tree",
					 RENAME_EXCHANGE),
				 0);
	}
	errno = error;
	return result;
}

static int make(void **state)
{
	memset(calls, 0, sizeof(calls));
	fail_fsync = fail_fchown = fail_renameat = 0;
	return scratch_make(state);
}

/* --- helpers --- */

static void reads(const char *name, enum file_trust trust, const char *wanted)
{
	_cleanup_(bytes_clear) struct bytes bytes = BYTES_NONE;
	enum outcome outcome = file_read(scratch_fd, name, trust, LIMIT, &bytes);

	if (outcome != OUTCOME_OK)
		fail_msg("%s", outcome_reason(outcome));
	assert_int_equal(bytes.len, strlen(wanted));
	assert_string_equal(bytes.data, wanted);
}

static void is_refused(const char *name, enum file_trust trust, enum outcome wanted,
		       const char *reason)
{
	struct bytes bytes = { .data = NULL, .len = 99 };
	enum outcome outcome = file_read(scratch_fd, name, trust, LIMIT, &bytes);

	assert_string_equal(outcome_text(outcome)->name, outcome_text(wanted)->name);
	assert_contains(outcome_reason(outcome), name);
	assert_contains(outcome_reason(outcome), reason);
	assert_null(bytes.data);
	assert_int_equal(bytes.len, 0);
}

static void is_refused_anyway(const char *name, const char *reason)
{
	is_refused(name, FILE_STAGED, OUTCOME_FILE_UNSAFE, reason);
	is_refused(name, FILE_OWN, OUTCOME_FILE_UNSAFE, reason);
}

static struct bytes text(const char *data)
{
	return (struct bytes){ .data = (char *)(uintptr_t)data, .len = strlen(data) };
}

static const struct file_access ours = { 0, 0, 0600 };

static void has_mode(const char *name, mode_t mode)
{
	struct stat status;

	assert_int_equal(fstatat(scratch_fd, name, &status, AT_SYMLINK_NOFOLLOW), 0);
	assert_true(S_ISREG(status.st_mode));
	assert_int_equal(status.st_mode & 07777, mode);
}

static void holds_files(size_t wanted)
{
	DIR *directory = opendir(scratch);
	size_t count = 0;

	while (readdir(directory))
		count++;
	closedir(directory);
	assert_int_equal(count, wanted + 2);
}

static bool exists(const char *name)
{
	return faccessat(scratch_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* --- reading --- */

static void a_plain_file_is_read_whole(void **state)
{
	_cleanup_(bytes_clear) struct bytes bytes = BYTES_NONE;

	(void)state;
	scratch_write("a", "one\0two\n", 8);
	assert_int_equal(file_read(scratch_fd, "a", FILE_STAGED, LIMIT, &bytes), OUTCOME_OK);
	assert_int_equal(bytes.len, 8);
	assert_memory_equal(bytes.data, "one\0two\n\0", 9);
}

static void an_empty_file_is_an_empty_text(void **state)
{
	(void)state;
	scratch_write("a", "", 0);
	reads("a", FILE_STAGED, "");
	reads("a", FILE_OWN, "");
}

static void a_path_without_a_directory_is_relative_to_the_working_directory(void **state)
{
	_cleanup_(bytes_clear) struct bytes bytes = BYTES_NONE;

	(void)state;
	scratch_write("a", "hello", 5);
	assert_int_equal(file_read(AT_FDCWD, scratch_path("a"), FILE_OWN, LIMIT, &bytes),
			 OUTCOME_OK);
	assert_string_equal(bytes.data, "hello");
}

static void the_limit_is_the_largest_size_that_is_read(void **state)
{
	char data[LIMIT + 1];

	(void)state;
	memset(data, 'x', sizeof(data));
	data[LIMIT] = '\0';
	scratch_write("a", data, LIMIT);
	reads("a", FILE_STAGED, data);
	data[LIMIT] = 'x';
	scratch_write("a", data, LIMIT + 1);
	is_refused("a", FILE_STAGED, OUTCOME_FILE_TOO_LARGE, "larger than 64 bytes");
	is_refused("a", FILE_OWN, OUTCOME_FILE_TOO_LARGE, "larger than 64 bytes");
}

static void a_file_that_grows_while_it_is_read_is_refused(void **state)
{
	(void)state;
	scratch_write("a", "hello", 5);
	grow_fd = openat(scratch_fd, "a", O_WRONLY | O_APPEND);
	is_refused("a", FILE_STAGED, OUTCOME_FILE_TOO_LARGE, "grew while it was read");
}

static void an_open_file_is_read_up_to_the_limit(void **state)
{
	_cleanup_(fd_closep) int fd = -1;
	_cleanup_(bytes_clear) struct bytes bytes = BYTES_NONE;
	struct bytes none;

	(void)state;
	scratch_write("a", "hello", 5);
	fd = openat(scratch_fd, "a", O_RDONLY);
	assert_int_equal(file_read_fd(fd, "name", 4, &none), OUTCOME_FILE_TOO_LARGE);
	assert_contains(outcome_reason(OUTCOME_FILE_TOO_LARGE), "name: larger than 4 bytes");
	assert_null(none.data);
	assert_int_equal(file_read_fd(fd, "name", 5, &bytes), OUTCOME_OK);
	assert_string_equal(bytes.data, "hello");
}

static void a_file_that_is_not_there_is_missing(void **state)
{
	(void)state;
	is_refused("none", FILE_STAGED, OUTCOME_FILE_MISSING, "No such file or directory");
	is_refused("none", FILE_OWN, OUTCOME_FILE_MISSING, "No such file or directory");
	scratch_write("a", "", 0);
	is_refused("a/b", FILE_STAGED, OUTCOME_FILE_MISSING, "Not a directory");
}

static void a_symbolic_link_is_followed_only_where_it_is_ours(void **state)
{
	(void)state;
	scratch_write("a", "hello", 5);
	assert_int_equal(symlinkat("a", scratch_fd, "link"), 0);
	reads("link", FILE_OWN, "hello");
	is_refused("link", FILE_STAGED, OUTCOME_FILE_UNSAFE, "is a symbolic link");
}

static void a_dangling_link_is_missing_where_links_are_followed(void **state)
{
	(void)state;
	assert_int_equal(symlinkat("none", scratch_fd, "link"), 0);
	is_refused("link", FILE_OWN, OUTCOME_FILE_MISSING, "No such file");
	is_refused("link", FILE_STAGED, OUTCOME_FILE_UNSAFE, "is a symbolic link");
}

static void a_second_hard_link_is_refused_in_staging_only(void **state)
{
	(void)state;
	scratch_write("a", "hello", 5);
	assert_int_equal(linkat(scratch_fd, "a", scratch_fd, "b", 0), 0);
	is_refused("a", FILE_STAGED, OUTCOME_FILE_UNSAFE, "has 2 hard links");
	reads("a", FILE_OWN, "hello");
	assert_int_equal(unlinkat(scratch_fd, "b", 0), 0);
	reads("a", FILE_STAGED, "hello");
}

static void a_directory_is_refused(void **state)
{
	(void)state;
	assert_int_equal(mkdirat(scratch_fd, "dir", 0755), 0);
	is_refused_anyway("dir", "is a directory");
}

static void a_fifo_is_refused_without_waiting(void **state)
{
	(void)state;
	assert_int_equal(mkfifoat(scratch_fd, "fifo", 0600), 0);
	is_refused_anyway("fifo", "is not a plain file");
}

static void a_device_is_refused(void **state)
{
	(void)state;
	assert_int_equal(mknodat(scratch_fd, "null", S_IFCHR | 0600, makedev(1, 3)), 0);
	is_refused_anyway("null", "is not a plain file");
}

static void a_file_exchanged_for_a_link_before_it_is_opened_is_refused(void **state)
{
	(void)state;
	scratch_write("a", "hello", 5);
	scratch_write("secret", "secret", 6);
	assert_int_equal(symlinkat("secret", scratch_fd, "link"), 0);
	exchange_after_look = true;
	is_refused("a", FILE_STAGED, OUTCOME_FILE_UNSAFE, "is a symbolic link");
	assert_false(exchange_after_look);
}

/* Opening a device can have effects of its own (a tape rewinds, a watchdog starts). */
static void what_is_not_a_plain_file_is_not_even_opened_in_staging(void **state)
{
	int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	struct inotify_event event;

	(void)state;
	assert_int_equal(mkfifoat(scratch_fd, "fifo", 0600), 0);
	assert_true(inotify_add_watch(fd, scratch_path("fifo"), IN_OPEN) >= 0);
	is_refused("fifo", FILE_STAGED, OUTCOME_FILE_UNSAFE, "is not a plain file");
	assert_int_equal(syscall(SYS_read, fd, &event, sizeof(event)), -1);
	/* The watch does see an opening. */
	is_refused("fifo", FILE_OWN, OUTCOME_FILE_UNSAFE, "is not a plain file");
	assert_int_equal(syscall(SYS_read, fd, &event, sizeof(event)), sizeof(event));
	close(fd);
}

static void a_socket_is_refused(void **state)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

	(void)state;
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/socket", scratch);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	close(fd);
	is_refused_anyway("socket", "is not a plain file");
}

static int read_as_nobody(void *name)
{
	struct bytes bytes;
	enum outcome outcome;

	if (setgid(65534) < 0 || setuid(65534) < 0)
		return 1;
	outcome = file_read(scratch_fd, name, FILE_OWN, LIMIT, &bytes);
	puts(outcome_text(outcome)->name);
	puts(outcome_reason(outcome));
	return 0;
}

static void a_file_that_may_not_be_read_is_denied(void **state)
{
	struct child child;

	(void)state;
	scratch_write("a", "secret", 6);
	assert_int_equal(fchmodat(scratch_fd, "a", 0600, 0), 0);
	assert_int_equal(chmod(scratch, 0755), 0);
	run_child(&child, read_as_nobody, (char[]){ "a" });
	assert_string_equal(child.out, "FILE_DENIED\na: Permission denied\n");
}

/* --- bytes --- */

static void bytes_are_equal_byte_for_byte(void **state)
{
	const struct bytes none = BYTES_NONE, one = text("one"), two = text("two"), on = text("on");

	(void)state;
	assert_true(bytes_equal(&one, &(struct bytes){ .data = (char[]){ "one" }, .len = 3 }));
	assert_false(bytes_equal(&one, &two));
	assert_false(bytes_equal(&one, &on));
	assert_false(bytes_equal(&one, &none));
	assert_true(bytes_equal(&none, &none));
	assert_true(bytes_equal(&none, &(struct bytes){ .data = (char[]){ "" }, .len = 0 }));
}

static void cleared_bytes_are_none_and_may_be_cleared_again(void **state)
{
	struct bytes bytes;

	(void)state;
	scratch_write("a", "hello", 5);
	assert_int_equal(file_read(scratch_fd, "a", FILE_OWN, LIMIT, &bytes), OUTCOME_OK);
	bytes_clear(&bytes);
	assert_null(bytes.data);
	assert_int_equal(bytes.len, 0);
	bytes_clear(&bytes);
}

/* --- writing --- */

static void writes_with_mode(mode_t mask, mode_t mode)
{
	const struct file_access access = { 0, 0, mode };
	const struct bytes bytes = text("hello");
	mode_t before = umask(mask);
	enum outcome outcome = file_write(scratch_fd, "a", &bytes, &access);

	umask(before);
	assert_int_equal(outcome, OUTCOME_OK);
	has_mode("a", mode);
	reads("a", FILE_STAGED, "hello");
	/* While it was being written nobody else could read it. */
	assert_int_equal(mode_before_fchmod & 0177, 0);
}

static void the_mode_is_the_one_asked_for_whatever_the_umask_and_never_wider(void **state)
{
	(void)state;
	writes_with_mode(0, 0600);
	writes_with_mode(0, 0644);
	writes_with_mode(077, 0644);
	writes_with_mode(022, 0600);
	writes_with_mode(0777, 0644);
}

static void the_owner_is_the_one_asked_for(void **state)
{
	const struct file_access access = { 1234, 2345, 0640 };
	const struct bytes bytes = text("hello");
	struct stat status;

	(void)state;
	assert_int_equal(file_write(scratch_fd, "a", &bytes, &access), OUTCOME_OK);
	assert_int_equal(fstatat(scratch_fd, "a", &status, 0), 0);
	assert_int_equal(status.st_uid, 1234);
	assert_int_equal(status.st_gid, 2345);
	/* The owner first: a wide mode is not meant for the one before. */
	assert_string_equal(calls, "oms");
}

static void an_owner_that_does_not_matter_is_not_changed(void **state)
{
	const struct file_access access = { FILE_ANY_UID, FILE_ANY_GID, 0644 };
	const struct bytes bytes = text("hello");
	struct stat status;

	(void)state;
	assert_int_equal(fchown(scratch_fd, (uid_t)-1, 2345), 0);
	assert_int_equal(fchmod(scratch_fd, 02755), 0);
	memset(calls, 0, sizeof(calls));
	assert_int_equal(file_write(scratch_fd, "a", &bytes, &access), OUTCOME_OK);
	assert_int_equal(fstatat(scratch_fd, "a", &status, 0), 0);
	assert_int_equal(status.st_gid, 2345);
	assert_string_equal(calls, "ms");
}

static void a_link_of_that_name_is_removed_and_not_written_through(void **state)
{
	const struct bytes bytes = text("new");

	(void)state;
	scratch_write("target", "old", 3);
	assert_int_equal(symlinkat("target", scratch_fd, "a"), 0);
	assert_int_equal(file_write(scratch_fd, "a", &bytes, &ours), OUTCOME_OK);
	reads("a", FILE_STAGED, "new");
	reads("target", FILE_STAGED, "old");
}

static void a_hard_link_of_that_name_keeps_its_old_contents(void **state)
{
	const struct bytes bytes = text("new");

	(void)state;
	scratch_write("other", "old", 3);
	assert_int_equal(linkat(scratch_fd, "other", scratch_fd, "a", 0), 0);
	assert_int_equal(file_write(scratch_fd, "a", &bytes, &ours), OUTCOME_OK);
	reads("a", FILE_STAGED, "new");
	reads("other", FILE_STAGED, "old");
}

static void a_directory_of_that_name_is_an_error_and_stays(void **state)
{
	const struct bytes bytes = text("new");

	(void)state;
	assert_int_equal(mkdirat(scratch_fd, "a", 0755), 0);
	assert_int_equal(file_write(scratch_fd, "a", &bytes, &ours), OUTCOME_FILE_WRITE);
	assert_contains(outcome_reason(OUTCOME_FILE_WRITE), "a: cannot remove: Is a directory");
	assert_int_equal(file_replace(scratch_fd, "a", &bytes, &ours), OUTCOME_FILE_WRITE);
	assert_contains(outcome_reason(OUTCOME_FILE_WRITE), "a: cannot replace: Is a directory");
	holds_files(1);
}

static void a_file_that_cannot_be_synced_or_given_away_is_removed(void **state)
{
	const struct file_access others = { 1234, 1234, 0600 };
	const struct bytes bytes = text("hello");

	(void)state;
	fail_fsync = EIO;
	assert_int_equal(file_write(scratch_fd, "a", &bytes, &ours), OUTCOME_FILE_WRITE);
	assert_string_equal(outcome_reason(OUTCOME_FILE_WRITE),
			    "a: cannot sync: Input/output error");
	fail_fsync = 0;
	fail_fchown = EPERM;
	assert_int_equal(file_write(scratch_fd, "a", &bytes, &others), OUTCOME_FILE_DENIED);
	assert_string_equal(outcome_reason(OUTCOME_FILE_DENIED),
			    "a: cannot change the owner: Operation not permitted");
	holds_files(0);
}

static void a_replaced_file_is_synced_before_it_is_renamed_and_its_directory_after(void **state)
{
	const struct bytes bytes = text("new");

	(void)state;
	scratch_write("a", "old", 3);
	assert_int_equal(file_replace(scratch_fd, "a", &bytes, &ours), OUTCOME_OK);
	reads("a", FILE_STAGED, "new");
	has_mode("a", 0600);
	holds_files(1);
	assert_string_equal(calls, "msrd");
}

static void a_link_is_replaced_by_a_file_and_its_target_left_alone(void **state)
{
	const struct bytes bytes = text("new");

	(void)state;
	scratch_write("target", "old", 3);
	assert_int_equal(symlinkat("target", scratch_fd, "a"), 0);
	assert_int_equal(file_replace(scratch_fd, "a", &bytes, &ours), OUTCOME_OK);
	reads("a", FILE_STAGED, "new");
	reads("target", FILE_STAGED, "old");
}

/* What an earlier run that was killed left behind, or a stranger put in the way. */
static void a_temporary_in_the_way_is_removed_and_not_written_through(void **state)
{
	const struct bytes bytes = text("new");

	(void)state;
	scratch_write("target", "old", 3);
	assert_int_equal(symlinkat("target", scratch_fd, ".a.new"), 0);
	assert_int_equal(file_replace(scratch_fd, "a", &bytes, &ours), OUTCOME_OK);
	reads("a", FILE_STAGED, "new");
	reads("target", FILE_STAGED, "old");
	holds_files(2);
}

static void a_failed_replacement_leaves_the_old_file_and_no_other(void **state)
{
	const struct bytes bytes = text("new");

	(void)state;
	scratch_write("a", "old", 3);
	fail_fsync = ENOSPC;
	assert_int_equal(file_replace(scratch_fd, "a", &bytes, &ours), OUTCOME_FILE_WRITE);
	fail_fsync = 0;
	fail_renameat = EROFS;
	assert_int_equal(file_replace(scratch_fd, "a", &bytes, &ours), OUTCOME_FILE_WRITE);
	assert_string_equal(outcome_reason(OUTCOME_FILE_WRITE),
			    "a: cannot replace: Read-only file system");
	reads("a", FILE_STAGED, "old");
	holds_files(1);
}

/* A limit on file sizes does what a full disk does: half of the bytes are written. */
static int replace_beyond_the_limit(void *name)
{
	const struct rlimit limit = { 4096, 4096 };
	static char data[8192];
	const struct bytes bytes = { .data = data, .len = sizeof(data) };
	enum outcome outcome;

	signal(SIGXFSZ, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &limit);
	outcome = file_replace(scratch_fd, name, &bytes, &ours);
	puts(outcome_reason(outcome));
	return outcome_text(outcome)->status;
}

static void half_a_file_never_replaces_a_whole_one(void **state)
{
	struct child child;

	(void)state;
	scratch_write("a", "old", 3);
	run_child(&child, replace_beyond_the_limit, (char[]){ "a" });
	assert_int_equal(child.status, EX_CANTCREAT);
	assert_contains(child.out, "a.new: cannot write: File too large");
	reads("a", FILE_STAGED, "old");
	holds_files(1);
}

static int replace_as_nobody(void *name)
{
	const struct bytes bytes = text("new");
	enum outcome outcome;

	if (setgid(65534) < 0 || setuid(65534) < 0)
		return 1;
	outcome =
		file_replace(scratch_fd, name, &bytes, &(struct file_access){ 65534, 65534, 0600 });
	puts(outcome_reason(outcome));
	return outcome_text(outcome)->status;
}

static void a_directory_that_may_not_be_written_keeps_its_file(void **state)
{
	struct child child;

	(void)state;
	scratch_write("a", "old", 3);
	assert_int_equal(chmod(scratch, 0755), 0);
	run_child(&child, replace_as_nobody, (char[]){ "a" });
	assert_int_equal(child.status, EX_NOPERM);
	assert_contains(child.out, "Permission denied");
	reads("a", FILE_STAGED, "old");
	holds_files(1);
}

static void a_directory_is_synced(void **state)
{
	(void)state;
	assert_int_equal(file_sync_directory(scratch_fd), OUTCOME_OK);
	assert_string_equal(calls, "d");
	fail_fsync = EIO;
	assert_int_equal(file_sync_directory(scratch_fd), OUTCOME_FILE_WRITE);
	assert_contains(outcome_reason(OUTCOME_FILE_WRITE), "Input/output error");
}

/* --- removing --- */

static void make_tree(const char *path)
{
	char part[512];

	for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
		snprintf(part, sizeof(part), "%.*s", (int)(slash - path), path);
		assert_true(mkdirat(scratch_fd, part, 0755) == 0 || errno == EEXIST);
	}
	scratch_write(path, "x", 1);
}

static void a_tree_is_removed_with_all_that_is_in_it(void **state)
{
	(void)state;
	make_tree("tree/a");
	make_tree("tree/sub/.b");
	make_tree("tree/sub/sub/c");
	assert_int_equal(mkfifoat(scratch_fd, "tree/fifo", 0600), 0);
	scratch_write("stays", "x", 1);
	assert_int_equal(file_remove_tree(scratch_fd, "tree"), OUTCOME_OK);
	assert_false(exists("tree"));
	reads("stays", FILE_STAGED, "x");
}

static void removing_what_is_not_there_is_success(void **state)
{
	(void)state;
	assert_int_equal(file_remove_tree(scratch_fd, "none"), OUTCOME_OK);
}

static void removing_never_follows_a_link(void **state)
{
	(void)state;
	make_tree("elsewhere/file");
	make_tree("tree/a");
	assert_int_equal(symlinkat("../elsewhere", scratch_fd, "tree/link"), 0);
	assert_int_equal(symlinkat("../elsewhere/file", scratch_fd, "tree/other"), 0);
	assert_int_equal(file_remove_tree(scratch_fd, "tree"), OUTCOME_OK);
	reads("elsewhere/file", FILE_STAGED, "x");
	assert_int_equal(symlinkat("elsewhere", scratch_fd, "link"), 0);
	assert_int_equal(file_remove_tree(scratch_fd, "link"), OUTCOME_OK);
	assert_false(exists("link"));
	reads("elsewhere/file", FILE_STAGED, "x");
}

static void removing_never_follows_a_link_that_takes_a_directorys_place(void **state)
{
	(void)state;
	make_tree("elsewhere/file");
	make_tree("tree/a");
	assert_int_equal(symlinkat("elsewhere", scratch_fd, "link"), 0);
	exchange_after_unlink = true;
	assert_true(outcome_failed(file_remove_tree(scratch_fd, "tree")));
	assert_false(exchange_after_unlink);
	reads("elsewhere/file", FILE_STAGED, "x");
}

static void a_tree_that_is_nested_too_deep_is_left_with_a_reason(void **state)
{
	(void)state;
	make_tree("tree/1/2/3/4/5/6/7/a");
	assert_int_equal(file_remove_tree(scratch_fd, "tree"), OUTCOME_OK);
	make_tree("tree/1/2/3/4/5/6/7/8/9/10/a");
	assert_int_equal(file_remove_tree(scratch_fd, "tree"), OUTCOME_FILE_WRITE);
	assert_contains(outcome_reason(OUTCOME_FILE_WRITE), "tree: cannot remove: ");
	assert_lacks(outcome_reason(OUTCOME_FILE_WRITE), "symbolic link");
}

static int remove_as_nobody(void *name)
{
	enum outcome outcome;

	if (setgid(65534) < 0 || setuid(65534) < 0)
		return 1;
	outcome = file_remove_tree(scratch_fd, name);
	puts(outcome_reason(outcome));
	return outcome_text(outcome)->status;
}

static void what_may_not_be_removed_is_an_error(void **state)
{
	struct child child;

	(void)state;
	make_tree("tree/a");
	assert_int_equal(chmod(scratch, 0755), 0);
	run_child(&child, remove_as_nobody, (char[]){ "tree" });
	assert_int_equal(child.status, EX_NOPERM);
	assert_contains(child.out, "Permission denied");
	assert_true(exists("tree/a"));
}

static void a_file_of_another_in_a_sticky_directory_is_not_permitted(void **state)
{
	struct child child;

	(void)state;
	scratch_write("a", "x", 1);
	assert_int_equal(chmod(scratch, 01777), 0);
	run_child(&child, remove_as_nobody, (char[]){ "a" });
	assert_int_equal(child.status, EX_NOPERM);
	assert_contains(child.out, "Operation not permitted");
	assert_true(exists("a"));
}

/* --- directories --- */

static void a_directory_is_opened_and_nothing_else(void **state)
{
	int fd;

	(void)state;
	assert_int_equal(file_open_directory(scratch, &fd), OUTCOME_OK);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	close(fd);
	assert_int_equal(file_open_directory("/nonexistent", &fd), OUTCOME_FILE_MISSING);
	assert_contains(outcome_reason(OUTCOME_FILE_MISSING), "/nonexistent");
	assert_int_equal(fd, -1);
	scratch_write("a", "", 0);
	assert_int_equal(file_open_directory(scratch_path("a"), &fd), OUTCOME_FILE_MISSING);
	assert_contains(outcome_reason(OUTCOME_FILE_MISSING), "Not a directory");
}

#define file_test(test) cmocka_unit_test_setup_teardown(test, make, scratch_remove)

int main(void)
{
	const struct CMUnitTest tests[] = {
		file_test(a_plain_file_is_read_whole),
		file_test(an_empty_file_is_an_empty_text),
		file_test(a_path_without_a_directory_is_relative_to_the_working_directory),
		file_test(the_limit_is_the_largest_size_that_is_read),
		file_test(a_file_that_grows_while_it_is_read_is_refused),
		file_test(an_open_file_is_read_up_to_the_limit),
		file_test(a_file_that_is_not_there_is_missing),
		file_test(a_symbolic_link_is_followed_only_where_it_is_ours),
		file_test(a_dangling_link_is_missing_where_links_are_followed),
		file_test(a_second_hard_link_is_refused_in_staging_only),
		file_test(a_directory_is_refused),
		file_test(a_fifo_is_refused_without_waiting),
		file_test(a_device_is_refused),
		file_test(a_file_exchanged_for_a_link_before_it_is_opened_is_refused),
		file_test(what_is_not_a_plain_file_is_not_even_opened_in_staging),
		file_test(a_socket_is_refused),
		file_test(a_file_that_may_not_be_read_is_denied),
		file_test(bytes_are_equal_byte_for_byte),
		file_test(cleared_bytes_are_none_and_may_be_cleared_again),
		file_test(the_mode_is_the_one_asked_for_whatever_the_umask_and_never_wider),
		file_test(the_owner_is_the_one_asked_for),
		file_test(an_owner_that_does_not_matter_is_not_changed),
		file_test(a_link_of_that_name_is_removed_and_not_written_through),
		file_test(a_hard_link_of_that_name_keeps_its_old_contents),
		file_test(a_directory_of_that_name_is_an_error_and_stays),
		file_test(a_file_that_cannot_be_synced_or_given_away_is_removed),
		file_test(a_replaced_file_is_synced_before_it_is_renamed_and_its_directory_after),
		file_test(a_link_is_replaced_by_a_file_and_its_target_left_alone),
		file_test(a_temporary_in_the_way_is_removed_and_not_written_through),
		file_test(a_failed_replacement_leaves_the_old_file_and_no_other),
		file_test(half_a_file_never_replaces_a_whole_one),
		file_test(a_directory_that_may_not_be_written_keeps_its_file),
		file_test(a_directory_is_synced),
		file_test(a_tree_is_removed_with_all_that_is_in_it),
		file_test(removing_what_is_not_there_is_success),
		file_test(removing_never_follows_a_link),
		file_test(removing_never_follows_a_link_that_takes_a_directorys_place),
		file_test(a_tree_that_is_nested_too_deep_is_left_with_a_reason),
		file_test(what_may_not_be_removed_is_an_error),
		file_test(a_file_of_another_in_a_sticky_directory_is_not_permitted),
		file_test(a_directory_is_opened_and_nothing_else),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
