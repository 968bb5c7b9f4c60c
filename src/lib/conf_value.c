#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "certsync/address.h"
#include "conf_value.h"

#define PORT_MAX        65535
#define NUMBER_MAX      9999
#define DNS_NAME_MAX    253 /* RFC 1035 2.3.4 without the length octets */
#define DNS_LABEL_MAX   63
#define DURATION_MAX_MS (24L * 60 * 60 * 1000)
/* "SHA256:" and 32 bytes in base64 without padding */
#define HOST_KEY_PREFIX     "SHA256:"
#define HOST_KEY_BASE64_LEN 43

bool conf_value_is_text(enum conf_type type)
{
	return type != CONF_PORT && type != CONF_NUMBER && type != CONF_DURATION &&
	       type != CONF_SWITCH;
}

static bool is_printable(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 || (unsigned char)*text == 0x7f)
			return false;
	return true;
}

/* ${len} characters of a DNS name without its trailing dot. */
static bool is_dns_name(const char *text, size_t len)
{
	size_t label = 0;

	if (len == 0 || len > DNS_NAME_MAX)
		return false;
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];
		bool end = i + 1 == len || text[i + 1] == '.';

		if (c == '.') {
			if (label == 0)
				return false;
			label = 0;
			continue;
		}
		if (!isascii(c) || !(isalnum(c) || c == '_' || (c == '-' && label > 0 && !end)))
			return false;
		if (++label > DNS_LABEL_MAX)
			return false;
	}
	/* A number at the end is that of an address, perhaps a mistyped one (RFC 3696 2). */
	return label > 0 && strspn(text + len - label, "0123456789") < label;
}

bool conf_is_dns_name(const char *text)
{
	return is_dns_name(text, strlen(text));
}

static bool is_host_key(const char *text, size_t len)
{
	static const char base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				     "0123456789+/";
	const size_t prefix = sizeof(HOST_KEY_PREFIX) - 1;

	return len == prefix + HOST_KEY_BASE64_LEN && !strncmp(text, HOST_KEY_PREFIX, prefix) &&
	       strspn(text + prefix, base64) == HOST_KEY_BASE64_LEN;
}

static const char *store_text(char **place, const char *text, size_t len)
{
	*place = strndup(text, len);
	return *place ? NULL : "shorter than the memory left";
}

/*
 * Without slashes at the end: with one, a symbolic link is followed that is not to be (open(2),
 * O_NOFOLLOW).
 */
static const char *store_path(char **place, const char *text)
{
	size_t len = strlen(text);

	if (text[0] != '/')
		return "an absolute path";
	while (len > 1 && (text[len - 1] == '/' || !strncmp(text + len - 2, "/.", 2)))
		len--;
	return store_text(place, text, len);
}

static const char *store_dns_name(char **place, const char *text)
{
	size_t len = strlen(text);

	if (len && text[len - 1] == '.')
		len--;
	if (is_dns_name(text, len))
		return store_text(place, text, len);
	for (const char *c = text; *c; c++)
		if (!isascii((unsigned char)*c))
			return "a host name in its ASCII form (xn--...)";
	return "a host name";
}

static const char *store_host(char **place, const char *text)
{
	if (address_is_ip(text))
		return store_text(place, text, strlen(text));
	return store_dns_name(place, text) ? "a host name or an IP address" : NULL;
}

static const char *store_host_key(char **place, const char *text)
{
	size_t len = strlen(text);

	/* Some tools print the padding, ssh-keygen does not. */
	if (len && text[len - 1] == '=')
		len--;
	if (!is_host_key(text, len))
		return "a fingerprint as ssh-keygen -l prints it, SHA256:...";
	return store_text(place, text, len);
}

/* A run of blanks is one space, none at the ends. */
static const char *store_words(char **place, const char *text)
{
	char *to = malloc(strlen(text) + 1);

	if (!to)
		return "shorter than the memory left";
	*place = to;
	for (; *text; text++) {
		bool blank = *text == ' ' || *text == '\t';

		if (!blank)
			*to++ = *text;
		else if (to > *place && to[-1] != ' ')
			*to++ = ' ';
	}
	if (to > *place && to[-1] == ' ')
		to--;
	*to = '\0';
	return NULL;
}

/* A whole number from ${least} to ${most}; false: ${text} is none. */
static bool parse_number(const char *text, long least, long most, int *place)
{
	char *end;
	long number;

	if (!isdigit((unsigned char)*text))
		return false;
	errno = 0;
	number = strtol(text, &end, 10);
	if (*end || errno || number < least || number > most)
		return false;
	*place = (int)number;
	return true;
}

static const char *store_duration(int *place, const char *text)
{
	static const char wanted[] = "a time with its unit, from 1ms to 24h (500ms, 10s, 5m, 1h)";
	static const struct {
		const char *name;
		long ms;
	} units[] = { { "ms", 1 },
		      { "s", 1000 },
		      { "m", 60L * 1000 },
		      { "min", 60L * 1000 },
		      { "h", 60L * 60 * 1000 } };
	char *unit;
	long number;

	if (!isdigit((unsigned char)*text))
		return wanted;
	errno = 0;
	number = strtol(text, &unit, 10);
	unit += strspn(unit, " ");
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(unit, units[i].name) != 0)
			continue;
		if (errno || number < 1 || number > DURATION_MAX_MS / units[i].ms)
			return wanted;
		*place = (int)(number * units[i].ms);
		return NULL;
	}
	return wanted;
}

static const char *store_switch(bool *place, const char *text)
{
	if (strcmp(text, "on") != 0 && strcmp(text, "off") != 0)
		return "on or off";
	*place = !strcmp(text, "on");
	return NULL;
}

const char *conf_value_store(const struct conf_setting *setting, const char *text, void *values)
{
	void *place = (char *)values + setting->offset;

	if (!text[0])
		return setting->may_be_empty ? store_text(place, text, 0) : "set to something";
	if (!is_printable(text))
		return "free of control characters";
	switch (setting->type) {
	case CONF_TEXT:
		return store_text(place, text, strlen(text));
	case CONF_PATH:
		return store_path(place, text);
	case CONF_NAME:
		if (strpbrk(text, "/ \t") || !strcmp(text, ".") || !strcmp(text, ".."))
			return "a name, without a path and without blanks";
		return store_text(place, text, strlen(text));
	case CONF_DNS_NAME:
		return store_dns_name(place, text);
	case CONF_HOST:
		return store_host(place, text);
	case CONF_HOST_KEY:
		return store_host_key(place, text);
	case CONF_WORDS:
		return store_words(place, text);
	case CONF_PORT:
		return parse_number(text, 1, PORT_MAX, place) ? NULL
							      : "a port number from 1 to 65535";
	case CONF_NUMBER:
		return parse_number(text, 0, NUMBER_MAX, place) ? NULL
								: "a whole number from 0 to 9999";
	case CONF_DURATION:
		return store_duration(place, text);
	case CONF_SWITCH:
		return store_switch(place, text);
	}
	return "of a known type";
}
