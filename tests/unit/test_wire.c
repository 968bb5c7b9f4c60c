/* Which certificate is served, asked of servers of our own. What goes wrong: test_wire_faults. */
#include "certsync/bundle.h"
#include "certsync/cleanup.h"
#include "certsync/wire.h"
#include "run_child.h"
#include "scratch.h"
#include "tls_server.h"

static struct identity root, intermediate, leaf, other;

static int make_all(void **state)
{
	struct make_certificate spec = {
		.common_name = "Root", .names = "", .usage = "", .constraints = "critical,CA:TRUE"
	};
	struct bytes pem;

	root = make_identity(&spec);
	spec.common_name = "Intermediate";
	spec.issuer = &root;
	intermediate = make_identity(&spec);
	leaf = make_identity(&(struct make_certificate){ .issuer = &intermediate });
	other = make_identity(&(struct make_certificate){ .common_name = "Other" });
	speak_tls_here(&leaf);
	if (scratch_make(state) < 0)
		return -1;
	pem = pem_chain(root.certificate, NULL, NULL);
	scratch_write("roots.pem", pem.data, pem.len);
	bytes_clear(&pem);
	pem = pem_chain(other.certificate, NULL, NULL);
	scratch_write("other-roots.pem", pem.data, pem.len);
	bytes_clear(&pem);
	return 0;
}

static int clear_all(void **state)
{
	identity_clear(&root);
	identity_clear(&intermediate);
	identity_clear(&leaf);
	identity_clear(&other);
	return scratch_remove(state);
}

/* --- helpers --- */

static struct wire_question question(const struct server *server, enum wire_protocol protocol)
{
	return (struct wire_question){
		.host = "127.0.0.1",
		.port = server->port,
		.protocol = protocol,
		.sni = "mail.example.org",
	};
}

static void ask(const struct wire_question *questions, size_t count, const char *roots,
		struct wire_answer *answers)
{
	assert_int_equal(wire_ask(questions, count, roots, deadline_in(LONG_MS), answers),
			 OUTCOME_OK);
}

/* The answer is about ${wanted}, and says of it what bundle_... do. */
static void assert_shows(const struct wire_answer *answer, const struct identity *wanted)
{
	_cleanup_(bundle_freep) struct bundle *bundle = NULL;
	struct bytes pem = pem_chain(wanted->certificate, NULL, NULL);

	assert_int_equal(bundle_load(&pem, NULL, &bundle), OUTCOME_OK);
	bytes_clear(&pem);
	assert_string_equal(answer->reason, "");
	assert_int_equal(answer->result, WIRE_SERVED);
	assert_string_equal(answer->fingerprint, bundle_fingerprint(bundle));
	assert_string_equal(answer->spki, bundle_spki(bundle));
	assert_int_equal(answer->not_before, bundle_not_before(bundle));
	assert_int_equal(answer->not_after, bundle_not_after(bundle));
	assert_true(answer->milliseconds >= 0);
}

/* Ask ${server}, stop it, and expect ${wanted}. */
static struct wire_answer shows(struct server *server, enum wire_protocol protocol,
				const struct identity *wanted)
{
	struct wire_question one;
	struct wire_answer answer;

	server_start(server);
	one = question(server, protocol);
	ask(&one, 1, NULL, &answer);
	server_stop(server);
	assert_shows(&answer, wanted);
	return answer;
}

/* --- TLS --- */

static void the_certificate_is_described_as_that_of_a_file_is(void **state)
{
	struct server server = { .tls = server_tls(&leaf, intermediate.certificate) };
	struct wire_answer answer = shows(&server, WIRE_TLS, &leaf);

	(void)state;
	assert_string_equal(answer.tls, "TLSv1.3");
	assert_false(answer.trusted);
	assert_string_equal(answer.distrust, "");
	SSL_CTX_free(server.tls);
}

/* Short RSA keys, as valgrind takes long to make one. */
static void certificates_of_every_algorithm_are_seen(void **state)
{
	static const char *const kinds[] = { "RSA 1024", "RSA-PSS 1024", "EC P-256", "EC P-384",
					     "EC P-521", "ED25519",      "ED448" };

	(void)state;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct identity made =
			make_identity(&(struct make_certificate){ .key_kind = kinds[i] });
		struct server server = { .tls = server_tls(&made, NULL) };

		shows(&server, WIRE_TLS, &made);
		SSL_CTX_free(server.tls);
		identity_clear(&made);
	}
}

/* What no client should take is what one most wants to be told of. */
static void certificates_that_are_good_for_nothing_are_seen(void **state)
{
	struct make_certificate specs[] = {
		{ .key_kind = "RSA 1024" },
		{ .from = time(NULL) - A_YEAR, .to = time(NULL) - A_DAY },
		{ .from = time(NULL) + A_DAY },
		{ .names = "", .usage = "clientAuth", .constraints = "critical,CA:TRUE" },
		{ .raw_name = "mail\0.example.org", .raw_name_len = 17 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(specs) / sizeof(specs[0]); i++) {
		struct identity made = make_identity(&specs[i]);
		struct server server = { .tls = server_tls(&made, NULL) };

		shows(&server, WIRE_TLS, &made);
		SSL_CTX_free(server.tls);
		identity_clear(&made);
	}
}

static void servers_of_every_version_of_tls_are_spoken_to(void **state)
{
	static const struct {
		int version;
		const char *name;
	} versions[] = {
		{ TLS1_VERSION, "TLSv1" },
		{ TLS1_1_VERSION, "TLSv1.1" },
		{ TLS1_2_VERSION, "TLSv1.2" },
		{ TLS1_3_VERSION, "TLSv1.3" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
		struct server server = { .tls = server_tls(&leaf, NULL) };
		struct wire_answer answer;

		SSL_CTX_set_min_proto_version(server.tls, versions[i].version);
		SSL_CTX_set_max_proto_version(server.tls, versions[i].version);
		answer = shows(&server, WIRE_TLS, &leaf);
		assert_string_equal(answer.tls, versions[i].name);
		SSL_CTX_free(server.tls);
	}
}

/* The certificate was shown and proved before the server found that there is none of ours. */
static void a_server_that_wants_a_certificate_of_ours_shows_its_own(void **state)
{
	static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct server server = { .tls = server_tls(&leaf, NULL) };

		SSL_CTX_set_max_proto_version(server.tls, versions[i]);
		SSL_CTX_set_verify(server.tls, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
				   NULL);
		shows(&server, WIRE_TLS, &leaf);
		SSL_CTX_free(server.tls);
	}
}

static void shake_hands_and_reset(struct server *server, int connection)
{
	SSL *ssl = SSL_new(server->tls);

	SSL_set_fd(ssl, connection);
	SSL_accept(ssl);
	SSL_free(ssl);
	serve_and_reset(server, connection);
}

static void a_server_that_hangs_up_after_the_handshake_was_seen(void **state)
{
	struct server server = { .serve = shake_hands_and_reset, .tls = server_tls(&leaf, NULL) };

	(void)state;
	for (int i = 0; i < 10; i++) {
		shows(&server, WIRE_TLS, &leaf);
		assert_int_equal(server.served, i + 1);
	}
	SSL_CTX_free(server.tls);
}

/* --- the name that is asked for --- */

static SSL_CTX *tls_for_the_name;

static int choose_by_name(SSL *ssl, int *alert, void *context)
{
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

	(void)alert, (void)context;
	if (name && !strcmp(name, "mail.example.org"))
		SSL_set_SSL_CTX(ssl, tls_for_the_name);
	return SSL_TLSEXT_ERR_OK;
}

static void the_certificate_of_the_name_is_seen_and_that_of_no_name(void **state)
{
	struct server server = { .tls = server_tls(&other, NULL) };
	struct wire_question questions[3];
	struct wire_answer answers[3];

	(void)state;
	tls_for_the_name = server_tls(&leaf, NULL);
	SSL_CTX_set_tlsext_servername_callback(server.tls, choose_by_name);
	server_start(&server);
	for (size_t i = 0; i < 3; i++)
		questions[i] = question(&server, WIRE_TLS);
	questions[1].sni = NULL;
	questions[2].sni = "www.example.org";
	ask(questions, 3, NULL, answers);
	server_stop(&server);
	assert_shows(&answers[0], &leaf);
	assert_shows(&answers[1], &other);
	assert_shows(&answers[2], &other);
	SSL_CTX_free(tls_for_the_name);
	SSL_CTX_free(server.tls);
}

static void the_name_is_sent_as_it_was_given_or_none(void **state)
{
	struct server server = { .tls = server_tls(&leaf, NULL) };
	struct wire_question one;
	struct wire_answer answer;

	(void)state;
	SSL_CTX_set_tlsext_servername_callback(server.tls, choose_by_name);
	tls_for_the_name = server.tls;
	shows(&server, WIRE_TLS, &leaf);
	assert_string_equal(server.asked_for, "mail.example.org");
	server_start(&server);
	one = question(&server, WIRE_TLS);
	one.sni = NULL;
	ask(&one, 1, NULL, &answer);
	server_stop(&server);
	assert_string_equal(server.asked_for, "");
	SSL_CTX_free(server.tls);
}

/* --- STARTTLS --- */

static const struct {
	enum wire_protocol protocol;
	const char *script[8];
	const char *heard;
} protocols[] = {
	{ WIRE_SMTP,
	  { "220-mail.example.org ESMTP\r\n220 ready\r\n",
	    "250-mail.example.org\r\n250-STARTTLS\r\n250 8BITMIME\r\n", "220 2.0.0 Ready\r\n" },
	  "EHLO localhost\r\nSTARTTLS\r\nQUIT\r\n" },
	{ WIRE_IMAP,
	  { "* OK [CAPABILITY IMAP4rev1 STARTTLS] ready\r\n",
	    "* CAPABILITY IMAP4rev1 STARTTLS\r\na OK done\r\n", "b OK begin\r\n" },
	  "a CAPABILITY\r\nb STARTTLS\r\nc LOGOUT\r\n" },
	{ WIRE_POP3,
	  { "+OK ready\r\n", "+OK\r\nTOP\r\nSTLS\r\n.\r\n", "+OK begin\r\n" },
	  "CAPA\r\nSTLS\r\nQUIT\r\n" },
	{ WIRE_SIEVE,
	  { "\"IMPLEMENTATION\" \"x\"\r\n\"STARTTLS\"\r\nOK \"ready\"\r\n", "OK \"begin\"\r\n" },
	  "STARTTLS\r\nLOGOUT\r\n" },
	/* Line ends as old servers have them. */
	{ WIRE_SMTP,
	  { "220 ready\n", "250-mail.example.org\n250 STARTTLS\n", "220 begin\n" },
	  "EHLO localhost\r\nSTARTTLS\r\nQUIT\r\n" },
};

#define PROTOCOLS (sizeof(protocols) / sizeof(protocols[0]))

static void starttls_leads_to_the_certificate_in_every_protocol(void **state)
{
	(void)state;
	for (size_t i = 0; i < PROTOCOLS; i++) {
		struct server server = { .script = protocols[i].script,
					 .tls = server_tls(&leaf, NULL) };

		shows(&server, protocols[i].protocol, &leaf);
		assert_string_equal(server.heard, protocols[i].heard);
		SSL_CTX_free(server.tls);
	}
}

static void say_every_byte_alone(struct server *server, int connection)
{
	static const int on = 1;
	static const char *const nothing[] = { NULL };
	const char *const *script = server->script;

	setsockopt(connection, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	for (size_t i = 0; script[i]; i++) {
		if (i && !server_hear_line(server, connection))
			return;
		for (const char *c = script[i]; *c; c++)
			server_say(connection, c, 1);
	}
	server->script = nothing;
	serve_script(server, connection);
}

static void it_does_not_matter_how_the_bytes_are_split(void **state)
{
	(void)state;
	for (size_t i = 0; i < PROTOCOLS; i++) {
		struct server server = { .serve = say_every_byte_alone,
					 .script = protocols[i].script,
					 .tls = server_tls(&leaf, NULL) };

		shows(&server, protocols[i].protocol, &leaf);
		assert_string_equal(server.heard, protocols[i].heard);
		SSL_CTX_free(server.tls);
	}
}

/* --- the PROXY header --- */

/* Ask at ${host} with a header that is to begin with ${begins}; ${rest} is to follow it. */
static void proxy_header_comes_first(const char *host, const char *begins,
				     enum wire_protocol protocol, const char *const *script,
				     const char *rest)
{
	struct server server = { .script = script, .tls = server_tls(&leaf, NULL) };
	struct wire_question one = { .host = host, .protocol = protocol, .proxy_header = true };
	struct wire_answer answer;
	char wanted[HEARD_MAX];

	server_start_on(&server, host);
	one.port = server.port;
	ask(&one, 1, NULL, &answer);
	server_stop(&server);
	assert_shows(&answer, &leaf);
	snprintf(wanted, sizeof(wanted), "%s %d %d\r\n%s", begins, server.peer_port, server.port,
		 rest);
	assert_string_equal(server.heard, wanted);
	SSL_CTX_free(server.tls);
}

static const char *const header_then_tls[] = { "", "", NULL };

static void a_proxy_header_tells_the_addresses_before_all_else(void **state)
{
	static const char *const header_then_smtp[] = { "", "220 ready\r\n",
							"250-x\r\n250 STARTTLS\r\n",
							"220 begin\r\n", NULL };

	(void)state;
	proxy_header_comes_first("127.0.0.1", "PROXY TCP4 127.0.0.1 127.0.0.1", WIRE_TLS,
				 header_then_tls, "");
	proxy_header_comes_first("127.0.0.1", "PROXY TCP4 127.0.0.1 127.0.0.1", WIRE_SMTP,
				 header_then_smtp, "EHLO localhost\r\nSTARTTLS\r\nQUIT\r\n");
}

static void a_proxy_header_of_ipv6_says_so(void **state)
{
	(void)state;
	proxy_header_comes_first("::1", "PROXY TCP6 ::1 ::1", WIRE_TLS, header_then_tls, "");
}

/* --- trust --- */

static struct wire_answer judged(const struct identity *served, X509 *chain, const char *roots)
{
	struct server server = { .tls = server_tls(served, chain) };
	struct wire_question one;
	struct wire_answer answer;

	server_start(&server);
	one = question(&server, WIRE_TLS);
	ask(&one, 1, roots, &answer);
	server_stop(&server);
	assert_shows(&answer, served);
	SSL_CTX_free(server.tls);
	return answer;
}

static void a_chain_up_to_a_root_is_trusted(void **state)
{
	struct wire_answer answer =
		judged(&leaf, intermediate.certificate, scratch_path("roots.pem"));

	(void)state;
	assert_string_equal(answer.distrust, "");
	assert_true(answer.trusted);
}

static void a_chain_without_its_intermediate_is_not_trusted(void **state)
{
	struct wire_answer answer = judged(&leaf, NULL, scratch_path("roots.pem"));

	(void)state;
	assert_false(answer.trusted);
	assert_contains(answer.distrust, "unable to get local issuer certificate");
}

static void a_chain_of_an_unknown_root_is_not_trusted(void **state)
{
	struct wire_answer answer =
		judged(&leaf, intermediate.certificate, scratch_path("other-roots.pem"));

	(void)state;
	assert_false(answer.trusted);
	assert_contains(answer.distrust, "unable to get");
}

static void a_self_signed_certificate_is_not_trusted_unless_it_is_a_root(void **state)
{
	struct wire_answer answer = judged(&other, NULL, scratch_path("roots.pem"));

	(void)state;
	assert_false(answer.trusted);
	assert_contains(answer.distrust, "self");
}

static void an_expired_certificate_is_not_trusted(void **state)
{
	struct identity old = make_identity(&(struct make_certificate){
		.issuer = &intermediate, .from = time(NULL) - A_YEAR, .to = time(NULL) - A_DAY });
	struct wire_answer answer =
		judged(&old, intermediate.certificate, scratch_path("roots.pem"));

	(void)state;
	assert_false(answer.trusted);
	assert_contains(answer.distrust, "expired");
	identity_clear(&old);
}

static void the_systems_roots_are_those_that_openssl_is_told(void **state)
{
	struct wire_answer answer;

	(void)state;
	setenv("SSL_CERT_DIR", "/nonexistent", 1);
	setenv("SSL_CERT_FILE", scratch_path("roots.pem"), 1);
	answer = judged(&leaf, intermediate.certificate, "");
	assert_true(answer.trusted);
	setenv("SSL_CERT_FILE", scratch_path("other-roots.pem"), 1);
	answer = judged(&leaf, intermediate.certificate, "");
	assert_false(answer.trusted);
	unsetenv("SSL_CERT_FILE");
	unsetenv("SSL_CERT_DIR");
}

static void roots_that_cannot_be_read_fail_the_question(void **state)
{
	struct wire_question one = { .host = "127.0.0.1", .port = 1 };
	struct wire_answer answer;

	(void)state;
	scratch_write("empty.pem", "", 0);
	assert_int_equal(
		wire_ask(&one, 1, scratch_path("empty.pem"), deadline_in(LONG_MS), &answer),
		OUTCOME_CHAIN_UNTRUSTED);
	assert_true(outcome_failed(
		wire_ask(&one, 1, scratch_path("missing.pem"), deadline_in(LONG_MS), &answer)));
}

/* --- many at once --- */

/* It takes one connection after another, and so each must be left as soon as it has answered. */
static void a_server_with_a_single_process_is_asked_twice(void **state)
{
	struct server server = { .tls = server_tls(&leaf, NULL) };
	struct wire_question questions[4];
	struct wire_answer answers[4];

	(void)state;
	server_start(&server);
	for (size_t i = 0; i < 4; i++)
		questions[i] = question(&server, WIRE_TLS);
	ask(questions, 4, NULL, answers);
	server_stop(&server);
	for (size_t i = 0; i < 4; i++)
		assert_shows(&answers[i], &leaf);
	SSL_CTX_free(server.tls);
}

static void answers_belong_to_their_questions(void **state)
{
	struct server servers[2 * PROTOCOLS] = { 0 };
	struct wire_question questions[2 * PROTOCOLS];
	struct wire_answer answers[2 * PROTOCOLS];

	(void)state;
	for (size_t i = 0; i < 2 * PROTOCOLS; i++) {
		servers[i].script = i % 2 ? NULL : protocols[i / 2].script;
		servers[i].tls = server_tls(i % 3 ? &leaf : &other, NULL);
		server_start(&servers[i]);
		questions[i] = question(&servers[i], i % 2 ? WIRE_TLS : protocols[i / 2].protocol);
	}
	ask(questions, 2 * PROTOCOLS, NULL, answers);
	for (size_t i = 0; i < 2 * PROTOCOLS; i++) {
		server_stop(&servers[i]);
		assert_shows(&answers[i], i % 3 ? &leaf : &other);
		SSL_CTX_free(servers[i].tls);
	}
}

static void asking_nobody_is_harmless(void **state)
{
	(void)state;
	ask(NULL, 0, NULL, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_certificate_is_described_as_that_of_a_file_is),
		cmocka_unit_test(certificates_of_every_algorithm_are_seen),
		cmocka_unit_test(certificates_that_are_good_for_nothing_are_seen),
		cmocka_unit_test(servers_of_every_version_of_tls_are_spoken_to),
		cmocka_unit_test(a_server_that_wants_a_certificate_of_ours_shows_its_own),
		cmocka_unit_test(a_server_that_hangs_up_after_the_handshake_was_seen),
		cmocka_unit_test(the_certificate_of_the_name_is_seen_and_that_of_no_name),
		cmocka_unit_test(the_name_is_sent_as_it_was_given_or_none),
		cmocka_unit_test(starttls_leads_to_the_certificate_in_every_protocol),
		cmocka_unit_test(it_does_not_matter_how_the_bytes_are_split),
		cmocka_unit_test(a_proxy_header_tells_the_addresses_before_all_else),
		cmocka_unit_test(a_proxy_header_of_ipv6_says_so),
		cmocka_unit_test(a_chain_up_to_a_root_is_trusted),
		cmocka_unit_test(a_chain_without_its_intermediate_is_not_trusted),
		cmocka_unit_test(a_chain_of_an_unknown_root_is_not_trusted),
		cmocka_unit_test(a_self_signed_certificate_is_not_trusted_unless_it_is_a_root),
		cmocka_unit_test(an_expired_certificate_is_not_trusted),
		cmocka_unit_test(the_systems_roots_are_those_that_openssl_is_told),
		cmocka_unit_test(roots_that_cannot_be_read_fail_the_question),
		cmocka_unit_test(a_server_with_a_single_process_is_asked_twice),
		cmocka_unit_test(answers_belong_to_their_questions),
		cmocka_unit_test(asking_nobody_is_harmless),
	};

	return cmocka_run_group_tests(tests, make_all, clear_all);
}
