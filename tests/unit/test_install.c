#include <string.h>
#include <sys/stat.h>

#include "certsync/cleanup.h"
#include "certsync/journal.h"
#include "install.h"
#include "make_pair.h"
#include "run_child.h"
#include "scratch.h"

static struct install install;

/* A pair as certdeploy reads one; the caller clears it. */
static struct pair new_pair(void)
{
	struct identity made = make_identity(&(struct make_certificate){ 0 });
	struct pair pair = { .chain = pem_chain(made.certificate, NULL, NULL),
			     .key = pem_key(made.key, KEY_PKCS8) };

	identity_clear(&made);
	assert_int_equal(pair_judge(&pair, &(struct judge_rules){ .hostname = "" }), OUTCOME_OK);
	assert_true(pair_is_whole(&pair));
	return pair;
}

static int begin(void **state)
{
	if (scratch_make(state) < 0 || mkdirat(scratch_fd, "ssl", 0755) < 0 ||
	    mkdirat(scratch_fd, "state", 0700) < 0)
		return -1;
	install.ssl = openat(scratch_fd, "ssl", O_RDONLY | O_DIRECTORY);
	install.state = openat(scratch_fd, "state", O_RDONLY | O_DIRECTORY);
	journal_open("test", JOURNAL_QUIET);
	return install.ssl < 0 || install.state < 0;
}

static int end(void **state)
{
	close(install.ssl);
	close(install.state);
	return scratch_remove(state);
}

static void installed_is(const struct pair *wanted)
{
	_cleanup_(pair_clear) struct pair installed = PAIR_NONE;

	assert_int_equal(install_read(&install, &installed), OUTCOME_OK);
	assert_true(bytes_equal(&installed.chain, &wanted->chain));
	assert_true(bytes_equal(&installed.key, &wanted->key));
	assert_int_equal(faccessat(install.ssl, ".cert.pem.new", F_OK, 0), -1);
	assert_int_equal(faccessat(install.ssl, ".key.pem.new", F_OK, 0), -1);
}

static mode_t mode_of(const char *name)
{
	struct stat status;

	assert_int_equal(fstatat(install.ssl, name, &status, AT_SYMLINK_NOFOLLOW), 0);
	return status.st_mode;
}

static void a_pair_is_installed_and_awaits_its_reload(void **state)
{
	_cleanup_(pair_clear) struct pair pair = new_pair(), none = PAIR_NONE;

	(void)state;
	assert_false(install_is_pending(&install));
	assert_int_equal(install_pair(&install, &pair, &none, true), OUTCOME_OK);
	installed_is(&pair);
	assert_int_equal(mode_of("cert.pem"), S_IFREG | 0644);
	assert_int_equal(mode_of("key.pem"), S_IFREG | 0600);
	assert_true(install_is_pending(&install));
	assert_int_equal(install_finish(&install), OUTCOME_OK);
	assert_false(install_is_pending(&install));
}

static void there_is_nothing_to_recover_after_a_whole_run(void **state)
{
	_cleanup_(pair_clear) struct pair pair = new_pair(), none = PAIR_NONE;

	(void)state;
	assert_int_equal(install_recover(&install), OUTCOME_OK);
	assert_int_equal(install_pair(&install, &pair, &none, true), OUTCOME_OK);
	assert_int_equal(install_recover(&install), OUTCOME_OK);
	installed_is(&pair);
}

static void put(const char *name, const struct bytes *bytes)
{
	const struct file_access access = { getuid(), getgid(), 0600 };

	assert_int_equal(file_write(install.ssl, name, bytes, &access), OUTCOME_OK);
}

/* As a crash between the two renames leaves it: the record, the new key, the old certificate. */
static void what_the_record_names_is_completed(void **state)
{
	_cleanup_(pair_clear) struct pair old = new_pair(), new = new_pair(), none = { 0 };

	(void)state;
	assert_int_equal(install_pair(&install, &old, &none, true), OUTCOME_OK);
	assert_int_equal(install_mark_pending(&install, &new), OUTCOME_OK);
	put("key.pem", &new.key);
	put(".cert.pem.new", &new.chain);
	assert_int_equal(install_recover(&install), OUTCOME_COMPLETED);
	installed_is(&new);
	assert_true(install_is_pending(&install));
}

static void temporaries_that_the_record_does_not_name_are_removed(void **state)
{
	_cleanup_(pair_clear) struct pair old = new_pair(), new = new_pair(), none = { 0 };

	(void)state;
	assert_int_equal(install_pair(&install, &old, &none, true), OUTCOME_OK);
	put(".key.pem.new", &new.key);
	put(".cert.pem.new", &new.chain);
	assert_int_equal(install_recover(&install), OUTCOME_OK);
	installed_is(&old);
}

static void a_half_written_record_names_nothing(void **state)
{
	_cleanup_(pair_clear) struct pair old = new_pair(), new = new_pair(), none = { 0 };

	(void)state;
	assert_int_equal(install_pair(&install, &old, &none, true), OUTCOME_OK);
	scratch_write("state/pending", "0123", 4);
	put(".key.pem.new", &new.key);
	assert_int_equal(install_recover(&install), OUTCOME_OK);
	installed_is(&old);
}

static void a_link_is_not_the_real_thing_and_is_replaced(void **state)
{
	_cleanup_(pair_clear) struct pair pair = new_pair(), none = PAIR_NONE;

	(void)state;
	assert_int_equal(install_pair(&install, &pair, &none, true), OUTCOME_OK);
	assert_true(install_is_real(&install));
	assert_int_equal(renameat(install.ssl, "key.pem", install.ssl, "elsewhere.pem"), 0);
	assert_int_equal(symlinkat("elsewhere.pem", install.ssl, "key.pem"), 0);
	assert_false(install_is_real(&install));
	assert_int_equal(install_pair(&install, &pair, &none, true), OUTCOME_OK);
	assert_true(install_is_real(&install));
	assert_int_equal(mode_of("elsewhere.pem"), S_IFREG | 0600);
}

static void a_mode_that_was_changed_is_corrected(void **state)
{
	_cleanup_(pair_clear) struct pair pair = new_pair(), none = PAIR_NONE;

	(void)state;
	assert_int_equal(install_pair(&install, &pair, &none, true), OUTCOME_OK);
	assert_int_equal(fchmodat(install.ssl, "key.pem", 0644, 0), 0);
	assert_int_equal(install_correct_modes(&install), OUTCOME_OK);
	assert_int_equal(mode_of("key.pem"), S_IFREG | 0600);
}

/* A directory in the way of the second rename, as docker makes one for a missing file. */
static void a_pair_that_cannot_be_put_whole_is_not_put_at_all(void **state)
{
	_cleanup_(pair_clear) struct pair old = new_pair(), new = new_pair();
	_cleanup_(bytes_clear) struct bytes key = BYTES_NONE;

	(void)state;
	put("key.pem", &old.key);
	assert_int_equal(mkdirat(install.ssl, "cert.pem", 0755), 0);
	assert_int_equal(install_pair(&install, &new, &old, true), OUTCOME_FILE_UNSAFE);
	assert_contains(outcome_reason(OUTCOME_FILE_UNSAFE), "cert.pem");
	assert_int_equal(file_read(install.ssl, "key.pem", FILE_STAGED, BUNDLE_BYTES_MAX, &key),
			 OUTCOME_OK);
	assert_true(bytes_equal(&key, &old.key));
	assert_false(install_is_pending(&install));
	assert_int_equal(faccessat(install.ssl, ".cert.pem.new", F_OK, 0), -1);
}

static void previous_is(const struct pair *wanted)
{
	char command[256];
	struct bytes bytes;
	FILE *stream;
	char name[128] = "";

	snprintf(command, sizeof(command), "ls %s/state/previous", scratch);
	stream = popen(command, "r");
	assert_non_null(stream);
	assert_non_null(fgets(name, sizeof(name), stream));
	name[strcspn(name, "\n")] = '\0';
	/* That one alone. */
	assert_null(fgets(command, sizeof(command), stream));
	pclose(stream);
	snprintf(command, sizeof(command), "state/previous/%s/privkey.pem", name);
	assert_int_equal(file_read(scratch_fd, command, FILE_STAGED, BUNDLE_BYTES_MAX, &bytes),
			 OUTCOME_OK);
	assert_true(bytes_equal(&bytes, &wanted->key));
	bytes_clear(&bytes);
}

static void the_pair_before_is_kept_alone(void **state)
{
	_cleanup_(pair_clear) struct pair first = new_pair(), second = new_pair(),
					  third = new_pair(), none = PAIR_NONE;

	(void)state;
	assert_int_equal(install_pair(&install, &first, &none, true), OUTCOME_OK);
	assert_int_equal(install_pair(&install, &second, &first, true), OUTCOME_OK);
	previous_is(&first);
	assert_int_equal(install_pair(&install, &third, &second, true), OUTCOME_OK);
	previous_is(&second);
	/* Nothing that is no pair takes its place. */
	assert_int_equal(install_pair(&install, &first, &none, true), OUTCOME_OK);
	previous_is(&second);
}

#define install_test(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		install_test(a_pair_is_installed_and_awaits_its_reload),
		install_test(there_is_nothing_to_recover_after_a_whole_run),
		install_test(what_the_record_names_is_completed),
		install_test(temporaries_that_the_record_does_not_name_are_removed),
		install_test(a_half_written_record_names_nothing),
		install_test(a_link_is_not_the_real_thing_and_is_replaced),
		install_test(a_mode_that_was_changed_is_corrected),
		install_test(a_pair_that_cannot_be_put_whole_is_not_put_at_all),
		install_test(the_pair_before_is_kept_alone),
	};

	return cmocka_run_group_tests(tests, judge_one_here, NULL);
}
