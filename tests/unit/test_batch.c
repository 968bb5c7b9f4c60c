/* SFTP's messages: what is sent, byte for byte (draft-ietf-secsh-filexfer-02), and what counts as
 * an answer. */
#include <string.h>

#include "batch.h"
#include "unit.h"

#define FIRST 7
#define STAGE "testing"

static struct batch batch;

static int begin(void **state)
{
	(void)state;
	batch = batch_new(FIRST);
	return 0;
}

static int end(void **state)
{
	(void)state;
	batch_clear(&batch);
	return 0;
}

/* A text that may have '\0' in it. */
#define BYTES(text) text, sizeof(text) - 1

static void assert_sent(const char *expected, size_t len)
{
	assert_false(batch.out_of_memory);
	assert_int_equal(batch.used, len);
	assert_memory_equal(batch.out.data, expected, len);
}

static struct sftp_handle handle_of(const char *text)
{
	struct sftp_handle handle = { .len = strlen(text) };

	memcpy(handle.data, text, handle.len);
	return handle;
}

static bool answer(const char *data, size_t len)
{
	return batch_answer(&batch, (struct slice){ data, len });
}

/* --- what is sent --- */

static void a_directory_is_made_with_its_mode(void **state)
{
	(void)state;
	batch_mkdir(&batch, STAGE, "part", 0700);
	assert_sent(BYTES("\0\0\0\x15"
			  "\x0e"
			  "\0\0\0\x07"
			  "\0\0\0\x04"
			  "part"
			  "\0\0\0\x04"
			  "\0\0\x01\xc0"));
}

static void a_file_is_created_where_there_is_none(void **state)
{
	(void)state;
	batch_create(&batch, STAGE, "f", 0600);
	assert_sent(BYTES("\0\0\0\x16"
			  "\x03"
			  "\0\0\0\x07"
			  "\0\0\0\x01"
			  "f"
			  "\0\0\0\x2a"
			  "\0\0\0\x04"
			  "\0\0\x01\x80"));
}

static void a_file_is_written_synced_and_closed_in_this_order(void **state)
{
	const struct sftp_handle file = handle_of("hd");
	const struct bytes content = { .data = (char[]){ "abc" }, .len = 3 };

	(void)state;
	batch_write(&batch, STAGE, &file, &content);
	batch_sync(&batch, STAGE, &file);
	batch_close(&batch, STAGE, &file);
	assert_sent(BYTES("\0\0\0\x1a"
			  "\x06"
			  "\0\0\0\x07"
			  "\0\0\0\x02"
			  "hd"
			  "\0\0\0\0\0\0\0\0"
			  "\0\0\0\x03"
			  "abc"
			  "\0\0\0\x20"
			  "\xc8"
			  "\0\0\0\x08"
			  "\0\0\0\x11"
			  "fsync@openssh.com"
			  "\0\0\0\x02"
			  "hd"
			  "\0\0\0\x0b"
			  "\x04"
			  "\0\0\0\x09"
			  "\0\0\0\x02"
			  "hd"));
}

static void names_are_changed_and_removed(void **state)
{
	(void)state;
	batch_rename(&batch, STAGE, "a", "bc");
	batch_remove(&batch, STAGE, "d");
	batch_rmdir(&batch, STAGE, "e");
	assert_sent(BYTES("\0\0\0\x10"
			  "\x12"
			  "\0\0\0\x07"
			  "\0\0\0\x01"
			  "a"
			  "\0\0\0\x02"
			  "bc"
			  "\0\0\0\x0a"
			  "\x0d"
			  "\0\0\0\x08"
			  "\0\0\0\x01"
			  "d"
			  "\0\0\0\x0a"
			  "\x0f"
			  "\0\0\0\x09"
			  "\0\0\0\x01"
			  "e"));
}

static void what_is_too_long_for_one_message_is_written_by_several(void **state)
{
	const struct sftp_handle file = handle_of("h");
	struct bytes content = bytes_new(2 * BATCH_WRITE_MAX + 1);
	const struct batch_request *write;
	/* Length, message, number, handle, offset, length of the data. */
	const size_t head = 4 + 1 + 4 + 5 + 8 + 4;
	const char *last;

	(void)state;
	assert_non_null(content.data);
	content.data[content.len - 1] = 'z';
	write = batch_write(&batch, STAGE, &file, &content);
	assert_int_equal(write->count, 3);
	assert_int_equal(batch.used, 3 * head + content.len);
	last = batch.out.data + 2 * (head + BATCH_WRITE_MAX);
	assert_memory_equal(last + 5, "\0\0\0\x09", 4);
	assert_memory_equal(last + 14, "\0\0\0\0\0\x01\0\0\0\0\0\x01z", 13);
	bytes_clear(&content);
}

static void nothing_is_written_by_no_message(void **state)
{
	const struct sftp_handle file = handle_of("h");

	(void)state;
	batch_write(&batch, STAGE, &file, &BYTES_NONE);
	assert_int_equal(batch.used, 0);
	assert_null(batch_awaited(&batch));
}

/* --- answers --- */

static void answers_may_come_in_any_order(void **state)
{
	const struct batch_request *made = batch_mkdir(&batch, STAGE, "a", 0700);
	const struct batch_request *opened = batch_create(&batch, STAGE, "b", 0600);
	const struct batch_request *removed = batch_remove(&batch, STAGE, "c");

	(void)state;
	assert_ptr_equal(batch_awaited(&batch), made);
	assert_true(answer(BYTES("\x66\0\0\0\x08\0\0\0\x03xyz")));
	assert_true(answer(BYTES("\x65\0\0\0\x09\0\0\0\x02")));
	assert_ptr_equal(batch_awaited(&batch), made);
	/* With a message and a language, as servers of version 3 have them. */
	assert_true(answer(BYTES("\x65\0\0\0\x07\0\0\0\0\0\0\0\x02ok\0\0\0\0")));
	assert_null(batch_awaited(&batch));
	assert_int_equal(made->status, SFTP_OK);
	assert_int_equal(removed->status, SFTP_NO_SUCH_FILE);
	assert_int_equal(opened->status, SFTP_OK);
	assert_int_equal(opened->handle.len, 3);
	assert_memory_equal(opened->handle.data, "xyz", 3);
}

static void of_several_messages_the_first_refusal_counts(void **state)
{
	const struct sftp_handle file = handle_of("h");
	struct bytes content = bytes_new(2 * BATCH_WRITE_MAX + 1);
	const struct batch_request *write;

	(void)state;
	assert_non_null(content.data);
	write = batch_write(&batch, STAGE, &file, &content);
	bytes_clear(&content);
	assert_true(answer(BYTES("\x65\0\0\0\x07\0\0\0\x04")));
	assert_true(answer(BYTES("\x65\0\0\0\x08\0\0\0\x0e")));
	assert_ptr_equal(batch_awaited(&batch), write);
	assert_true(answer(BYTES("\x65\0\0\0\x09\0\0\0\0")));
	assert_null(batch_awaited(&batch));
	assert_int_equal(write->status, SFTP_FAILURE);
}

static void what_is_opened_may_be_refused(void **state)
{
	const struct batch_request *opened = batch_create(&batch, STAGE, "b", 0600);

	(void)state;
	assert_true(answer(BYTES("\x65\0\0\0\x07\0\0\0\x03")));
	assert_int_equal(opened->status, SFTP_PERMISSION_DENIED);
	assert_int_equal(opened->handle.len, 0);
}

static void what_is_no_answer_is_known(void **state)
{
	static const struct {
		const char *why, *data;
		size_t len;
	} wrong[] = {
		{ "nothing", BYTES("") },
		{ "a message alone", BYTES("\x65") },
		{ "a cut number", BYTES("\x65\0\0\0") },
		{ "no status", BYTES("\x65\0\0\0\x07") },
		{ "a cut status", BYTES("\x65\0\0\0\x07\0\0\0") },
		{ "a number before", BYTES("\x65\0\0\0\x06\0\0\0\0") },
		{ "a number behind", BYTES("\x65\0\0\0\x09\0\0\0\0") },
		{ "another message", BYTES("\x67\0\0\0\x07\0\0\0\0") },
		{ "a handle not asked for", BYTES("\x66\0\0\0\x07\0\0\0\x01x") },
		{ "no handle", BYTES("\x65\0\0\0\x08\0\0\0\0") },
		{ "an empty handle", BYTES("\x66\0\0\0\x08\0\0\0\0") },
		{ "a cut handle", BYTES("\x66\0\0\0\x08\0\0\0\x02x") },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		batch_clear(&batch);
		batch = batch_new(FIRST);
		batch_mkdir(&batch, STAGE, "a", 0700);
		batch_create(&batch, STAGE, "b", 0600);
		if (answer(wrong[i].data, wrong[i].len))
			fail_msg("taken for an answer: %s", wrong[i].why);
		if (batch.requests[0].answered || batch.requests[1].answered)
			fail_msg("answered by it: %s", wrong[i].why);
	}
}

static void a_handle_may_have_256_bytes_and_no_more(void **state)
{
	char packet[1 + 4 + 4 + BATCH_HANDLE_MAX + 1] = "\x66\0\0\0\x07\0\0\x01";

	(void)state;
	batch_create(&batch, STAGE, "b", 0600);
	assert_true(answer(packet, sizeof(packet) - 1));
	assert_int_equal(batch.requests[0].handle.len, BATCH_HANDLE_MAX);

	batch_clear(&batch);
	batch = batch_new(FIRST);
	batch_create(&batch, STAGE, "b", 0600);
	packet[8] = 1;
	assert_false(answer(packet, sizeof(packet)));
}

static void a_request_is_not_answered_twice(void **state)
{
	(void)state;
	batch_mkdir(&batch, STAGE, "a", 0700);
	assert_true(answer(BYTES("\x65\0\0\0\x07\0\0\0\x04")));
	assert_false(answer(BYTES("\x65\0\0\0\x07\0\0\0\0")));
	assert_int_equal(batch.requests[0].status, SFTP_FAILURE);
}

static void the_greeting_asks_for_version_3_and_takes_no_older_one(void **state)
{
	char greeting[BATCH_INIT_LEN];

	(void)state;
	batch_init(greeting);
	assert_memory_equal(greeting, "\0\0\0\x05\x01\0\0\0\x03", sizeof(greeting));
	assert_true(batch_init_answer((struct slice){ BYTES("\x02\0\0\0\x03") }));
	assert_true(
		batch_init_answer((struct slice){ BYTES("\x02\0\0\0\x03\0\0\0\x01x\0\0\0\0") }));
	assert_false(batch_init_answer((struct slice){ BYTES("\x02\0\0\0\x02") }));
	assert_false(batch_init_answer((struct slice){ BYTES("\x65\0\0\0\x03") }));
	assert_false(batch_init_answer((struct slice){ BYTES("\x02\0\0\0") }));
	assert_false(batch_init_answer((struct slice){ BYTES("") }));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(a_directory_is_made_with_its_mode),
		TEST(a_file_is_created_where_there_is_none),
		TEST(a_file_is_written_synced_and_closed_in_this_order),
		TEST(names_are_changed_and_removed),
		TEST(what_is_too_long_for_one_message_is_written_by_several),
		TEST(nothing_is_written_by_no_message),
		TEST(answers_may_come_in_any_order),
		TEST(of_several_messages_the_first_refusal_counts),
		TEST(what_is_opened_may_be_refused),
		TEST(what_is_no_answer_is_known),
		TEST(a_handle_may_have_256_bytes_and_no_more),
		TEST(a_request_is_not_answered_twice),
		TEST(the_greeting_asks_for_version_3_and_takes_no_older_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
