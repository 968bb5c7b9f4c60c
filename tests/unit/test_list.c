/* The table of lineages, for people and as JSON. */
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <time.h>

#include <jansson.h>

#include "certsync/bundle.h"
#include "certsync/cleanup.h"
#include "certsync/journal.h"
#include "certsync/text.h"
#include "list.h"
#include "make_pair.h"
#include "run_child.h"
#include "scratch.h"

#define OTHER_NAME "DNS:www.example.org"

static struct child child;
static json_t *document;
static time_t now;

/* --- the host --- */

static void configure(const char *lineage)
{
	char text[512];

	snprintf(text, sizeof(text),
		 "[source]\nlive_dir = %s/live\nhostname = mail.example.org\nlineage = %s\n",
		 scratch, lineage);
	scratch_write("push.conf", text, strlen(text));
}

static int begin(void **state)
{
	if (scratch_make(state) < 0)
		return -1;
	journal_open("test", JOURNAL_QUIET);
	document = NULL;
	now = time(NULL);
	configure("");
	return mkdirat(scratch_fd, "live", 0700);
}

static int end(void **state)
{
	json_decref(document);
	return scratch_remove(state);
}

/* Write what is to be the chain of the lineage ${name}. */
static void write_chain(const char *name, const void *data, size_t len)
{
	char path[512];

	snprintf(path, sizeof(path), "live/%s", name);
	assert_int_equal(mkdirat(scratch_fd, path, 0700), 0);
	strcat(path, "/fullchain.pem");
	scratch_write(path, data, len);
}

/* Make a lineage and say what its leaf is, which is the caller's to free. */
static struct bundle *make(const char *name, const struct make_certificate *spec)
{
	struct identity made = make_identity(spec);
	struct bytes chain = pem_chain(made.certificate, NULL, NULL);
	struct bundle *bundle = NULL;

	write_chain(name, chain.data, chain.len);
	assert_int_equal(bundle_load_leaf(&chain, &bundle), OUTCOME_OK);
	bytes_clear(&chain);
	identity_clear(&made);
	return bundle;
}

static void make_lineage(const char *name, const struct make_certificate *spec)
{
	bundle_free(make(name, spec));
}

/* --- the list --- */

static int run(void *options)
{
	return list_run(options);
}

static int run_into_a_full_disk(void *options)
{
	return freopen("/dev/full", "w", stdout) ? list_run(options) : -1;
}

static void list(child_fn *how, bool json)
{
	struct command_options options = { .conf = scratch_path("push.conf"), .json = json };

	run_child(&child, how, &options);
}

static void list_as_table(void)
{
	list(run, false);
}

/* The lineages of the JSON document. */
static json_t *list_as_json(void)
{
	list(run, true);
	document = json_loads(child.out, 0, NULL);
	assert_non_null(document);
	return json_object_get(document, "lineages");
}

/* Line ${index} of the table, the heads being 0; until the next call. */
static const char *line(size_t index)
{
	static char text[CHILD_OUTPUT_MAX];
	char *rest = text, *found = NULL;

	strcpy(text, child.out);
	for (size_t i = 0; i <= index; i++)
		found = strsep(&rest, "\n");
	assert_non_null(found);
	return found;
}

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	assert_non_null(text);
	return text;
}

/* --- as a table --- */

static void a_lineage_is_described_in_a_line(void **state)
{
	const struct make_certificate spec = { .names = "DNS:mail.example.org,DNS:imap.example.org",
					       .key_kind = "EC P-384",
					       .to = now + 30 * A_DAY + A_DAY / 2 };
	struct bundle *bundle = make("npm-7", &spec);
	char not_after[TEXT_TIME_LEN + 1];

	(void)state;
	list_as_table();
	assert_int_equal(child.status, EX_OK);
	assert_string_equal(child.err, "");
	assert_contains(line(0), "LINEAGE");
	assert_contains(line(1), "npm-7");
	assert_contains(line(1), "EC P-384");
	assert_contains(line(1), " 30 ");
	assert_contains(line(1), "mail.example.org imap.example.org");
	assert_contains(line(1), bundle_fingerprint(bundle));
	text_time(not_after, spec.to);
	assert_contains(line(1), not_after);
	assert_string_equal(line(2), "");
	bundle_free(bundle);
}

static void the_chosen_one_is_marked(void **state)
{
	(void)state;
	make_lineage("npm-1", &(struct make_certificate){ .from = now - 9 * A_DAY });
	make_lineage("npm-2", &(struct make_certificate){ .from = now - 3 * A_DAY });
	make_lineage("npm-3", &(struct make_certificate){ .names = OTHER_NAME });
	list_as_table();
	assert_int_equal(child.status, EX_OK);
	assert_ptr_equal(line(2), strstr(line(2), "*  npm-2"));
	assert_lacks(line(1), "*");
	assert_lacks(line(3), "*");
}

static void the_pinned_one_is_marked(void **state)
{
	(void)state;
	configure("npm-1");
	make_lineage("npm-1", &(struct make_certificate){ .from = now - 9 * A_DAY });
	make_lineage("npm-2", &(struct make_certificate){ .from = now - 3 * A_DAY });
	list_as_table();
	assert_int_equal(child.status, EX_OK);
	assert_contains(line(1), "*  npm-1");
	assert_lacks(line(2), "*");
}

static void lineages_stand_in_the_order_of_their_numbers(void **state)
{
	(void)state;
	make_lineage("npm-10", &(struct make_certificate){ 0 });
	make_lineage("npm-9", &(struct make_certificate){ 0 });
	make_lineage("npm-100", &(struct make_certificate){ 0 });
	make_lineage("npm-1", &(struct make_certificate){ 0 });
	list_as_table();
	assert_contains(line(1), "npm-1 ");
	assert_contains(line(2), "npm-9 ");
	assert_contains(line(3), "npm-10 ");
	assert_contains(line(4), "npm-100 ");
}

static void many_lineages_are_all_in_their_order(void **state)
{
	enum {
		MANY = 40
	};
	struct identity made = make_identity(&(struct make_certificate){ 0 });
	struct bytes chain = pem_chain(made.certificate, NULL, NULL);
	char name[24];

	(void)state;
	for (int i = MANY; i > 0; i--) {
		snprintf(name, sizeof(name), "npm-%d", i);
		write_chain(name, chain.data, chain.len);
	}
	list_as_table();
	for (size_t i = 1; i <= MANY; i++) {
		snprintf(name, sizeof(name), "  npm-%zu ", i);
		assert_contains(line(i), name);
	}
	assert_string_equal(line(MANY + 1), "");
	bytes_clear(&chain);
	identity_clear(&made);
}

static void one_that_cannot_be_read_is_shown_with_the_reason(void **state)
{
	(void)state;
	make_lineage("npm-1", &(struct make_certificate){ 0 });
	write_chain("npm-2", "junk", 4);
	list_as_table();
	assert_int_equal(child.status, EX_OK);
	assert_contains(line(1), "*  npm-1");
	assert_contains(line(2), "npm-2");
	assert_contains(line(2), "npm-2/fullchain.pem: ");
	assert_lacks(line(2), "*");
}

static void an_expired_one_has_less_than_no_days_left(void **state)
{
	(void)state;
	make_lineage("npm-1", &(struct make_certificate){ .from = now - 9 * A_DAY,
							  .to = now - 4 * A_DAY - A_DAY / 2 });
	list_as_table();
	assert_contains(line(1), " -5 ");
}

static void a_name_cannot_harm_a_terminal(void **state)
{
	(void)state;
	make_lineage("npm-\033[2J", &(struct make_certificate){ 0 });
	list_as_table();
	assert_contains(line(1), "npm-\\x1b[2J");
}

/* --- with nothing to choose --- */

static void the_table_is_printed_all_the_more_if_none_will_do(void **state)
{
	(void)state;
	make_lineage("npm-3", &(struct make_certificate){ .names = OTHER_NAME });
	list_as_table();
	assert_int_equal(child.status, EX_NOINPUT);
	assert_contains(line(1), "npm-3");
	assert_lacks(child.out, "*");
	assert_contains(child.err, "no lineage covers mail.example.org");
}

static void a_pinned_one_that_will_not_do_is_not_marked(void **state)
{
	(void)state;
	configure("npm-3");
	make_lineage("npm-3", &(struct make_certificate){ .names = OTHER_NAME });
	make_lineage("npm-4", &(struct make_certificate){ 0 });
	list_as_table();
	assert_int_equal(child.status, EX_CONFIG);
	assert_lacks(child.out, "*");
	assert_contains(child.err, "npm-4 would do");
}

static void without_a_tree_there_is_no_table(void **state)
{
	(void)state;
	assert_int_equal(rmdir(scratch_path("live")), 0);
	list_as_table();
	assert_int_equal(child.status, EX_NOINPUT);
	assert_string_equal(child.out, "");
	assert_contains(child.err, "live_dir: ");
}

static void without_settings_there_is_no_table(void **state)
{
	(void)state;
	scratch_write("push.conf", "", 0);
	list_as_table();
	assert_int_equal(child.status, EX_CONFIG);
	assert_string_equal(child.out, "");
	assert_contains(child.err, "hostname");
}

static void a_table_that_cannot_be_printed_is_a_failure(void **state)
{
	(void)state;
	make_lineage("npm-1", &(struct make_certificate){ 0 });
	list(run_into_a_full_disk, false);
	assert_int_equal(child.status, EX_OSERR);
	assert_contains(child.err, "cannot be printed");
	list(run_into_a_full_disk, true);
	assert_int_equal(child.status, EX_OSERR);
}

/* --- as JSON --- */

static void all_of_a_lineage_is_in_the_json(void **state)
{
	struct identity issuer = make_identity(&(struct make_certificate){ .common_name = "CA" });
	const struct make_certificate spec = { .names = "DNS:mail.example.org,DNS:imap.example.org",
					       .issuer = &issuer,
					       .to = now + 30 * A_DAY + A_DAY / 2 };
	struct bundle *bundle = make("npm-7", &spec);
	json_t *lineages = list_as_json(), *lineage = json_array_get(lineages, 0);
	const json_t *names = json_object_get(lineage, "names");
	char when[TEXT_TIME_LEN + 1];

	(void)state;
	assert_int_equal(child.status, EX_OK);
	assert_int_equal(json_integer_value(json_object_get(document, "version")), 1);
	assert_string_equal(text_of(document, "hostname"), "mail.example.org");
	assert_int_equal(json_array_size(lineages), 1);
	assert_string_equal(text_of(lineage, "lineage"), "npm-7");
	assert_true(json_is_true(json_object_get(lineage, "chosen")));
	assert_int_equal(json_array_size(names), 2);
	assert_string_equal(json_string_value(json_array_get(names, 0)), "mail.example.org");
	assert_string_equal(json_string_value(json_array_get(names, 1)), "imap.example.org");
	assert_string_equal(text_of(lineage, "subject"), "CN=mail.example.org");
	assert_string_equal(text_of(lineage, "key"), "EC P-256");
	text_time(when, bundle_not_before(bundle));
	assert_string_equal(text_of(lineage, "not_before"), when);
	text_time(when, spec.to);
	assert_string_equal(text_of(lineage, "not_after"), when);
	assert_int_equal(json_integer_value(json_object_get(lineage, "days_left")), 30);
	assert_string_equal(text_of(lineage, "sha256"), bundle_fingerprint(bundle));
	assert_string_equal(text_of(lineage, "spki_sha256"), bundle_spki(bundle));
	assert_null(json_object_get(lineage, "error"));
	bundle_free(bundle);
	identity_clear(&issuer);
}

static void one_that_cannot_be_read_has_an_error_in_the_json(void **state)
{
	json_t *lineages;

	(void)state;
	make_lineage("npm-1", &(struct make_certificate){ 0 });
	write_chain("npm-2", "junk", 4);
	lineages = list_as_json();
	assert_int_equal(child.status, EX_OK);
	assert_int_equal(json_array_size(lineages), 2);
	assert_true(json_is_true(json_object_get(json_array_get(lineages, 0), "chosen")));
	assert_true(json_is_false(json_object_get(json_array_get(lineages, 1), "chosen")));
	assert_contains(text_of(json_array_get(lineages, 1), "error"), "npm-2/fullchain.pem: ");
	assert_null(json_object_get(json_array_get(lineages, 1), "names"));
}

/* It is written in pieces, as one whole would be. */
static void assert_written_as_a_whole(void)
{
	_cleanup_(string_freep) char *whole =
		json_dumps(document, JSON_INDENT(2) | JSON_ENSURE_ASCII);
	size_t len;

	assert_non_null(whole);
	len = strlen(whole);
	assert_int_equal(strncmp(child.out, whole, len), 0);
	assert_string_equal(child.out + len, "\n");
}

static void the_json_is_indented_throughout(void **state)
{
	(void)state;
	make_lineage("npm-1", &(struct make_certificate){ 0 });
	make_lineage("npm-\n\"2\"", &(struct make_certificate){ .names = OTHER_NAME });
	write_chain("npm-3", "junk", 4);
	list_as_json();
	assert_written_as_a_whole();
}

static void without_lineages_the_json_has_an_empty_list(void **state)
{
	(void)state;
	assert_int_equal(json_array_size(list_as_json()), 0);
	assert_true(json_is_array(json_object_get(document, "lineages")));
	assert_written_as_a_whole();
	assert_int_equal(child.status, EX_NOINPUT);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(a_lineage_is_described_in_a_line),
		TEST(the_chosen_one_is_marked),
		TEST(the_pinned_one_is_marked),
		TEST(lineages_stand_in_the_order_of_their_numbers),
		TEST(many_lineages_are_all_in_their_order),
		TEST(one_that_cannot_be_read_is_shown_with_the_reason),
		TEST(an_expired_one_has_less_than_no_days_left),
		TEST(a_name_cannot_harm_a_terminal),
		TEST(the_table_is_printed_all_the_more_if_none_will_do),
		TEST(a_pinned_one_that_will_not_do_is_not_marked),
		TEST(without_a_tree_there_is_no_table),
		TEST(without_settings_there_is_no_table),
		TEST(a_table_that_cannot_be_printed_is_a_failure),
		TEST(all_of_a_lineage_is_in_the_json),
		TEST(one_that_cannot_be_read_has_an_error_in_the_json),
		TEST(the_json_is_indented_throughout),
		TEST(without_lineages_the_json_has_an_empty_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
