/* A server on a free port of the loopback, in a process of its own that ends with the test. */
#ifndef PEER_H
#define PEER_H

#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit.h"

#define PEER_HOST "127.0.0.1"

static pid_t peer_pid;
static int peer_port;

/* Serve one connection, which is closed afterwards. cmocka's checks have no place in it. */
typedef void peer_fn(int fd, void *context);

static inline void peer_serve(int listening, peer_fn *serve, void *context)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		int fd = accept(listening, NULL, NULL);

		if (fd < 0)
			_exit(1);
		serve(fd, context);
		close(fd);
	}
}

/* Have every connection to peer_port served, one after the other, until peer_end. */
static inline void peer_begin(peer_fn *serve, void *context)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t len = sizeof(address);
	int listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_true(listening >= 0);
	assert_int_equal(bind(listening, (struct sockaddr *)&address, len), 0);
	assert_int_equal(getsockname(listening, (struct sockaddr *)&address, &len), 0);
	assert_int_equal(listen(listening, 4), 0);
	peer_port = ntohs(address.sin_port);
	peer_pid = fork();
	assert_true(peer_pid >= 0);
	if (peer_pid == 0)
		peer_serve(listening, serve, context);
	close(listening);
}

/* For the end of a test, whether it began one or not. */
static inline void peer_end(void)
{
	if (peer_pid > 0) {
		kill(peer_pid, SIGKILL);
		waitpid(peer_pid, NULL, 0);
	}
	peer_pid = 0;
}

#endif
