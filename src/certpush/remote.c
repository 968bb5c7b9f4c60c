#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "algorithms.h"
#include "certsync/cleanup.h"
#include "certsync/journal.h"
#include "certsync/resolve.h"
#include "certsync/text.h"
#include "connect.h"
#include "hostkeys.h"
#include "identity.h"
#include "probe.h"
#include "put.h"
#include "remote.h"
#include "session.h"
#include "sftp.h"

#define GOODBYE_MS  1000
#define EXPLAIN_MAX 900

struct remote {
	const struct push_conf *conf;
	deadline end;
	enum remote_stage stage;
	/* Read and looked up once, as several connections may be made. */
	struct bytes identity;
	struct hostkeys *host_keys;
	struct addrinfo *addresses;
	struct session *session;
	struct sftp *sftp;
	char target[256]; /* user@host */
};

enum outcome remote_new(const struct push_conf *conf, deadline end, struct remote **out)
{
	_cleanup_(remote_closep) struct remote *remote = calloc(1, sizeof(*remote));
	enum outcome outcome;

	if (!remote)
		return outcome_because(OUTCOME_NO_MEMORY, "SSH: out of memory");
	remote->conf = conf;
	remote->end = end;
	snprintf(remote->target, sizeof(remote->target), "%s@%s", conf->user, conf->host);
	outcome = identity_load(conf->identity, &remote->identity);
	if (!outcome_failed(outcome))
		outcome = hostkeys_load(conf, &remote->host_keys);
	if (outcome_failed(outcome))
		return outcome;
	*out = remote;
	remote = NULL;
	return OUTCOME_OK;
}

enum outcome remote_check_settings(const struct push_conf *conf)
{
	_cleanup_(remote_closep) struct remote *remote = NULL;
	char methods[HOSTKEYS_METHODS_MAX];
	enum outcome outcome = remote_new(conf, 0, &remote);

	if (outcome_failed(outcome) || !remote)
		return outcome;
	outcome = hostkeys_check(remote->host_keys);
	if (!outcome_failed(outcome))
		outcome = hostkeys_methods(remote->host_keys, methods);
	return outcome;
}

enum remote_stage remote_stage(const struct remote *remote)
{
	return remote->stage;
}

/* --- the handshake --- */

/* What sshd says instead of greeting when it only has no room for us now. */
static bool is_busy(const struct slice *words)
{
	static const char *const busy[] = { "Exceeded MaxStartups", "Not allowed at this time" };

	for (size_t i = 0; i < sizeof(busy) / sizeof(busy[0]); i++)
		if (words->len == strlen(busy[i]) && !memcmp(words->data, busy[i], words->len))
			return true;
	return false;
}

/* Why did the handshake fail? The server's own greeting says more than libssh2 does. */
static enum outcome explain_handshake(struct session *session, const char *methods)
{
	struct kexinit server = kexinit_parse(session->greeting, session->greeting_len);
	char text[EXPLAIN_MAX];

	if (session->stopped == OUTCOME_INTERRUPTED)
		return session_failure(session);
	text_printable(text, SESSION_WORDS_MAX, server.words.data, server.words.len);
	switch (server.state) {
	case KEXINIT_NOT_SSH:
		return outcome_because(is_busy(&server.words) ? OUTCOME_CONNECTION_LOST
							      : OUTCOME_SSH_PROTOCOL,
				       "the server says \"%s\" instead of speaking SSH", text);
	case KEXINIT_DISCONNECTED:
		return outcome_because(OUTCOME_CONNECTION_LOST,
				       "the server ended the handshake: %s", text);
	case KEXINIT_BROKEN:
		return outcome_because(OUTCOME_SSH_PROTOCOL,
				       "the server says that it speaks SSH, but does not");
	case KEXINIT_COMPLETE:
		algorithms_explain(session->ssh, methods, &server, text, sizeof(text));
		if (!text[0])
			break;
		return outcome_because(OUTCOME_NO_COMMON_ALGORITHM, "%s (libssh2 %s)", text,
				       libssh2_version(0));
	case KEXINIT_PARTIAL:
		if (server.identification.len || session->stopped != OUTCOME_OK || session->ended)
			break;
		return outcome_because(OUTCOME_SSH_PROTOCOL, "the server does not speak SSH");
	}
	return session_failure(session);
}

static enum outcome shake_hands(struct session *session, const char *methods)
{
	int error = algorithms_set(session->ssh, methods);

	if (error)
		return outcome_because(OUTCOME_NO_COMMON_ALGORITHM,
				       "libssh2 %s lacks what is sound: %s", libssh2_version(0),
				       session_error_text(session));
	do
		error = libssh2_session_handshake(session->ssh, session->fd);
	while (session_again(session, error));
	if (error)
		return explain_handshake(session, methods);
	journal_detail("%s: %s, %s, %s, %s", libssh2_session_banner_get(session->ssh),
		       libssh2_session_methods(session->ssh, LIBSSH2_METHOD_KEX),
		       libssh2_session_methods(session->ssh, LIBSSH2_METHOD_HOSTKEY),
		       libssh2_session_methods(session->ssh, LIBSSH2_METHOD_CRYPT_CS),
		       libssh2_session_methods(session->ssh, LIBSSH2_METHOD_MAC_CS));
	return OUTCOME_OK;
}

static enum outcome judge_host_key(struct session *session, struct hostkeys *host_keys, bool *again)
{
	size_t len = 0;
	int type = LIBSSH2_HOSTKEY_TYPE_UNKNOWN;
	const char *key = libssh2_session_hostkey(session->ssh, &len, &type);

	*again = false;
	if (!key)
		return outcome_because(OUTCOME_SSH_PROTOCOL, "the server showed no host key");
	return hostkeys_judge(host_keys, key, len, again);
}

/* --- authentication --- */

static enum outcome explain_authentication(const struct remote *remote, int error)
{
	const struct session *session = remote->session;
	const char *text = session_error_text(session);

	/* A server with few tries left ends the connection as it refuses the key, and says so. */
	if (session->stopped != OUTCOME_OK || (session->ended && !session->words[0]))
		return session_failure(session);
	if (session->ended)
		return outcome_because(OUTCOME_AUTH_REFUSED, "the server refused the key %s: %s",
				       remote->conf->identity, session->words);
	if (error == LIBSSH2_ERROR_AUTHENTICATION_FAILED)
		return outcome_because(OUTCOME_AUTH_REFUSED,
				       "the server does not accept the key %s",
				       remote->conf->identity);
	/* "Callback": signing failed here, before anything was sent. */
	if (error == LIBSSH2_ERROR_PUBLICKEY_UNVERIFIED && !strstr(text, "Callback"))
		return outcome_because(OUTCOME_AUTH_REFUSED,
				       "the server does not accept the signature of the key %s",
				       remote->conf->identity);
	return outcome_because(OUTCOME_IDENTITY_UNUSABLE, "%s: libssh2 %s cannot sign with it: %s",
			       remote->conf->identity, libssh2_version(0), text);
}

static enum outcome authenticate(const struct remote *remote)
{
	const struct bytes *identity = &remote->identity;
	const char *user = remote->conf->user;
	struct session *session = remote->session;
	int error;

	session_begin(session, "authenticating", session->end, 0);
	do
		error = libssh2_userauth_publickey_frommemory(session->ssh, user, strlen(user),
							      NULL, 0, identity->data,
							      identity->len, NULL);
	while (session_again(session, error));
	return error ? explain_authentication(remote, error) : OUTCOME_OK;
}

/* --- all together --- */

/* Make one connection, and offer the host key ${methods} on it. */
static enum outcome connect_offering(struct remote *remote, const char *methods)
{
	const struct push_conf *conf = remote->conf;
	enum outcome outcome;
	int fd;

	session_freep(&remote->session);
	outcome = connect_open(conf->host, conf->port, remote->addresses, conf->connect_timeout,
			       remote->end, &fd);
	if (outcome_failed(outcome))
		return outcome;
	outcome = session_new(fd, &remote->session);
	if (outcome_failed(outcome))
		return outcome;
	session_begin(remote->session, "shaking hands",
		      deadline_earlier(deadline_in(conf->handshake_timeout), remote->end), 0);
	return outcome_in(shake_hands(remote->session, methods), "%s port %d", conf->host,
			  conf->port);
}

/*
 * Connect to a server that shows a known key. It shows one at a time: the pinned one may be the
 * next.
 */
static enum outcome connect_known(struct remote *remote)
{
	struct hostkeys *host_keys = remote->host_keys;
	char methods[HOSTKEYS_METHODS_MAX];
	enum outcome outcome, exhausted;
	bool again;

	do {
		outcome = hostkeys_methods(host_keys, methods);
		if (outcome_failed(outcome))
			return outcome;
		remote->stage = REMOTE_CONNECT;
		outcome = connect_offering(remote, methods);
		if (outcome == OUTCOME_NO_COMMON_ALGORITHM) {
			exhausted = hostkeys_exhausted(host_keys);
			if (!outcome_failed(exhausted))
				return outcome;
			remote->stage = REMOTE_HOST_KEY;
			return exhausted;
		}
		if (outcome_failed(outcome))
			return outcome;
		remote->stage = REMOTE_HOST_KEY;
		outcome = judge_host_key(remote->session, host_keys, &again);
	} while (again);
	return outcome;
}

enum outcome remote_resolve(struct remote *remote)
{
	char methods[HOSTKEYS_METHODS_MAX];
	/* Nobody is asked for a host whose keys are not known. */
	enum outcome outcome = hostkeys_methods(remote->host_keys, methods);

	if (outcome_failed(outcome))
		return outcome;
	remote->stage = REMOTE_CONNECT;
	return connect_resolve(remote->conf->host, remote->conf->port, remote->end,
			       &remote->addresses);
}

enum outcome remote_connect(struct remote *remote)
{
	enum outcome outcome = connect_known(remote);

	if (outcome_failed(outcome))
		return outcome;
	remote->stage = REMOTE_LOGIN;
	outcome = authenticate(remote);
	if (!outcome_failed(outcome)) {
		remote->stage = REMOTE_SFTP;
		session_begin(remote->session, "starting SFTP", remote->session->end, 0);
		outcome = sftp_start(remote->session, &remote->sftp);
	}
	if (outcome_failed(outcome))
		return outcome_in(outcome, "%s port %d", remote->target, remote->conf->port);
	remote->stage = REMOTE_READY;
	return OUTCOME_OK;
}

static struct dropbox dropbox_of(const struct remote *remote)
{
	return (struct dropbox){
		.session = remote->session,
		.sftp = remote->sftp,
		.target = remote->target,
		.staging = remote->conf->staging,
		.end = remote->end,
	};
}

enum outcome remote_put(struct remote *remote, const char *fingerprint, const struct bytes *chain,
			const struct bytes *key, char name[static GENERATION_NAME_LEN + 1])
{
	const struct dropbox box = dropbox_of(remote);
	const struct put put = {
		.box = &box,
		.fingerprint = fingerprint,
		.chain = chain,
		.key = key,
	};

	return put_generation(&put, name);
}

enum outcome remote_probe(struct remote *remote, bool *removed)
{
	const struct dropbox box = dropbox_of(remote);

	return probe_staging(&box, removed);
}

void remote_closep(struct remote **remote)
{
	struct remote *old = *remote;

	*remote = NULL;
	if (!old)
		return;
	if (old->session)
		session_goodbye(old->session, deadline_in(GOODBYE_MS));
	sftp_freep(&old->sftp);
	session_freep(&old->session);
	bytes_clear(&old->identity);
	hostkeys_freep(&old->host_keys);
	resolve_addresses_freep(&old->addresses);
	free(old);
}
