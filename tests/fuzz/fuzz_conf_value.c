/* One value of a configuration file; the first letter chooses its type. */
#include <ctype.h>

#include "certsync/address.h"
#include "conf_value.h"
#include "fuzz.h"

#define A_DAY_MS (24 * 60 * 60 * 1000)

union value {
	char *text;
	int number;
	bool on;
};

static bool is_host_key(const char *text)
{
	static const char base64[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	return !strncmp(text, "SHA256:", 7) && strlen(text) == 7 + 43 &&
	       strspn(text + 7, base64) == 43;
}

static bool is_words(const char *text)
{
	return text[0] != ' ' && !strchr(text, '\t') && !strstr(text, "  ") &&
	       (!text[0] || text[strlen(text) - 1] != ' ');
}

static void check(enum conf_type type, const union value *value)
{
	switch (type) {
	case CONF_TEXT:
		must(value->text[0]);
		break;
	case CONF_PATH:
		must(value->text[0] == '/');
		break;
	case CONF_NAME:
		must(!strpbrk(value->text, "/ ") && strcmp(value->text, ".") != 0 &&
		     strcmp(value->text, "..") != 0);
		break;
	case CONF_DNS_NAME:
		must(conf_is_dns_name(value->text));
		break;
	case CONF_HOST:
		must(conf_is_dns_name(value->text) || address_is_ip(value->text));
		break;
	case CONF_HOST_KEY:
		must(is_host_key(value->text));
		break;
	case CONF_PORT:
		must(value->number >= 1 && value->number <= 65535);
		break;
	case CONF_NUMBER:
		must(value->number >= 0 && value->number <= 9999);
		break;
	case CONF_DURATION:
		must(value->number >= 1 && value->number <= A_DAY_MS);
		break;
	case CONF_SWITCH:
		break;
	case CONF_WORDS:
		must(is_words(value->text));
		break;
	}
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	struct conf_setting setting = { .section = "fuzz", .key = "fuzz" };
	union value value = { .text = NULL };
	struct bytes text;
	const char *wanted;

	if (!size)
		return 0;
	setting.type = data[0] % (CONF_WORDS + 1);
	text = fuzz_bytes(data + 1, size - 1);
	wanted = conf_value_store(&setting, text.data, &value);
	if (!wanted)
		check(setting.type, &value);
	else
		must(wanted[0] && fuzz_is_printable(wanted));
	conf_clear(&setting, 1, &value);
	bytes_clear(&text);
	return 0;
}
