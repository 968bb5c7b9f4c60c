#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "certsync/journal.h"
#include "lineage.h"
#include "make_pair.h"
#include "run_child.h"
#include "scratch.h"

static char hostname[] = "mail.example.org", pinned[64];
static struct push_conf conf;
static struct lineage found;
static time_t now;

static int begin(void **state)
{
	pinned[0] = '\0';
	conf = (struct push_conf){ .live_dir = scratch, .hostname = hostname, .lineage = pinned };
	found = (struct lineage){ .bundle = NULL };
	now = time(NULL);
	journal_open("test", JOURNAL_QUIET);
	return scratch_make(state);
}

static int end(void **state)
{
	lineage_clear(&found);
	return scratch_remove(state);
}

static void make(const char *name, const struct make_certificate *spec)
{
	struct identity made = make_identity(spec);
	struct bytes chain = pem_chain(made.certificate, NULL, NULL);
	struct bytes key = pem_key(made.key, KEY_PKCS8);
	char path[256];

	mkdirat(scratch_fd, name, 0700);
	snprintf(path, sizeof(path), "%s/fullchain.pem", name);
	scratch_write(path, chain.data, chain.len);
	snprintf(path, sizeof(path), "%s/privkey.pem", name);
	scratch_write(path, key.data, key.len);
	bytes_clear(&chain);
	bytes_clear(&key);
	identity_clear(&made);
}

static void the_latest_issued_of_those_that_cover_the_host_is_found(void **state)
{
	(void)state;
	make("npm-1", &(struct make_certificate){ .from = now - 9 * A_DAY });
	make("npm-2", &(struct make_certificate){ .from = now - 3 * A_DAY });
	make("npm-3", &(struct make_certificate){ .from = now - 6 * A_DAY });
	make("npm-4", &(struct make_certificate){ .names = "DNS:www.example.org" });
	assert_int_equal(lineage_find(&conf, now, &found), OUTCOME_OK);
	assert_string_equal(found.name, "npm-2");
}

static void a_wildcard_covers_the_host(void **state)
{
	(void)state;
	make("npm-1", &(struct make_certificate){ .names = "DNS:*.EXAMPLE.org" });
	make("npm-2", &(struct make_certificate){ .names = "DNS:*.mail.example.org" });
	assert_int_equal(lineage_find(&conf, now, &found), OUTCOME_OK);
	assert_string_equal(found.name, "npm-1");
}

static void one_that_is_not_valid_now_is_passed_over(void **state)
{
	(void)state;
	make("npm-1", &(struct make_certificate){ .from = now - 9 * A_DAY });
	make("npm-2", &(struct make_certificate){ .from = now + A_DAY });
	make("npm-3", &(struct make_certificate){ .from = now - 3 * A_DAY, .to = now - A_DAY });
	assert_int_equal(lineage_find(&conf, now, &found), OUTCOME_OK);
	assert_string_equal(found.name, "npm-1");
}

static void if_all_have_expired_that_is_said(void **state)
{
	(void)state;
	make("npm-3", &(struct make_certificate){ .from = now - 3 * A_DAY, .to = now - A_DAY });
	assert_int_equal(lineage_find(&conf, now, &found), OUTCOME_CERT_EXPIRED);
	assert_contains(outcome_reason(OUTCOME_CERT_EXPIRED), "npm-3");
}

static void a_pinned_one_that_is_wrong_names_the_right_one(void **state)
{
	(void)state;
	make("npm-1", &(struct make_certificate){ .names = "DNS:www.example.org" });
	make("npm-7", &(struct make_certificate){ 0 });
	strcpy(pinned, "npm-1");
	assert_int_equal(lineage_find(&conf, now, &found), OUTCOME_LINEAGE_WRONG);
	assert_contains(outcome_reason(OUTCOME_LINEAGE_WRONG), "npm-7 would do");
	lineage_clear(&found);
	strcpy(pinned, "npm-9");
	assert_int_equal(lineage_find(&conf, now, &found), OUTCOME_LINEAGE_WRONG);
	assert_contains(outcome_reason(OUTCOME_LINEAGE_WRONG), "npm-7 would do");
	lineage_clear(&found);
	strcpy(pinned, "npm-7");
	assert_int_equal(lineage_find(&conf, now, &found), OUTCOME_OK);
}

static void what_cannot_be_read_is_named_when_nothing_else_serves(void **state)
{
	(void)state;
	assert_int_equal(mkdirat(scratch_fd, "npm-5", 0700), 0);
	scratch_write("npm-5/fullchain.pem", "junk", 4);
	assert_int_equal(lineage_find(&conf, now, &found), OUTCOME_NO_LINEAGE);
	assert_contains(outcome_reason(OUTCOME_NO_LINEAGE), "npm-5/fullchain.pem");
	make("npm-6", &(struct make_certificate){ 0 });
	assert_int_equal(lineage_find(&conf, now, &found), OUTCOME_OK);
	assert_string_equal(found.name, "npm-6");
}

static void a_missing_tree_names_the_setting(void **state)
{
	static char missing[] = "/nonexistent/live";

	(void)state;
	conf.live_dir = missing;
	assert_int_equal(lineage_find(&conf, now, &found), OUTCOME_NO_LINEAGE);
	assert_contains(outcome_reason(OUTCOME_NO_LINEAGE), "live_dir: /nonexistent/live");
}

static void a_good_pair_is_read_whole(void **state)
{
	struct bytes chain = BYTES_NONE, key = BYTES_NONE;
	struct bundle *bundle = NULL;

	(void)state;
	make("npm-5", &(struct make_certificate){ 0 });
	assert_int_equal(lineage_read_pair(&conf, "npm-5", now, &chain, &key, &bundle), OUTCOME_OK);
	assert_true(chain.len > 0 && key.len > 0);
	/* It was judged with the key, and does not keep it. */
	assert_int_equal(bundle_check_key(bundle), OUTCOME_KEY_MISMATCH);
	bundle_free(bundle);
	bytes_clear(&chain);
	bytes_clear(&key);
}

#define lineage_test(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		lineage_test(the_latest_issued_of_those_that_cover_the_host_is_found),
		lineage_test(a_wildcard_covers_the_host),
		lineage_test(one_that_is_not_valid_now_is_passed_over),
		lineage_test(if_all_have_expired_that_is_said),
		lineage_test(a_pinned_one_that_is_wrong_names_the_right_one),
		lineage_test(what_cannot_be_read_is_named_when_nothing_else_serves),
		lineage_test(a_missing_tree_names_the_setting),
		lineage_test(a_good_pair_is_read_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
