/*
 * What an SSH server says in clear before any key is agreed on: lines of text, its identification
 * string and the algorithms it offers (RFC 4253 sections 4.2, 6 and 7.1). For telling a person why
 * a handshake failed; nothing is decided by it.
 */
#ifndef KEXINIT_H
#define KEXINIT_H

#include <stdbool.h>
#include <stddef.h>

#include "slice.h"

enum kexinit_state {
	KEXINIT_COMPLETE,     /* the lists are there */
	KEXINIT_PARTIAL,      /* right so far, but not all there yet */
	KEXINIT_DISCONNECTED, /* SSH_MSG_DISCONNECT came instead; ${words} is its description */
	KEXINIT_NOT_SSH,      /* lines of something else; ${words} is the first */
	KEXINIT_BROKEN,       /* an identification string, then something that is not SSH */
};

/* The lists in the order of SSH_MSG_KEXINIT. */
enum kexinit_list {
	KEXINIT_KEX,
	KEXINIT_HOST_KEY,
	KEXINIT_CIPHER_OUT, /* client to server */
	KEXINIT_CIPHER_IN,
	KEXINIT_MAC_OUT,
	KEXINIT_MAC_IN,
	KEXINIT_COMPRESSION_OUT,
	KEXINIT_COMPRESSION_IN,
	KEXINIT_LANGUAGE_OUT,
	KEXINIT_LANGUAGE_IN,
	KEXINIT_LISTS
};

/* The slices point into what was parsed. */
struct kexinit {
	enum kexinit_state state;
	struct slice identification; /* "SSH-2.0-OpenSSH_9.2p1 ...", without CR LF */
	struct slice words;
	struct slice lists[KEXINIT_LISTS];
};

/* Parse the first ${len} bytes a server sent. The result points into ${data}. */
struct kexinit kexinit_parse(const char *data, size_t len);

/* Is one of the names in ${wanted} (separated by commas) in the name-list ${offered}? */
bool kexinit_overlaps(const struct slice *offered, const char *wanted);

#endif
