/* Loading a chain and a key, and describing them. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "certsync/bundle.h"
#include "certsync/cleanup.h"
#include "make_pair.h"
#include "run_child.h"

static struct identity root, intermediate, leaf, stranger;
static struct bytes leaf_pem, chain_pem, key_pem;

static int make_all(void **state)
{
	struct make_certificate spec = {
		.common_name = "Root", .names = "", .usage = "", .constraints = "critical,CA:TRUE"
	};

	(void)state;
	root = make_identity(&spec);
	spec.common_name = "Intermediate";
	spec.issuer = &root;
	intermediate = make_identity(&spec);
	leaf = make_identity(&(struct make_certificate){
		.issuer = &intermediate, .names = "DNS:mail.example.org,DNS:*.example.com" });
	stranger = make_identity(&(struct make_certificate){ 0 });
	leaf_pem = pem_chain(leaf.certificate, NULL, NULL);
	chain_pem = pem_chain(leaf.certificate, intermediate.certificate, NULL);
	key_pem = pem_key(leaf.key, KEY_PKCS8);
	return 0;
}

static int clear_all(void **state)
{
	(void)state;
	identity_clear(&root);
	identity_clear(&intermediate);
	identity_clear(&leaf);
	identity_clear(&stranger);
	bytes_clear(&leaf_pem);
	bytes_clear(&chain_pem);
	bytes_clear(&key_pem);
	return 0;
}

/* --- helpers --- */

static struct bytes copy(const struct bytes *bytes)
{
	return bytes_of(bytes->data, bytes->len);
}

/* Load ${chain} and ${key}, clear both, and expect ${wanted}; the bundle, or NULL on failure. */
static struct bundle *load(struct bytes chain, struct bytes key, enum outcome wanted)
{
	struct bundle *bundle = (struct bundle *)&wanted;
	enum outcome outcome = bundle_load(&chain, key.data ? &key : NULL, &bundle);

	bytes_clear(&chain);
	bytes_clear(&key);
	assert_string_equal(outcome_text(outcome)->name, outcome_text(wanted)->name);
	if (outcome_failed(wanted))
		assert_null(bundle);
	else
		assert_non_null(bundle);
	return bundle;
}

static void refused(struct bytes chain, struct bytes key, enum outcome wanted, const char *reason)
{
	load(chain, key, wanted);
	assert_contains(outcome_reason(wanted), reason);
}

/* ${chain} loads, and its leaf is the leaf. */
static void loads_the_leaf(struct bytes chain)
{
	_cleanup_(bundle_freep) struct bundle *bundle = load(chain, BYTES_NONE, OUTCOME_OK);
	_cleanup_(bundle_freep) struct bundle *plain =
		load(copy(&leaf_pem), BYTES_NONE, OUTCOME_OK);

	assert_true(bundle_same_leaf(bundle, plain));
}

/* A pair of this kind loads, its key in this form, and the key is recognised as the leaf's. */
static void loads_key(const char *kind, enum key_form form, const char *mark, const char *key_type)
{
	struct identity made = make_identity(&(struct make_certificate){ .key_kind = kind });
	struct bytes key = pem_key(made.key, form);
	_cleanup_(bundle_freep) struct bundle *bundle = NULL;

	assert_contains(key.data, mark);
	bundle = load(pem_chain(made.certificate, NULL, NULL), key, OUTCOME_OK);
	assert_string_equal(bundle_key_type(bundle), key_type);
	assert_int_equal(bundle_check_key(bundle), OUTCOME_OK);
	identity_clear(&made);
}

static void refuses_encrypted_key(const char *kind, enum key_form form, const char *mark)
{
	struct identity made = make_identity(&(struct make_certificate){ .key_kind = kind });
	struct bytes key = pem_key(made.key, form);

	assert_contains(key.data, mark);
	refused(pem_chain(made.certificate, NULL, NULL), key, OUTCOME_KEY_ENCRYPTED, "passphrase");
	identity_clear(&made);
}

/* With CR LF for every LF; ${bytes} is cleared. */
static struct bytes with_crlf(struct bytes bytes)
{
	struct bytes to = { .data = OPENSSL_zalloc(bytes.len * 2 + 1) };

	assert_non_null(to.data);
	for (size_t i = 0; i < bytes.len; i++) {
		if (bytes.data[i] == '\n')
			to.data[to.len++] = '\r';
		to.data[to.len++] = bytes.data[i];
	}
	bytes_clear(&bytes);
	return to;
}

static int run_shell(void *command)
{
	execl("/bin/sh", "sh", "-c", command, (char *)NULL);
	return 127;
}

/* What ${command}, which reads the leaf's PEM on standard input, prints. */
static void shell_on_leaf(const char *command, struct child *child)
{
	char path[] = "/tmp/certsync-unit-XXXXXX", line[512];
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, leaf_pem.data, leaf_pem.len), leaf_pem.len);
	close(fd);
	snprintf(line, sizeof(line), "exec <%s; %s", path, command);
	run_child(child, run_shell, line);
	unlink(path);
	assert_int_equal(child->status, 0);
}

/* --- what is said of the leaf --- */

static void the_fingerprint_is_the_one_openssl_prints(void **state)
{
	_cleanup_(bundle_freep) struct bundle *bundle =
		load(copy(&chain_pem), BYTES_NONE, OUTCOME_OK);
	char line[256];
	struct child child;

	(void)state;
	shell_on_leaf("openssl x509 -noout -fingerprint -sha256", &child);
	snprintf(line, sizeof(line), "sha256 Fingerprint=%s\n", bundle_fingerprint(bundle));
	assert_string_equal(child.out, line);
	assert_int_equal(strlen(bundle_fingerprint(bundle)), BUNDLE_FINGERPRINT_LEN);
}

static void the_spki_hash_is_the_one_openssl_prints(void **state)
{
	_cleanup_(bundle_freep) struct bundle *bundle =
		load(copy(&chain_pem), BYTES_NONE, OUTCOME_OK);
	char line[256];
	struct child child;

	(void)state;
	shell_on_leaf("openssl x509 -noout -pubkey | openssl pkey -pubin -outform DER | "
		      "openssl dgst -sha256 -r",
		      &child);
	snprintf(line, sizeof(line), "%s *stdin\n", bundle_spki(bundle));
	assert_string_equal(child.out, line);
	assert_int_equal(strlen(bundle_spki(bundle)), BUNDLE_SPKI_LEN);
}

static void a_renewal_with_the_same_key_keeps_the_spki_hash_only(void **state)
{
	struct identity renewed = make_identity(&(struct make_certificate){ .key = leaf.key });
	_cleanup_(bundle_freep) struct bundle *one = load(copy(&leaf_pem), BYTES_NONE, OUTCOME_OK);
	_cleanup_(bundle_freep) struct bundle *other =
		load(pem_chain(renewed.certificate, NULL, NULL), BYTES_NONE, OUTCOME_OK);

	(void)state;
	identity_clear(&renewed);
	assert_string_equal(bundle_spki(one), bundle_spki(other));
	assert_string_not_equal(bundle_fingerprint(one), bundle_fingerprint(other));
	assert_false(bundle_same_leaf(one, other));
}

static void the_same_leaf_under_another_chain_is_the_same_leaf(void **state)
{
	_cleanup_(bundle_freep) struct bundle *one = load(copy(&leaf_pem), BYTES_NONE, OUTCOME_OK);
	_cleanup_(bundle_freep) struct bundle *other =
		load(copy(&chain_pem), BYTES_NONE, OUTCOME_OK);

	(void)state;
	assert_true(bundle_same_leaf(one, other));
}

static void subject_issuer_and_names_are_those_of_the_leaf(void **state)
{
	_cleanup_(bundle_freep) struct bundle *bundle =
		load(copy(&chain_pem), BYTES_NONE, OUTCOME_OK);

	(void)state;
	assert_string_equal(bundle_subject(bundle), "CN=mail.example.org");
	assert_string_equal(bundle_issuer(bundle), "CN=Intermediate");
	assert_string_equal(bundle_names(bundle), "mail.example.org *.example.com");
}

static void only_dns_names_are_listed(void **state)
{
	struct identity made = make_identity(&(struct make_certificate){
		.names = "IP:192.0.2.1,DNS:a.example.org,email:me@example.org,DNS:b.example.org" });
	_cleanup_(bundle_freep) struct bundle *bundle =
		load(pem_chain(made.certificate, NULL, NULL), BYTES_NONE, OUTCOME_OK);

	(void)state;
	identity_clear(&made);
	assert_string_equal(bundle_names(bundle), "a.example.org b.example.org");
}

static void a_certificate_without_names_has_an_empty_list(void **state)
{
	struct identity made = make_identity(&(struct make_certificate){ .names = "" });
	_cleanup_(bundle_freep) struct bundle *bundle =
		load(pem_chain(made.certificate, NULL, NULL), BYTES_NONE, OUTCOME_OK);

	(void)state;
	identity_clear(&made);
	assert_string_equal(bundle_names(bundle), "");
}

static void control_characters_and_nul_in_names_are_made_visible(void **state)
{
	static const char name[] = "a\0b\033[31m\n\xff";
	struct identity made = make_identity(&(struct make_certificate){
		.raw_name = name, .raw_name_len = sizeof(name) - 1, .common_name = "two\nlines" });
	_cleanup_(bundle_freep) struct bundle *bundle =
		load(pem_chain(made.certificate, NULL, NULL), BYTES_NONE, OUTCOME_OK);

	(void)state;
	identity_clear(&made);
	assert_string_equal(bundle_names(bundle), "a\\x00b\\x1b[31m\\x0a\\xff");
	for (const char *c = bundle_subject(bundle); *c; c++)
		assert_in_range(*c, 0x20, 0x7e);
}

/* A list separated by spaces would otherwise show one name as several. */
static void a_space_inside_a_name_does_not_look_like_two_names(void **state)
{
	static const char name[] = "mail.example.org mail.example.net";
	struct identity made = make_identity(
		&(struct make_certificate){ .raw_name = name, .raw_name_len = sizeof(name) - 1 });
	_cleanup_(bundle_freep) struct bundle *bundle =
		load(pem_chain(made.certificate, NULL, NULL), BYTES_NONE, OUTCOME_OK);

	(void)state;
	identity_clear(&made);
	assert_null(strchr(bundle_names(bundle), ' '));
}

static void validity_is_given_in_seconds_since_the_epoch(void **state)
{
	/* The first year of GeneralizedTime is 2050 (RFC 5280 4.1.2.5). */
	struct identity made =
		make_identity(&(struct make_certificate){ .from = 1700000000, .to = 2600000000 });
	_cleanup_(bundle_freep) struct bundle *bundle =
		load(pem_chain(made.certificate, NULL, NULL), BYTES_NONE, OUTCOME_OK);

	(void)state;
	identity_clear(&made);
	assert_int_equal(bundle_not_before(bundle), 1700000000);
	assert_int_equal(bundle_not_after(bundle), 2600000000);
}

static void days_left_are_whole_days_and_negative_after_the_end(void **state)
{
	static const time_t end = 1800000000;
	struct identity made =
		make_identity(&(struct make_certificate){ .from = 1700000000, .to = end });
	_cleanup_(bundle_freep) struct bundle *bundle =
		load(pem_chain(made.certificate, NULL, NULL), BYTES_NONE, OUTCOME_OK);

	(void)state;
	identity_clear(&made);
	assert_int_equal(bundle_days_left(bundle, end - 30 * A_DAY), 30);
	assert_int_equal(bundle_days_left(bundle, end - 30 * A_DAY + 1), 29);
	assert_int_equal(bundle_days_left(bundle, end - A_DAY), 1);
	assert_int_equal(bundle_days_left(bundle, end - A_DAY + 1), 0);
	assert_int_equal(bundle_days_left(bundle, end), 0);
	assert_int_equal(bundle_days_left(bundle, end + 1), -1);
	assert_int_equal(bundle_days_left(bundle, end + A_DAY), -1);
	assert_int_equal(bundle_days_left(bundle, end + A_DAY + 1), -2);
}

static void the_one_issued_earlier_is_the_older(void **state)
{
	struct identity early = make_identity(&(struct make_certificate){ .from = 1700000000 });
	struct identity late = make_identity(&(struct make_certificate){ .from = 1700000001 });
	_cleanup_(bundle_freep) struct bundle *one =
		load(pem_chain(early.certificate, NULL, NULL), BYTES_NONE, OUTCOME_OK);
	_cleanup_(bundle_freep) struct bundle *other =
		load(pem_chain(late.certificate, NULL, NULL), BYTES_NONE, OUTCOME_OK);

	(void)state;
	identity_clear(&early);
	identity_clear(&late);
	assert_true(bundle_older(one, other));
	assert_false(bundle_older(other, one));
	assert_false(bundle_older(one, one));
}

/* --- keys --- */

static void pkcs8_keys_of_every_algorithm_are_read(void **state)
{
	static const char mark[] = "-----BEGIN PRIVATE KEY-----";

	(void)state;
	loads_key("RSA 2048", KEY_PKCS8, mark, "RSA 2048");
	loads_key("RSA-PSS 2048", KEY_PKCS8, mark, "RSA-PSS 2048");
	loads_key("EC P-256", KEY_PKCS8, mark, "EC P-256");
	loads_key("EC P-384", KEY_PKCS8, mark, "EC P-384");
	loads_key("EC P-521", KEY_PKCS8, mark, "EC P-521");
	loads_key("ED25519", KEY_PKCS8, mark, "ED25519");
	loads_key("ED448", KEY_PKCS8, mark, "ED448");
}

static void sec1_keys_are_read(void **state)
{
	(void)state;
	loads_key("EC P-256", KEY_TRADITIONAL, "-----BEGIN EC PRIVATE KEY-----", "EC P-256");
	loads_key("EC P-384", KEY_TRADITIONAL, "-----BEGIN EC PRIVATE KEY-----", "EC P-384");
}

static void pkcs1_keys_are_read(void **state)
{
	(void)state;
	loads_key("RSA 2048", KEY_TRADITIONAL, "-----BEGIN RSA PRIVATE KEY-----", "RSA 2048");
}

/* `openssl ecparam -genkey` writes the curve in front of the key. */
static void a_sec1_key_behind_its_parameters_is_read(void **state)
{
	struct bytes key = bytes_join(bytes_of_text("-----BEGIN EC PARAMETERS-----\n"
						    "BggqhkjOPQMBBw==\n"
						    "-----END EC PARAMETERS-----\n"),
				      "", pem_key(leaf.key, KEY_TRADITIONAL));
	_cleanup_(bundle_freep) struct bundle *bundle = load(copy(&leaf_pem), key, OUTCOME_OK);

	(void)state;
	assert_int_equal(bundle_check_key(bundle), OUTCOME_OK);
}

static void encrypted_keys_are_refused_without_asking_for_a_passphrase(void **state)
{
	(void)state;
	refuses_encrypted_key("EC P-256", KEY_PKCS8_ENCRYPTED, "BEGIN ENCRYPTED PRIVATE KEY");
	refuses_encrypted_key("EC P-256", KEY_TRADITIONAL_ENCRYPTED, "Proc-Type: 4,ENCRYPTED");
	refuses_encrypted_key("RSA 2048", KEY_TRADITIONAL_ENCRYPTED, "Proc-Type: 4,ENCRYPTED");
	refuses_encrypted_key("ED25519", KEY_PKCS8_ENCRYPTED, "BEGIN ENCRYPTED PRIVATE KEY");
}

static void junk_around_the_key_is_tolerated(void **state)
{
	struct bytes key = bytes_join(bytes_of_text("Bag Attributes\n    friendlyName: mail\n\n"),
				      "", with_crlf(copy(&key_pem)));
	_cleanup_(bundle_freep) struct bundle *bundle =
		load(copy(&leaf_pem), bytes_join(key, "# the end", BYTES_NONE), OUTCOME_OK);

	(void)state;
	assert_int_equal(bundle_check_key(bundle), OUTCOME_OK);
}

static void a_key_file_without_a_key_is_refused(void **state)
{
	struct bytes huge = { .data = OPENSSL_zalloc(BUNDLE_BYTES_MAX + 2),
			      .len = BUNDLE_BYTES_MAX + 1 };

	(void)state;
	refused(copy(&leaf_pem), bytes_of_text(""), OUTCOME_KEY_UNREADABLE, "empty");
	refused(copy(&leaf_pem), bytes_of_text("hello\n"), OUTCOME_KEY_UNREADABLE, "no PEM");
	refused(copy(&leaf_pem), copy(&leaf_pem), OUTCOME_KEY_UNREADABLE, "no PEM");
	refused(copy(&leaf_pem), huge, OUTCOME_KEY_UNREADABLE, "larger than");
}

static void a_damaged_key_is_refused(void **state)
{
	struct bytes cut = bytes_of(key_pem.data, key_pem.len / 2), flipped = copy(&key_pem);

	(void)state;
	/* The first byte of the DER behind the first line. */
	strchr(flipped.data, '\n')[1] ^= 1;
	refused(copy(&leaf_pem), cut, OUTCOME_KEY_UNREADABLE, "damaged");
	refused(copy(&leaf_pem), flipped, OUTCOME_KEY_UNREADABLE, "damaged");
}

/* --- chains --- */

static void junk_around_the_certificates_is_tolerated(void **state)
{
	(void)state;
	loads_the_leaf(bytes_join(bytes_of_text("subject=CN = mail\n# a comment\n\n"), "",
				  copy(&chain_pem)));
	loads_the_leaf(bytes_join(copy(&leaf_pem), "\nissuer: Intermediate\n", copy(&chain_pem)));
	loads_the_leaf(bytes_join(copy(&chain_pem), "trailing words", BYTES_NONE));
	loads_the_leaf(with_crlf(copy(&chain_pem)));
	loads_the_leaf(bytes_join(bytes_of_text("\xef\xbb\xbf"), "", copy(&chain_pem)));
	loads_the_leaf(bytes_of(chain_pem.data, chain_pem.len - 1));
}

static void the_first_certificate_is_the_leaf_whatever_follows(void **state)
{
	_cleanup_(bundle_freep) struct bundle *bundle =
		load(pem_chain(intermediate.certificate, leaf.certificate, NULL), BYTES_NONE,
		     OUTCOME_OK);

	(void)state;
	assert_string_equal(bundle_subject(bundle), "CN=Intermediate");
}

static void a_chain_file_without_a_certificate_is_refused(void **state)
{
	(void)state;
	refused(bytes_of_text(""), BYTES_NONE, OUTCOME_CERT_UNREADABLE, "empty");
	refused(bytes_of_text("\n\n"), BYTES_NONE, OUTCOME_CERT_UNREADABLE, "no PEM certificate");
	refused(bytes_of("\0\0\0", 3), BYTES_NONE, OUTCOME_CERT_UNREADABLE, "no PEM certificate");
}

static void a_truncated_chain_is_refused(void **state)
{
	/* In the base64 of the first and of the second certificate, and in the last line. */
	(void)state;
	load(bytes_of(chain_pem.data, leaf_pem.len / 2), BYTES_NONE, OUTCOME_CERT_UNREADABLE);
	load(bytes_of(chain_pem.data, leaf_pem.len + 60), BYTES_NONE, OUTCOME_CERT_UNREADABLE);
	load(bytes_of(chain_pem.data, chain_pem.len - 8), BYTES_NONE, OUTCOME_CERT_UNREADABLE);
}

static void a_chain_cut_off_inside_a_begin_line_is_refused(void **state)
{
	(void)state;
	load(bytes_of(chain_pem.data, leaf_pem.len + 12), BYTES_NONE, OUTCOME_CERT_UNREADABLE);
}

/* OpenSSL would ask for the passphrase on the terminal, and wait. */
static void a_certificate_that_claims_to_be_encrypted_is_refused(void **state)
{
	static const char header[] = "Proc-Type: 4,ENCRYPTED\n"
				     "DEK-Info: AES-128-CBC,00112233445566778899AABBCCDDEEFF\n\n";
	const char *body = strchr(leaf_pem.data, '\n') + 1;
	struct bytes begin = bytes_of(leaf_pem.data, (size_t)(body - leaf_pem.data));
	struct bytes pem = bytes_join(begin, header, bytes_of_text(body));

	(void)state;
	assert_true(bundle_may_cover(&pem, "mail.example.org"));
	refused(pem, BYTES_NONE, OUTCOME_CERT_UNREADABLE, "number 1 is damaged");
}

static void damaged_base64_is_refused(void **state)
{
	struct bytes not_base64 = copy(&chain_pem), not_der = copy(&chain_pem);

	(void)state;
	strchr(not_base64.data, '\n')[10] ^= 0x40;
	strchr(not_base64.data, '\n')[11] = '!';
	strchr(not_der.data, '\n')[1] ^= 1;
	refused(not_base64, BYTES_NONE, OUTCOME_CERT_UNREADABLE, "number 1 is damaged");
	refused(not_der, BYTES_NONE, OUTCOME_CERT_UNREADABLE, "number 1 is damaged");
}

/* Every single bit of a chain flipped: it is refused, it is another certificate, or what was
 * flipped did not matter; never a crash. For speed, a few bits of every byte. */
static void no_flipped_bit_passes_for_the_same_certificate_unless_it_is(void **state)
{
	_cleanup_(bundle_freep) struct bundle *plain =
		load(copy(&leaf_pem), BYTES_NONE, OUTCOME_OK);

	(void)state;
	for (size_t i = 0; i < leaf_pem.len; i++) {
		_cleanup_(bundle_freep) struct bundle *bundle = NULL;
		struct bytes flipped = copy(&leaf_pem);
		enum outcome outcome;

		flipped.data[i] = (char)(flipped.data[i] ^ (1 << i % 7));
		outcome = bundle_load(&flipped, NULL, &bundle);
		if (outcome_failed(outcome))
			assert_string_equal(outcome_text(outcome)->name, "CERT_UNREADABLE");
		else if (bundle_same_leaf(bundle, plain))
			assert_int_equal(bundle_not_after(bundle), bundle_not_after(plain));
		bytes_clear(&flipped);
	}
}

static void a_private_key_in_the_chain_file_is_refused(void **state)
{
	(void)state;
	refused(bytes_join(copy(&leaf_pem), "", copy(&key_pem)), BYTES_NONE,
		OUTCOME_CHAIN_HOLDS_KEY, "private key");
	refused(bytes_join(copy(&key_pem), "", copy(&leaf_pem)), BYTES_NONE,
		OUTCOME_CHAIN_HOLDS_KEY, "private key");
	refused(bytes_join(copy(&leaf_pem), "", pem_key(leaf.key, KEY_TRADITIONAL)), BYTES_NONE,
		OUTCOME_CHAIN_HOLDS_KEY, "private key");
	refused(bytes_join(copy(&leaf_pem), "", pem_key(leaf.key, KEY_PKCS8_ENCRYPTED)), BYTES_NONE,
		OUTCOME_CHAIN_HOLDS_KEY, "private key");
}

static void more_certificates_than_the_limit_are_refused(void **state)
{
	struct bytes many = BYTES_NONE;

	(void)state;
	for (int i = 0; i < BUNDLE_CERTIFICATES_MAX; i++)
		many = bytes_join(many.data ? many : bytes_of_text(""), "", copy(&leaf_pem));
	loads_the_leaf(copy(&many));
	refused(bytes_join(many, "", copy(&leaf_pem)), BYTES_NONE, OUTCOME_CERT_UNREADABLE,
		"more than 16");
}

static void a_chain_larger_than_the_limit_is_refused(void **state)
{
	struct bytes room = { .data = OPENSSL_zalloc(BUNDLE_BYTES_MAX - leaf_pem.len + 1),
			      .len = BUNDLE_BYTES_MAX - leaf_pem.len };
	struct bytes largest;

	(void)state;
	memset(room.data, '\n', room.len);
	largest = bytes_join(copy(&leaf_pem), "", room);
	assert_int_equal(largest.len, BUNDLE_BYTES_MAX);
	loads_the_leaf(copy(&largest));
	refused(bytes_join(largest, "\n", bytes_of_text("")), BYTES_NONE, OUTCOME_CERT_UNREADABLE,
		"larger than");
}

/* Servers take a TRUSTED CERTIFICATE for the leaf; skipped, another one would be judged than is
 * served. */
static void a_block_that_servers_take_for_the_leaf_is_not_skipped(void **state)
{
	BIO *bio = BIO_new(BIO_s_mem());
	_cleanup_(bundle_freep) struct bundle *bundle = NULL, *plain = NULL;
	struct bytes pem;

	(void)state;
	assert_int_equal(PEM_write_bio_X509_AUX(bio, stranger.certificate), 1);
	pem = bytes_join(bytes_of_bio(bio), "", copy(&chain_pem));
	plain = load(copy(&leaf_pem), BYTES_NONE, OUTCOME_OK);
	if (!outcome_failed(bundle_load(&pem, NULL, &bundle)))
		assert_false(bundle_same_leaf(bundle, plain));
	bytes_clear(&pem);
}

/* --- less than a whole pair --- */

static void the_leaf_alone_is_described_as_in_its_chain(void **state)
{
	_cleanup_(bundle_freep) struct bundle *whole =
		load(copy(&chain_pem), BYTES_NONE, OUTCOME_OK);
	_cleanup_(bundle_freep) struct bundle *alone = NULL;

	(void)state;
	assert_int_equal(bundle_load_leaf(&chain_pem, &alone), OUTCOME_OK);
	assert_string_equal(bundle_fingerprint(alone), bundle_fingerprint(whole));
	assert_string_equal(bundle_names(alone), bundle_names(whole));
	assert_string_equal(bundle_key_type(alone), bundle_key_type(whole));
	assert_int_equal(bundle_not_before(alone), bundle_not_before(whole));
	assert_int_equal(bundle_not_after(alone), bundle_not_after(whole));
}

static void leaf_alone_is_refused(struct bytes chain, enum outcome wanted)
{
	struct bundle *bundle = NULL;
	enum outcome outcome = bundle_load_leaf(&chain, &bundle);

	bytes_clear(&chain);
	assert_string_equal(outcome_text(outcome)->name, outcome_text(wanted)->name);
	assert_null(bundle);
}

static void the_leaf_alone_is_refused_for_what_is_wrong_with_it(void **state)
{
	(void)state;
	leaf_alone_is_refused(bytes_of_text(""), OUTCOME_CERT_UNREADABLE);
	leaf_alone_is_refused(bytes_of_text("hello\n"), OUTCOME_CERT_UNREADABLE);
	leaf_alone_is_refused(bytes_of(leaf_pem.data, leaf_pem.len / 2), OUTCOME_CERT_UNREADABLE);
	leaf_alone_is_refused(bytes_join(copy(&leaf_pem), "", copy(&key_pem)),
			      OUTCOME_CHAIN_HOLDS_KEY);
}

static void a_self_issued_certificate_names_itself_as_issuer(void **state)
{
	_cleanup_(bundle_freep) struct bundle *issued =
		load(copy(&leaf_pem), BYTES_NONE, OUTCOME_OK);
	_cleanup_(bundle_freep) struct bundle *self =
		load(pem_chain(stranger.certificate, NULL, NULL), BYTES_NONE, OUTCOME_OK);

	(void)state;
	assert_false(bundle_self_issued(issued));
	assert_true(bundle_self_issued(self));
}

/* Whatever bundle_check_host accepts, this must not have ruled out. */
static void a_certificate_that_covers_a_host_is_never_ruled_out(void **state)
{
	struct identity upper = make_identity(
		&(struct make_certificate){ .names = "DNS:Mail.EXAMPLE.org,DNS:*.Example.COM" });
	struct bytes pem = pem_chain(upper.certificate, NULL, NULL);
	struct bytes crlf = with_crlf(copy(&leaf_pem));
	struct bytes behind = bytes_join(bytes_of_text("# a comment\n"), "", copy(&leaf_pem));

	(void)state;
	identity_clear(&upper);
	assert_true(bundle_may_cover(&leaf_pem, "mail.example.org"));
	assert_true(bundle_may_cover(&leaf_pem, "MAIL.example.org"));
	assert_true(bundle_may_cover(&leaf_pem, "www.example.com"));
	assert_true(bundle_may_cover(&chain_pem, "www.example.com"));
	assert_true(bundle_may_cover(&crlf, "mail.example.org"));
	assert_true(bundle_may_cover(&behind, "mail.example.org"));
	assert_true(bundle_may_cover(&pem, "mail.example.org"));
	assert_true(bundle_may_cover(&pem, "www.example.com"));
	bytes_clear(&pem);
	bytes_clear(&crlf);
	bytes_clear(&behind);
}

/* The leaf is the same one that loading it would find. */
static void a_leaf_that_is_a_trusted_certificate_is_never_ruled_out(void **state)
{
	BIO *bio = BIO_new(BIO_s_mem());
	struct identity other =
		make_identity(&(struct make_certificate){ .names = "DNS:other.example.net" });
	struct bytes pem;

	(void)state;
	assert_int_equal(PEM_write_bio_X509_AUX(bio, other.certificate), 1);
	pem = bytes_join(bytes_of_bio(bio), "", copy(&chain_pem));
	identity_clear(&other);
	assert_true(bundle_may_cover(&pem, "other.example.net"));
	bytes_clear(&pem);
}

static void a_certificate_without_the_name_is_ruled_out(void **state)
{
	(void)state;
	assert_false(bundle_may_cover(&leaf_pem, "mail.example.net"));
	assert_false(bundle_may_cover(&leaf_pem, "www.example.org"));
}

/* Then the reason is told when it is loaded. */
static void what_cannot_be_read_is_not_ruled_out(void **state)
{
	struct bytes empty = bytes_of_text(""), cut = bytes_of(leaf_pem.data, leaf_pem.len / 2);

	(void)state;
	assert_true(bundle_may_cover(&empty, "mail.example.org"));
	assert_true(bundle_may_cover(&cut, "mail.example.org"));
	bytes_clear(&empty);
	bytes_clear(&cut);
}

static void freeing_no_bundle_is_harmless(void **state)
{
	_cleanup_(bundle_freep) struct bundle *bundle = NULL;

	(void)state;
	bundle_free(NULL);
	bundle_freep(&bundle);
	assert_null(bundle);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_fingerprint_is_the_one_openssl_prints),
		cmocka_unit_test(the_spki_hash_is_the_one_openssl_prints),
		cmocka_unit_test(a_renewal_with_the_same_key_keeps_the_spki_hash_only),
		cmocka_unit_test(the_same_leaf_under_another_chain_is_the_same_leaf),
		cmocka_unit_test(subject_issuer_and_names_are_those_of_the_leaf),
		cmocka_unit_test(only_dns_names_are_listed),
		cmocka_unit_test(a_certificate_without_names_has_an_empty_list),
		cmocka_unit_test(control_characters_and_nul_in_names_are_made_visible),
		cmocka_unit_test(a_space_inside_a_name_does_not_look_like_two_names),
		cmocka_unit_test(validity_is_given_in_seconds_since_the_epoch),
		cmocka_unit_test(days_left_are_whole_days_and_negative_after_the_end),
		cmocka_unit_test(the_one_issued_earlier_is_the_older),
		cmocka_unit_test(pkcs8_keys_of_every_algorithm_are_read),
		cmocka_unit_test(sec1_keys_are_read),
		cmocka_unit_test(pkcs1_keys_are_read),
		cmocka_unit_test(a_sec1_key_behind_its_parameters_is_read),
		cmocka_unit_test(encrypted_keys_are_refused_without_asking_for_a_passphrase),
		cmocka_unit_test(junk_around_the_key_is_tolerated),
		cmocka_unit_test(a_key_file_without_a_key_is_refused),
		cmocka_unit_test(a_damaged_key_is_refused),
		cmocka_unit_test(junk_around_the_certificates_is_tolerated),
		cmocka_unit_test(the_first_certificate_is_the_leaf_whatever_follows),
		cmocka_unit_test(a_chain_file_without_a_certificate_is_refused),
		cmocka_unit_test(a_truncated_chain_is_refused),
		cmocka_unit_test(a_chain_cut_off_inside_a_begin_line_is_refused),
		cmocka_unit_test(a_certificate_that_claims_to_be_encrypted_is_refused),
		cmocka_unit_test(damaged_base64_is_refused),
		cmocka_unit_test(no_flipped_bit_passes_for_the_same_certificate_unless_it_is),
		cmocka_unit_test(a_private_key_in_the_chain_file_is_refused),
		cmocka_unit_test(more_certificates_than_the_limit_are_refused),
		cmocka_unit_test(a_chain_larger_than_the_limit_is_refused),
		cmocka_unit_test(a_block_that_servers_take_for_the_leaf_is_not_skipped),
		cmocka_unit_test(the_leaf_alone_is_described_as_in_its_chain),
		cmocka_unit_test(the_leaf_alone_is_refused_for_what_is_wrong_with_it),
		cmocka_unit_test(a_self_issued_certificate_names_itself_as_issuer),
		cmocka_unit_test(a_certificate_that_covers_a_host_is_never_ruled_out),
		cmocka_unit_test(a_leaf_that_is_a_trusted_certificate_is_never_ruled_out),
		cmocka_unit_test(a_certificate_without_the_name_is_ruled_out),
		cmocka_unit_test(what_cannot_be_read_is_not_ruled_out),
		cmocka_unit_test(freeing_no_bundle_is_harmless),
	};

	return cmocka_run_group_tests(tests, make_all, clear_all);
}
