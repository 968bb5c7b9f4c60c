#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "certsync/cleanup.h"
#include "certsync/journal.h"
#include "make_pair.h"
#include "rejected.h"
#include "run_child.h"
#include "scratch.h"
#include "staging.h"

#define OLD    "20260101T000000Z-0000000000000001"
#define NEWER  "20260201T000000Z-0000000000000002"
#define NEWEST "20260301T000000Z-0000000000000003"
#define FUTURE "29990101T000000Z-0000000000000004"

static struct staging_rules rules;
static struct staging staging;
static struct pair installed;

static int begin(void **state)
{
	installed = PAIR_NONE;
	rules = (struct staging_rules){ .dir = scratch,
					.hostname = "mail.example.org",
					.installed = &installed,
					.rejected_in = -1,
					.now = time(NULL) };
	staging = (struct staging){ .dir = -1 };
	journal_open("test", JOURNAL_QUIET);
	return scratch_make(state);
}

static int end(void **state)
{
	staging_clear(&staging);
	pair_clear(&installed);
	return scratch_remove(state);
}

/* Stage a pair that is valid from ${from} in directory ${name} ("." for a flat one). */
static void stage(const char *name, time_t from, const char *names)
{
	struct identity made =
		make_identity(&(struct make_certificate){ .from = from, .names = names });
	struct bytes chain = pem_chain(made.certificate, NULL, NULL);
	struct bytes key = pem_key(made.key, KEY_PKCS8);
	char path[256];

	mkdirat(scratch_fd, name, 0700);
	snprintf(path, sizeof(path), "%s/" GENERATION_CHAIN, name);
	scratch_write(path, chain.data, chain.len);
	snprintf(path, sizeof(path), "%s/" GENERATION_KEY, name);
	scratch_write(path, key.data, key.len);
	bytes_clear(&chain);
	bytes_clear(&key);
	identity_clear(&made);
}

static void stage_good(const char *name, time_t from)
{
	stage(name, from, NULL);
}

static void stage_bad(const char *name)
{
	stage(name, 0, "DNS:elsewhere.example.net");
}

/* What is made from now on has a later change time than what is there. */
static void await_tick(void)
{
	struct stat before, after;

	assert_int_equal(mkdirat(scratch_fd, "tick", 0700), 0);
	assert_int_equal(fstatat(scratch_fd, "tick", &before, 0), 0);
	do {
		assert_int_equal(fchmodat(scratch_fd, "tick", 0700, 0), 0);
		assert_int_equal(fstatat(scratch_fd, "tick", &after, 0), 0);
	} while (!memcmp(&before.st_ctim, &after.st_ctim, sizeof(before.st_ctim)));
}

static bool exists(const char *name)
{
	return faccessat(scratch_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static void an_empty_directory_has_nothing_to_choose(void **state)
{
	(void)state;
	assert_int_equal(staging_choose(&rules, &staging), OUTCOME_OK);
	assert_false(pair_is_whole(&staging.pair));
	assert_int_equal(staging.rejected, OUTCOME_OK);
}

static void the_newest_good_generation_is_chosen_and_the_rest_goes(void **state)
{
	(void)state;
	stage_good(OLD, 0);
	stage_good(NEWER, 0);
	assert_int_equal(staging_choose(&rules, &staging), OUTCOME_OK);
	assert_string_equal(staging.name, NEWER);
	assert_int_equal(staging.rejected, OUTCOME_OK);
	/* One that came meanwhile is not ours to remove. */
	stage_good(NEWEST, 0);
	assert_int_equal(staging_tidy(&staging), OUTCOME_OK);
	assert_false(exists(OLD));
	assert_false(exists(NEWER));
	assert_true(exists(NEWEST));
}

/* The other host's clock ran ahead when it pushed the older one. */
static void the_certificate_decides_and_not_the_name(void **state)
{
	const time_t now = time(NULL);

	(void)state;
	stage_good(NEWER, now - A_DAY);
	stage_good(NEWEST, now - 3 * A_DAY);
	assert_int_equal(staging_choose(&rules, &staging), OUTCOME_OK);
	assert_string_equal(staging.name, NEWER);
}

static void the_newest_rejected_one_stays(void **state)
{
	(void)state;
	stage_good(OLD, 0);
	stage_bad(NEWER);
	stage_bad(NEWEST);
	assert_int_equal(staging_choose(&rules, &staging), OUTCOME_OK);
	assert_string_equal(staging.name, OLD);
	assert_int_equal(staging.rejected, OUTCOME_CERT_WRONG_HOST);
	assert_contains(staging.reason, NEWEST);
	assert_int_equal(staging_tidy(&staging), OUTCOME_OK);
	assert_false(exists(OLD));
	assert_false(exists(NEWER));
	assert_true(exists(NEWEST));
}

static void a_rejected_one_that_is_superseded_is_no_failure(void **state)
{
	(void)state;
	stage_bad(OLD);
	stage_good(NEWER, 0);
	assert_int_equal(staging_choose(&rules, &staging), OUTCOME_OK);
	assert_int_equal(staging.rejected, OUTCOME_OK);
	assert_int_equal(staging_tidy(&staging), OUTCOME_OK);
	assert_false(exists(OLD));
}

/* The other host's clock was wrong for a day. */
static void a_rejected_name_from_the_future_is_superseded_too(void **state)
{
	(void)state;
	stage_bad(FUTURE);
	await_tick();
	stage_good(NEWER, 0);
	assert_int_equal(staging_choose(&rules, &staging), OUTCOME_OK);
	assert_string_equal(staging.name, NEWER);
	assert_int_equal(staging.rejected, OUTCOME_OK);
}

/* Whoever made them has named them so that they come before all that is pushed today. */
static void many_bad_ones_do_not_hide_a_good_one_that_came_later(void **state)
{
	char name[GENERATION_NAME_LEN + 1];

	(void)state;
	for (int i = 0; i < 40; i++) {
		generation_name(time(NULL) + i * 60, "00112233445566778899", name);
		mkdirat(scratch_fd, name, 0700);
	}
	/* Not of the same moment: the file system's clock has to tick. */
	await_tick();
	stage_good(OLD, 0);
	assert_int_equal(staging_choose(&rules, &staging), OUTCOME_OK);
	assert_string_equal(staging.name, OLD);
	assert_int_equal(staging.rejected, OUTCOME_OK);
}

static void bad_ones_from_before_the_installed_one_are_superseded(void **state)
{
	struct stat status;

	(void)state;
	stage_bad(OLD);
	await_tick();
	assert_int_equal(mkdirat(scratch_fd, "later", 0700), 0);
	assert_int_equal(fstatat(scratch_fd, "later", &status, 0), 0);
	rules.installed_arrived = status.st_ctim;
	assert_int_equal(staging_choose(&rules, &staging), OUTCOME_OK);
	assert_int_equal(staging.rejected, OUTCOME_OK);
	assert_false(pair_is_whole(&staging.pair));
}

static void of_flat_and_generation_the_later_issued_is_chosen(void **state)
{
	const time_t now = time(NULL);

	(void)state;
	stage_good(NEWER, now - 3 * A_DAY);
	stage_good(".", now - 2 * A_DAY);
	assert_int_equal(staging_choose(&rules, &staging), OUTCOME_OK);
	assert_true(pair_is_whole(&staging.pair));
	assert_string_equal(staging.name, "");
	assert_int_equal(staging_tidy(&staging), OUTCOME_OK);
	assert_true(exists(GENERATION_KEY));
}

/* The clock that files are stamped with moves in steps: wait for the next one. */
static void wait_for_next_stamp(void)
{
	struct stat before, after;

	scratch_write("stamp", "", 0);
	assert_int_equal(fstatat(scratch_fd, "stamp", &before, 0), 0);
	do {
		assert_int_equal(fchmodat(scratch_fd, "stamp", 0600, 0), 0);
		assert_int_equal(fstatat(scratch_fd, "stamp", &after, 0), 0);
	} while (before.st_ctim.tv_sec == after.st_ctim.tv_sec &&
		 before.st_ctim.tv_nsec == after.st_ctim.tv_nsec);
}

static void a_rejected_one_that_came_first_is_superseded_whatever_its_name(void **state)
{
	(void)state;
	stage_bad(NEWEST);
	wait_for_next_stamp();
	stage_good(OLD, 0);
	assert_int_equal(staging_choose(&rules, &staging), OUTCOME_OK);
	assert_string_equal(staging.name, OLD);
	assert_int_equal(staging.rejected, OUTCOME_OK);
	assert_int_equal(staging_tidy(&staging), OUTCOME_OK);
	assert_false(exists(NEWEST));
}

static void a_rejected_flat_pair_counts_until_a_good_one_came(void **state)
{
	(void)state;
	stage_bad(".");
	assert_int_equal(staging_choose(&rules, &staging), OUTCOME_OK);
	assert_int_equal(staging.rejected, OUTCOME_CERT_WRONG_HOST);
	staging_clear(&staging);
	wait_for_next_stamp();
	stage_good(OLD, 0);
	assert_int_equal(staging_choose(&rules, &staging), OUTCOME_OK);
	assert_string_equal(staging.name, OLD);
	assert_int_equal(staging.rejected, OUTCOME_OK);
	/* The generation is gone, the flat pair is still there. */
	rules.installed_arrived = staging.pair.arrived;
	assert_int_equal(staging_tidy(&staging), OUTCOME_OK);
	staging_clear(&staging);
	assert_int_equal(staging_choose(&rules, &staging), OUTCOME_OK);
	assert_false(pair_is_whole(&staging.pair));
	assert_int_equal(staging.rejected, OUTCOME_OK);
}

static void links_are_not_followed(void **state)
{
	(void)state;
	stage_good("elsewhere", 0);
	assert_int_equal(symlinkat("elsewhere", scratch_fd, NEWER), 0);
	assert_int_equal(staging_choose(&rules, &staging), OUTCOME_OK);
	assert_false(pair_is_whole(&staging.pair));
	assert_int_equal(staging.rejected, OUTCOME_FILE_UNSAFE);
	staging_clear(&staging);
	assert_int_equal(symlinkat("elsewhere/" GENERATION_CHAIN, scratch_fd, GENERATION_CHAIN), 0);
	assert_int_equal(unlinkat(scratch_fd, NEWER, 0), 0);
	assert_int_equal(staging_choose(&rules, &staging), OUTCOME_OK);
	assert_int_equal(staging.rejected, OUTCOME_FILE_UNSAFE);
}

static void what_was_being_removed_is_removed_and_an_upload_is_left_alone(void **state)
{
	(void)state;
	stage_good("." OLD ".spent", 0);
	stage_good("." NEWER ".part", 0);
	stage_good("something else", 0);
	assert_int_equal(staging_choose(&rules, &staging), OUTCOME_OK);
	assert_false(pair_is_whole(&staging.pair));
	assert_int_equal(staging_remove_stale(&staging), OUTCOME_OK);
	assert_false(exists("." OLD ".spent"));
	assert_true(exists("." NEWER ".part"));
	assert_true(exists("something else"));
}

static void a_missing_directory_is_named(void **state)
{
	(void)state;
	rules.dir = "/nonexistent/incoming";
	assert_int_equal(staging_choose(&rules, &staging), OUTCOME_STAGING_MISSING);
	assert_contains(outcome_reason(OUTCOME_STAGING_MISSING), "/nonexistent/incoming");
}

/* --- rolled back --- */

/* Note of what is staged as ${name} what a run would that rolled it back. */
static void roll_back(const char *name)
{
	_cleanup_(pair_clear) struct pair pair = PAIR_NONE;
	char path[256];

	snprintf(path, sizeof(path), "%s/" GENERATION_CHAIN, name);
	assert_int_equal(file_read(scratch_fd, path, FILE_STAGED, BUNDLE_BYTES_MAX, &pair.chain),
			 OUTCOME_OK);
	snprintf(path, sizeof(path), "%s/" GENERATION_KEY, name);
	assert_int_equal(file_read(scratch_fd, path, FILE_STAGED, BUNDLE_BYTES_MAX, &pair.key),
			 OUTCOME_OK);
	assert_int_equal(rejected_add(scratch_fd, &pair, "imaps: refused"), OUTCOME_OK);
	rules.rejected_in = scratch_fd;
}

static void a_pair_that_was_rolled_back_is_refused(void **state)
{

	(void)state;
	stage_good(NEWER, 0);
	roll_back(NEWER);
	assert_int_equal(staging_choose(&rules, &staging), OUTCOME_OK);
	assert_false(pair_is_whole(&staging.pair));
	assert_null(staging.pair.key.data);
	assert_int_equal(staging.rejected, OUTCOME_ROLLED_BACK);
	assert_contains(staging.reason, NEWER ": ");
	assert_contains(staging.reason, "was rolled back before");
	assert_contains(staging.reason, ": imaps: refused");
	/* It stays, so that --force can have another try. */
	assert_int_equal(staging_tidy(&staging), OUTCOME_OK);
	assert_true(exists(NEWER));
	staging_clear(&staging);
	assert_int_equal(rejected_forget(scratch_fd), OUTCOME_OK);
	assert_int_equal(staging_choose(&rules, &staging), OUTCOME_OK);
	assert_string_equal(staging.name, NEWER);
	assert_int_equal(staging.rejected, OUTCOME_OK);
}

static void the_same_pair_is_refused_whatever_its_name(void **state)
{

	(void)state;
	stage_good(OLD, 0);
	roll_back(OLD);
	assert_int_equal(renameat(scratch_fd, OLD, scratch_fd, NEWEST), 0);
	assert_int_equal(staging_choose(&rules, &staging), OUTCOME_OK);
	assert_false(pair_is_whole(&staging.pair));
	assert_int_equal(staging.rejected, OUTCOME_ROLLED_BACK);
}

static void a_pair_that_changed_is_tried_again(void **state)
{
	char chain[BUNDLE_BYTES_MAX];
	ssize_t len;
	int fd;

	(void)state;
	stage_good(NEWER, 0);
	roll_back(NEWER);
	/* The same leaf, but for example with the certificate of its issuer. */
	fd = openat(scratch_fd, NEWER "/" GENERATION_CHAIN, O_RDWR | O_APPEND);
	len = read(fd, chain, sizeof(chain));
	assert_true(len > 0);
	assert_int_equal(write(fd, "\n", 1), 1);
	close(fd);
	assert_int_equal(staging_choose(&rules, &staging), OUTCOME_OK);
	assert_string_equal(staging.name, NEWER);
	assert_int_equal(staging.rejected, OUTCOME_OK);
	staging_clear(&staging);
	scratch_write(NEWER "/" GENERATION_CHAIN, chain, (size_t)len);
	assert_int_equal(staging_choose(&rules, &staging), OUTCOME_OK);
	assert_int_equal(staging.rejected, OUTCOME_ROLLED_BACK);
}

static void beside_a_rolled_back_one_a_good_one_is_chosen(void **state)
{
	const time_t now = time(NULL);

	(void)state;
	stage_good(NEWER, now - 2 * A_DAY);
	roll_back(NEWER);
	wait_for_next_stamp();
	stage_good(NEWEST, now - A_DAY);
	assert_int_equal(staging_choose(&rules, &staging), OUTCOME_OK);
	assert_string_equal(staging.name, NEWEST);
	assert_int_equal(staging.rejected, OUTCOME_OK);
	staging_clear(&staging);
	/* An older one is chosen too, and the rolled back one is still told of. */
	assert_int_equal(rejected_forget(scratch_fd), OUTCOME_OK);
	roll_back(NEWEST);
	assert_int_equal(staging_choose(&rules, &staging), OUTCOME_OK);
	assert_string_equal(staging.name, NEWER);
	assert_int_equal(staging.rejected, OUTCOME_ROLLED_BACK);
}

static void of_several_that_were_rolled_back_none_is_tried_again(void **state)
{
	(void)state;
	stage_good(NEWER, 0);
	stage_good(NEWEST, 0);
	roll_back(NEWER);
	roll_back(NEWEST);
	assert_int_equal(staging_choose(&rules, &staging), OUTCOME_OK);
	assert_false(pair_is_whole(&staging.pair));
	assert_int_equal(staging.rejected, OUTCOME_ROLLED_BACK);
}

static void what_is_wrong_itself_is_said_before_that(void **state)
{

	(void)state;
	stage_bad(NEWER);
	roll_back(NEWER);
	assert_int_equal(staging_choose(&rules, &staging), OUTCOME_OK);
	assert_int_equal(staging.rejected, OUTCOME_CERT_WRONG_HOST);
}

#define staging_test(test) cmocka_unit_test_setup_teardown(test, begin, end)

/* --- what is installed --- */

/* As if it had been judged before; no judge says such a type. */
static void install_what_is_staged(void)
{
	assert_int_equal(file_read(scratch_fd, GENERATION_CHAIN, FILE_STAGED, BUNDLE_BYTES_MAX,
				   &installed.chain),
			 OUTCOME_OK);
	assert_int_equal(file_read(scratch_fd, GENERATION_KEY, FILE_STAGED, BUNDLE_BYTES_MAX,
				   &installed.key),
			 OUTCOME_OK);
	installed.judged = (struct judgement){ .loaded = OUTCOME_OK,
					       .good = OUTCOME_OK,
					       .key_type = "as judged before" };
	memset(installed.judged.fingerprint, 'A', BUNDLE_FINGERPRINT_LEN);
}

static void assert_judged_before(bool before)
{
	assert_int_equal(staging_choose(&rules, &staging), OUTCOME_OK);
	assert_true(pair_is_whole(&staging.pair));
	assert_int_equal(!strcmp(staging.pair.judged.key_type, "as judged before"), before);
}

static void the_installed_pair_is_not_judged_again(void **state)
{
	(void)state;
	stage_good(".", 0);
	install_what_is_staged();
	assert_judged_before(true);
}

static void another_pair_is_judged(void **state)
{
	(void)state;
	stage_good(".", 0);
	install_what_is_staged();
	stage_good(".", 0);
	assert_judged_before(false);
}

static void another_key_beside_the_installed_chain_is_judged(void **state)
{
	(void)state;
	stage_good(".", 0);
	install_what_is_staged();
	bytes_clear(&installed.key);
	installed.key = bytes_of_text("another key\n");
	assert_judged_before(false);
}

static void where_there_are_roots_the_installed_pair_is_judged_by_them(void **state)
{
	struct bytes roots = bytes_of_text("no root at all\n");

	(void)state;
	stage_good(".", 0);
	install_what_is_staged();
	rules.roots = &roots;
	assert_int_equal(staging_choose(&rules, &staging), OUTCOME_OK);
	assert_false(pair_is_whole(&staging.pair));
	assert_true(outcome_failed(staging.rejected));
	bytes_clear(&roots);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		staging_test(an_empty_directory_has_nothing_to_choose),
		staging_test(the_newest_good_generation_is_chosen_and_the_rest_goes),
		staging_test(the_certificate_decides_and_not_the_name),
		staging_test(the_newest_rejected_one_stays),
		staging_test(a_rejected_one_that_is_superseded_is_no_failure),
		staging_test(a_rejected_name_from_the_future_is_superseded_too),
		staging_test(many_bad_ones_do_not_hide_a_good_one_that_came_later),
		staging_test(bad_ones_from_before_the_installed_one_are_superseded),
		staging_test(of_flat_and_generation_the_later_issued_is_chosen),
		staging_test(a_rejected_one_that_came_first_is_superseded_whatever_its_name),
		staging_test(a_rejected_flat_pair_counts_until_a_good_one_came),
		staging_test(links_are_not_followed),
		staging_test(what_was_being_removed_is_removed_and_an_upload_is_left_alone),
		staging_test(a_missing_directory_is_named),
		staging_test(a_pair_that_was_rolled_back_is_refused),
		staging_test(the_same_pair_is_refused_whatever_its_name),
		staging_test(a_pair_that_changed_is_tried_again),
		staging_test(of_several_that_were_rolled_back_none_is_tried_again),
		staging_test(beside_a_rolled_back_one_a_good_one_is_chosen),
		staging_test(what_is_wrong_itself_is_said_before_that),
		staging_test(the_installed_pair_is_not_judged_again),
		staging_test(another_pair_is_judged),
		staging_test(another_key_beside_the_installed_chain_is_judged),
		staging_test(where_there_are_roots_the_installed_pair_is_judged_by_them),
	};

	return cmocka_run_group_tests(tests, judge_one_here, NULL);
}
