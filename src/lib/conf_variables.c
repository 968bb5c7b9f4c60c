#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "certsync/cleanup.h"
#include "certsync/conf.h"
#include "conf_text.h"

#define CONF_BYTES_MAX ((size_t)64 * 1024)
#define UTF8_BOM       "\xef\xbb\xbf"
#define BLANKS         " \t\r"

enum outcome conf_read(const char *path, struct bytes *text)
{
	enum outcome outcome = file_read(AT_FDCWD, path, FILE_OWN, CONF_BYTES_MAX, text);
	char reason[512];

	if (outcome == OUTCOME_NO_MEMORY || outcome == OUTCOME_FILE_DENIED)
		return outcome;
	if (outcome_failed(outcome)) {
		snprintf(reason, sizeof(reason), "%s", outcome_reason(outcome));
		return outcome_because(OUTCOME_CONF_MISSING, "%s", reason);
	}
	if (memchr(text->data, '\0', text->len))
		return outcome_because(OUTCOME_CONF_INVALID, "%s: is not a text file", path);
	return OUTCOME_OK;
}

static void trim(char *text)
{
	size_t len = strlen(text);

	while (len && strchr(BLANKS, text[len - 1]))
		text[--len] = '\0';
}

/* "..." and '...' are taken as they are; otherwise a # behind a blank begins a comment. */
static char *value_of(char *text)
{
	char *end;

	text += strspn(text, BLANKS);
	if (*text == '"' || *text == '\'') {
		end = strchr(text + 1, *text);
		if (end && (!end[1] || strchr(BLANKS, end[1]))) {
			*end = '\0';
			return text + 1;
		}
	}
	for (end = text; *end; end++)
		if (*end == '#' && (end == text || strchr(BLANKS, end[-1])))
			break;
	*end = '\0';
	trim(text);
	return text;
}

enum outcome conf_variables(const char *path, conf_variable_fn *each, void *context)
{
	_cleanup_(bytes_clear) struct bytes text = BYTES_NONE;
	enum outcome outcome = conf_read(path, &text);
	char *rest = text.data, *line, *name, *value;

	if (outcome_failed(outcome))
		return outcome;
	if (!strncmp(rest, UTF8_BOM, strlen(UTF8_BOM)))
		rest += strlen(UTF8_BOM);
	while ((line = strsep(&rest, "\n"))) {
		name = line + strspn(line, BLANKS);
		/* What is no assignment is none of our business: the file belongs to mailcow. */
		value = *name == '#' ? NULL : strchr(name, '=');
		if (!value)
			continue;
		*value++ = '\0';
		trim(name);
		each(name, value_of(value), context);
	}
	return OUTCOME_OK;
}
