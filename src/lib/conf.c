#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ini.h>

#include "certsync/cleanup.h"
#include "certsync/conf.h"
#include "certsync/file.h"
#include "conf_text.h"
#include "conf_value.h"

#define CONF_BYTES_MAX ((size_t)64 * 1024)
#define SETTINGS_MAX   64
#define WORD_MAX       64
/* So many letters wrong, and a key is still recognised. */
#define NEAR_MISS_MAX 2

/* --- lines --- */

/* The lines of a file in memory, as inih asks for them. */
struct lines {
	const char *next;
	const char *end;
	int number; /* of the line handed out last */
	bool cut;   /* it was longer than inih takes */
};

/*
 * fgets(3), from memory; blanks at the start are left out, for inih takes an indented line as the
 * value's next one.
 */
static char *next_line(char *line, int size, struct lines *lines)
{
	const char *newline;
	size_t len;

	if (lines->next == lines->end)
		return NULL;
	newline = memchr(lines->next, '\n', (size_t)(lines->end - lines->next));
	len = (size_t)((newline ? newline : lines->end) - lines->next);
	lines->number++;
	for (; len && (*lines->next == ' ' || *lines->next == '\t'); len--)
		lines->next++;
	lines->cut = len > (size_t)size - 1;
	if (lines->cut)
		len = (size_t)size - 1;
	memcpy(line, lines->next, len);
	line[len] = '\0';
	lines->next = newline ? newline + 1 : lines->end;
	return line;
}

/* --- our own files --- */

struct parse {
	const char *path;
	const struct conf_setting *settings;
	size_t count;
	void *values;
	bool seen[SETTINGS_MAX];
	struct lines lines;
	enum outcome outcome;
	int error_line; /* the first line with an error, 0: none yet */
};

/*
 * Levenshtein's distance, the usual way with one row, upper and lower case being the same; words
 * longer than WORD_MAX are never near.
 */
static size_t distance(const char *one, const char *other)
{
	size_t row[WORD_MAX + 1], len = strlen(other);

	if (strlen(one) > WORD_MAX || len > WORD_MAX)
		return WORD_MAX;
	for (size_t j = 0; j <= len; j++)
		row[j] = j;
	for (size_t i = 1; one[i - 1]; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= len; j++) {
			size_t best = diagonal + (tolower((unsigned char)one[i - 1]) !=
						  tolower((unsigned char)other[j - 1]));

			diagonal = row[j];
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			if (row[j] + 1 < best)
				best = row[j] + 1;
			row[j] = best;
		}
	}
	return row[len];
}

static bool near(const char *one, const char *other)
{
	size_t apart = distance(one, other);

	return apart <= NEAR_MISS_MAX && apart < strlen(other);
}

/* Record the reason of the first error; what follows it may be its consequence. */
#define SAY_WRONG(parse, ...)                                                                      \
	do {                                                                                       \
		if (!(parse)->error_line) {                                                        \
			(parse)->error_line = (parse)->lines.number;                               \
			(parse)->outcome = outcome_because(OUTCOME_CONF_INVALID, __VA_ARGS__);     \
			(parse)->outcome = outcome_in((parse)->outcome, "%s:%d", (parse)->path,    \
						      (parse)->lines.number);                      \
		}                                                                                  \
	} while (0)

static void check_section(struct parse *parse, const char *line)
{
	char section[WORD_MAX];
	const char *meant = NULL;

	if (sscanf(line, "[%63[^]]]", section) != 1)
		return;
	for (size_t i = 0; i < parse->count; i++) {
		if (!strcmp(section, parse->settings[i].section))
			return;
		if (near(section, parse->settings[i].section))
			meant = parse->settings[i].section;
	}
	if (meant)
		SAY_WRONG(parse, "unknown section [%s]; did you mean [%s]?", section, meant);
	else
		SAY_WRONG(parse, "unknown section [%s]", section);
}

static char *read_line(char *line, int size, void *context)
{
	struct parse *parse = context;

	if (!next_line(line, size, &parse->lines))
		return NULL;
	if (parse->lines.cut) {
		if (line[0] != ';' && line[0] != '#')
			SAY_WRONG(parse, "the line is longer than %d characters", size - 1);
		/* Newer inih takes a full buffer for an error of its own. */
		line[0] = '\0';
	}
	/* inih speaks of a section only when a key follows. */
	check_section(parse, line);
	return line;
}

static void unknown_key(struct parse *parse, const char *section, const char *key)
{
	const struct conf_setting *meant = NULL;

	for (size_t i = 0; i < parse->count; i++) {
		const struct conf_setting *setting = &parse->settings[i];
		bool here = !strcmp(section, setting->section);

		if (!strcmp(key, setting->key)) {
			SAY_WRONG(parse, "%s belongs in section [%s]", key, setting->section);
			return;
		}
		if (near(key, setting->key) && (here || !meant))
			meant = setting;
	}
	if (meant)
		SAY_WRONG(parse, "unknown key '%s' in section [%s]; did you mean '%s' in [%s]?",
			  key, section, meant->key, meant->section);
	else
		SAY_WRONG(parse, "unknown key '%s' in section [%s]", key, section);
}

static int take_value(void *context, const char *section, const char *key, const char *value)
{
	struct parse *parse = context;
	const char *wanted;

	/* One error is told at a time, and nothing stored after it. */
	if (parse->error_line)
		return 0;
	for (size_t i = 0; i < parse->count; i++) {
		const struct conf_setting *setting = &parse->settings[i];

		if (strcmp(section, setting->section) != 0 || strcmp(key, setting->key) != 0)
			continue;
		if (parse->seen[i]) {
			SAY_WRONG(parse, "%s in section [%s] is set a second time", key, section);
			return 0;
		}
		parse->seen[i] = true;
		wanted = conf_value_store(setting, value, parse->values);
		if (wanted && !value[0])
			SAY_WRONG(parse, "%s is empty; give it a value%s", key,
				  setting->default_text ? " or remove the line" : "");
		else if (wanted)
			SAY_WRONG(parse, "%s = %s: must be %s", key, value, wanted);
		else if (setting->check && outcome_failed(setting->check(value)))
			SAY_WRONG(parse, "%s: %s", key, outcome_reason(OUTCOME_CONF_INVALID));
		return !wanted;
	}
	unknown_key(parse, section, key);
	return 0;
}

static enum outcome set_defaults(struct parse *parse)
{
	for (size_t i = 0; i < parse->count; i++) {
		const struct conf_setting *setting = &parse->settings[i];
		const char *wanted;

		if (parse->seen[i])
			continue;
		if (!setting->default_text)
			return outcome_because(OUTCOME_CONF_INVALID,
					       "%s: %s in section [%s] must be set", parse->path,
					       setting->key, setting->section);
		wanted = conf_value_store(setting, setting->default_text, parse->values);
		if (wanted)
			return outcome_because(OUTCOME_INTERNAL, "the default of %s is not %s",
					       setting->key, wanted);
	}
	return OUTCOME_OK;
}

enum outcome conf_load(const char *path, const struct conf_setting *settings, size_t count,
		       void *values)
{
	_cleanup_(bytes_clear) struct bytes bytes = BYTES_NONE;
	struct parse parse = {
		.path = path, .settings = settings, .count = count, .values = values
	};
	enum outcome outcome = conf_read(path, &bytes);
	int line;

	if (outcome_failed(outcome))
		return outcome;
	if (count > SETTINGS_MAX)
		return outcome_because(OUTCOME_INTERNAL, "more than %d settings", SETTINGS_MAX);
	parse.lines = (struct lines){ .next = bytes.data, .end = bytes.data + bytes.len };
	line = ini_parse_stream(read_line, &parse, take_value, &parse);
	if (line < 0)
		return outcome_because(OUTCOME_NO_MEMORY, "%s: out of memory", path);
	if (line && (!parse.error_line || line < parse.error_line))
		return outcome_because(OUTCOME_CONF_INVALID,
				       "%s:%d: is neither [section] nor key = value", path, line);
	if (parse.error_line)
		return parse.outcome;
	return set_defaults(&parse);
}

void conf_clear(const struct conf_setting *settings, size_t count, void *values)
{
	for (size_t i = 0; i < count; i++) {
		char **place = (char **)(void *)((char *)values + settings[i].offset);

		if (!conf_value_is_text(settings[i].type))
			continue;
		free(*place);
		*place = NULL;
	}
}
