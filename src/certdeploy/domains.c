#include <string.h>
#include <strings.h>

#include "domains.h"

#define WHITE " \t\r\n\v\f"

const char *domains_find(char *text, bool (*wanted)(const char *name, const void *context),
			 const void *context)
{
	char *rest = NULL;

	for (char *name = strtok_r(text, WHITE, &rest); name; name = strtok_r(NULL, WHITE, &rest))
		if (wanted(name, context))
			return name;
	return NULL;
}

bool domains_stand_for(const char *name, const void *host)
{
	const char *parent = strchr(host, '.');

	return !strcasecmp(name, host) ||
	       (name[0] == '*' && parent && !strcasecmp(name + 1, parent));
}

bool domains_are_none(const char *text)
{
	return !text[strspn(text, WHITE)];
}
