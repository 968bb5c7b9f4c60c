#include <string.h>

#include "kexinit.h"

#define PACKET_MAX  35000 /* RFC 4253 6.1: what everyone must be able to take */
#define PADDING_MIN 4
#define COOKIE_LEN  16

/* RFC 4253 12 */
enum {
	MESSAGE_DISCONNECT = 1,
	MESSAGE_IGNORE = 2,
	MESSAGE_UNIMPLEMENTED = 3,
	MESSAGE_DEBUG = 4,
	MESSAGE_KEXINIT = 20,
};

/* A line that has ended; ${out} is without CR LF. */
static bool take_line(struct slice *from, struct slice *out)
{
	const char *end = from->len ? memchr(from->data, '\n', from->len) : NULL;

	if (!end || !slice_take(from, (size_t)(end - from->data) + 1, out))
		return false;
	out->len--;
	if (out->len && out->data[out->len - 1] == '\r')
		out->len--;
	return true;
}

/* Other lines may come before the identification string (RFC 4253 4.2). */
static bool take_identification(struct slice *from, struct kexinit *result)
{
	static const char prefix[] = "SSH-";
	struct slice line;

	result->state = KEXINIT_PARTIAL;
	while (take_line(from, &line)) {
		if (line.len >= sizeof(prefix) - 1 &&
		    !memcmp(line.data, prefix, sizeof(prefix) - 1)) {
			result->identification = line;
			result->state = KEXINIT_PARTIAL;
			return true;
		}
		if (!result->words.len)
			result->words = line;
		result->state = KEXINIT_NOT_SSH;
	}
	return false;
}

/* RFC 4253 6; before keys are agreed on there is no MAC. */
static enum kexinit_state take_packet(struct slice *from, struct slice *payload)
{
	uint32_t len;
	uint8_t padding;
	struct slice content;

	if (!slice_uint32(from, &len))
		return KEXINIT_PARTIAL;
	if (len > PACKET_MAX || len < 1 + 1 + PADDING_MIN)
		return KEXINIT_BROKEN;
	if (!slice_byte(from, &padding))
		return KEXINIT_PARTIAL;
	if (padding < PADDING_MIN || (size_t)padding + 2 > len)
		return KEXINIT_BROKEN;
	if (!slice_take(from, len - 1, &content))
		return KEXINIT_PARTIAL;
	*payload = (struct slice){ content.data, content.len - padding };
	return KEXINIT_COMPLETE;
}

/* RFC 4253 11.1: reason code, description, language. */
static enum kexinit_state read_disconnect(struct slice *payload, struct kexinit *result)
{
	uint32_t reason;

	if (!slice_uint32(payload, &reason) || !slice_string(payload, &result->words))
		return KEXINIT_BROKEN;
	return KEXINIT_DISCONNECTED;
}

/* RFC 4253 7.1: cookie, ten name-lists, first_kex_packet_follows, reserved. */
static enum kexinit_state read_kexinit(struct slice *payload, struct kexinit *result)
{
	struct slice cookie, rest;

	if (!slice_take(payload, COOKIE_LEN, &cookie))
		return KEXINIT_BROKEN;
	for (int i = 0; i < KEXINIT_LISTS; i++)
		if (!slice_string(payload, &result->lists[i]))
			return KEXINIT_BROKEN;
	return slice_take(payload, 1 + 4, &rest) ? KEXINIT_COMPLETE : KEXINIT_BROKEN;
}

struct kexinit kexinit_parse(const char *data, size_t len)
{
	struct slice input = { data, len }, payload = { 0 };
	struct kexinit result = { 0 };
	uint8_t message = 0;

	if (!take_identification(&input, &result))
		return result;
	do {
		result.state = take_packet(&input, &payload);
		if (result.state != KEXINIT_COMPLETE)
			return result;
		/* A packet has at least one byte besides its padding: seen to by take_packet. */
		slice_byte(&payload, &message);
	} while (message >= MESSAGE_IGNORE && message <= MESSAGE_DEBUG);

	if (message == MESSAGE_KEXINIT)
		result.state = read_kexinit(&payload, &result);
	else if (message == MESSAGE_DISCONNECT)
		result.state = read_disconnect(&payload, &result);
	else
		result.state = KEXINIT_BROKEN;
	return result;
}

/* Cut the first name off a name-list. */
static bool take_name(struct slice *list, struct slice *name)
{
	const char *comma;

	if (!list->len)
		return false;
	comma = memchr(list->data, ',', list->len);
	slice_take(list, comma ? (size_t)(comma - list->data) : list->len, name);
	if (comma) {
		list->data++;
		list->len--;
	}
	return true;
}

bool kexinit_overlaps(const struct slice *offered, const char *wanted)
{
	struct slice ours = { wanted, strlen(wanted) };
	struct slice our = { 0 }, their = { 0 };

	while (take_name(&ours, &our)) {
		struct slice theirs = { offered->data, offered->len };

		while (take_name(&theirs, &their))
			if (our.len && our.len == their.len &&
			    !memcmp(our.data, their.data, our.len))
				return true;
	}
	return false;
}
