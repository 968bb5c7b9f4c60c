#include <string.h>
#include <sys/stat.h>

#include "certsync/cleanup.h"
#include "record.h"
#include "run_child.h"
#include "scratch.h"

/* SHA-256 of the words. */
#define HASH_OF_CHAIN "9414886B1EBF025DB067A4CBD13A0903FBD9733A5372BBA1B58BD72C1699B798"
#define HASH_OF_KEY   "2C70E12B7A0646F92279F427C7B38E7334D8E5389CFF167A1DC30E73F826B683"

static const struct pair pair = { .chain = { (char[]){ "chain" }, 5 },
				  .key = { (char[]){ "key" }, 3 } };

static void write_record(const char *note)
{
	assert_int_equal(record_write(scratch_fd, RECORD_PENDING, &pair, note), OUTCOME_OK);
}

static struct record read_record(void)
{
	struct record record;

	assert_int_equal(record_read(scratch_fd, RECORD_PENDING, &record), OUTCOME_OK);
	assert_false(record_is_empty(&record));
	return record;
}

static void what_was_written_is_read(void **state)
{
	struct record record;
	struct stat status;

	(void)state;
	write_record("imaps: serves another");
	record = read_record();
	assert_string_equal(record.chain, HASH_OF_CHAIN);
	assert_string_equal(record.key, HASH_OF_KEY);
	assert_string_equal(record.note, "imaps: serves another");
	assert_true(record_is_of(&record, &pair));
	assert_int_equal(fstatat(scratch_fd, RECORD_PENDING, &status, AT_SYMLINK_NOFOLLOW), 0);
	assert_int_equal(status.st_mode, S_IFREG | 0600);
	assert_int_equal(faccessat(scratch_fd, "." RECORD_PENDING ".new", F_OK, 0), -1);
}

/* Names of endpoints are looked for in it with the blanks around them. */
static void a_note_keeps_its_blanks(void **state)
{
	static const char *const notes[] = { "", " ", " smtp imaps ", "\tx", "x  y" };

	(void)state;
	for (size_t i = 0; i < sizeof(notes) / sizeof(notes[0]); i++) {
		write_record(notes[i]);
		assert_string_equal(read_record().note, notes[i]);
	}
}

static void a_note_is_one_line_of_limited_length(void **state)
{
	char note[2 * RECORD_NOTE_MAX];

	(void)state;
	write_record("one\ntwo");
	assert_string_equal(read_record().note, "one");
	write_record("\ntwo");
	assert_string_equal(read_record().note, "");
	memset(note, 'n', sizeof(note) - 1);
	note[sizeof(note) - 1] = '\0';
	write_record(note);
	note[RECORD_NOTE_MAX] = '\0';
	assert_string_equal(read_record().note, note);
}

static void a_later_record_takes_the_place_of_an_earlier_one(void **state)
{
	(void)state;
	write_record("a long note of the first");
	write_record("second");
	assert_string_equal(read_record().note, "second");
}

static void records_of_two_names_are_two(void **state)
{
	struct record record;

	(void)state;
	write_record("x");
	assert_false(record_exists(scratch_fd, "rejected-0"));
	assert_int_equal(record_read(scratch_fd, "rejected-0", &record), OUTCOME_OK);
	assert_true(record_is_empty(&record));
	assert_int_equal(record_write(scratch_fd, "rejected-0", &pair, "y"), OUTCOME_OK);
	assert_string_equal(read_record().note, "x");
	assert_int_equal(record_remove(scratch_fd, RECORD_PENDING), OUTCOME_OK);
	assert_false(record_exists(scratch_fd, RECORD_PENDING));
	assert_true(record_exists(scratch_fd, "rejected-0"));
}

static void a_record_is_of_these_bytes_and_no_others(void **state)
{
	const struct bytes chain = { (char[]){ "chain\n" }, 6 }, key = { (char[]){ "KEY" }, 3 };
	const struct pair other_chain = { .chain = chain, .key = pair.key },
			  other_key = { .chain = pair.chain, .key = key },
			  turned = { .chain = pair.key, .key = pair.chain }, none = PAIR_NONE;
	struct record record;

	(void)state;
	write_record("");
	record = read_record();
	assert_false(record_is_of(&record, &other_chain));
	assert_false(record_is_of(&record, &other_key));
	assert_false(record_is_of(&record, &turned));
	assert_false(record_is_of(&record, &none));
	assert_true(record_hash_is(HASH_OF_KEY, &pair.key));
	assert_false(record_hash_is(HASH_OF_KEY, &pair.chain));
	assert_false(record_hash_is("", &pair.chain));
}

static void a_missing_pair_has_a_record_too(void **state)
{
	const struct pair none = PAIR_NONE;
	struct record record;

	(void)state;
	assert_int_equal(record_write(scratch_fd, RECORD_PENDING, &none, "x"), OUTCOME_OK);
	record = read_record();
	assert_true(record_is_of(&record, &none));
	assert_false(record_is_of(&record, &pair));
}

static void without_a_state_directory_there_is_no_record(void **state)
{
	struct record record;

	(void)state;
	assert_int_equal(record_read(-1, RECORD_PENDING, &record), OUTCOME_OK);
	assert_true(record_is_empty(&record));
	assert_string_equal(record.note, "");
	assert_false(record_exists(-1, RECORD_PENDING));
}

static void what_cannot_be_understood_exists_and_says_nothing(void **state)
{
	static const char *const damaged[] = {
		"",
		"\n\n\n",
		"pending",
		HASH_OF_CHAIN,
		HASH_OF_CHAIN " key.pem\n" HASH_OF_KEY " cert.pem\nnote\n",
		HASH_OF_CHAIN " cert.pem\n",
		HASH_OF_CHAIN " cert.pem\n2C70E12B",
		HASH_OF_CHAIN " cert.pem\n" HASH_OF_KEY " key",
		HASH_OF_CHAIN "0 cert.pem\n" HASH_OF_KEY " key.pem\nnote\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(damaged) / sizeof(damaged[0]); i++) {
		struct record record;

		scratch_write(RECORD_PENDING, damaged[i], strlen(damaged[i]));
		assert_true(record_exists(scratch_fd, RECORD_PENDING));
		assert_int_equal(record_read(scratch_fd, RECORD_PENDING, &record), OUTCOME_OK);
		if (!record_is_empty(&record))
			fail_msg("'%s' is understood", damaged[i]);
		assert_string_equal(record.note, "");
	}
}

static void odd_files_are_no_records(void **state)
{
	static char large[4096];
	struct record record;

	(void)state;
	scratch_write(RECORD_PENDING, large, 100);
	assert_int_equal(record_read(scratch_fd, RECORD_PENDING, &record), OUTCOME_OK);
	assert_true(record_is_empty(&record));
	memset(large, 'f', sizeof(large));
	scratch_write(RECORD_PENDING, large, sizeof(large));
	assert_int_equal(record_read(scratch_fd, RECORD_PENDING, &record), OUTCOME_OK);
	assert_true(record_is_empty(&record));
	write_record("x");
	assert_int_equal(renameat(scratch_fd, RECORD_PENDING, scratch_fd, "elsewhere"), 0);
	assert_int_equal(symlinkat("elsewhere", scratch_fd, RECORD_PENDING), 0);
	assert_int_equal(record_read(scratch_fd, RECORD_PENDING, &record), OUTCOME_OK);
	assert_true(record_is_empty(&record));
}

static void to_remove_what_is_not_there_is_no_failure(void **state)
{
	(void)state;
	assert_int_equal(record_remove(scratch_fd, RECORD_PENDING), OUTCOME_OK);
	assert_int_equal(mkdirat(scratch_fd, RECORD_PENDING, 0700), 0);
	assert_int_equal(record_remove(scratch_fd, RECORD_PENDING), OUTCOME_FILE_WRITE);
	assert_contains(outcome_reason(OUTCOME_FILE_WRITE), RECORD_PENDING ": cannot remove");
}

static void what_cannot_be_written_is_said(void **state)
{
	(void)state;
	assert_int_equal(mkdirat(scratch_fd, RECORD_PENDING, 0700), 0);
	assert_int_equal(record_write(scratch_fd, RECORD_PENDING, &pair, ""), OUTCOME_FILE_WRITE);
	assert_contains(outcome_reason(OUTCOME_FILE_WRITE), RECORD_PENDING);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(what_was_written_is_read),
		scratch_test(a_note_keeps_its_blanks),
		scratch_test(a_note_is_one_line_of_limited_length),
		scratch_test(a_later_record_takes_the_place_of_an_earlier_one),
		scratch_test(records_of_two_names_are_two),
		scratch_test(a_record_is_of_these_bytes_and_no_others),
		scratch_test(a_missing_pair_has_a_record_too),
		scratch_test(without_a_state_directory_there_is_no_record),
		scratch_test(what_cannot_be_understood_exists_and_says_nothing),
		scratch_test(odd_files_are_no_records),
		scratch_test(to_remove_what_is_not_there_is_no_failure),
		scratch_test(what_cannot_be_written_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
