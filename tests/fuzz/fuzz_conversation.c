/*
 * What comes from a server, from the first byte on, TLS included. The first byte chooses the
 * protocol; each 0xff that follows begins another segment.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "conversation.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

/* What was said to the server is of no interest. */
static void forget(int server)
{
	char bytes[4096];

	while (recv(server, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
		;
}

static void check(const struct wire_answer *answer)
{
	const size_t len = strnlen(answer->reason, sizeof(answer->reason));

	/* Nobody can prove that a key is theirs by chance. */
	if (answer->result == WIRE_SERVED || len == sizeof(answer->reason) || !len)
		abort();
	for (size_t i = 0; i < len; i++)
		if (answer->reason[i] < ' ' || answer->reason[i] > '~')
			abort();
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	static SSL_CTX *tls;
	struct wire_question question = { .host = "127.0.0.1", .sni = "mail.example.org" };
	struct wire_answer answer = { 0 };
	struct conversation conversation = { .question = &question,
					     .answer = &answer,
					     .state = CONVERSATION_CLEAR };
	int pair[2];

	if (!tls)
		tls = SSL_CTX_new(TLS_client_method());
	if (!size || socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) < 0)
		return 0;
	question.protocol = data[0] % (WIRE_SIEVE + 1);
	conversation.tls = tls;
	conversation.fd = pair[0];
	conversation.starttls.protocol = question.protocol;
	conversation_go_on(&conversation);
	for (size_t at = 1, end; at < size; at = end + 1) {
		const unsigned char *next = memchr(data + at, 0xff, size - at);

		end = next ? (size_t)(next - data) : size;
		if (send(pair[1], data + at, end - at, MSG_NOSIGNAL) < 0)
			break;
		conversation_go_on(&conversation);
		forget(pair[1]);
	}
	shutdown(pair[1], SHUT_WR);
	conversation_go_on(&conversation);
	if (conversation.state != CONVERSATION_OVER)
		abort();
	check(&answer);
	conversation_clear(&conversation);
	close(pair[1]);
	return 0;
}
