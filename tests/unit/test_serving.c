#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "run_child.h"
#include "serving.h"

#define NEW "AA:AA:AA:AA"
#define OLD "0B:0B:0B:0B"

static struct wire_answer served(const char *fingerprint)
{
	struct wire_answer answer = { .result = WIRE_SERVED };

	snprintf(answer.fingerprint, sizeof(answer.fingerprint), "%s", fingerprint);
	return answer;
}

static struct wire_answer failed(enum wire_result result, const char *reason)
{
	struct wire_answer answer = { .result = result };

	snprintf(answer.reason, sizeof(answer.reason), "%s", reason);
	return answer;
}

/* --- in words --- */

static void described_is(enum serving_state state, struct wire_answer named,
			 struct wire_answer unnamed, const char *wanted)
{
	const struct serving_endpoint endpoint = { .state = state,
						   .named = named,
						   .unnamed = unnamed };
	char text[2 * WIRE_REASON_MAX];

	serving_describe(&endpoint, text, sizeof(text));
	assert_string_equal(text, wanted);
}

static void what_is_served_is_its_fingerprint(void **state)
{
	(void)state;
	described_is(SERVING_CURRENT, served(NEW), served(NEW), NEW);
	described_is(SERVING_STALE, served(OLD), served(OLD), OLD);
	described_is(SERVING_STALE, served(NEW), served(OLD), NEW "; without a name (SNI) " OLD);
	described_is(SERVING_STALE, served(OLD), served(NEW), OLD "; without a name (SNI) " NEW);
}

static void what_failed_is_said_in_the_words_of_the_question(void **state)
{
	const struct wire_answer refused = failed(WIRE_REFUSED, "Connection refused");
	const struct wire_answer alert = failed(WIRE_TLS_FAILED, "unrecognized name");

	(void)state;
	described_is(SERVING_DOWN, refused, refused, "Connection refused");
	described_is(SERVING_DOWN, alert, served(NEW), "unrecognized name");
	described_is(SERVING_DOWN, served(NEW), alert, "without a name (SNI): unrecognized name");
	described_is(SERVING_SKIPPED, refused, refused, "not asked");
	described_is(SERVING_SKIPPED, (struct wire_answer){ 0 }, (struct wire_answer){ 0 },
		     "not asked");
}

/* ${count} endpoints, each in ${state}. */
static struct serving many(size_t count, enum serving_state state, const char *named,
			   const char *unnamed)
{
	struct serving serving = { .count = count };

	for (size_t i = 0; i < count; i++) {
		struct serving_endpoint *endpoint = &serving.endpoint[i];

		*endpoint = (struct serving_endpoint){ .state = state,
						       .named = served(named),
						       .unnamed = served(unnamed) };
		snprintf(endpoint->endpoint.name, sizeof(endpoint->endpoint.name), "e%zu", i);
		snprintf(endpoint->endpoint.address, sizeof(endpoint->endpoint.address), "::1");
		endpoint->endpoint.port = 25;
	}
	return serving;
}

static void summary_is(struct serving serving, size_t size, const char *wanted)
{
	char text[SERVING_SUMMARY_MAX];

	assert_true(size <= sizeof(text));
	serving_summarize(&serving, NEW, text, size);
	assert_string_equal(text, wanted);
}

static void a_summary_names_each_endpoint_that_is_behind_and_how(void **state)
{
	struct serving mixed = many(4, SERVING_STALE, OLD, OLD);

	(void)state;
	mixed.endpoint[1].named = mixed.endpoint[1].unnamed = served(NEW);
	mixed.endpoint[1].state = SERVING_CURRENT;
	mixed.endpoint[2].named = served(NEW);
	mixed.endpoint[3].named = failed(WIRE_REFUSED, "Connection refused");
	mixed.endpoint[3].state = SERVING_DOWN;
	summary_is(mixed, SERVING_SUMMARY_MAX,
		   "1 of 4 endpoints serve " NEW "; e0 (::1 port 25): serves " OLD
		   "; e2 (::1 port 25): serves " OLD " without a name (SNI)"
		   "; e3 (::1 port 25): Connection refused");
	summary_is(many(2, SERVING_CURRENT, NEW, NEW), SERVING_SUMMARY_MAX,
		   "2 of 2 endpoints serve " NEW);
	summary_is(many(2, SERVING_SKIPPED, NEW, NEW), SERVING_SUMMARY_MAX,
		   "0 of 0 endpoints serve " NEW);
}

static void a_summary_counts_what_it_has_no_room_for(void **state)
{
	(void)state;
	summary_is(many(ENDPOINTS_MAX, SERVING_STALE, OLD, OLD), 128,
		   "0 of 32 endpoints serve " NEW "; e0 (::1 port 25): serves " OLD
		   "; e1 (::1 port 25): serves " OLD "; and 30 more");
}

static void a_summary_has_room_for_what_mailcow_serves(void **state)
{
	char fingerprint[BUNDLE_FINGERPRINT_LEN + 1], text[SERVING_SUMMARY_MAX];
	struct serving serving;

	(void)state;
	memset(fingerprint, 'A', BUNDLE_FINGERPRINT_LEN);
	fingerprint[BUNDLE_FINGERPRINT_LEN] = '\0';
	serving = many(9, SERVING_STALE, fingerprint, fingerprint);
	serving_summarize(&serving, fingerprint + 1, text, sizeof(text));
	assert_non_null(strstr(text, "; e8 (::1 port 25): "));
}

static void a_description_is_cut_to_the_room_there_is(void **state)
{
	const struct serving_endpoint endpoint = { .state = SERVING_STALE,
						   .named = served(NEW),
						   .unnamed = served(OLD) };
	char text[8] = "xxxxxxx";

	(void)state;
	serving_describe(&endpoint, text, 5);
	assert_string_equal(text, "AA:A");
	assert_int_equal(text[5], 'x');
}

/* --- counting --- */

static struct serving serving_of(const enum serving_state *states, size_t count)
{
	struct serving serving = { .count = count };

	for (size_t i = 0; i < count; i++)
		serving.endpoint[i].state = states[i];
	return serving;
}

static void endpoints_are_counted_by_state(void **state)
{
	static const enum serving_state states[] = { SERVING_SKIPPED, SERVING_CURRENT,
						     SERVING_STALE,   SERVING_CURRENT,
						     SERVING_CURRENT, SERVING_SKIPPED };
	static struct serving serving;

	(void)state;
	serving = serving_of(states, sizeof(states) / sizeof(states[0]));
	assert_int_equal(serving_count(&serving, SERVING_CURRENT), 3);
	assert_int_equal(serving_count(&serving, SERVING_STALE), 1);
	assert_int_equal(serving_count(&serving, SERVING_DOWN), 0);
	assert_int_equal(serving_count(&serving, SERVING_SKIPPED), 2);
	assert_int_equal(serving_asked(&serving), 4);
	assert_ptr_equal(serving_first(&serving, SERVING_CURRENT), &serving.endpoint[1]);
	assert_ptr_equal(serving_first(&serving, SERVING_SKIPPED), &serving.endpoint[0]);
	assert_null(serving_first(&serving, SERVING_DOWN));
	serving.count = 0;
	assert_int_equal(serving_count(&serving, SERVING_CURRENT), 0);
	assert_int_equal(serving_asked(&serving), 0);
	assert_null(serving_first(&serving, SERVING_CURRENT));
}

/* --- which are meant --- */

static void any_is_meant_but_the_skipped(void **state)
{
	struct serving_endpoint endpoint = { .state = SERVING_SKIPPED };

	(void)state;
	assert_false(serving_any(&endpoint));
	endpoint.state = SERVING_DOWN;
	assert_true(serving_any(&endpoint));
	endpoint.state = SERVING_STALE;
	assert_true(serving_any(&endpoint));
	endpoint.state = SERVING_CURRENT;
	assert_true(serving_any(&endpoint));
}

static void of_a_chosen_service_what_was_up_is_meant(void **state)
{
	static const struct {
		enum serving_state state;
		bool was_up, meant;
	} cases[] = {
		{ SERVING_CURRENT, false, true }, { SERVING_STALE, false, true },
		{ SERVING_DOWN, false, false },   { SERVING_DOWN, true, true },
		{ SERVING_SKIPPED, true, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct service service = { .chosen = true };
		struct serving_endpoint endpoint = { .service = &service,
						     .state = cases[i].state,
						     .was_up = cases[i].was_up };

		assert_int_equal(serving_of_chosen(&endpoint), cases[i].meant);
		service.chosen = false;
		assert_false(serving_of_chosen(&endpoint));
		endpoint.service = NULL;
		assert_false(serving_of_chosen(&endpoint));
	}
}

/* --- asking, where nobody listens --- */

/* A port of 127.0.0.1 that is bound and not listened on, as long as ${fd} is open. */
static int silent_port(int *fd)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t len = sizeof(address);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	*fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(*fd, (struct sockaddr *)&address, len), 0);
	assert_int_equal(getsockname(*fd, (struct sockaddr *)&address, &len), 0);
	return ntohs(address.sin_port);
}

static bool second_only(const struct serving_endpoint *endpoint)
{
	return !strcmp(endpoint->endpoint.name, "second");
}

static void make_silent(struct serving *serving, int port)
{
	static const char *const names[] = { "first", "second" };

	*serving = (struct serving){
		.count = 2, .hostname = "mail.example.org", .timeout = 5000, .settle = 300
	};
	for (size_t i = 0; i < serving->count; i++) {
		struct endpoint *endpoint = &serving->endpoint[i].endpoint;

		strcpy(endpoint->name, names[i]);
		strcpy(endpoint->address, "127.0.0.1");
		endpoint->port = port;
		serving->endpoint[i].state = SERVING_CURRENT;
	}
}

static void only_those_that_are_meant_are_asked(void **state)
{
	static struct serving serving;
	int fd;

	(void)state;
	make_silent(&serving, silent_port(&fd));
	assert_int_equal(serving_ask(&serving, second_only, NEW), OUTCOME_OK);
	assert_int_equal(serving.endpoint[0].state, SERVING_CURRENT);
	assert_int_equal(serving.endpoint[1].state, SERVING_DOWN);
	assert_int_equal(serving.endpoint[1].named.result, WIRE_REFUSED);
	assert_int_equal(serving.endpoint[1].unnamed.result, WIRE_REFUSED);
	close(fd);
}

static void waiting_for_what_never_comes_ends(void **state)
{
	static struct serving serving;
	deadline end = deadline_in(60 * 1000);
	int fd;

	(void)state;
	make_silent(&serving, silent_port(&fd));
	assert_int_equal(serving_await(&serving, serving_any, NEW), OUTCOME_OK);
	assert_int_equal(serving_count(&serving, SERVING_DOWN), 2);
	assert_true(deadline_left(end) > 0);
	close(fd);
}

static void without_endpoints_nothing_is_waited_for(void **state)
{
	static struct serving serving = { .settle = 60 * 60 * 1000 };

	(void)state;
	assert_int_equal(serving_ask(&serving, serving_any, NEW), OUTCOME_OK);
	assert_int_equal(serving_await(&serving, serving_any, NEW), OUTCOME_OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_served_is_its_fingerprint),
		cmocka_unit_test(what_failed_is_said_in_the_words_of_the_question),
		cmocka_unit_test(a_description_is_cut_to_the_room_there_is),
		cmocka_unit_test(a_summary_names_each_endpoint_that_is_behind_and_how),
		cmocka_unit_test(a_summary_counts_what_it_has_no_room_for),
		cmocka_unit_test(a_summary_has_room_for_what_mailcow_serves),
		cmocka_unit_test(endpoints_are_counted_by_state),
		cmocka_unit_test(any_is_meant_but_the_skipped),
		cmocka_unit_test(of_a_chosen_service_what_was_up_is_meant),
		cmocka_unit_test(only_those_that_are_meant_are_asked),
		cmocka_unit_test(waiting_for_what_never_comes_ends),
		cmocka_unit_test(without_endpoints_nothing_is_waited_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
