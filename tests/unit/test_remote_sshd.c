/* Connecting to a real server: whose keys are taken, and how it takes ours. */
#include <stdio.h>
#include <string.h>

#include "certsync/cleanup.h"
#include "certsync/journal.h"
#include "hostkeys.h"
#include "make_pair.h"
#include "open_remote.h"
#include "run_child.h"
#include "sshd.h"

#define FINGERPRINT "2D:71:16:42:B7:26:B0:44:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF"

static const struct sshd_options plain;

static struct push_conf conf;
static struct remote *remote;

static int begin(void **state)
{
	journal_open("test", JOURNAL_QUIET);
	remote = NULL;
	return sshd_make(state);
}

static int end(void **state)
{
	remote_closep(&remote);
	return sshd_remove(state);
}

/* Begin a server whose key is known. */
static void begin_server(const struct sshd_options *options)
{
	sshd_begin(options);
	sshd_trust("host_key");
	conf = sshd_conf();
}

/* That of the key ${name}.pub as ssh-keygen prints it, until the next call. */
static char *fingerprint(const char *name)
{
	static char text[HOSTKEYS_FINGERPRINT_LEN + 1];
	char command[512];
	FILE *stream;

	snprintf(command, sizeof(command), "ssh-keygen -l -f %s/%s.pub", scratch, name);
	stream = popen(command, "r");
	assert_non_null(stream);
	assert_int_equal(fscanf(stream, "%*s %50s", text), 1);
	assert_int_equal(pclose(stream), 0);
	return text;
}

/* Have ${name}, a new key that the server does not know, for an identity. */
static void change_identity(const char *name)
{
	static char path[128];

	sshd_keygen(name, "ed25519");
	snprintf(path, sizeof(path), "%s/%s", scratch, name);
	conf.identity = path;
}

static enum outcome open_remote(void)
{
	return remote_open(&conf, deadline_in(SSHD_LONG_MS), &remote);
}

static void assert_fails(enum outcome expected, const char *words)
{
	assert_int_equal(open_remote(), expected);
	assert_contains(outcome_reason(expected), words);
	assert_null(remote);
}

/* --- the host's key --- */

static void a_pair_is_pushed_to_a_known_server(void **state)
{
	_cleanup_(bytes_clear) struct bytes chain = bytes_of_text("a chain\n");
	_cleanup_(bytes_clear) struct bytes key = bytes_of_text("a key\n");
	_cleanup_(bytes_clear) struct bytes arrived = BYTES_NONE;
	char name[GENERATION_NAME_LEN + 1], path[128];

	(void)state;
	begin_server(&plain);
	assert_int_equal(open_remote(), OUTCOME_OK);
	assert_int_equal(remote_put(remote, FINGERPRINT, &chain, &key, name), OUTCOME_OK);
	snprintf(path, sizeof(path), "staging/%s/" GENERATION_KEY, name);
	assert_int_equal(file_read(scratch_fd, path, FILE_STAGED, 1024, &arrived), OUTCOME_OK);
	assert_true(bytes_equal(&arrived, &key));
}

static void what_the_server_refuses_is_told_with_user_and_host(void **state)
{
	static const struct sshd_options options = { .sftp = "-R" };
	struct bytes nothing = bytes_of_text("");
	char name[GENERATION_NAME_LEN + 1];

	(void)state;
	begin_server(&options);
	assert_int_equal(open_remote(), OUTCOME_OK);
	assert_int_equal(remote_put(remote, FINGERPRINT, &nothing, &nothing, name),
			 OUTCOME_REMOTE_DENIED);
	assert_contains(outcome_reason(OUTCOME_REMOTE_DENIED), SSHD_USER "@" PEER_HOST ":.2");
	bytes_clear(&nothing);
}

static void a_server_that_is_not_known_is_told_by_its_fingerprint(void **state)
{
	(void)state;
	begin_server(&plain);
	assert_int_equal(unlink(conf.known_hosts), 0);
	assert_fails(OUTCOME_HOST_KEY_UNKNOWN, fingerprint("host_key"));
}

static void a_server_with_another_key_is_refused(void **state)
{
	(void)state;
	begin_server(&plain);
	sshd_keygen("other_key", "ed25519");
	sshd_trust("other_key");
	assert_fails(OUTCOME_HOST_KEY_CHANGED, PEER_HOST);
}

static void a_server_with_another_type_of_key_is_told(void **state)
{
	(void)state;
	begin_server(&plain);
	sshd_keygen("other_key", "ecdsa");
	sshd_trust("other_key");
	assert_fails(OUTCOME_NO_COMMON_ALGORITHM,
		     "host key: the server has ssh-ed25519, we have ecdsa-sha2-nistp256");
}

static void a_server_with_the_pinned_key_is_taken(void **state)
{
	(void)state;
	begin_server(&plain);
	assert_int_equal(unlink(conf.known_hosts), 0);
	conf.host_key = fingerprint("host_key");
	assert_int_equal(open_remote(), OUTCOME_OK);
	assert_non_null(remote);
}

static void the_pinned_key_may_be_the_second_that_a_server_shows(void **state)
{
	struct sshd_options options = { 0 };
	char settings[128];

	(void)state;
	sshd_keygen("second_key", "ecdsa");
	snprintf(settings, sizeof(settings), "HostKey %s/second_key", scratch);
	options.settings = settings;
	begin_server(&options);
	conf.host_key = fingerprint("second_key");
	assert_int_equal(open_remote(), OUTCOME_OK);
}

static void a_server_without_the_pinned_key_is_refused_in_the_end(void **state)
{
	(void)state;
	begin_server(&plain);
	sshd_keygen("other_key", "ed25519");
	conf.host_key = fingerprint("other_key");
	assert_fails(OUTCOME_HOST_KEY_CHANGED, conf.host_key);
}

static void a_server_is_taken_leave_of(void **state)
{
	_cleanup_(bytes_clear) struct bytes log = BYTES_NONE;

	(void)state;
	begin_server(&plain);
	assert_int_equal(open_remote(), OUTCOME_OK);
	remote_closep(&remote);
	/* The server takes one after the other: it has written its log by then. */
	assert_int_equal(open_remote(), OUTCOME_OK);
	assert_int_equal(file_read(scratch_fd, "sshd.log", FILE_OWN, 65536, &log), OUTCOME_OK);
	assert_contains(log.data, ": done");
}

/* --- our own key --- */

static void a_key_that_the_server_does_not_know_is_told(void **state)
{
	(void)state;
	begin_server(&plain);
	change_identity("other");
	assert_fails(OUTCOME_AUTH_REFUSED, SSHD_USER "@" PEER_HOST " port ");
	assert_contains(outcome_reason(OUTCOME_AUTH_REFUSED), conf.identity);
}

/* It ends the connection as it refuses. */
static void a_server_that_has_had_enough_has_refused_the_key(void **state)
{
	static const struct sshd_options options = { .settings = "MaxAuthTries 1" };

	(void)state;
	begin_server(&options);
	change_identity("other");
	assert_fails(OUTCOME_AUTH_REFUSED, "Too many authentication failures");
}

/* --- SFTP --- */

static void a_server_without_sftp_is_told(void **state)
{
	static const struct sshd_options options = { .without_sftp = true };

	(void)state;
	begin_server(&options);
	assert_fails(OUTCOME_SSH_PROTOCOL, "the server refuses to start SFTP");
}

static void a_server_that_forces_another_command_is_told(void **state)
{
	/* Or rather what the user's shell says instead. */
	static const struct sshd_options options = { .command = "/bin/true" };

	(void)state;
	begin_server(&options);
	assert_fails(OUTCOME_SSH_PROTOCOL, "force internal-sftp?");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(a_pair_is_pushed_to_a_known_server),
		TEST(what_the_server_refuses_is_told_with_user_and_host),
		TEST(a_server_that_is_not_known_is_told_by_its_fingerprint),
		TEST(a_server_with_another_key_is_refused),
		TEST(a_server_with_another_type_of_key_is_told),
		TEST(a_server_with_the_pinned_key_is_taken),
		TEST(the_pinned_key_may_be_the_second_that_a_server_shows),
		TEST(a_server_without_the_pinned_key_is_refused_in_the_end),
		TEST(a_server_is_taken_leave_of),
		TEST(a_key_that_the_server_does_not_know_is_told),
		TEST(a_server_that_has_had_enough_has_refused_the_key),
		TEST(a_server_without_sftp_is_told),
		TEST(a_server_that_forces_another_command_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
