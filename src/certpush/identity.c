#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include <libssh2.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "algorithms.h"
#include "certsync/cleanup.h"
#include "certsync/text.h"
#include "handover.h"
#include "identity.h"
#include "slice.h"

#define IDENTITY_BYTES_MAX ((size_t)64 * 1024)
#define TYPE_NAME_MAX      64 /* RFC 4251 6 */
#define OTHERS             (S_IRWXG | S_IRWXO)

/* OpenSSH's PROTOCOL.key */
#define OPENSSH_BEGIN "-----BEGIN OPENSSH PRIVATE KEY-----"
#define OPENSSH_END   "-----END OPENSSH PRIVATE KEY-----"
#define OPENSSH_MAGIC "openssh-key-v1" /* and its '\0' */

static enum outcome unusable(const char *path, const char *why)
{
	return outcome_because(OUTCOME_IDENTITY_UNUSABLE, "%s: %s", path, why);
}

static bool begins_with(const struct bytes *text, const char *prefix)
{
	return text->len >= strlen(prefix) && !memcmp(text->data, prefix, strlen(prefix));
}

/* Files that are often given in place of a private key, and what to do about it. */
static const char *mistaken_for_key(const struct bytes *key)
{
	static const struct {
		const char *prefix;
		const char *why;
	} mistakes[] = {
		{ "ssh-", "is a public key; name the private one, without .pub" },
		{ "ecdsa-sha2-", "is a public key; name the private one, without .pub" },
		{ "sk-", "is a public key; name the private one, without .pub" },
		{ "-----BEGIN PUBLIC KEY-----", "is a public key; name the private one" },
		{ "---- BEGIN SSH2 PUBLIC KEY", "is a public key; name the private one" },
		{ "PuTTY-User-Key-File",
		  "is in PuTTY's format; convert it with 'puttygen -O private-openssh-new'" },
		{ "-----BEGIN CERTIFICATE-----", "is a certificate, not an SSH private key" },
	};

	for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++)
		if (begins_with(key, mistakes[i].prefix))
			return mistakes[i].why;
	return NULL;
}

/* The type of a key as SSH calls it decides whether libssh2 can sign with it. */
static enum outcome check_type(const char *path, const char *type)
{
	if (!strcmp(type, "ssh-ed25519") || !strcmp(type, "ecdsa-sha2-nistp256") ||
	    !strcmp(type, "ecdsa-sha2-nistp384") || !strcmp(type, "ecdsa-sha2-nistp521"))
		return OUTCOME_OK;
	if (strcmp(type, "ssh-rsa") != 0)
		return outcome_because(OUTCOME_IDENTITY_UNUSABLE,
				       "%s: keys of type %s are not supported", path, type);
	if (algorithms_rsa_is_sound())
		return OUTCOME_OK;
	return outcome_because(OUTCOME_IDENTITY_UNUSABLE,
			       "%s: is an RSA key, and libssh2 %s signs with RSA only by SHA-1, "
			       "which servers refuse",
			       path, libssh2_version(0));
}

/* PROTOCOL.key: magic, cipher, key derivation and its options, number of keys, first public key. */
static enum outcome check_openssh_blob(const char *path, struct slice blob)
{
	static const char malformed[] = "is not a well-formed OpenSSH private key";
	struct slice magic, cipher, derivation, options, public_key, type, private_keys;
	char type_name[TYPE_NAME_MAX + 1];
	uint32_t keys;

	if (!slice_take(&blob, sizeof(OPENSSH_MAGIC), &magic) ||
	    memcmp(magic.data, OPENSSH_MAGIC, sizeof(OPENSSH_MAGIC)) != 0)
		return unusable(path, malformed);
	if (!slice_string(&blob, &cipher) || !slice_string(&blob, &derivation) ||
	    !slice_string(&blob, &options) || !slice_uint32(&blob, &keys))
		return unusable(path, malformed);
	if (cipher.len != 4 || memcmp(cipher.data, "none", 4) != 0)
		return unusable(path,
				"is protected by a passphrase, which nobody is there to type");
	if (!slice_string(&blob, &public_key) || !slice_string(&public_key, &type) ||
	    !slice_string(&blob, &private_keys))
		return unusable(path, malformed);
	text_printable(type_name, sizeof(type_name), type.data, type.len);
	return check_type(path, type_name);
}

static enum outcome check_openssh(const char *path, const struct bytes *key)
{
	const char *begin = strstr(key->data, OPENSSH_BEGIN) + sizeof(OPENSSH_BEGIN) - 1;
	const char *end = strstr(begin, OPENSSH_END);
	_cleanup_(bytes_clear) struct bytes blob = BYTES_NONE;
	EVP_ENCODE_CTX *context;
	enum outcome outcome;
	int len = 0, rest = 0;
	bool decoded;

	if (!end)
		return unusable(path, "is cut off: its last line is missing");
	blob.len = key->len;
	blob.data = OPENSSL_zalloc(blob.len + 1);
	context = EVP_ENCODE_CTX_new();
	if (!blob.data || !context) {
		EVP_ENCODE_CTX_free(context);
		return outcome_because(OUTCOME_NO_MEMORY, "%s: out of memory", path);
	}
	EVP_DecodeInit(context);
	decoded = EVP_DecodeUpdate(context, (unsigned char *)blob.data, &len,
				   (const unsigned char *)begin, (int)(end - begin)) >= 0 &&
		  EVP_DecodeFinal(context, (unsigned char *)blob.data + len, &rest) >= 0;
	outcome =
		decoded ? check_openssh_blob(
				  path, (struct slice){ blob.data, (size_t)len + (size_t)rest })
			: unusable(
				  path,
				  "is not a well-formed OpenSSH private key: its base64 is broken");
	EVP_ENCODE_CTX_free(context);
	return outcome;
}

/* Called by OpenSSL for a protected key; says so, and that there is no passphrase. */
static int note_passphrase(char *buffer, int size, int writing, void *wanted)
{
	(void)buffer;
	(void)size;
	(void)writing;
	*(bool *)wanted = true;
	return -1;
}

static const char *ssh_type_of(const EVP_PKEY *key)
{
	char group[64] = "";

	if (EVP_PKEY_is_a(key, "ED25519"))
		return "ssh-ed25519";
	if (EVP_PKEY_is_a(key, "RSA"))
		return "ssh-rsa";
	EVP_PKEY_get_utf8_string_param(key, OSSL_PKEY_PARAM_GROUP_NAME, group, sizeof(group), NULL);
	if (!strcmp(group, "prime256v1"))
		return "ecdsa-sha2-nistp256";
	if (!strcmp(group, "secp384r1"))
		return "ecdsa-sha2-nistp384";
	if (!strcmp(group, "secp521r1"))
		return "ecdsa-sha2-nistp521";
	return group[0] ? "EC of another curve" : EVP_PKEY_get0_type_name(key);
}

static enum outcome check_pem(const char *path, const struct bytes *key)
{
	BIO *bio = BIO_new_mem_buf(key->data, (int)key->len);
	bool passphrase_wanted = false;
	enum outcome outcome;
	EVP_PKEY *pkey;

	if (!bio)
		return outcome_because(OUTCOME_NO_MEMORY, "%s: out of memory", path);
	pkey = PEM_read_bio_PrivateKey(bio, NULL, note_passphrase, &passphrase_wanted);
	BIO_free(bio);
	if (pkey)
		outcome = check_type(path, ssh_type_of(pkey));
	else if (passphrase_wanted)
		outcome = unusable(path,
				   "is protected by a passphrase, which nobody is there to type");
	else
		outcome = unusable(path, "is not an SSH private key");
	EVP_PKEY_free(pkey);
	return outcome;
}

enum outcome identity_check(const char *path, const struct bytes *key)
{
	const char *mistake;

	if (!key->len)
		return unusable(path, "is empty");
	/* libssh2 takes it for a string. */
	if (memchr(key->data, '\0', key->len))
		return unusable(path, "is not an SSH private key");
	mistake = mistaken_for_key(key);
	if (mistake)
		return unusable(path, mistake);
	if (strstr(key->data, OPENSSH_BEGIN))
		return check_openssh(path, key);
	return check_pem(path, key);
}

/* Can only we and root get at the file with this ${status}? */
static enum outcome check_access(const char *path, const struct stat *status)
{
	if (status->st_mode & OTHERS)
		return outcome_because(OUTCOME_IDENTITY_EXPOSED,
				       "%s: has mode %04o, so others can get at it", path,
				       (unsigned)status->st_mode & 07777U);
	if (status->st_uid != 0 && status->st_uid != geteuid())
		return outcome_because(OUTCOME_IDENTITY_EXPOSED,
				       "%s: belongs to another user (uid %u)", path,
				       (unsigned)status->st_uid);
	return OUTCOME_OK;
}

static enum outcome cannot_open(const char *path, int error)
{
	switch (error) {
	case ENOENT:
	case ENOTDIR:
		return outcome_because(OUTCOME_IDENTITY_UNUSABLE, "%s: there is no such SSH key",
				       path);
	case EACCES:
	case EPERM:
		return outcome_because(OUTCOME_FILE_DENIED, "%s: %s", path, strerror(error));
	default:
		return outcome_because(OUTCOME_FILE_IO, "%s: %s", path, strerror(error));
	}
}

enum outcome identity_load(const char *path, struct bytes *key)
{
	_cleanup_(fd_closep) int opened = -1;
	_cleanup_(bytes_clear) struct bytes bytes = BYTES_NONE;
	/* The file that is judged must be the file that is read: one descriptor for both. */
	int fd = handover_file(HANDOVER_IDENTITY);
	enum outcome outcome;
	struct stat status;

	*key = BYTES_NONE;
	if (fd < 0)
		fd = opened = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 || fstat(fd, &status) < 0)
		return cannot_open(path, errno);
	if (!S_ISREG(status.st_mode))
		return outcome_because(OUTCOME_FILE_UNSAFE, "%s: is not a plain file", path);
	outcome = file_read_fd(fd, path, IDENTITY_BYTES_MAX, &bytes);
	if (outcome_failed(outcome))
		return outcome;
	/* A public key is readable by everyone, and chmod would be the wrong advice. */
	if (!mistaken_for_key(&bytes))
		outcome = check_access(path, &status);
	if (!outcome_failed(outcome))
		outcome = identity_check(path, &bytes);
	if (outcome_failed(outcome))
		return outcome;
	*key = bytes;
	bytes = BYTES_NONE;
	return OUTCOME_OK;
}
