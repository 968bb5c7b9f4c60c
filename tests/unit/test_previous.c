#include <dirent.h>
#include <string.h>
#include <sys/stat.h>

#include "certsync/cleanup.h"
#include "certsync/generation.h"
#include "make_pair.h"
#include "previous.h"
#include "run_child.h"
#include "scratch.h"

/* A pair as certdeploy reads one, its key perhaps that of ${other}; the caller clears it. */
static struct pair new_pair(const struct pair *other)
{
	struct identity made = make_identity(&(struct make_certificate){ 0 });
	struct pair pair = { .chain = pem_chain(made.certificate, NULL, NULL),
			     .key = other ? bytes_of(other->key.data, other->key.len)
					  : pem_key(made.key, KEY_PKCS8) };

	identity_clear(&made);
	assert_int_equal(pair_judge(&pair, &(struct judge_rules){ .hostname = "" }), OUTCOME_OK);
	assert_true(pair_is_whole(&pair));
	return pair;
}

static void kept_is(const struct pair *wanted)
{
	_cleanup_(pair_clear) struct pair pair = PAIR_NONE;

	assert_int_equal(previous_read(scratch_fd, &pair), OUTCOME_OK);
	assert_true(bytes_equal(&pair.chain, &wanted->chain));
	assert_true(bytes_equal(&pair.key, &wanted->key));
	assert_string_equal(pair.judged.fingerprint, wanted->judged.fingerprint);
}

static void none_is_kept(int state)
{
	struct pair pair = PAIR_NONE;

	assert_int_equal(previous_read(state, &pair), OUTCOME_OK);
	assert_false(pair_is_whole(&pair));
	assert_null(pair.chain.data);
	assert_null(pair.key.data);
}

/* The path of ${file} in the one generation that is kept, until the next call; "": in none. */
static const char *kept_path(const char *file)
{
	static char path[512];
	int fd = openat(scratch_fd, "previous", O_RDONLY | O_DIRECTORY);
	DIR *entries = fdopendir(fd);
	struct dirent *entry;

	assert_non_null(entries);
	path[0] = '\0';
	while ((entry = readdir(entries))) {
		if (entry->d_name[0] == '.')
			continue;
		assert_string_equal(path, "");
		snprintf(path, sizeof(path), "previous/%s/%s", entry->d_name, file);
	}
	closedir(entries);
	return path;
}

static mode_t mode_of(const char *path)
{
	struct stat status;

	assert_int_equal(fstatat(scratch_fd, path, &status, AT_SYMLINK_NOFOLLOW), 0);
	return status.st_mode;
}

static void at_first_there_is_none(void **state)
{
	(void)state;
	none_is_kept(-1);
	none_is_kept(scratch_fd);
	assert_int_equal(mkdirat(scratch_fd, "previous", 0700), 0);
	none_is_kept(scratch_fd);
}

static void what_is_kept_is_read(void **state)
{
	_cleanup_(pair_clear) struct pair pair = new_pair(NULL);

	(void)state;
	assert_int_equal(previous_keep(scratch_fd, &pair), OUTCOME_OK);
	kept_is(&pair);
	assert_int_equal(mode_of("previous"), S_IFDIR | 0700);
	assert_int_equal(mode_of(kept_path(".")), S_IFDIR | 0700);
	assert_int_equal(mode_of(kept_path(GENERATION_CHAIN)), S_IFREG | 0600);
	assert_int_equal(mode_of(kept_path(GENERATION_KEY)), S_IFREG | 0600);
	/* The same once more, in the same second as a rule. */
	assert_int_equal(previous_keep(scratch_fd, &pair), OUTCOME_OK);
	kept_is(&pair);
}

static void the_last_one_takes_the_place_of_all_others(void **state)
{
	_cleanup_(pair_clear) struct pair first = new_pair(NULL), second = new_pair(NULL);

	(void)state;
	assert_int_equal(previous_keep(scratch_fd, &first), OUTCOME_OK);
	assert_int_equal(mkdirat(scratch_fd, "previous/.left-over", 0700), 0);
	assert_int_equal(previous_keep(scratch_fd, &second), OUTCOME_OK);
	kept_is(&second);
	assert_int_equal(faccessat(scratch_fd, "previous/.left-over", F_OK, 0), -1);
}

static void one_that_is_no_pair_is_not_kept(void **state)
{
	_cleanup_(pair_clear) struct pair good = new_pair(NULL), mixed = new_pair(&good);
	const struct pair none = PAIR_NONE;

	(void)state;
	assert_int_equal(previous_keep(scratch_fd, &mixed), OUTCOME_OK);
	none_is_kept(scratch_fd);
	assert_int_equal(previous_keep(scratch_fd, &good), OUTCOME_OK);
	assert_int_equal(previous_keep(scratch_fd, &mixed), OUTCOME_OK);
	assert_int_equal(previous_keep(scratch_fd, &none), OUTCOME_OK);
	kept_is(&good);
}

static void a_damaged_one_is_none(void **state)
{
	_cleanup_(pair_clear) struct pair pair = new_pair(NULL), other = new_pair(NULL);
	static const char *const files[] = { GENERATION_CHAIN, GENERATION_KEY };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		const struct bytes *bytes = i ? &pair.key : &pair.chain;

		assert_int_equal(previous_keep(scratch_fd, &pair), OUTCOME_OK);
		/* The end is missing. */
		scratch_write(kept_path(files[i]), bytes->data, bytes->len / 2);
		none_is_kept(scratch_fd);
		scratch_write(kept_path(files[i]), "", 0);
		none_is_kept(scratch_fd);
		/* It is another's. */
		scratch_write(kept_path(files[i]), i ? other.key.data : other.chain.data,
			      i ? other.key.len : other.chain.len);
		none_is_kept(scratch_fd);
		assert_int_equal(unlinkat(scratch_fd, kept_path(files[i]), 0), 0);
		none_is_kept(scratch_fd);
		assert_int_equal(symlinkat("/dev/null", scratch_fd, kept_path(files[i])), 0);
		none_is_kept(scratch_fd);
		assert_int_equal(file_remove_tree(scratch_fd, "previous"), OUTCOME_OK);
	}
}

/* As a run that was killed leaves it. */
static void beside_a_half_written_one_the_whole_one_is_read(void **state)
{
	_cleanup_(pair_clear) struct pair pair = new_pair(NULL);
	static const char part[] = "previous/.20260101T000000Z-0000000000000001.part";
	static const char empty[] = "previous/20260101T000000Z-0000000000000001";
	char name[512];

	(void)state;
	assert_int_equal(previous_keep(scratch_fd, &pair), OUTCOME_OK);
	assert_int_equal(mkdirat(scratch_fd, part, 0700), 0);
	assert_int_equal(mkdirat(scratch_fd, empty, 0700), 0);
	kept_is(&pair);
	/* A whole one that has not got its name yet does not count. */
	assert_int_equal(unlinkat(scratch_fd, part, AT_REMOVEDIR), 0);
	assert_int_equal(unlinkat(scratch_fd, empty, AT_REMOVEDIR), 0);
	snprintf(name, sizeof(name), "%s", kept_path(""));
	name[strlen(name) - 1] = '\0';
	assert_int_equal(renameat(scratch_fd, name, scratch_fd, part), 0);
	none_is_kept(scratch_fd);
}

static void what_is_in_the_way_is_said(void **state)
{
	_cleanup_(pair_clear) struct pair pair = new_pair(NULL);

	(void)state;
	scratch_write("previous", "", 0);
	assert_int_equal(previous_keep(scratch_fd, &pair), OUTCOME_FILE_WRITE);
	assert_contains(outcome_reason(OUTCOME_FILE_WRITE), "previous: cannot open");
	none_is_kept(scratch_fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(at_first_there_is_none),
		scratch_test(what_is_kept_is_read),
		scratch_test(the_last_one_takes_the_place_of_all_others),
		scratch_test(one_that_is_no_pair_is_not_kept),
		scratch_test(a_damaged_one_is_none),
		scratch_test(beside_a_half_written_one_the_whole_one_is_read),
		scratch_test(what_is_in_the_way_is_said),
	};

	return cmocka_run_group_tests(tests, judge_one_here, NULL);
}
