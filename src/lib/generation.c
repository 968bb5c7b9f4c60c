#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "certsync/generation.h"

/* The form of a name: 0 is a digit, x a lower-case hexadecimal one. */
static const char form[] = "00000000T000000Z-xxxxxxxxxxxxxxxx";

_Static_assert(sizeof(form) - 1 == GENERATION_NAME_LEN, "the form is that of a name");

static bool has_form(const char *name)
{
	for (size_t i = 0; i < GENERATION_NAME_LEN; i++) {
		char c = name[i];

		if (form[i] == '0'   ? !(c >= '0' && c <= '9')
		    : form[i] == 'x' ? !((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))
				     : c != form[i])
			return false;
	}
	return true;
}

void generation_name(time_t when, const char *fingerprint,
		     char name[static GENERATION_NAME_LEN + 1])
{
	struct tm parts = { 0 };
	size_t used;

	gmtime_r(&when, &parts);
	used = strftime(name, GENERATION_NAME_LEN + 1, "%Y%m%dT%H%M%SZ-", &parts);
	for (; used < GENERATION_NAME_LEN && *fingerprint; fingerprint++)
		if (*fingerprint != ':')
			name[used++] = (char)tolower((unsigned char)*fingerprint);
	name[used] = '\0';
}

bool generation_is_name(const char *name)
{
	return has_form(name) && name[GENERATION_NAME_LEN] == '\0';
}

static bool is_hidden(const char *name, const char *suffix)
{
	return name[0] == '.' && has_form(name + 1) &&
	       !strcmp(name + 1 + GENERATION_NAME_LEN, suffix);
}

bool generation_is_part(const char *name)
{
	return is_hidden(name, ".part");
}

bool generation_is_spent(const char *name)
{
	return is_hidden(name, ".spent");
}
