/* What an SSH server says before keys are agreed on, as bytes on the wire (RFC 4253 6 and 7.1). */
#ifndef WIRE_H
#define WIRE_H

#include <string.h>

#include "kexinit.h"
#include "unit.h"

#define WIRE_BANNER     "SSH-2.0-Test_1.0 comment\r\n"
#define WIRE_DISCONNECT 1
#define WIRE_IGNORE     2
#define WIRE_KEXINIT    20

/* The lists of a server that has nothing a client of today wants. */
#define WIRE_NOTHING_COMMON                                                                        \
	{                                                                                          \
		"old", "old", "old", "old", "old", "old", "old", "old", "", "",                    \
	}

struct wire {
	char data[4096];
	size_t len;
};

static inline void wire_add(struct wire *wire, const void *data, size_t len)
{
	assert_true(wire->len + len <= sizeof(wire->data));
	memcpy(wire->data + wire->len, data, len);
	wire->len += len;
}

static inline void wire_add_text(struct wire *wire, const char *text)
{
	wire_add(wire, text, strlen(text));
}

static inline void wire_add_uint32(struct wire *wire, size_t value)
{
	const unsigned char bytes[] = { (unsigned char)(value >> 24), (unsigned char)(value >> 16),
					(unsigned char)(value >> 8), (unsigned char)value };

	wire_add(wire, bytes, sizeof(bytes));
}

static inline void wire_add_string(struct wire *wire, const char *text)
{
	wire_add_uint32(wire, strlen(text));
	wire_add(wire, text, strlen(text));
}

static inline void wire_add_packet(struct wire *wire, const struct wire *payload,
				   unsigned char padding)
{
	static const char zeros[256];

	wire_add_uint32(wire, 1 + payload->len + padding);
	wire_add(wire, &padding, 1);
	wire_add(wire, payload->data, payload->len);
	wire_add(wire, zeros, padding);
}

/* Messages without their packets: they begin with their number. */

static inline struct wire wire_kexinit(const char *const lists[KEXINIT_LISTS])
{
	struct wire payload = { .data = { WIRE_KEXINIT }, .len = 1 + 16 };

	for (int i = 0; i < KEXINIT_LISTS; i++)
		wire_add_string(&payload, lists[i]);
	wire_add(&payload, "\0\0\0\0\0", 5);
	return payload;
}

static inline struct wire wire_disconnect(const char *description)
{
	struct wire payload = { .data = { WIRE_DISCONNECT }, .len = 1 };

	wire_add_uint32(&payload, 12);
	wire_add_string(&payload, description);
	wire_add_string(&payload, "");
	return payload;
}

static inline struct wire wire_ignore(const char *noise)
{
	struct wire payload = { .data = { WIRE_IGNORE }, .len = 1 };

	wire_add_string(&payload, noise);
	return payload;
}

/* Packets that say nothing, as many as there is room for. */
static inline struct wire wire_noise(void)
{
	struct wire wire = { .len = 0 }, ignore = wire_ignore("and another thing");

	while (wire.len + 2 * ignore.len < sizeof(wire.data))
		wire_add_packet(&wire, &ignore, 8);
	return wire;
}

/* The banner and one packet of ${payload}. */
static inline struct wire wire_greeting(struct wire payload)
{
	struct wire wire = { .len = 0 };
	/* With its length it fills blocks of eight bytes. */
	size_t padding = 8 - (4 + 1 + payload.len + 4) % 8 + 4;

	wire_add_text(&wire, WIRE_BANNER);
	wire_add_packet(&wire, &payload, (unsigned char)padding);
	return wire;
}

#endif
