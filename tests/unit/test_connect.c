#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "certsync/cleanup.h"
#include "certsync/journal.h"
#include "certsync/resolve.h"
#include "connect.h"
#include "run_child.h"

/* A guard against hanging, not an assertion. */
#define LONG_MS (60 * 1000)

/* A socket bound to a free port of 127.0.0.1, which listens if ${listening}. */
static int bind_port(bool listening, int *port)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t len = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
	if (listening)
		assert_int_equal(listen(fd, 1), 0);
	*port = ntohs(address.sin_port);
	return fd;
}

static enum outcome connect_at(int port, deadline end, int *fd)
{
	_cleanup_(resolve_addresses_freep) struct addrinfo *addresses = NULL;

	assert_int_equal(connect_resolve("127.0.0.1", port, deadline_in(LONG_MS), &addresses),
			 OUTCOME_OK);
	return connect_open("127.0.0.1", port, addresses, LONG_MS, end, fd);
}

static void a_server_that_listens_is_connected_to(void **state)
{
	int port;
	_cleanup_(fd_closep) int server = bind_port(true, &port);
	_cleanup_(fd_closep) int client = -1, accepted = -1;

	(void)state;
	assert_int_equal(connect_at(port, deadline_in(LONG_MS), &client), OUTCOME_OK);
	accepted = accept(server, NULL, NULL);
	assert_true(accepted >= 0);
}

static void a_refused_connection_names_host_and_port(void **state)
{
	int port, client = -1;
	_cleanup_(fd_closep) int silent = bind_port(false, &port);
	char wanted[64];

	(void)state;
	assert_true(silent >= 0);
	assert_int_equal(connect_at(port, deadline_in(LONG_MS), &client), OUTCOME_CONNECT_FAILED);
	snprintf(wanted, sizeof(wanted), "127.0.0.1 port %d", port);
	assert_contains(outcome_reason(OUTCOME_CONNECT_FAILED), wanted);
	assert_contains(outcome_reason(OUTCOME_CONNECT_FAILED), "refused");
}

static void a_run_whose_time_is_up_connects_no_more(void **state)
{
	int port, client = -1;
	_cleanup_(fd_closep) int server = bind_port(true, &port);

	(void)state;
	assert_true(server >= 0);
	assert_true(outcome_failed(connect_at(port, deadline_in(-1), &client)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_server_that_listens_is_connected_to),
		cmocka_unit_test(a_refused_connection_names_host_and_port),
		cmocka_unit_test(a_run_whose_time_is_up_connects_no_more),
	};

	journal_open("test", JOURNAL_QUIET);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
