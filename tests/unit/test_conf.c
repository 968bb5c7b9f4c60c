/* Reading configuration files: every error names file and line, and what was meant. */

#include "certsync/conf.h"
#include "run_child.h"
#include "scratch.h"

struct values {
	char *hostname;
	char *lineage;
	int port;
	int timeout;
	char *dir;
};

static enum outcome refuse_tmp(const char *text)
{
	if (strcmp(text, "/tmp") != 0)
		return OUTCOME_OK;
	return outcome_because(OUTCOME_CONF_INVALID, "%s is everybody's", text);
}

static const struct conf_setting settings[] = {
	{ "source", "hostname", CONF_DNS_NAME, false, offsetof(struct values, hostname), NULL,
	  NULL },
	{ "source", "lineage", CONF_NAME, true, offsetof(struct values, lineage), NULL, "" },
	{ "target", "port", CONF_PORT, false, offsetof(struct values, port), NULL, "22" },
	{ "limits", "timeout", CONF_DURATION, false, offsetof(struct values, timeout), NULL,
	  "10s" },
	{ "state", "dir", CONF_PATH, false, offsetof(struct values, dir), refuse_tmp,
	  "/var/lib/x" },
};

#define SETTINGS (sizeof(settings) / sizeof(settings[0]))

static struct values values;

static int make(void **state)
{
	memset(&values, 0, sizeof(values));
	return scratch_make(state);
}

static int clear(void **state)
{
	conf_clear(settings, SETTINGS, &values);
	return scratch_remove(state);
}

static enum outcome load_bytes(const char *text, size_t len)
{
	scratch_write("x.conf", text, len);
	return conf_load(scratch_path("x.conf"), settings, SETTINGS, &values);
}

static void accepts(const char *text)
{
	enum outcome outcome = load_bytes(text, strlen(text));

	if (outcome != OUTCOME_OK)
		fail_msg("%s", outcome_reason(outcome));
}

/* ${text} is refused for its line ${line} (0: for the whole file) with ${reason}. */
static void refuses_bytes(const char *text, size_t len, int line, const char *reason)
{
	char where[128];

	if (line)
		snprintf(where, sizeof(where), "%s/x.conf:%d: ", scratch, line);
	else
		snprintf(where, sizeof(where), "%s/x.conf: ", scratch);
	conf_clear(settings, SETTINGS, &values);
	assert_int_equal(load_bytes(text, len), OUTCOME_CONF_INVALID);
	assert_int_equal(strncmp(outcome_reason(OUTCOME_CONF_INVALID), where, strlen(where)), 0);
	assert_string_equal(outcome_reason(OUTCOME_CONF_INVALID) + strlen(where), reason);
}

static void refuses(const char *text, int line, const char *reason)
{
	refuses_bytes(text, strlen(text), line, reason);
}

#define HOST "[source]\nhostname = mail.example.org\n"

/* --- what is right --- */

static void settings_are_read_and_the_others_have_their_defaults(void **state)
{
	(void)state;
	accepts("[source]\nhostname = mail.example.org\n[target]\nport = 2222\n");
	assert_string_equal(values.hostname, "mail.example.org");
	assert_string_equal(values.lineage, "");
	assert_int_equal(values.port, 2222);
	assert_int_equal(values.timeout, 10000);
	assert_string_equal(values.dir, "/var/lib/x");
}

static void comments_blank_lines_and_inline_comments_are_left_out(void **state)
{
	(void)state;
	accepts("; one\n# two\n\n   \n\t# three\n[source] ; four\n"
		"hostname = mail.example.org ; five\n");
	assert_string_equal(values.hostname, "mail.example.org");
}

static void indented_lines_are_settings_like_others(void **state)
{
	(void)state;
	accepts("  [source]\n\thostname = mail.example.org\n    lineage = npm-5\n");
	assert_string_equal(values.hostname, "mail.example.org");
	assert_string_equal(values.lineage, "npm-5");
}

static void crlf_a_bom_and_a_missing_last_newline_are_tolerated(void **state)
{
	(void)state;
	accepts("\xef\xbb\xbf[source]\r\nhostname = mail.example.org\r\nlineage = npm-5\r\n"
		"[target]\r\nport = 2222");
	assert_string_equal(values.hostname, "mail.example.org");
	assert_string_equal(values.lineage, "npm-5");
	assert_int_equal(values.port, 2222);
}

static void blanks_around_the_sign_do_not_count(void **state)
{
	(void)state;
	accepts("[source]\nhostname=mail.example.org\nlineage   =\tnpm-5  \n");
	assert_string_equal(values.hostname, "mail.example.org");
	assert_string_equal(values.lineage, "npm-5");
}

static void a_section_may_come_twice(void **state)
{
	(void)state;
	accepts(HOST "[target]\nport = 1\n[source]\nlineage = npm-5\n");
	assert_string_equal(values.lineage, "npm-5");
}

static void an_empty_value_means_not_set_where_that_is_possible(void **state)
{
	(void)state;
	accepts(HOST "lineage =\n");
	assert_string_equal(values.lineage, "");
}

static void a_symbolic_link_to_the_file_is_followed(void **state)
{
	(void)state;
	scratch_write("real.conf", HOST, strlen(HOST));
	assert_int_equal(symlinkat("real.conf", scratch_fd, "link.conf"), 0);
	assert_int_equal(conf_load(scratch_path("link.conf"), settings, SETTINGS, &values),
			 OUTCOME_OK);
	assert_string_equal(values.hostname, "mail.example.org");
}

static void clearing_twice_is_harmless(void **state)
{
	(void)state;
	accepts(HOST);
	conf_clear(settings, SETTINGS, &values);
	assert_null(values.hostname);
	assert_null(values.lineage);
	conf_clear(settings, SETTINGS, &values);
}

/* --- what is wrong --- */

static void an_unknown_section_is_refused_with_the_one_that_was_meant(void **state)
{
	(void)state;
	refuses("[sources]\nhostname = mail.example.org\n", 1,
		"unknown section [sources]; did you mean [source]?");
	refuses(HOST "[traget]\n", 3, "unknown section [traget]; did you mean [target]?");
	refuses(HOST "[elsewhere]\nport = 22\n", 3, "unknown section [elsewhere]");
}

static void a_word_in_capitals_is_a_near_miss(void **state)
{
	(void)state;
	refuses("[SOURCE]\n", 1, "unknown section [SOURCE]; did you mean [source]?");
	refuses(HOST "LINEAGE = npm-5\n", 3,
		"unknown key 'LINEAGE' in section [source]; did you mean 'lineage' in [source]?");
}

static void an_unknown_key_is_refused_with_the_one_that_was_meant(void **state)
{
	(void)state;
	refuses("[source]\nhostnme = mail.example.org\n", 2,
		"unknown key 'hostnme' in section [source]; did you mean 'hostname' in [source]?");
	refuses(HOST "linage = npm-5\n", 3,
		"unknown key 'linage' in section [source]; did you mean 'lineage' in [source]?");
	refuses(HOST "colour = red\n", 3, "unknown key 'colour' in section [source]");
}

static void a_key_in_another_section_is_refused_with_its_own(void **state)
{
	(void)state;
	refuses(HOST "port = 22\n", 3, "port belongs in section [target]");
	refuses(HOST "prot = 22\n", 3,
		"unknown key 'prot' in section [source]; did you mean 'port' in [target]?");
	refuses("hostname = mail.example.org\n", 1, "hostname belongs in section [source]");
}

static void a_required_setting_that_is_missing_is_named(void **state)
{
	(void)state;
	refuses("", 0, "hostname in section [source] must be set");
	refuses("[target]\nport = 22\n", 0, "hostname in section [source] must be set");
}

static void a_value_that_the_program_refuses_is_told_with_its_line(void **state)
{
	(void)state;
	refuses(HOST "[state]\ndir = /tmp\n", 4, "dir: /tmp is everybody's");
}

static void a_required_setting_that_is_empty_is_refused(void **state)
{
	(void)state;
	refuses("[source]\nhostname =\n", 2, "hostname is empty; give it a value");
	refuses(HOST "[target]\nport = ; later\n", 4,
		"port is empty; give it a value or remove the line");
}

static void a_setting_given_twice_is_refused(void **state)
{
	(void)state;
	refuses(HOST "hostname = mail.example.org\n", 3,
		"hostname in section [source] is set a second time");
	refuses(HOST "[target]\nport = 22\n[source]\n[target]\nport = 22\n", 7,
		"port in section [target] is set a second time");
	refuses(HOST "lineage =\nlineage = npm-5\n", 4,
		"lineage in section [source] is set a second time");
}

static void a_value_of_the_wrong_kind_is_refused_with_what_it_must_be(void **state)
{
	(void)state;
	refuses(HOST "[target]\nport = 65536\n", 4,
		"port = 65536: must be a port number from 1 to 65535");
	refuses(HOST "[limits]\ntimeout = 10\n", 4,
		"timeout = 10: must be a time with its unit, from 1ms to 24h (500ms, 10s, 5m, 1h)");
	refuses("[source]\nhostname = https://mail.example.org\n", 2,
		"hostname = https://mail.example.org: must be a host name");
}

static void a_line_that_is_neither_section_nor_setting_is_refused(void **state)
{
	(void)state;
	refuses(HOST "hello\n", 3, "is neither [section] nor key = value");
	refuses("[source\nhostname = mail.example.org\n", 1,
		"is neither [section] nor key = value");
}

static void the_first_of_several_errors_is_told(void **state)
{
	(void)state;
	refuses("[source]\nhostname = -\nport = 22\nhello\n", 2,
		"hostname = -: must be a host name");
	refuses("hello\n[source]\nhostname = -\n", 1, "is neither [section] nor key = value");
	refuses(HOST "colour = red\n[elsewhere]\n", 3, "unknown key 'colour' in section [source]");
}

static void a_line_longer_than_can_be_read_is_refused(void **state)
{
	char text[1024];
	int line;

	(void)state;
	line = snprintf(text, sizeof(text), HOST "lineage = %0*d\n", 400, 0);
	assert_true(line > 400);
	refuses(text, 3, "the line is longer than 199 characters");
}

/* Nobody is helped by being told off for a comment. */
static void a_long_comment_is_a_comment(void **state)
{
	char text[1024];

	(void)state;
	snprintf(text, sizeof(text), "# %0*d\n; %0*d\n" HOST, 400, 0, 300, 0);
	accepts(text);
	assert_string_equal(values.hostname, "mail.example.org");
}

static void a_binary_file_is_refused(void **state)
{
	static const char text[] = HOST "lineage = a\0b\n";

	(void)state;
	refuses_bytes(text, sizeof(text) - 1, 0, "is not a text file");
}

static void control_characters_are_refused_and_made_visible(void **state)
{
	(void)state;
	refuses(HOST "lineage = a\033[31mb\n", 3,
		"lineage = a\\x1b[31mb: must be free of control characters");
	refuses(HOST "co\033lour = red\n", 3, "unknown key 'co\\x1blour' in section [source]");
}

static void what_was_stored_before_an_error_is_freed_by_clearing(void **state)
{
	(void)state;
	refuses(HOST "lineage = npm-5\ncolour = red\n", 4,
		"unknown key 'colour' in section [source]");
	conf_clear(settings, SETTINGS, &values);
	assert_null(values.hostname);
	assert_null(values.lineage);
}

/* --- files that cannot be read --- */

static void misses(const char *name, const char *reason)
{
	const char *path = scratch_path(name);

	assert_int_equal(conf_load(path, settings, SETTINGS, &values), OUTCOME_CONF_MISSING);
	assert_contains(outcome_reason(OUTCOME_CONF_MISSING), path);
	assert_contains(outcome_reason(OUTCOME_CONF_MISSING), reason);
}

static void a_file_that_is_not_there_is_named(void **state)
{
	(void)state;
	misses("none.conf", "No such file or directory");
}

static void a_directory_instead_of_a_file_is_named(void **state)
{
	(void)state;
	assert_int_equal(mkdirat(scratch_fd, "dir.conf", 0755), 0);
	misses("dir.conf", "is a directory");
}

static void a_fifo_instead_of_a_file_does_not_hang(void **state)
{
	(void)state;
	assert_int_equal(mkfifoat(scratch_fd, "fifo.conf", 0644), 0);
	misses("fifo.conf", "is not a plain file");
}

static void a_file_larger_than_any_configuration_is_named(void **state)
{
	static char text[64 * 1024 + 1];

	(void)state;
	memset(text, '\n', sizeof(text));
	scratch_write("large.conf", text, sizeof(text));
	misses("large.conf", "larger than 65536 bytes");
}

/* Root may read everything: as somebody else, then. */
static int load_as_nobody(void *path)
{
	enum outcome outcome;

	if (setgid(65534) < 0 || setuid(65534) < 0)
		return 1;
	outcome = conf_load(path, settings, SETTINGS, &values);
	puts(outcome_text(outcome)->name);
	puts(outcome_reason(outcome));
	return 0;
}

static void a_file_that_may_not_be_read_is_named(void **state)
{
	char *path = scratch_path("x.conf");
	struct child child;

	(void)state;
	scratch_write("x.conf", HOST, strlen(HOST));
	assert_int_equal(fchmodat(scratch_fd, "x.conf", 0600, 0), 0);
	assert_int_equal(chmod(scratch, 0755), 0);
	run_child(&child, load_as_nobody, path);
	assert_int_equal(child.status, 0);
	assert_contains(child.out, "FILE_DENIED");
	assert_contains(child.out, path);
	assert_contains(child.out, "Permission denied");
}

/* --- mailcow.conf --- */

struct seen {
	int count;
	char text[4096]; /* NAME<value>, one a line */
};

static void remember(const char *name, const char *value, void *context)
{
	struct seen *seen = context;
	size_t used = strlen(seen->text);

	seen->count++;
	snprintf(seen->text + used, sizeof(seen->text) - used, "%s<%s>\n", name, value);
}

static void variables_are(const char *text, const char *wanted)
{
	struct seen seen = { 0 };

	scratch_write("mailcow.conf", text, strlen(text));
	assert_int_equal(conf_variables(scratch_path("mailcow.conf"), remember, &seen), OUTCOME_OK);
	assert_string_equal(seen.text, wanted);
}

static void variables_are_handed_on_in_order(void **state)
{
	(void)state;
	variables_are("# mailcow\nMAILCOW_HOSTNAME=mail.example.org\n\nSMTP_PORT=25\nEMPTY=\n"
		      "SMTP_PORT=127.0.0.1:25\n",
		      "MAILCOW_HOSTNAME<mail.example.org>\nSMTP_PORT<25>\nEMPTY<>\n"
		      "SMTP_PORT<127.0.0.1:25>\n");
}

static void quotes_around_a_variable_are_taken_off(void **state)
{
	(void)state;
	variables_are(
		"A=\"one two\"\nB='three'\nC=\"\"\nD=\"half\nE='mixed\"\nF=\"\nG=in\"side\"\n",
		"A<one two>\nB<three>\nC<>\nD<\"half>\nE<'mixed\">\nF<\">\nG<in\"side\">\n");
}

static void a_value_may_hold_the_sign(void **state)
{
	(void)state;
	variables_are("DBPASS=a=b==\nURL=\"x?y=z\"\n", "DBPASS<a=b==>\nURL<x?y=z>\n");
}

static void crlf_a_bom_and_indentation_do_not_matter(void **state)
{
	(void)state;
	variables_are("\xef\xbb\xbf"
		      "A=1\r\n  B=2\r\n\tC=\"3\"",
		      "A<1>\nB<2>\nC<3>\n");
}

/* docker compose reads the file by these rules: a comment begins at " #". */
static void a_comment_behind_a_value_is_not_part_of_it(void **state)
{
	(void)state;
	variables_are("A=mail.example.org # ours\nB=a#b\nC=\"quoted\" # too\n",
		      "A<mail.example.org>\nB<a#b>\nC<quoted>\n");
}

static void a_semicolon_is_part_of_a_value(void **state)
{
	(void)state;
	variables_are("A=one ;two\n", "A<one ;two>\n");
}

static void lines_that_assign_nothing_are_left_to_mailcow(void **state)
{
	(void)state;
	variables_are("A=1\nhello\n[section\n[section]\nB=2\n", "A<1>\nB<2>\n");
}

static void a_long_line_does_not_disturb_its_neighbours(void **state)
{
	char text[1024];
	struct seen seen = { 0 };

	(void)state;
	snprintf(text, sizeof(text), "A=1\nADDITIONAL_SAN=%0*d\nB=2\n", 600, 0);
	scratch_write("mailcow.conf", text, strlen(text));
	assert_int_equal(conf_variables(scratch_path("mailcow.conf"), remember, &seen), OUTCOME_OK);
	assert_int_equal(seen.count, 3);
	assert_int_equal(strncmp(seen.text, "A<1>\nADDITIONAL_SAN<000", 22), 0);
	assert_contains(seen.text, "\nB<2>\n");
}

/* A name of 253 characters is a name (RFC 1035 2.3.4): half of it would be another host's. */
static void the_longest_host_name_is_read_whole(void **state)
{
	char host[254], text[512], wanted[512];

	(void)state;
	memset(host, 'a', sizeof(host) - 1);
	for (size_t i = 60; i < 250; i += 61)
		host[i] = '.';
	host[253] = '\0';
	snprintf(text, sizeof(text), "MAILCOW_HOSTNAME=%s\n", host);
	snprintf(wanted, sizeof(wanted), "MAILCOW_HOSTNAME<%s>\n", host);
	variables_are(text, wanted);
}

static void a_missing_or_binary_mailcow_conf_is_an_error(void **state)
{
	struct seen seen = { 0 };

	(void)state;
	assert_int_equal(conf_variables(scratch_path("mailcow.conf"), remember, &seen),
			 OUTCOME_CONF_MISSING);
	assert_contains(outcome_reason(OUTCOME_CONF_MISSING), "mailcow.conf");
	scratch_write("mailcow.conf", "A=1\0\n", 5);
	assert_int_equal(conf_variables(scratch_path("mailcow.conf"), remember, &seen),
			 OUTCOME_CONF_INVALID);
	assert_int_equal(seen.count, 0);
}

#define conf_test(test) cmocka_unit_test_setup_teardown(test, make, clear)

int main(void)
{
	const struct CMUnitTest tests[] = {
		conf_test(settings_are_read_and_the_others_have_their_defaults),
		conf_test(comments_blank_lines_and_inline_comments_are_left_out),
		conf_test(indented_lines_are_settings_like_others),
		conf_test(crlf_a_bom_and_a_missing_last_newline_are_tolerated),
		conf_test(blanks_around_the_sign_do_not_count),
		conf_test(a_section_may_come_twice),
		conf_test(an_empty_value_means_not_set_where_that_is_possible),
		conf_test(a_symbolic_link_to_the_file_is_followed),
		conf_test(clearing_twice_is_harmless),
		conf_test(an_unknown_section_is_refused_with_the_one_that_was_meant),
		conf_test(a_word_in_capitals_is_a_near_miss),
		conf_test(an_unknown_key_is_refused_with_the_one_that_was_meant),
		conf_test(a_key_in_another_section_is_refused_with_its_own),
		conf_test(a_required_setting_that_is_missing_is_named),
		conf_test(a_value_that_the_program_refuses_is_told_with_its_line),
		conf_test(a_required_setting_that_is_empty_is_refused),
		conf_test(a_setting_given_twice_is_refused),
		conf_test(a_value_of_the_wrong_kind_is_refused_with_what_it_must_be),
		conf_test(a_line_that_is_neither_section_nor_setting_is_refused),
		conf_test(the_first_of_several_errors_is_told),
		conf_test(a_line_longer_than_can_be_read_is_refused),
		conf_test(a_long_comment_is_a_comment),
		conf_test(a_binary_file_is_refused),
		conf_test(control_characters_are_refused_and_made_visible),
		conf_test(what_was_stored_before_an_error_is_freed_by_clearing),
		conf_test(a_file_that_is_not_there_is_named),
		conf_test(a_directory_instead_of_a_file_is_named),
		conf_test(a_fifo_instead_of_a_file_does_not_hang),
		conf_test(a_file_larger_than_any_configuration_is_named),
		conf_test(a_file_that_may_not_be_read_is_named),
		conf_test(variables_are_handed_on_in_order),
		conf_test(quotes_around_a_variable_are_taken_off),
		conf_test(a_value_may_hold_the_sign),
		conf_test(crlf_a_bom_and_indentation_do_not_matter),
		conf_test(a_comment_behind_a_value_is_not_part_of_it),
		conf_test(a_semicolon_is_part_of_a_value),
		conf_test(lines_that_assign_nothing_are_left_to_mailcow),
		conf_test(a_long_line_does_not_disturb_its_neighbours),
		conf_test(the_longest_host_name_is_read_whole),
		conf_test(a_missing_or_binary_mailcow_conf_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
