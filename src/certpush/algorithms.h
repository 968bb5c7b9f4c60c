/*
 * What is offered to the server: only what is sound today and in the libssh2 at hand. Nothing with
 * SHA-1 or CBC, no chacha20-poly1305 (CVE-2026-55200 in libssh2 1.11.1), no compression.
 */
#ifndef ALGORITHMS_H
#define ALGORITHMS_H

#include <libssh2.h>

#include "kexinit.h"

/* The first libssh2 that signs and verifies with RSA and SHA-2 (RFC 8332). */
#define ALGORITHMS_RSA_SHA2_VERSION 0x010b00

/* Can the libssh2 that we run with use RSA keys without SHA-1? */
bool algorithms_rsa_is_sound(void);

/*
 * Tell ${session} to offer our algorithms and, of the host's keys, those of ${host_key_methods}
 * (separated by commas). 0 or libssh2's error.
 */
int algorithms_set(LIBSSH2_SESSION *session, const char *host_key_methods);

/*
 * Write to ${text} (of ${size} bytes) which kinds of algorithm ${server} and we have nothing in
 * common in, and what each side offers; "" if there is no such kind.
 */
void algorithms_explain(LIBSSH2_SESSION *session, const char *host_key_methods,
			const struct kexinit *server, char *text, size_t size);

#endif
