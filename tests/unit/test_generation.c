/* Names of generations. */
#include <string.h>

#include "certsync/generation.h"
#include "unit.h"

static const char fingerprint[] =
	"2D:71:16:42:B7:26:B0:44:01:23:45:67:89:AB:CD:EF:2D:71:16:42:B7:26:B0:44:01:23:45:67:89:"
	"AB:CD:EF";

static void a_name_tells_the_time_and_the_start_of_the_fingerprint(void **state)
{
	char name[GENERATION_NAME_LEN + 1];

	(void)state;
	generation_name(1795316407, fingerprint, name);
	assert_string_equal(name, "20261122T030007Z-2d711642b726b044");
	assert_int_equal(strlen(name), GENERATION_NAME_LEN);
}

static void a_name_that_was_made_is_recognised(void **state)
{
	char name[GENERATION_NAME_LEN + 1];

	(void)state;
	generation_name(0, fingerprint, name);
	assert_true(generation_is_name(name));
	assert_false(generation_is_part(name));
}

static void names_sort_by_time(void **state)
{
	char earlier[GENERATION_NAME_LEN + 1], later[GENERATION_NAME_LEN + 1];

	(void)state;
	/* 31 December, a second before the year ends. */
	generation_name(1798761599, "FF:FF:FF:FF:FF:FF:FF:FF", earlier);
	generation_name(1798761600, "00:00:00:00:00:00:00:00", later);
	assert_true(strcmp(earlier, later) < 0);
}

static void a_fingerprint_that_is_too_short_makes_no_name(void **state)
{
	char name[GENERATION_NAME_LEN + 1];

	(void)state;
	generation_name(1795316407, "2D:71", name);
	assert_string_equal(name, "20261122T030007Z-2d71");
	assert_false(generation_is_name(name));
}

static void anything_else_is_not_a_name(void **state)
{
	static const char *const others[] = {
		"",
		".",
		"..",
		"fullchain.pem",
		"20261122T030007Z-2d711642b726b04",   /* short */
		"20261122T030007Z-2d711642b726b0440", /* long */
		"20261122T030007Z-2D711642B726B044",  /* upper case */
		"20261122T030007Z-2d711642b726b04g",  /* not hexadecimal */
		"20261122T03000aZ-2d711642b726b044",  /* not a digit */
		"20261122 030007Z-2d711642b726b044",  /* no T */
		"20261122T030007Z_2d711642b726b044",  /* no hyphen */
		" 20261122T030007Z-2d711642b726b044", /* blank before */
		"20261122T030007Z-2d711642b726b044/", /* a path */
		".20261122T030007Z-2d711642b726b044", /* hidden */
		".20261122T030007Z-2d711642b726b044.part",
		"../20261122T030007Z-2d711642b726b",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (generation_is_name(others[i]))
			fail_msg("'%s' passes for a name", others[i]);
}

static void a_part_is_a_hidden_name_that_ends_in_part(void **state)
{
	static const char *const others[] = {
		"",
		".",
		"..",
		".part",
		"20261122T030007Z-2d711642b726b044",
		"20261122T030007Z-2d711642b726b044.part",
		".20261122T030007Z-2d711642b726b044",
		".20261122T030007Z-2d711642b726b044.par",
		".20261122T030007Z-2d711642b726b044.parts",
		".20261122T030007Z-2D711642b726b044.part",
		"..20261122T030007Z-2d711642b726b044.part",
		"x20261122T030007Z-2d711642b726b044.part",
	};

	(void)state;
	assert_true(generation_is_part(".20261122T030007Z-2d711642b726b044.part"));
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (generation_is_part(others[i]))
			fail_msg("'%s' passes for a part", others[i]);
}

static void a_spent_generation_is_a_hidden_name_that_ends_in_spent(void **state)
{
	(void)state;
	assert_true(generation_is_spent(".20261122T030007Z-2d711642b726b044.spent"));
	assert_false(generation_is_spent(".20261122T030007Z-2d711642b726b044.part"));
	assert_false(generation_is_spent("20261122T030007Z-2d711642b726b044.spent"));
	assert_false(generation_is_spent(".20261122T030007Z-2d711642b726b044"));
	assert_false(generation_is_part(".20261122T030007Z-2d711642b726b044.spent"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_tells_the_time_and_the_start_of_the_fingerprint),
		cmocka_unit_test(a_name_that_was_made_is_recognised),
		cmocka_unit_test(names_sort_by_time),
		cmocka_unit_test(a_fingerprint_that_is_too_short_makes_no_name),
		cmocka_unit_test(anything_else_is_not_a_name),
		cmocka_unit_test(a_part_is_a_hidden_name_that_ends_in_part),
		cmocka_unit_test(a_spent_generation_is_a_hidden_name_that_ends_in_spent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
