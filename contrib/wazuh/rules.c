/*
 * Prints certsync_rules.xml: Wazuh's rules for every outcome, in both forms in which its records
 * come.
 *
 * A rule's number is made of its outcome's MESSAGE_ID, so that it stays when the table grows.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "certsync/outcome.h"

/* The numbers are of the range that Wazuh leaves to its users, 100000 to 120000. */
enum {
	FIRST_JSON = 110000,   /* and what the MESSAGE_ID gives */
	FIRST_SYSLOG = 114000, /* likewise */
	OF_A_FORM = 4000,
	JSON = 118000,
	JSON_UNKNOWN,
	JSON_UNIT,
	JSON_UNIT_EXITED,
	JSON_UNIT_FAILED,
	SYSLOG = 118010,
	SYSLOG_UNKNOWN,
	SYSLOG_UNIT_EXITED,
	SYSLOG_UNIT_FAILED,
};

/* Where Wazuh itself has the lines of systemd; a rule without that would never be asked. */
#define WAZUH_SYSTEMD 40700

/* Levels by what Wazuh's own classification says of them. */
enum {
	LEVEL_IGNORED = 0,
	LEVEL_SUCCESS = 3,
	LEVEL_LOW_ERROR = 5,
	LEVEL_BAD_WORD = 7,
	LEVEL_NEWER_ERROR = 9, /* below that of the errors that are known, which so come first */
	LEVEL_ERRORS = 10,
	LEVEL_IMPORTANT = 12,
};

#define UNITS "^(?:mailcow-cert-(?:push|push-check|deploy|check)|certsync-notify)(?:@\\S*)?[.]\\w+"

/*
 * How the records begin that come without an advice, by which all others are known. None of these
 * ends in a full stop, and each advice does.
 */
static const struct {
	enum outcome outcome;
	const char *pattern;
} words[] = {
	{ OUTCOME_NOTHING_TO_DO, "^nothing to do: " },
	{ OUTCOME_DRY_RUN, "^dry run: " },
	{ OUTCOME_PUSHED, "^pushed [0-9A-F:]{95} to " },
	{ OUTCOME_DEPLOYED, "^deployed [0-9A-F:]{95} for " },
	{ OUTCOME_RELOADED, "^(?:[a-z0-9-]+: reloaded|all services were reloaded with "
			    "|[0-9A-F:]{95} is served again: )" },
	{ OUTCOME_COMPLETED, "^an interrupted installation was completed" },
	{ OUTCOME_SYMLINK_REPLACED,
	  "^[^ ]+ is a symbolic link, which mailcow's containers cannot follow: " },
	{ OUTCOME_SNI_UPDATED, " has the installed pair now" },
	/* never logged: what comes of them is */
	{ OUTCOME_OK, NULL },
	{ OUTCOME_SERVED, NULL },
};

static int level(int priority)
{
	switch (priority) {
	case LOG_DEBUG:
	case LOG_INFO:
		return LEVEL_IGNORED;
	case LOG_NOTICE:
		return LEVEL_SUCCESS;
	case LOG_WARNING:
		return LEVEL_BAD_WORD;
	case LOG_ERR:
		return LEVEL_ERRORS;
	default:
		return LEVEL_IMPORTANT;
	}
}

static unsigned number(const struct outcome_text *text)
{
	char digits[9];

	snprintf(digits, sizeof(digits), "%.8s", text->id);
	return (unsigned)(strtoul(digits, NULL, 16) % OF_A_FORM);
}

/* Wazuh's reader of XML knows no entities in all of its versions; these are characters to PCRE2. */
static void print_quoted(const char *text)
{
	for (; *text; text++) {
		if (strchr("<>&", *text))
			printf("\\x%02x", (unsigned)*text);
		else
			printf("%s%c", strchr(".^$*+?()[]{}|\\", *text) ? "\\" : "", *text);
	}
}

static void print_plain(const char *text)
{
	for (; *text; text++)
		putchar(strchr("<>&", *text) ? '\'' : *text);
}

static void begin(unsigned id, int rule_level)
{
	printf("  <rule id=\"%u\" level=\"%d\">\n", id, rule_level);
}

static void end(const char *description)
{
	printf("    <description>certsync: %s</description>\n  </rule>\n\n", description);
}

static void end_outcome(const struct outcome_text *text, const char *more)
{
	printf("    <description>certsync: ");
	print_plain(text->meaning);
	printf(" (%s)%s</description>\n  </rule>\n\n", text->name, more);
}

static void print_json(const struct outcome_text *text)
{
	begin(FIRST_JSON + number(text), level(text->priority));
	printf("    <if_sid>%d</if_sid>\n", JSON);
	printf("    <field name=\"CERTSYNC_OUTCOME\" type=\"pcre2\">^%s$</field>\n", text->name);
	end_outcome(text, ": $(MESSAGE)");
}

static const char *words_of(enum outcome outcome)
{
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (words[i].outcome == outcome)
			return words[i].pattern;
	return NULL;
}

static void print_syslog(enum outcome outcome)
{
	const struct outcome_text *text = outcome_text(outcome);

	if (!text->advice[0] && !words_of(outcome))
		return;
	begin(FIRST_SYSLOG + number(text), level(text->priority));
	printf("    <if_sid>%d</if_sid>\n    <match type=\"pcre2\">", SYSLOG);
	if (text->advice[0]) {
		printf("[.] ");
		print_quoted(text->advice);
		printf("$");
	} else {
		printf("%s(?:.*[^.])?$", words_of(outcome));
	}
	printf("</match>\n");
	end_outcome(text, "");
}

/* What sounds like an error, but for what is known to be none. The known errors' levels are higher:
 * these come first. */
static void print_syslog_unknown(void)
{
	begin(SYSLOG_UNKNOWN, LEVEL_BAD_WORD);
	printf("    <if_sid>%d</if_sid>\n    <match type=\"pcre2\">(?i)^(?!.*(?:", SYSLOG);
	for (enum outcome i = 0, first = 1; i < OUTCOME_COUNT; i++) {
		if (!outcome_text(i)->advice[0] || outcome_text(i)->priority < LOG_WARNING)
			continue;
		printf("%s", first ? "" : "|");
		print_quoted(outcome_text(i)->advice);
		first = 0;
	}
	printf(")$).*\\b(?:error|failed)\\b</match>\n");
	end("an error that these rules do not know");
}

static void print_units(void)
{
	begin(JSON_UNIT, LEVEL_IGNORED);
	printf("    <decoded_as>json</decoded_as>\n"
	       "    <field name=\"SYSLOG_IDENTIFIER\" type=\"pcre2\">^systemd$</field>\n"
	       "    <field name=\"UNIT\" type=\"pcre2\">" UNITS "$</field>\n");
	end("what systemd says of its units");
	begin(JSON_UNIT_EXITED, LEVEL_LOW_ERROR);
	printf("    <if_sid>%d</if_sid>\n", JSON_UNIT);
	printf("    <field name=\"MESSAGE\" type=\"pcre2\">: Main process exited, </field>\n");
	end("$(MESSAGE)");
	begin(JSON_UNIT_FAILED, LEVEL_ERRORS);
	printf("    <if_sid>%d</if_sid>\n", JSON_UNIT);
	printf("    <field name=\"MESSAGE\" type=\"pcre2\">: Failed with result </field>\n");
	end("$(MESSAGE)");

	begin(SYSLOG_UNIT_EXITED, LEVEL_LOW_ERROR + 1);
	printf("    <if_sid>%d</if_sid>\n", WAZUH_SYSTEMD);
	printf("    <match type=\"pcre2\">" UNITS ": Main process exited, </match>\n");
	end("a run ended with an error");
	begin(SYSLOG_UNIT_FAILED, LEVEL_ERRORS);
	printf("    <if_sid>%d</if_sid>\n", WAZUH_SYSTEMD);
	printf("    <match type=\"pcre2\">" UNITS ": Failed with result </match>\n");
	end("a unit failed");
}

/* A rule for each outcome, that no other one's can be taken for. */
static bool table_will_do(void)
{
	for (enum outcome i = 0; i < OUTCOME_COUNT; i++) {
		const struct outcome_text *one = outcome_text(i);
		bool known = one->advice[0] != '\0';

		for (size_t w = 0; w < sizeof(words) / sizeof(words[0]); w++)
			known = known || words[w].outcome == i;
		if (!known || (one->advice[0] && one->advice[strlen(one->advice) - 1] != '.')) {
			fprintf(stderr, "rules: what is %s known by in a line of syslog?\n",
				one->name);
			return false;
		}
		for (enum outcome j = 0; j < i; j++) {
			const struct outcome_text *other = outcome_text(j);

			if (number(one) == number(other)) {
				fprintf(stderr, "rules: %s and %s would have the same number\n",
					one->name, other->name);
				return false;
			}
			if (one->advice[0] && !strcmp(one->advice, other->advice)) {
				fprintf(stderr, "rules: %s and %s have the same advice\n",
					one->name, other->name);
				return false;
			}
		}
	}
	return true;
}

int main(void)
{
	if (!table_will_do())
		return EXIT_FAILURE;
	printf("<!-- Made from certsync's table of outcomes: see README.md. -->\n"
	       "<group name=\"certsync,\">\n\n");
	printf("  <!-- journalctl -o json -->\n\n");
	begin(JSON, LEVEL_IGNORED);
	printf("    <decoded_as>json</decoded_as>\n"
	       "    <field name=\"SYSLOG_IDENTIFIER\" "
	       "type=\"pcre2\">^(?:certpush|certdeploy)$</field>\n");
	end("what its programs say");
	for (enum outcome i = 0; i < OUTCOME_COUNT; i++)
		print_json(outcome_text(i));
	begin(JSON_UNKNOWN, LEVEL_NEWER_ERROR);
	printf("    <if_sid>%d</if_sid>\n", JSON);
	printf("    <field name=\"PRIORITY\" type=\"pcre2\">^[0-3]$</field>\n");
	end("an error that these rules do not know: $(MESSAGE)");

	printf("  <!-- syslog, and what the agent reads from the journal itself -->\n\n");
	begin(SYSLOG, LEVEL_IGNORED);
	printf("    <decoded_as>certsync</decoded_as>\n");
	end("what its programs say");
	for (enum outcome i = 0; i < OUTCOME_COUNT; i++)
		print_syslog(i);
	print_syslog_unknown();

	printf("  <!-- the units, whatever the reason -->\n\n");
	print_units();
	printf("</group>\n");
	return fflush(stdout) ? EXIT_FAILURE : EXIT_SUCCESS;
}
