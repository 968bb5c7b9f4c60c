/* Settings that will not do, and servers that are none: what is told of them. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include <libssh2.h>

#include "certsync/interrupt.h"
#include "certsync/journal.h"
#include "open_remote.h"
#include "run_child.h"
#include "sshd.h"
#include "wire.h"

/* As long as a server is waited for that says nothing. */
#define SHORT_MS 100

static struct push_conf conf;
static deadline limit;
static struct remote *remote;
static char host_key[64];

static int begin(void **state)
{
	journal_open("test", JOURNAL_QUIET);
	remote = NULL;
	if (sshd_make(state) < 0)
		return -1;
	peer_port = 1;
	sshd_trust("host_key");
	conf = sshd_conf();
	limit = deadline_in(SSHD_LONG_MS);
	return 0;
}

static int end(void **state)
{
	remote_closep(&remote);
	return sshd_remove(state);
}

/* --- the server --- */

/* What a server says; then it ends the connection, or waits for the client to do so. */
struct script {
	struct wire wire;
	bool holds;
};

static void serve(int fd, void *context)
{
	const struct script *script = context;
	char ignored[1024];

	if (script->wire.len && write(fd, script->wire.data, script->wire.len) < 0)
		return;
	if (!script->holds)
		shutdown(fd, SHUT_WR);
	while (read(fd, ignored, sizeof(ignored)) > 0)
		;
}

/* A server that says ${script} to whoever connects. */
static void begin_server(struct script *script)
{
	peer_begin(serve, script);
	sshd_trust("host_key");
	conf.port = peer_port;
}

static void assert_fails(enum outcome expected, const char *words)
{
	assert_int_equal(remote_open(&conf, limit, &remote), expected);
	assert_contains(outcome_reason(expected), words);
	assert_null(remote);
}

/* A server that says ${text} and no more is told in ${words}, with where it is. */
static void assert_told(const char *text, enum outcome expected, const char *words)
{
	struct script script = { .holds = false };
	char where[64];

	wire_add_text(&script.wire, text);
	begin_server(&script);
	assert_fails(expected, words);
	snprintf(where, sizeof(where), PEER_HOST " port %d: ", peer_port);
	assert_contains(outcome_reason(expected), where);
	peer_end();
}

/* The same of a server with a message of SSH instead. */
static void assert_message_told(struct wire payload, enum outcome expected, const char *words)
{
	struct script script = { .wire = wire_greeting(payload) };

	begin_server(&script);
	assert_fails(expected, words);
}

/* --- settings: nobody is connected to --- */

static void settings_that_will_do_are_all_right(void **state)
{
	(void)state;
	assert_int_equal(remote_check_settings(&conf), OUTCOME_OK);
}

static void a_pinned_host_key_needs_no_known_hosts(void **state)
{
	(void)state;
	assert_int_equal(unlink(conf.known_hosts), 0);
	strcpy(host_key, "SHA256:wv31UZfMttFOzboABm8gEZrgTeX10LIdKaqp08UiuVo");
	conf.host_key = host_key;
	assert_int_equal(remote_check_settings(&conf), OUTCOME_OK);
}

/* Settings will not do, and are looked at before a connection is made. */
static void assert_refused(enum outcome expected, const char *words)
{
	assert_int_equal(remote_check_settings(&conf), expected);
	assert_contains(outcome_reason(expected), words);
}

static void without_an_identity_nobody_is_connected_to(void **state)
{
	(void)state;
	assert_int_equal(unlink(conf.identity), 0);
	assert_refused(OUTCOME_IDENTITY_UNUSABLE, conf.identity);
	assert_fails(OUTCOME_IDENTITY_UNUSABLE, conf.identity);
}

static void with_an_identity_that_others_can_read_nobody_is_connected_to(void **state)
{
	(void)state;
	assert_int_equal(chmod(conf.identity, 0644), 0);
	assert_refused(OUTCOME_IDENTITY_EXPOSED, conf.identity);
	assert_fails(OUTCOME_IDENTITY_EXPOSED, conf.identity);
}

static void a_host_without_a_known_key_is_told(void **state)
{
	(void)state;
	conf.port = 2;
	assert_refused(OUTCOME_HOST_KEY_UNKNOWN, "has no key of " PEER_HOST " port 2");
	assert_int_equal(unlink(conf.known_hosts), 0);
	assert_refused(OUTCOME_HOST_KEY_UNKNOWN, "known_hosts does not exist");
}

static void known_hosts_that_is_no_file_is_told(void **state)
{
	(void)state;
	conf.known_hosts = scratch;
	assert_refused(OUTCOME_FILE_UNSAFE, scratch);
	assert_fails(OUTCOME_FILE_UNSAFE, scratch);
}

/* --- servers --- */

static void a_host_where_nobody_listens_is_told(void **state)
{
	struct script script = { .holds = false };

	(void)state;
	begin_server(&script);
	peer_end();
	assert_fails(OUTCOME_CONNECT_FAILED, PEER_HOST);
}

static void a_server_that_hangs_up_is_told(void **state)
{
	(void)state;
	assert_told("", OUTCOME_CONNECTION_LOST,
		    "the server closed the connection while shaking hands");
	assert_told(WIRE_BANNER, OUTCOME_CONNECTION_LOST,
		    "the server closed the connection while shaking hands");
}

static void a_server_of_another_protocol_is_told_by_its_words(void **state)
{
	(void)state;
	assert_told("HTTP/1.1 400 Bad Request\r\nServer: nginx\r\n\r\n", OUTCOME_SSH_PROTOCOL,
		    "the server says \"HTTP/1.1 400 Bad Request\" instead of speaking SSH");
	assert_told("220 \033[2Jsmtp\r\n", OUTCOME_SSH_PROTOCOL, "says \"220 \\x1b[2Jsmtp\"");
}

/* To be tried again; the rest of its kind is not. */
static void a_server_that_has_no_room_now_is_a_lost_connection(void **state)
{
	(void)state;
	assert_told("Exceeded MaxStartups\r\n", OUTCOME_CONNECTION_LOST,
		    "says \"Exceeded MaxStartups\"");
	assert_told("Not allowed at this time\r\n", OUTCOME_CONNECTION_LOST,
		    "says \"Not allowed at this time\"");
	assert_told("Exceeded\r\n", OUTCOME_SSH_PROTOCOL, "says \"Exceeded\"");
	assert_told("Exceeded MaxStartups, or so\r\n", OUTCOME_SSH_PROTOCOL, "or so");
}

static void a_server_that_talks_of_ssh_only_is_told(void **state)
{
	(void)state;
	assert_told(WIRE_BANNER "GET / HTTP/1.1\r\n\r\n", OUTCOME_SSH_PROTOCOL,
		    "the server says that it speaks SSH, but does not");
}

static void a_server_that_speaks_in_bytes_is_told(void **state)
{
	/* The alert of a TLS server that has heard no TLS. */
	static const char alert[] = { 0x15, 3, 1, 0, 2, 2, 0x46 };
	struct script script = { .holds = true };

	(void)state;
	wire_add(&script.wire, alert, sizeof(alert));
	begin_server(&script);
	assert_fails(OUTCOME_SSH_PROTOCOL, "the server does not speak SSH");
}

static void a_server_that_takes_its_leave_is_quoted(void **state)
{
	(void)state;
	assert_message_told(wire_disconnect("Too many connections"), OUTCOME_CONNECTION_LOST,
			    "the server ended the handshake: Too many connections");
}

static void a_server_with_nothing_in_common_is_told_by_its_algorithms(void **state)
{
	static const char *const lists[KEXINIT_LISTS] = WIRE_NOTHING_COMMON;

	(void)state;
	assert_message_told(wire_kexinit(lists), OUTCOME_NO_COMMON_ALGORITHM,
			    "key exchange: the server has old, we have curve25519-sha256");
	assert_contains(outcome_reason(OUTCOME_NO_COMMON_ALGORITHM),
			"host key: the server has old, we have ssh-ed25519;");
	assert_contains(outcome_reason(OUTCOME_NO_COMMON_ALGORITHM), libssh2_version(0));
}

/* --- time and signals --- */

static void a_server_that_says_no_more_is_given_up_in_time(void **state)
{
	struct script script = { .holds = true };

	(void)state;
	wire_add_text(&script.wire, WIRE_BANNER);
	begin_server(&script);
	conf.handshake_timeout = SHORT_MS;
	assert_fails(OUTCOME_TIMED_OUT, "the time was up while shaking hands");
	assert_true(deadline_left(limit) > 0);
}

static void the_time_of_the_run_is_up_whatever_a_handshake_may_take(void **state)
{
	struct script script = { .holds = true };
	deadline handshake_limit = deadline_in(conf.handshake_timeout);

	(void)state;
	begin_server(&script);
	limit = deadline_in(SHORT_MS);
	assert_fails(OUTCOME_TIMED_OUT, "the time was up");
	assert_true(deadline_left(handshake_limit) > 0);
}

static int open_interrupted(void *unused)
{
	(void)unused;
	interrupt_catch();
	raise(SIGTERM);
	return (int)remote_open(&conf, limit, &remote);
}

static void a_signal_interrupts(void **state)
{
	struct script script = { .holds = true };
	struct child child;

	(void)state;
	begin_server(&script);
	run_child(&child, open_interrupted, NULL);
	assert_int_equal(child.status, OUTCOME_INTERRUPTED);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(settings_that_will_do_are_all_right),
		TEST(a_pinned_host_key_needs_no_known_hosts),
		TEST(without_an_identity_nobody_is_connected_to),
		TEST(with_an_identity_that_others_can_read_nobody_is_connected_to),
		TEST(a_host_without_a_known_key_is_told),
		TEST(known_hosts_that_is_no_file_is_told),
		TEST(a_host_where_nobody_listens_is_told),
		TEST(a_server_that_hangs_up_is_told),
		TEST(a_server_of_another_protocol_is_told_by_its_words),
		TEST(a_server_that_has_no_room_now_is_a_lost_connection),
		TEST(a_server_that_talks_of_ssh_only_is_told),
		TEST(a_server_that_speaks_in_bytes_is_told),
		TEST(a_server_that_takes_its_leave_is_quoted),
		TEST(a_server_with_nothing_in_common_is_told_by_its_algorithms),
		TEST(a_server_that_says_no_more_is_given_up_in_time),
		TEST(the_time_of_the_run_is_up_whatever_a_handshake_may_take),
		TEST(a_signal_interrupts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
