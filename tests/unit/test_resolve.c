/* Addresses of names: by resolve, and as wire_ask uses them. */
#include <signal.h>

#include "certsync/cleanup.h"
#include "certsync/deadline.h"
#include "certsync/interrupt.h"
#include "certsync/resolve.h"
#include "certsync/wire.h"
#include "own_resolver.h"
#include "run_child.h"
#include "tls_server.h"

#define HOSTS                                                                                      \
	"127.0.0.2 one.example.org\n"                                                              \
	"127.0.0.2 two.example.org\n"                                                              \
	"127.0.0.3 two.example.org\n"

static struct identity leaf;

static int make_all(void **state)
{
	leaf = make_identity(&(struct make_certificate){ 0 });
	return scratch_make(state);
}

static int clear_all(void **state)
{
	identity_clear(&leaf);
	return scratch_remove(state);
}

/* --- helpers --- */

/* What ${host} stands for, at last; EAI_INPROGRESS: that takes too long. */
static int look_up(const char *host, struct addrinfo **addresses)
{
	_cleanup_(resolve_freep) struct resolve *resolve = resolve_start(host, 993);
	const deadline end = deadline_in(LONG_MS);
	int error;

	while ((error = resolve_result(resolve, addresses)) == EAI_INPROGRESS && deadline_left(end))
		resolve_wait(resolve, 100);
	return error;
}

/* Print what ${host} stands for. */
static int print_addresses(void *host)
{
	_cleanup_(resolve_addresses_freep) struct addrinfo *addresses = NULL;
	int error;

	if (!own_resolver(HOSTS))
		return 1;
	error = look_up(host, &addresses);
	if (error)
		printf("%s", gai_strerror(error));
	for (const struct addrinfo *a = addresses; a; a = a->ai_next) {
		char name[NI_MAXHOST], port[NI_MAXSERV];

		getnameinfo(a->ai_addr, a->ai_addrlen, name, sizeof(name), port, sizeof(port),
			    NI_NUMERICHOST | NI_NUMERICSERV);
		printf("%s %s%s\n", name, port, a->ai_socktype == SOCK_STREAM ? "" : " not TCP");
	}
	return 0;
}

static void stands_for(const char *host, const char *wanted)
{
	char copy[64];
	struct child child;

	snprintf(copy, sizeof(copy), "%s", host);
	run_child(&child, print_addresses, copy);
	assert_string_equal(child.out, wanted);
	assert_int_equal(child.status, 0);
}

/* --- resolve --- */

/* Without waiting, and so without a thread. */
static void an_address_stands_for_itself_at_once(void **state)
{
	static const char *const hosts[] = { "192.0.2.1", "2001:db8::1", "::1", "127.0.0.1" };

	(void)state;
	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
		_cleanup_(resolve_addresses_freep) struct addrinfo *addresses = NULL;
		_cleanup_(resolve_freep) struct resolve *resolve = resolve_start(hosts[i], 65535);
		char name[NI_MAXHOST], port[NI_MAXSERV];

		assert_non_null(resolve);
		assert_int_equal(resolve_result(resolve, &addresses), 0);
		assert_non_null(addresses);
		assert_null(addresses->ai_next);
		assert_int_equal(getnameinfo(addresses->ai_addr, addresses->ai_addrlen, name,
					     sizeof(name), port, sizeof(port),
					     NI_NUMERICHOST | NI_NUMERICSERV),
				 0);
		assert_string_equal(name, hosts[i]);
		assert_string_equal(port, "65535");
	}
}

static void the_addresses_are_handed_over_once(void **state)
{
	struct addrinfo *first = NULL, *second = NULL;
	_cleanup_(resolve_freep) struct resolve *resolve = resolve_start("127.0.0.1", 993);

	(void)state;
	assert_int_equal(resolve_result(resolve, &first), 0);
	assert_int_equal(resolve_result(resolve, &second), 0);
	assert_non_null(first);
	assert_null(second);
	resolve_addresses_freep(&first);
	assert_null(first);
	resolve_addresses_freep(&first);
}

static void addresses_that_nobody_asked_for_are_freed(void **state)
{
	struct resolve *resolve = resolve_start("127.0.0.1", 993);

	(void)state;
	resolve_freep(&resolve);
	assert_null(resolve);
	resolve_freep(&resolve);
}

static void a_name_stands_for_all_its_addresses(void **state)
{
	(void)state;
	stands_for("one.example.org", "127.0.0.2 993\n");
	stands_for("two.example.org", "127.0.0.2 993\n127.0.0.3 993\n");
}

static void what_cannot_be_a_name_stands_for_nothing(void **state)
{
	(void)state;
	stands_for("", "Name or service not known");
	stands_for("..", "Name or service not known");
}

static int give_up(void *unused)
{
	struct resolve *resolve[40];
	struct addrinfo *addresses;

	(void)unused;
	if (!own_resolver(HOSTS))
		return 1;
	/* More than the C library has threads for: some are begun, others wait for their turn. */
	for (size_t i = 0; i < 40; i++) {
		resolve[i] = resolve_start("mute.example.org", 993);
		resolve_wait(resolve[i], 1);
	}
	for (size_t i = 0; i < 40; i++) {
		if (resolve_result(resolve[i], &addresses) != EAI_INPROGRESS || addresses)
			return 2;
		resolve_freep(&resolve[i]);
	}
	return 0;
}

static void one_may_stop_waiting_for_a_resolver_that_hangs(void **state)
{
	struct child child;

	(void)state;
	run_child(&child, give_up, NULL);
	assert_int_equal(child.status, 0);
}

/* --- wire_ask --- */

/* Who serves at which of the two addresses, and what becomes of the question. */
struct scene {
	const char *host;
	const char *serving, *blocked; /* addresses; NULL: none */
	bool interrupt;
};

/* Ask with a limit that grows until it is long enough on a machine however slow. */
static enum outcome ask_patiently(const struct wire_question *questions, size_t count,
				  struct wire_answer *answers, bool (*enough)(struct wire_answer *))
{
	enum outcome outcome;
	int limit = 1000;

	do {
		outcome = wire_ask(questions, count, NULL, deadline_in(limit), answers);
		limit *= 4;
	} while (limit <= 4 * LONG_MS && !enough(answers));
	return outcome;
}

static bool first_in_time(struct wire_answer *answers)
{
	return answers[0].result != WIRE_TIMED_OUT;
}

static bool second_in_time(struct wire_answer *answers)
{
	return answers[1].result != WIRE_TIMED_OUT;
}

static void print_answer(const struct wire_answer *answer)
{
	printf("%d %s\n", answer->result, answer->reason);
}

static int ask_at_several_addresses(void *context)
{
	const struct scene *scene = context;
	struct wire_question one = { .host = scene->host, .protocol = WIRE_TLS };
	struct server server = { .tls = server_tls(&leaf, NULL) };
	struct blocked_port blocked;
	struct wire_answer answer;

	if (!own_resolver(HOSTS))
		return 1;
	if (scene->serving)
		server_start_on(&server, scene->serving);
	else
		server.port = 993; /* In a network of our own, nobody listens. */
	one.port = server.port;
	if (scene->blocked)
		block_port(&blocked, scene->blocked, one.port);
	if (ask_patiently(&one, 1, &answer, first_in_time) != OUTCOME_OK)
		return 2;
	print_answer(&answer);
	if (scene->blocked)
		unblock_port(&blocked);
	if (scene->serving)
		server_stop(&server);
	SSL_CTX_free(server.tls);
	return 0;
}

static void asks_at(struct scene scene, enum wire_result result, const char *reason)
{
	struct child child;
	char wanted[128];

	run_child(&child, ask_at_several_addresses, &scene);
	snprintf(wanted, sizeof(wanted), "%d %s\n", result, reason);
	assert_string_equal(child.out, wanted);
	assert_int_equal(child.status, 0);
}

static void the_address_that_answers_is_asked(void **state)
{
	(void)state;
	asks_at((struct scene){ .host = "one.example.org", .serving = "127.0.0.2" }, WIRE_SERVED,
		"");
	asks_at((struct scene){ .host = "two.example.org", .serving = "127.0.0.2" }, WIRE_SERVED,
		"");
	asks_at((struct scene){ .host = "two.example.org", .serving = "127.0.0.3" }, WIRE_SERVED,
		"");
}

static void an_address_that_never_answers_leaves_time_for_the_next(void **state)
{
	(void)state;
	asks_at((struct scene){ .host = "two.example.org",
				.serving = "127.0.0.3",
				.blocked = "127.0.0.2" },
		WIRE_SERVED, "");
	asks_at((struct scene){ .host = "two.example.org",
				.serving = "127.0.0.2",
				.blocked = "127.0.0.3" },
		WIRE_SERVED, "");
}

static void a_name_at_none_of_whose_addresses_anybody_listens_is_refused(void **state)
{
	(void)state;
	asks_at((struct scene){ .host = "two.example.org" }, WIRE_REFUSED, "Connection refused");
}

static void a_name_without_address_is_unresolved_and_named(void **state)
{
	(void)state;
	asks_at((struct scene){ .host = "..", .serving = "127.0.0.2" }, WIRE_UNRESOLVED,
		"..: Name or service not known");
}

/* Once the resolver was asked, the signal comes. */
static void *interrupt_later(void *unused)
{
	char question[512];

	(void)unused;
	if (recv(mute_resolver, question, sizeof(question), 0) > 0)
		kill(getpid(), SIGTERM);
	return NULL;
}

static int ask_a_mute_resolver(void *context)
{
	const struct scene *scene = context;
	struct server server = { .tls = server_tls(&leaf, NULL) };
	struct wire_question questions[2] = { { .host = "mute.example.org", .port = 993 },
					      { .host = "one.example.org" } };
	struct wire_answer answers[2];
	pthread_t thread;

	if (!own_resolver(HOSTS))
		return 1;
	interrupt_catch();
	server_start_on(&server, "127.0.0.2");
	questions[1].port = server.port;
	if (scene->interrupt && pthread_create(&thread, NULL, interrupt_later, NULL) != 0)
		return 1;
	if ((scene->interrupt ? wire_ask(questions, 2, NULL, deadline_in(LONG_MS), answers)
			      : ask_patiently(questions, 2, answers, second_in_time)) != OUTCOME_OK)
		return 2;
	print_answer(&answers[0]);
	print_answer(&answers[1]);
	if (scene->interrupt)
		pthread_join(thread, NULL);
	server_stop(&server);
	SSL_CTX_free(server.tls);
	return 0;
}

static void a_resolver_that_hangs_does_not_keep_the_others(void **state)
{
	struct child child;
	char wanted[128];

	(void)state;
	run_child(&child, ask_a_mute_resolver, &(struct scene){ 0 });
	snprintf(wanted, sizeof(wanted), "%d no answer from the resolver\n%d \n", WIRE_TIMED_OUT,
		 WIRE_SERVED);
	assert_string_equal(child.out, wanted);
	assert_int_equal(child.status, 0);
}

static void a_signal_ends_the_waiting_for_a_resolver(void **state)
{
	struct child child;
	char wanted[128];

	(void)state;
	run_child(&child, ask_a_mute_resolver, &(struct scene){ .interrupt = true });
	snprintf(wanted, sizeof(wanted), "%d interrupted\n%d interrupted\n", WIRE_INTERRUPTED,
		 WIRE_INTERRUPTED);
	assert_string_equal(child.out, wanted);
	assert_int_equal(child.status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_address_stands_for_itself_at_once),
		cmocka_unit_test(the_addresses_are_handed_over_once),
		cmocka_unit_test(addresses_that_nobody_asked_for_are_freed),
		cmocka_unit_test(a_name_stands_for_all_its_addresses),
		cmocka_unit_test(what_cannot_be_a_name_stands_for_nothing),
		cmocka_unit_test(one_may_stop_waiting_for_a_resolver_that_hangs),
		cmocka_unit_test(the_address_that_answers_is_asked),
		cmocka_unit_test(an_address_that_never_answers_leaves_time_for_the_next),
		cmocka_unit_test(a_name_at_none_of_whose_addresses_anybody_listens_is_refused),
		cmocka_unit_test(a_name_without_address_is_unresolved_and_named),
		cmocka_unit_test(a_resolver_that_hangs_does_not_keep_the_others),
		cmocka_unit_test(a_signal_ends_the_waiting_for_a_resolver),
	};

	return cmocka_run_group_tests(tests, make_all, clear_all);
}
