/* Putting a pair into the staging directory of a real SFTP server. */
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "certsync/cleanup.h"
#include "certsync/generation.h"
#include "certsync/interrupt.h"
#include "certsync/journal.h"
#include "certsync/resolve.h"
#include "connect.h"
#include "make_pair.h"
#include "put.h"
#include "run_child.h"
#include "sshd.h"

#define FINGERPRINT "2D:71:16:42:B7:26:B0:44:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF"
#define NAME_END    "-2d711642b726b044"
/* More than a server takes at a time. */
#define LARGE ((size_t)4 * 1024 * 1024)
/* More seconds than a test takes. */
#define MANY_NAMES 200

static struct session *session;
static struct sftp *sftp;
static struct bytes chain, key;
static struct dropbox box;
static struct put put;
static char name[GENERATION_NAME_LEN + 1];

static int begin(void **state)
{
	journal_open("test", JOURNAL_QUIET);
	chain = bytes_of_text("a chain of certificates\n");
	key = bytes_of_text("the private key\n");
	box = (struct dropbox){ .target = "certsync@mail.example.org",
				.staging = ".",
				.end = deadline_in(SSHD_LONG_MS) };
	put = (struct put){ .box = &box, .fingerprint = FINGERPRINT, .chain = &chain, .key = &key };
	name[0] = '\0';
	return sshd_make(state);
}

static int end(void **state)
{
	sftp_freep(&sftp);
	session_freep(&session);
	bytes_clear(&chain);
	bytes_clear(&key);
	return sshd_remove(state);
}

/* --- the server --- */

static int authenticate(void)
{
	return libssh2_userauth_publickey_fromfile_ex(session->ssh, SSHD_USER, strlen(SSHD_USER),
						      NULL, scratch_path("identity"), NULL);
}

static void connect_with(const struct sshd_options *options)
{
	_cleanup_(resolve_addresses_freep) struct addrinfo *addresses = NULL;
	deadline limit = deadline_in(SSHD_LONG_MS);
	int fd, error;

	sshd_begin(options);
	assert_int_equal(connect_resolve(PEER_HOST, peer_port, limit, &addresses), OUTCOME_OK);
	assert_int_equal(connect_open(PEER_HOST, peer_port, addresses, SSHD_LONG_MS, limit, &fd),
			 OUTCOME_OK);
	assert_int_equal(session_new(fd, &session), OUTCOME_OK);
	session_begin(session, "connecting", limit, 0);
	do
		error = libssh2_session_handshake(session->ssh, fd);
	while (session_again(session, error));
	assert_int_equal(error, 0);
	do
		error = authenticate();
	while (session_again(session, error));
	assert_int_equal(error, 0);
	session_begin(session, "starting SFTP", limit, 0);
	assert_int_equal(sftp_start(session, &sftp), OUTCOME_OK);
	box.session = session;
	box.sftp = sftp;
}

static void connect_plainly(void)
{
	static const struct sshd_options plain;

	connect_with(&plain);
}

/* --- what is in the staging directory --- */

/* How many entries there are; the name of the last one is kept. */
static int staged(char last[static 256])
{
	_cleanup_(dir_closep) DIR *directory = opendir(scratch_path("staging"));
	struct dirent *entry;
	int count = 0;

	assert_non_null(directory);
	while ((entry = readdir(directory))) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		snprintf(last, 256, "%s", entry->d_name);
		count++;
	}
	return count;
}

static void assert_staged(int count)
{
	char last[256];

	assert_int_equal(staged(last), count);
}

static void assert_file(const char *file, const struct bytes *expected)
{
	_cleanup_(bytes_clear) struct bytes contents = BYTES_NONE;
	struct stat status;
	char path[128];

	snprintf(path, sizeof(path), "staging/%s/%s", name, file);
	assert_int_equal(fstatat(scratch_fd, path, &status, AT_SYMLINK_NOFOLLOW), 0);
	assert_int_equal(status.st_mode, S_IFREG | 0600);
	assert_int_equal(file_read(scratch_fd, path, FILE_STAGED, LARGE, &contents), OUTCOME_OK);
	assert_true(bytes_equal(&contents, expected));
}

static void assert_generation(void)
{
	struct stat status;
	char path[128];

	assert_true(generation_is_name(name));
	assert_string_equal(strchr(name, '-'), NAME_END);
	snprintf(path, sizeof(path), "staging/%s", name);
	assert_int_equal(fstatat(scratch_fd, path, &status, AT_SYMLINK_NOFOLLOW), 0);
	assert_int_equal(status.st_mode, S_IFDIR | 0700);
	assert_file(GENERATION_CHAIN, &chain);
	assert_file(GENERATION_KEY, &key);
}

static void assert_fails(enum outcome expected, const char *words)
{
	assert_int_equal(put_generation(&put, name), expected);
	assert_contains(outcome_reason(expected), words);
}

/* Take the names that the next ${seconds} would give. */
static void take_names(bool part, int seconds)
{
	time_t now = time(NULL);

	for (int i = 0; i < seconds; i++) {
		char taken[GENERATION_NAME_LEN + 1], path[128];

		generation_name(now + i, FINGERPRINT, taken);
		snprintf(path, sizeof(path), part ? "staging/.%s.part" : "staging/%s", taken);
		assert_int_equal(mkdirat(scratch_fd, path, 0700), 0);
		assert_int_equal(fchownat(scratch_fd, path, SSHD_USER_ID, SSHD_USER_ID, 0), 0);
	}
}

/* --- a pair that arrives --- */

static void a_pair_arrives_as_a_generation(void **state)
{
	(void)state;
	connect_plainly();
	assert_int_equal(put_generation(&put, name), OUTCOME_OK);
	assert_generation();
	assert_staged(1);
}

static void a_large_pair_arrives_whole(void **state)
{
	(void)state;
	bytes_clear(&chain);
	chain = (struct bytes){ OPENSSL_zalloc(LARGE + 1), LARGE };
	for (size_t i = 0; i < chain.len; i++)
		chain.data[i] = (char)(i % 251);
	connect_plainly();
	assert_int_equal(put_generation(&put, name), OUTCOME_OK);
	assert_generation();
}

static void the_staging_directory_may_be_given_as_a_path(void **state)
{
	char path[128];

	(void)state;
	connect_plainly();
	box.staging = path;
	snprintf(path, sizeof(path), "%s/staging", scratch);
	assert_int_equal(put_generation(&put, name), OUTCOME_OK);
	assert_generation();
	snprintf(path, sizeof(path), "%s/staging/", scratch);
	assert_int_equal(put_generation(&put, name), OUTCOME_OK);
	assert_generation();
	assert_staged(2);
}

static void what_cannot_be_synced_arrives_all_the_same(void **state)
{
	static const struct sshd_options options = { .sftp = "-P fsync" };

	(void)state;
	connect_with(&options);
	assert_int_equal(put_generation(&put, name), OUTCOME_OK);
	assert_generation();
}

static void a_temporary_name_that_is_taken_is_left_alone(void **state)
{
	(void)state;
	connect_plainly();
	take_names(true, 3);
	assert_int_equal(put_generation(&put, name), OUTCOME_OK);
	assert_generation();
	assert_staged(4);
}

static void a_generation_that_is_there_is_never_replaced(void **state)
{
	(void)state;
	connect_plainly();
	take_names(false, 3);
	assert_int_equal(put_generation(&put, name), OUTCOME_OK);
	assert_generation();
	assert_staged(4);
}

/* --- one that does not --- */

static void if_all_names_are_taken_that_is_told(void **state)
{
	(void)state;
	connect_plainly();
	take_names(false, MANY_NAMES);
	assert_fails(OUTCOME_REMOTE_FULL, "names are taken");
	assert_staged(MANY_NAMES);
}

static void a_staging_directory_that_is_missing_is_named(void **state)
{
	(void)state;
	connect_plainly();
	box.staging = "/nonexistent";
	assert_fails(OUTCOME_REMOTE_MISSING, "certsync@mail.example.org:/nonexistent/.");
	assert_contains(outcome_reason(OUTCOME_REMOTE_MISSING),
			"the staging directory does not exist");
}

static void a_staging_directory_with_too_long_a_name_is_refused(void **state)
{
	char path[1024];

	(void)state;
	memset(path, 'x', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	box.staging = path;
	assert_fails(OUTCOME_REMOTE_MISSING, "too long");
}

static void a_staging_directory_of_somebody_else_is_told(void **state)
{
	(void)state;
	connect_plainly();
	assert_int_equal(chown(scratch_path("staging"), 0, 0), 0);
	chmod(scratch_path("staging"), 0755);
	assert_fails(OUTCOME_REMOTE_DENIED, "refuses to make it: permission denied");
	assert_staged(0);
}

static void a_request_that_is_not_permitted_is_told(void **state)
{
	static const struct sshd_options options = { .sftp = "-P open" };

	(void)state;
	connect_with(&options);
	/* The server starts in the staging directory: the path is just the name. */
	assert_fails(OUTCOME_REMOTE_DENIED, "certsync@mail.example.org:.2");
	assert_contains(outcome_reason(OUTCOME_REMOTE_DENIED), NAME_END ".part/" GENERATION_CHAIN);
	assert_contains(outcome_reason(OUTCOME_REMOTE_DENIED), "refuses to create it");
	assert_staged(0);
}

static void what_cannot_be_renamed_is_removed(void **state)
{
	static const struct sshd_options options = { .sftp = "-P rename" };

	(void)state;
	connect_with(&options);
	assert_fails(OUTCOME_REMOTE_DENIED, "refuses to rename a directory to it");
	assert_staged(0);
}

static void what_cannot_be_removed_keeps_its_temporary_name(void **state)
{
	static const struct sshd_options options = { .sftp = "-P rename,remove,rmdir" };
	char last[256];

	(void)state;
	connect_with(&options);
	assert_fails(OUTCOME_REMOTE_DENIED, "refuses to rename");
	assert_int_equal(staged(last), 1);
	assert_true(generation_is_part(last));
}

static void what_has_no_room_is_removed(void **state)
{
	static const struct sshd_options options = { .file_max = 20 };

	(void)state;
	connect_with(&options);
	assert_fails(OUTCOME_REMOTE_FULL, "failed to write it: its file system is full");
	assert_staged(0);
}

static void an_sftp_server_that_dies_has_ended_the_connection(void **state)
{
	(void)state;
	connect_plainly();
	sshd_kill_sftp();
	assert_fails(OUTCOME_CONNECTION_LOST, "while making the directory");
}

static void a_run_whose_time_is_up_leaves_nothing_behind(void **state)
{
	(void)state;
	connect_plainly();
	box.end = deadline_in(-1);
	assert_fails(OUTCOME_TIMED_OUT, "the time was up while making the directory");
	assert_staged(0);
}

static void a_run_whose_time_is_up_tries_no_other_name(void **state)
{
	(void)state;
	connect_plainly();
	take_names(true, 3);
	box.end = deadline_in(-1);
	assert_fails(OUTCOME_TIMED_OUT, "the time was up while making the directory");
	assert_staged(3);
}

/*
 * With the signal when the first file has been written: it cannot be synced, and what is said of
 * that goes into a pipe that nobody reads.
 */
static int put_interrupted(void *unused)
{
	struct sigaction interrupt;
	int ends[2];

	(void)unused;
	interrupt_catch();
	sigaction(SIGTERM, NULL, &interrupt);
	sigaction(SIGPIPE, &interrupt, NULL);
	if (pipe(ends) < 0 || close(ends[0]) < 0 || dup2(ends[1], STDERR_FILENO) < 0)
		return -1;
	journal_open("test", JOURNAL_VERBOSE);
	return (int)put_generation(&put, name);
}

static void an_interrupted_run_leaves_nothing_behind(void **state)
{
	static const struct sshd_options options = { .sftp = "-P fsync" };
	struct child child;

	(void)state;
	connect_with(&options);
	run_child(&child, put_interrupted, NULL);
	assert_int_equal(child.status, OUTCOME_INTERRUPTED);
	assert_staged(0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(a_pair_arrives_as_a_generation),
		TEST(a_large_pair_arrives_whole),
		TEST(the_staging_directory_may_be_given_as_a_path),
		TEST(what_cannot_be_synced_arrives_all_the_same),
		TEST(a_temporary_name_that_is_taken_is_left_alone),
		TEST(a_generation_that_is_there_is_never_replaced),
		TEST(if_all_names_are_taken_that_is_told),
		TEST(a_staging_directory_that_is_missing_is_named),
		TEST(a_staging_directory_with_too_long_a_name_is_refused),
		TEST(a_staging_directory_of_somebody_else_is_told),
		TEST(a_request_that_is_not_permitted_is_told),
		TEST(what_cannot_be_renamed_is_removed),
		TEST(what_cannot_be_removed_keeps_its_temporary_name),
		TEST(what_has_no_room_is_removed),
		TEST(an_sftp_server_that_dies_has_ended_the_connection),
		TEST(a_run_whose_time_is_up_leaves_nothing_behind),
		TEST(a_run_whose_time_is_up_tries_no_other_name),
		TEST(an_interrupted_run_leaves_nothing_behind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
