#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "starttls.h"

/* Steps common to all: what the server is to say next. */
enum {
	GREETING,
	CAPABILITIES,
	CAPABILITY_LIST,
	ANSWER,
};

/* Does ${line} begin with the word ${word}, in whatever case? */
static bool begins(const char *line, const char *word)
{
	size_t len = strlen(word);

	return !strncasecmp(line, word, len) && (!line[len] || line[len] == ' ');
}

static bool has_word(const char *line, const char *word)
{
	const size_t len = strlen(word);

	for (line += strspn(line, " "); *line; line += strspn(line, " ")) {
		size_t here = strcspn(line, " ");

		if (here == len && !strncasecmp(line, word, len))
			return true;
		line += here;
	}
	return false;
}

static enum starttls_next speak(struct starttls *starttls, int step, const char *words,
				const char **say)
{
	starttls->step = step;
	*say = words;
	return STARTTLS_SPEAK;
}

/* All capabilities are known: ask for TLS with ${words}, if that is offered. */
static enum starttls_next ask(struct starttls *starttls, const char *words, const char **say)
{
	return starttls->offered ? speak(starttls, ANSWER, words, say) : STARTTLS_MISSING;
}

/* --- SMTP --- */

/* RFC 5321, section 4.2: from 200 to 599; and no command of ours is to be continued (3yz). */
static bool is_reply(const char *line)
{
	return line[0] && strchr("245", line[0]) && isdigit((unsigned char)line[1]) &&
	       isdigit((unsigned char)line[2]) && (!line[3] || line[3] == ' ' || line[3] == '-');
}

static enum starttls_next take_smtp(struct starttls *starttls, const char *line, const char **say)
{
	bool positive = line[0] == '2';

	if (!is_reply(line))
		return STARTTLS_NONSENSE;
	if (starttls->step == CAPABILITIES && line[3])
		starttls->offered |= begins(line + 4, "STARTTLS");
	if (line[3] == '-')
		return STARTTLS_LISTEN;
	switch (starttls->step) {
	case GREETING:
		return positive ? speak(starttls, CAPABILITIES, "EHLO localhost\r\n", say)
				: STARTTLS_DECLINED;
	case CAPABILITIES:
		return positive ? ask(starttls, "STARTTLS\r\n", say) : STARTTLS_DECLINED;
	default:
		return positive ? STARTTLS_BEGIN : STARTTLS_MISSING;
	}
}

/* --- IMAP --- */

static enum starttls_next take_imap(struct starttls *starttls, const char *line, const char **say)
{
	if (starttls->step == GREETING) {
		if (begins(line, "* OK"))
			return speak(starttls, CAPABILITIES, "a CAPABILITY\r\n", say);
		/* Who is logged in already cannot begin TLS. */
		if (begins(line, "* PREAUTH"))
			return STARTTLS_MISSING;
		return begins(line, "* BYE") ? STARTTLS_DECLINED : STARTTLS_NONSENSE;
	}
	if (begins(line, "* BYE"))
		return STARTTLS_DECLINED;
	if (begins(line, "* CAPABILITY"))
		starttls->offered = has_word(line, "STARTTLS");
	if (begins(line, "*"))
		return STARTTLS_LISTEN;
	if (starttls->step == CAPABILITIES) {
		if (begins(line, "a OK"))
			return ask(starttls, "b STARTTLS\r\n", say);
		return begins(line, "a NO") || begins(line, "a BAD") ? STARTTLS_DECLINED
								     : STARTTLS_NONSENSE;
	}
	if (begins(line, "b OK"))
		return STARTTLS_BEGIN;
	return begins(line, "b NO") || begins(line, "b BAD") ? STARTTLS_MISSING : STARTTLS_NONSENSE;
}

/* --- POP3 --- */

static enum starttls_next take_pop3(struct starttls *starttls, const char *line, const char **say)
{
	bool positive = begins(line, "+OK");

	if (starttls->step == CAPABILITY_LIST) {
		starttls->offered |= begins(line, "STLS");
		return strcmp(line, ".") != 0 ? STARTTLS_LISTEN : ask(starttls, "STLS\r\n", say);
	}
	if (!positive && !begins(line, "-ERR"))
		return STARTTLS_NONSENSE;
	switch (starttls->step) {
	case GREETING:
		return positive ? speak(starttls, CAPABILITIES, "CAPA\r\n", say)
				: STARTTLS_DECLINED;
	case CAPABILITIES:
		/* A server without CAPA (RFC 2449) may have STLS all the same. */
		if (!positive)
			return speak(starttls, ANSWER, "STLS\r\n", say);
		starttls->step = CAPABILITY_LIST;
		return STARTTLS_LISTEN;
	default:
		return positive ? STARTTLS_BEGIN : STARTTLS_MISSING;
	}
}

/* --- ManageSieve --- */

static enum starttls_next take_sieve(struct starttls *starttls, const char *line, const char **say)
{
	bool refused = begins(line, "NO") || begins(line, "BYE");

	if (starttls->step == GREETING && line[0] == '"') {
		starttls->offered |= begins(line, "\"STARTTLS\"");
		return STARTTLS_LISTEN;
	}
	if (starttls->step == GREETING && refused)
		return STARTTLS_DECLINED;
	if (refused)
		return STARTTLS_MISSING;
	if (!begins(line, "OK"))
		return STARTTLS_NONSENSE;
	return starttls->step == GREETING ? ask(starttls, "STARTTLS\r\n", say) : STARTTLS_BEGIN;
}

/* --- all of them --- */

enum starttls_next starttls_take(struct starttls *starttls, const char *line, const char **say)
{
	switch (starttls->protocol) {
	case WIRE_SMTP:
		return take_smtp(starttls, line, say);
	case WIRE_IMAP:
		return take_imap(starttls, line, say);
	case WIRE_POP3:
		return take_pop3(starttls, line, say);
	case WIRE_SIEVE:
		return take_sieve(starttls, line, say);
	case WIRE_TLS:
		break;
	}
	return STARTTLS_NONSENSE;
}

const char *starttls_goodbye(enum wire_protocol protocol)
{
	switch (protocol) {
	case WIRE_SMTP:
	case WIRE_POP3:
		return "QUIT\r\n";
	case WIRE_IMAP:
		return "c LOGOUT\r\n";
	case WIRE_SIEVE:
		return "LOGOUT\r\n";
	case WIRE_TLS:
		break;
	}
	return "";
}
