/*
 * Servers on a loopback address, each in a thread of its own: they say in clear what a script
 * tells them to, then speak TLS, and note what they heard. One connection after another.
 */
#ifndef TLS_SERVER_H
#define TLS_SERVER_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/ssl.h>

#include "certsync/worker.h"
#include "make_pair.h"
#include "unit.h"

#define HEARD_MAX 1024
/* A guard against hanging, not an assertion. */
#define LONG_MS (60 * 1000)

struct server;

/* What is done with a connection; it is closed afterwards. cmocka's checks have no place there. */
typedef void serve_fn(struct server *server, int connection);

struct server {
	/* What a test sets. */
	serve_fn *serve;           /* NULL: serve_script */
	const char *const *script; /* said, and a line awaited before each that follows; NULL: "" */
	SSL_CTX *tls;              /* after the script; NULL: none */
	const char *said_instead;  /* of TLS, once the client has begun it */
	size_t said_instead_len;

	/* What it finds, once it was stopped; ${served} at any time. */
	char heard[HEARD_MAX]; /* lines in clear, and what came within TLS */
	char asked_for[256];   /* the name (SNI) in the last connection; "" if there was none */
	int peer_port;
	atomic_int served; /* connections that ended */

	int fd, port;
	pthread_t thread;
};

/* --- what to do with a connection --- */

static inline bool server_say(int connection, const void *bytes, size_t len)
{
	const char *from = bytes;

	while (len) {
		ssize_t sent = send(connection, from, len, MSG_NOSIGNAL);

		if (sent <= 0)
			return false;
		from += sent;
		len -= (size_t)sent;
	}
	return true;
}

static inline bool server_say_text(int connection, const char *text)
{
	return server_say(connection, text, strlen(text));
}

static inline void server_note(struct server *server, const char *bytes, size_t len)
{
	size_t used = strlen(server->heard);

	snprintf(server->heard + used, sizeof(server->heard) - used, "%.*s", (int)len, bytes);
}

/* Read up to the end of a line; false: the client has closed. */
static inline bool server_hear_line(struct server *server, int connection)
{
	char byte;

	do {
		if (recv(connection, &byte, 1, 0) != 1)
			return false;
		server_note(server, &byte, 1);
	} while (byte != '\n');
	return true;
}

/* Read whatever comes until the client closes. */
static inline void server_await_close(int connection)
{
	char bytes[4096];

	while (recv(connection, bytes, sizeof(bytes), 0) > 0)
		;
}

static inline void server_speak_tls(struct server *server, int connection)
{
	SSL *ssl = SSL_new(server->tls);
	const char *name;
	char bytes[256];
	int got;

	SSL_set_fd(ssl, connection);
	if (SSL_accept(ssl) == 1) {
		name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
		snprintf(server->asked_for, sizeof(server->asked_for), "%s", name ? name : "");
		while ((got = SSL_read(ssl, bytes, sizeof(bytes))) > 0)
			server_note(server, bytes, (size_t)got);
	} else {
		/* As a server does that is done with its client: what it said is to arrive. */
		shutdown(connection, SHUT_WR);
		server_await_close(connection);
	}
	SSL_free(ssl);
}

static inline void serve_script(struct server *server, int connection)
{
	for (const char *const *step = server->script; step && *step; step++) {
		if (step != server->script && !server_hear_line(server, connection))
			return;
		if (!server_say_text(connection, *step))
			return;
	}
	if (server->tls)
		server_speak_tls(server, connection);
	else if (server->said_instead) {
		char byte;

		if (recv(connection, &byte, 1, 0) == 1)
			server_say(connection, server->said_instead, server->said_instead_len);
		server_await_close(connection);
	} else
		server_await_close(connection);
}

/* Says what there is to say, and no more. */
static inline void serve_and_close(struct server *server, int connection)
{
	for (const char *const *step = server->script; step && *step; step++) {
		if (step != server->script && !server_hear_line(server, connection))
			return;
		server_say_text(connection, *step);
	}
	shutdown(connection, SHUT_WR);
	server_await_close(connection);
}

static inline void serve_and_reset(struct server *server, int connection)
{
	const struct linger at_once = { .l_onoff = 1 };

	(void)server;
	setsockopt(connection, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
}

/* --- the thread --- */

static inline void *server_run(void *context)
{
	struct server *server = context;
	struct sockaddr_in6 peer;
	socklen_t len = sizeof(peer);
	sigset_t all;
	int connection;

	/* Signals are for the thread that asks. */
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, NULL);
	while ((connection = accept(server->fd, (struct sockaddr *)&peer, &len)) >= 0) {
		/* The port is at the same place in sockaddr_in. */
		server->peer_port = ntohs(peer.sin6_port);
		if (server->serve)
			server->serve(server, connection);
		else
			serve_script(server, connection);
		close(connection);
		server->served++;
		len = sizeof(peer);
	}
	return NULL;
}

/* A socket bound to a ${port} of ${host}, an address; 0: any that is free. */
static inline int bind_to(const char *host, int *port)
{
	bool six = strchr(host, ':');
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons((in_port_t)*port) };
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons((in_port_t)*port) };
	struct sockaddr *address = six ? (struct sockaddr *)&v6 : (struct sockaddr *)&v4;
	socklen_t len = six ? sizeof(v6) : sizeof(v4);
	const int on = 1;
	int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	assert_int_equal(inet_pton(address->sa_family, host,
				   six ? (void *)&v6.sin6_addr : (void *)&v4.sin_addr),
			 1);
	assert_int_equal(bind(fd, address, len), 0);
	assert_int_equal(getsockname(fd, address, &len), 0);
	*port = ntohs(six ? v6.sin6_port : v4.sin_port);
	return fd;
}

/* A port that answers nothing at all: its queue is full of connections that nobody takes. */
struct blocked_port {
	int port, listening, filling[2];
};

static inline void block_port(struct blocked_port *blocked, const char *host, int port)
{
	struct sockaddr_storage to = { 0 };
	socklen_t len = sizeof(to);

	blocked->port = port;
	blocked->listening = bind_to(host, &blocked->port);
	assert_int_equal(listen(blocked->listening, 0), 0);
	assert_int_equal(getsockname(blocked->listening, (struct sockaddr *)&to, &len), 0);
	for (int i = 0; i < 2; i++) {
		blocked->filling[i] =
			socket(to.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		assert_true(blocked->filling[i] >= 0);
		connect(blocked->filling[i], (struct sockaddr *)&to, len);
	}
}

static inline void unblock_port(struct blocked_port *blocked)
{
	for (int i = 0; i < 2; i++)
		close(blocked->filling[i]);
	close(blocked->listening);
}

/* ${server}'s port is to be 0, or the one to take. */
static inline void server_start_on(struct server *server, const char *host)
{
	/* Locks that a thread holds when another one forks stay locked in the new process. */
	assert_int_equal(worker_prepare(), OUTCOME_OK);
	server->fd = bind_to(host, &server->port);
	assert_int_equal(listen(server->fd, 16), 0);
	assert_int_equal(pthread_create(&server->thread, NULL, server_run, server), 0);
}

static inline void server_start(struct server *server)
{
	server_start_on(server, "127.0.0.1");
}

/* Let it end what it is at, which its client must have left; then it may be looked at. */
static inline void server_stop(struct server *server)
{
	shutdown(server->fd, SHUT_RDWR);
	pthread_join(server->thread, NULL);
	close(server->fd);
}

/* --- its TLS --- */

/* TLS with ${leaf} and ${other}, the next of its chain (NULL: none), however weak they are. */
static inline SSL_CTX *server_tls(const struct identity *leaf, X509 *other)
{
	SSL_CTX *tls = SSL_CTX_new(TLS_server_method());

	assert_non_null(tls);
	SSL_CTX_set_security_level(tls, 0);
	SSL_CTX_set_min_proto_version(tls, 0);
	assert_int_equal(SSL_CTX_use_certificate(tls, leaf->certificate), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey(tls, leaf->key), 1);
	if (other)
		assert_int_equal(SSL_CTX_add1_chain_cert(tls, other), 1);
	return tls;
}

/*
 * Set up a group: have ${leaf}'s TLS spoken in this process once, before others are forked from it.
 * Under valgrind each of them would otherwise have to translate all of OpenSSL that this takes.
 */
static inline void speak_tls_here(const struct identity *leaf)
{
	SSL_CTX *contexts[] = { SSL_CTX_new(TLS_client_method()), server_tls(leaf, NULL) };
	SSL *client = SSL_new(contexts[0]), *server = SSL_new(contexts[1]);
	BIO *there, *here;
	int spoken;

	assert_int_equal(BIO_new_bio_pair(&there, 0, &here, 0), 1);
	SSL_set_bio(client, there, there);
	SSL_set_bio(server, here, here);
	SSL_set_connect_state(client);
	SSL_set_accept_state(server);
	do {
		SSL_do_handshake(client);
		spoken = SSL_do_handshake(server);
	} while (spoken < 0 && SSL_get_error(server, spoken) == SSL_ERROR_WANT_READ);
	assert_int_equal(spoken, 1);
	SSL_free(client);
	SSL_free(server);
	SSL_CTX_free(contexts[0]);
	SSL_CTX_free(contexts[1]);
}

#endif
