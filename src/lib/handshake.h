/* The TLS part of a conversation: from the first byte of TLS to the certificate that is shown. */
#ifndef HANDSHAKE_H
#define HANDSHAKE_H

#include "conversation.h"

/* Begin TLS on ${conversation}'s connection, in which nothing waits to be read. */
void handshake_begin(struct conversation *conversation);

/* Go on with it. The conversation is over when the certificate is there, or will not come. */
void handshake_go_on(struct conversation *conversation);

#endif
