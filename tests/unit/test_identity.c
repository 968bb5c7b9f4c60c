/* Which private keys are taken for our own. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <libssh2.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "certsync/cleanup.h"
#include "identity.h"
#include "make_pair.h"

static char directory[] = "/tmp/test_identity.XXXXXX";
static char path[sizeof(directory) + 16];

/* Make a key of OpenSSH's format with ssh-keygen, which is what people do. */
static void keygen(const char *options)
{
	char command[512];

	unlink(path);
	snprintf(command, sizeof(command), "ssh-keygen -q -f %s %s", path, options);
	assert_int_equal(system(command), 0);
}

static void write_text(const char *text)
{
	FILE *stream;

	unlink(path);
	stream = fopen(path, "w");
	assert_non_null(stream);
	fputs(text, stream);
	fclose(stream);
	chmod(path, 0600);
}

/* Write ${key} in PKCS#8 and free it; with a passphrase if one is given. */
static void write_pem(EVP_PKEY *key, const char *passphrase)
{
	FILE *stream;

	assert_non_null(key);
	unlink(path);
	stream = fopen(path, "w");
	assert_non_null(stream);
	assert_int_equal(PEM_write_PrivateKey(stream, key, passphrase ? EVP_aes_128_cbc() : NULL,
					      (const unsigned char *)passphrase,
					      passphrase ? (int)strlen(passphrase) : 0, NULL, NULL),
			 1);
	fclose(stream);
	chmod(path, 0600);
	EVP_PKEY_free(key);
}

static void assert_usable(void)
{
	_cleanup_(bytes_clear) struct bytes key = BYTES_NONE;

	assert_int_equal(identity_load(path, &key), OUTCOME_OK);
	assert_true(key.len > 0);
	assert_int_equal(key.data[key.len], '\0');
}

static void assert_refused(enum outcome expected, const char *words)
{
	_cleanup_(bytes_clear) struct bytes key = BYTES_NONE;

	assert_int_equal(identity_load(path, &key), expected);
	assert_null(key.data);
	assert_non_null(strstr(outcome_reason(expected), path));
	assert_non_null(strstr(outcome_reason(expected), words));
}

static void keys_as_ssh_keygen_makes_them_are_taken(void **state)
{
	(void)state;
	keygen("-t ed25519 -N ''");
	assert_usable();
	keygen("-t ecdsa -b 256 -N ''");
	assert_usable();
	keygen("-t ecdsa -b 521 -N ''");
	assert_usable();
}

static void pem_keys_are_taken(void **state)
{
	(void)state;
	write_pem(EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), NULL);
	assert_usable();
	write_pem(EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-384"), NULL);
	assert_usable();
	write_pem(EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-521"), NULL);
	assert_usable();
	keygen("-t ecdsa -m PEM -N ''");
	assert_usable();
}

/* libssh2 before 1.11.0 signs with RSA and SHA-1 only. */
static void assert_like_rsa(void)
{
	if (libssh2_version(0x010b00))
		assert_usable();
	else
		assert_refused(OUTCOME_IDENTITY_UNUSABLE, "RSA");
}

static void an_rsa_key_is_taken_only_where_it_signs_soundly(void **state)
{
	(void)state;
	keygen("-t rsa -b 2048 -N ''");
	assert_like_rsa();
	keygen("-t rsa -b 2048 -m PEM -N ''");
	assert_like_rsa();
	write_pem(make_key("RSA 2048"), NULL);
	assert_like_rsa();
}

static void a_key_with_a_passphrase_is_refused(void **state)
{
	(void)state;
	keygen("-t ed25519 -N secret");
	assert_refused(OUTCOME_IDENTITY_UNUSABLE, "passphrase");
	keygen("-t ecdsa -m PEM -N secret");
	assert_refused(OUTCOME_IDENTITY_UNUSABLE, "passphrase");
	write_pem(EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), "secret");
	assert_refused(OUTCOME_IDENTITY_UNUSABLE, "passphrase");
}

static void a_public_key_is_told_from_a_private_one(void **state)
{
	char command[256];

	(void)state;
	keygen("-t ed25519 -N ''");
	snprintf(command, sizeof(command), "mv %s.pub %s", path, path);
	assert_int_equal(system(command), 0);
	/* Its mode is no reproach: a public key may be read by everyone. */
	chmod(path, 0644);
	assert_refused(OUTCOME_IDENTITY_UNUSABLE, "public key");
}

static void a_key_that_others_can_read_is_refused(void **state)
{
	(void)state;
	keygen("-t ed25519 -N ''");
	chmod(path, 0640);
	assert_refused(OUTCOME_IDENTITY_EXPOSED, "0640");
	chmod(path, 0604);
	assert_refused(OUTCOME_IDENTITY_EXPOSED, "0604");
	chmod(path, 0400);
	assert_usable();
}

static void a_key_of_another_user_is_refused(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	keygen("-t ed25519 -N ''");
	assert_int_equal(chown(path, 12345, 0), 0);
	assert_refused(OUTCOME_IDENTITY_EXPOSED, "12345");
}

static void other_keys_are_named(void **state)
{
	(void)state;
	write_pem(EVP_PKEY_Q_keygen(NULL, NULL, "ED448"), NULL);
	assert_refused(OUTCOME_IDENTITY_UNUSABLE, "ED448");
	write_pem(EVP_PKEY_Q_keygen(NULL, NULL, "EC", "secp256k1"), NULL);
	assert_refused(OUTCOME_IDENTITY_UNUSABLE, "another curve");
	write_text("PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\n");
	assert_refused(OUTCOME_IDENTITY_UNUSABLE, "puttygen");
}

static void what_is_no_key_is_refused(void **state)
{
	(void)state;
	write_text("");
	assert_refused(OUTCOME_IDENTITY_UNUSABLE, "empty");
	write_text("hello\n");
	assert_refused(OUTCOME_IDENTITY_UNUSABLE, "not an SSH private key");
	write_text("-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAA\n");
	assert_refused(OUTCOME_IDENTITY_UNUSABLE, "cut off");
	write_text("-----BEGIN OPENSSH PRIVATE KEY-----\n-----END OPENSSH PRIVATE KEY-----\n");
	assert_refused(OUTCOME_IDENTITY_UNUSABLE, "well-formed");
	write_text(
		"-----BEGIN OPENSSH PRIVATE KEY-----\n%%%%\n-----END OPENSSH PRIVATE KEY-----\n");
	assert_refused(OUTCOME_IDENTITY_UNUSABLE, "well-formed");
}

static void a_key_that_is_cut_anywhere_is_refused(void **state)
{
	_cleanup_(bytes_clear) struct bytes key = BYTES_NONE;

	(void)state;
	keygen("-t ed25519 -N ''");
	assert_int_equal(identity_load(path, &key), OUTCOME_OK);
	for (size_t len = 0; len + 8 < key.len; len++) {
		_cleanup_(bytes_clear) struct bytes cut = { OPENSSL_zalloc(len + 1), len };

		memcpy(cut.data, key.data, len);
		assert_int_equal(identity_check(path, &cut), OUTCOME_IDENTITY_UNUSABLE);
	}
}

/* As if it had been made so: the lines are whole, but not what they hold. */
static void a_key_of_which_a_part_is_missing_is_refused(void **state)
{
	static const char begin[] = "-----BEGIN OPENSSH PRIVATE KEY-----\n";
	static const char end[] = "\n-----END OPENSSH PRIVATE KEY-----\n";
	_cleanup_(bytes_clear) struct bytes key = BYTES_NONE;
	char base64[1024], text[2048];

	(void)state;
	keygen("-t ed25519 -N ''");
	assert_int_equal(identity_load(path, &key), OUTCOME_OK);
	base64[0] = '\0';
	for (char *rest = strchr(key.data, '\n') + 1, *line;
	     (line = strsep(&rest, "\n")) && line[0] != '-';)
		strcat(base64, line);
	for (size_t len = 4; len + 8 < strlen(base64); len += 4) {
		struct bytes part = { text, 0 };

		part.len = (size_t)snprintf(text, sizeof(text), "%s%.*s%s", begin, (int)len, base64,
					    end);
		assert_int_equal(identity_check(path, &part), OUTCOME_IDENTITY_UNUSABLE);
		assert_non_null(
			strstr(outcome_reason(OUTCOME_IDENTITY_UNUSABLE), "not a well-formed"));
	}
}

static void what_cannot_be_opened_is_told(void **state)
{
	struct bytes key;

	(void)state;
	unlink(path);
	assert_int_equal(symlink(path, path), 0);
	assert_int_equal(identity_load(path, &key), OUTCOME_FILE_IO);
	keygen("-t ed25519 -N ''");
	assert_int_equal(chmod(directory, 0), 0);
	/* Root gets in everywhere. */
	if (getuid() == 0)
		assert_int_equal(seteuid(65534), 0);
	assert_int_equal(identity_load(path, &key), OUTCOME_FILE_DENIED);
	if (getuid() == 0)
		assert_int_equal(seteuid(0), 0);
	assert_int_equal(chmod(directory, 0700), 0);
}

static void what_is_no_plain_file_is_refused(void **state)
{
	struct bytes key;

	(void)state;
	assert_int_equal(identity_load(directory, &key), OUTCOME_FILE_UNSAFE);
	unlink(path);
	assert_int_equal(identity_load(path, &key), OUTCOME_IDENTITY_UNUSABLE);
	/* Opening it must not wait for somebody to write. */
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(identity_load(path, &key), OUTCOME_FILE_UNSAFE);
}

static int set_up(void **state)
{
	(void)state;
	if (!mkdtemp(directory))
		return -1;
	snprintf(path, sizeof(path), "%s/identity", directory);
	return 0;
}

static int tear_down(void **state)
{
	char public_path[sizeof(path) + 4];

	(void)state;
	snprintf(public_path, sizeof(public_path), "%s.pub", path);
	unlink(public_path);
	unlink(path);
	return rmdir(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_as_ssh_keygen_makes_them_are_taken),
		cmocka_unit_test(pem_keys_are_taken),
		cmocka_unit_test(an_rsa_key_is_taken_only_where_it_signs_soundly),
		cmocka_unit_test(a_key_with_a_passphrase_is_refused),
		cmocka_unit_test(a_public_key_is_told_from_a_private_one),
		cmocka_unit_test(a_key_that_others_can_read_is_refused),
		cmocka_unit_test(a_key_of_another_user_is_refused),
		cmocka_unit_test(other_keys_are_named),
		cmocka_unit_test(what_is_no_key_is_refused),
		cmocka_unit_test(a_key_that_is_cut_anywhere_is_refused),
		cmocka_unit_test(a_key_of_which_a_part_is_missing_is_refused),
		cmocka_unit_test(what_cannot_be_opened_is_told),
		cmocka_unit_test(what_is_no_plain_file_is_refused),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
