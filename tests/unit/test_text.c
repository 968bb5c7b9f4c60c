/* Text that is safe to show. */
#include <string.h>

#include "certsync/text.h"
#include "unit.h"

/* The printable form of ${from} in ${size} bytes is ${wanted}, and nothing beyond them is touched.
 */
static void shows(size_t size, const char *from, size_t len, const char *wanted)
{
	char to[64];

	memset(to, '~', sizeof(to));
	text_printable(to, size, from, len);
	assert_string_equal(to, wanted);
	for (size_t i = size; i < sizeof(to); i++)
		assert_int_equal(to[i], '~');
}

static void printable_ascii_is_kept(void **state)
{
	(void)state;
	shows(32, "", 0, "");
	shows(32, "mail.example.org", 16, "mail.example.org");
	shows(32, " !\"\\~", 5, " !\"\\~");
}

static void only_the_bytes_given_are_shown(void **state)
{
	(void)state;
	shows(32, "mail.example.org", 4, "mail");
}

static void everything_else_is_shown_as_a_number(void **state)
{
	(void)state;
	shows(32, "a\nb\033c\x7f", 6, "a\\x0ab\\x1bc\\x7f");
	shows(32, "\0\x1f\x80\xff", 4, "\\x00\\x1f\\x80\\xff");
}

static void a_text_that_is_too_long_ends_in_dots(void **state)
{
	(void)state;
	shows(10, "abcdefghijkl", 12, "abcdef...");
	/* No number is cut in two. */
	shows(10, "\n\n\n\n", 4, "\\x0a...");
	shows(12, "\n\n\n\n", 4, "\\x0a\\x0a...");
}

static void a_text_that_just_fits_is_not_cut(void **state)
{
	(void)state;
	shows(10, "abcdefghi", 9, "abcdefghi");
	shows(10, "abcdefgh", 8, "abcdefgh");
	shows(10, "abcdefg", 7, "abcdefg");
	shows(9, "\n\n", 2, "\\x0a\\x0a");
}

static void too_little_room_is_never_overrun(void **state)
{
	(void)state;
	shows(4, "abcdef", 6, "...");
	shows(3, "abcdef", 6, "..");
	shows(1, "abcdef", 6, "");
	shows(1, "", 0, "");
}

static void no_room_at_all_is_left_alone(void **state)
{
	char to[2] = "~";

	(void)state;
	text_printable(to, 0, "abc", 3);
	assert_string_equal(to, "~");
}

static void times_are_iso_8601_in_utc(void **state)
{
	char to[TEXT_TIME_LEN + 1];

	(void)state;
	text_time(to, 0);
	assert_string_equal(to, "1970-01-01T00:00:00Z");
	text_time(to, 1700000000);
	assert_string_equal(to, "2023-11-14T22:13:20Z");
	/* The end of an ASN.1 time, RFC 5280 4.1.2.5. */
	text_time(to, 253402300799);
	assert_string_equal(to, "9999-12-31T23:59:59Z");
	text_time(to, -1);
	assert_string_equal(to, "1969-12-31T23:59:59Z");
}

static void a_time_with_a_longer_year_is_unknown(void **state)
{
	char to[TEXT_TIME_LEN + 1];

	(void)state;
	text_time(to, 253402300800);
	assert_string_equal(to, "unknown");
	text_time(to, INT64_MAX);
	assert_string_equal(to, "unknown");
}

static void spans_are_told_in_the_unit_that_fits(void **state)
{
	static const struct {
		time_t seconds;
		const char *text;
	} spans[] = {
		{ -5, "0 seconds" },     { 0, "0 seconds" },        { 1, "1 second" },
		{ 59, "59 seconds" },    { 60, "1 minute" },        { 3600, "60 minutes" },
		{ 7199, "119 minutes" }, { 7200, "2 hours" },       { 47 * 3600, "47 hours" },
		{ 48 * 3600, "2 days" }, { 90 * 86400, "90 days" },
	};
	char text[TEXT_SPAN_LEN + 1];

	(void)state;
	for (size_t i = 0; i < sizeof(spans) / sizeof(spans[0]); i++) {
		text_span(text, spans[i].seconds);
		assert_string_equal(text, spans[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(spans_are_told_in_the_unit_that_fits),
		cmocka_unit_test(printable_ascii_is_kept),
		cmocka_unit_test(only_the_bytes_given_are_shown),
		cmocka_unit_test(everything_else_is_shown_as_a_number),
		cmocka_unit_test(a_text_that_is_too_long_ends_in_dots),
		cmocka_unit_test(a_text_that_just_fits_is_not_cut),
		cmocka_unit_test(too_little_room_is_never_overrun),
		cmocka_unit_test(no_room_at_all_is_left_alone),
		cmocka_unit_test(times_are_iso_8601_in_utc),
		cmocka_unit_test(a_time_with_a_longer_year_is_unknown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
