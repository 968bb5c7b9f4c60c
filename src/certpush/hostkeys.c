#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libssh2.h>
#include <openssl/evp.h>

#include "algorithms.h"
#include "certsync/cleanup.h"
#include "hostkeys.h"
#include "knownhosts.h"

#define KNOWN_HOSTS_MAX ((size_t)4 * 1024 * 1024)
#define HOST_MAX        256 /* with the final '\0' */
#define SEEN_MAX        512
#define PIN_PREFIX      "SHA256:"

/* The key types that are sound, best first. */
static const struct type {
	const char *name;    /* in the key and in known_hosts */
	int known;           /* LIBSSH2_KNOWNHOST_KEY_... */
	const char *methods; /* how a server may sign with it */
} types[] = {
	{ "ssh-ed25519", LIBSSH2_KNOWNHOST_KEY_ED25519, "ssh-ed25519" },
	{ "ecdsa-sha2-nistp256", LIBSSH2_KNOWNHOST_KEY_ECDSA_256, "ecdsa-sha2-nistp256" },
	{ "ecdsa-sha2-nistp384", LIBSSH2_KNOWNHOST_KEY_ECDSA_384, "ecdsa-sha2-nistp384" },
	{ "ecdsa-sha2-nistp521", LIBSSH2_KNOWNHOST_KEY_ECDSA_521, "ecdsa-sha2-nistp521" },
	{ "ssh-rsa", LIBSSH2_KNOWNHOST_KEY_SSHRSA, "rsa-sha2-512,rsa-sha2-256" },
};

#define TYPES (sizeof(types) / sizeof(types[0]))

/* Types as a set: bit i is types[i]. */
typedef unsigned type_set;

#define TYPES_ALL ((1U << TYPES) - 1)

struct hostkeys {
	const struct push_conf *conf;
	char host[HOST_MAX];      /* in lower case, as OpenSSH writes it to known_hosts */
	struct knownhosts *known; /* NULL: a key is pinned */
	bool missing;             /* there is no known_hosts file */
	type_set seen;            /* with a pin: what the server showed and was not it */
	char seen_text[SEEN_MAX];
};

void hostkeys_freep(struct hostkeys **keys)
{
	if (*keys)
		knownhosts_freep(&(*keys)->known);
	free(*keys);
	*keys = NULL;
}

/* The types that this libssh2 can verify without SHA-1. */
static type_set usable_types(void)
{
	type_set usable = TYPES_ALL;

	for (size_t i = 0; i < TYPES; i++)
		if (types[i].known == LIBSSH2_KNOWNHOST_KEY_SSHRSA && !algorithms_rsa_is_sound())
			usable &= ~(1U << i);
	return usable;
}

static type_set known_types(const struct hostkeys *keys)
{
	type_set known = 0;

	for (size_t i = 0; i < TYPES; i++)
		if (knownhosts_has_type(keys->known, types[i].known))
			known |= 1U << i;
	return known;
}

static enum outcome read_known_hosts(struct hostkeys *keys)
{
	_cleanup_(bytes_clear) struct bytes contents = BYTES_NONE;
	const char *file = keys->conf->known_hosts;
	enum outcome outcome = file_read(AT_FDCWD, file, FILE_OWN, KNOWN_HOSTS_MAX, &contents);

	keys->missing = outcome == OUTCOME_FILE_MISSING;
	if (outcome_failed(outcome) && !keys->missing)
		return outcome;
	return knownhosts_parse(file, &contents, keys->host, keys->conf->port, &keys->known);
}

enum outcome hostkeys_load(const struct push_conf *conf, struct hostkeys **out)
{
	_cleanup_(hostkeys_freep) struct hostkeys *keys = calloc(1, sizeof(*keys));
	enum outcome outcome;

	if (!keys)
		return outcome_because(OUTCOME_NO_MEMORY, "host keys: out of memory");
	keys->conf = conf;
	for (size_t i = 0; i + 1 < sizeof(keys->host) && conf->host[i]; i++)
		keys->host[i] = (char)tolower((unsigned char)conf->host[i]);
	if (!conf->host_key[0]) {
		outcome = read_known_hosts(keys);
		if (outcome_failed(outcome))
			return outcome;
	}
	*out = keys;
	keys = NULL;
	return OUTCOME_OK;
}

enum outcome hostkeys_check(const struct hostkeys *keys)
{
	const struct push_conf *conf = keys->conf;

	if (!keys->known || knownhosts_has_any(keys->known))
		return OUTCOME_OK;
	if (keys->missing)
		return outcome_because(OUTCOME_HOST_KEY_UNKNOWN,
				       "%s does not exist, so no key of %s port %d is known",
				       conf->known_hosts, conf->host, conf->port);
	return outcome_because(OUTCOME_HOST_KEY_UNKNOWN, "%s has no key of %s port %d",
			       conf->known_hosts, conf->host, conf->port);
}

static void list_methods(type_set set, char methods[static HOSTKEYS_METHODS_MAX])
{
	size_t used = 0;

	methods[0] = '\0';
	for (size_t i = 0; i < TYPES; i++)
		if (set & (1U << i) && used < HOSTKEYS_METHODS_MAX)
			used += (size_t)snprintf(methods + used, HOSTKEYS_METHODS_MAX - used,
						 "%s%s", used ? "," : "", types[i].methods);
}

enum outcome hostkeys_methods(const struct hostkeys *keys,
			      char methods[static HOSTKEYS_METHODS_MAX])
{
	const struct push_conf *conf = keys->conf;
	type_set offered = usable_types() & ~keys->seen;

	/* Of an unknown host any key will do: it is only asked for to show its fingerprint. */
	if (keys->known && knownhosts_has_any(keys->known))
		offered &= known_types(keys);
	list_methods(offered, methods);
	if (offered)
		return OUTCOME_OK;
	if (keys->known && known_types(keys))
		return outcome_because(OUTCOME_NO_COMMON_ALGORITHM,
				       "%s has only an RSA key of %s port %d, which libssh2 %s can "
				       "verify with SHA-1 "
				       "signatures only; add the host's ssh-ed25519 key",
				       conf->known_hosts, conf->host, conf->port,
				       libssh2_version(0));
	return outcome_because(
		OUTCOME_NO_COMMON_ALGORITHM,
		"%s has only keys of %s port %d of types that are no longer sound; add the host's "
		"ssh-ed25519 key",
		conf->known_hosts, conf->host, conf->port);
}

void hostkeys_fingerprint(const void *key, size_t len,
			  char text[static HOSTKEYS_FINGERPRINT_LEN + 1])
{
	unsigned char digest[EVP_MAX_MD_SIZE] = { 0 }, base64[2 * EVP_MAX_MD_SIZE] = { 0 };
	unsigned digest_len = 0;

	EVP_Digest(key, len, digest, &digest_len, EVP_sha256(), NULL);
	EVP_EncodeBlock(base64, digest, (int)digest_len);
	/* ssh-keygen leaves the padding out. */
	snprintf(text, HOSTKEYS_FINGERPRINT_LEN + 1, PIN_PREFIX "%.43s", (char *)base64);
}

/*
 * The key type is the first string of a ${key} (RFC 4253 6.6); NULL if it is none of ours, which
 * were all that was offered.
 */
static const struct type *type_of(const unsigned char *key, size_t len)
{
	for (size_t i = 0; i < TYPES; i++) {
		size_t name = strlen(types[i].name);

		if (len >= 4 + name && !key[0] && !key[1] && !key[2] && key[3] == name &&
		    !memcmp(key + 4, types[i].name, name))
			return &types[i];
	}
	return NULL;
}

enum outcome hostkeys_exhausted(const struct hostkeys *keys)
{
	const struct push_conf *conf = keys->conf;

	if (!keys->seen)
		return OUTCOME_OK;
	return outcome_because(OUTCOME_HOST_KEY_CHANGED, "%s port %d shows %s, but pinned is %s%s",
			       conf->host, conf->port, keys->seen_text, conf->host_key,
			       algorithms_rsa_is_sound()
				       ? ""
				       : " (an RSA key cannot be pinned with this libssh2)");
}

static enum outcome judge_by_pin(struct hostkeys *keys, const struct type *type,
				 const char *fingerprint, bool *again)
{
	const char *pin = keys->conf->host_key;
	size_t len = strlen(fingerprint), used = strlen(keys->seen_text);

	/* A pin may have base64's padding. */
	if (!strncmp(pin, fingerprint, len) && strspn(pin + len, "=") == strlen(pin + len))
		return OUTCOME_OK;
	keys->seen |= 1U << (type - types);
	snprintf(keys->seen_text + used, sizeof(keys->seen_text) - used, "%sthe %s key %s",
		 used ? ", " : "", type->name, fingerprint);
	*again = (usable_types() & ~keys->seen) != 0;
	return hostkeys_exhausted(keys);
}

static enum outcome judge_by_known_hosts(const struct hostkeys *keys, const struct type *type,
					 const char *fingerprint, const void *key, size_t len)
{
	const struct push_conf *conf = keys->conf;

	if (knownhosts_revokes(keys->known, key, len))
		return outcome_because(OUTCOME_HOST_KEY_CHANGED,
				       "%s port %d shows the %s key %s, which %s says is revoked",
				       conf->host, conf->port, type->name, fingerprint,
				       conf->known_hosts);
	if (knownhosts_has_key(keys->known, key, len, type->known))
		return OUTCOME_OK;
	if (!knownhosts_has_any(keys->known))
		return outcome_because(
			OUTCOME_HOST_KEY_UNKNOWN, "%s port %d shows the %s key %s; %s %s",
			conf->host, conf->port, type->name, fingerprint, conf->known_hosts,
			keys->missing ? "does not exist" : "has no key of this host");
	return outcome_because(OUTCOME_HOST_KEY_CHANGED,
			       "%s port %d shows the %s key %s, but %s has another one", conf->host,
			       conf->port, type->name, fingerprint, conf->known_hosts);
}

enum outcome hostkeys_judge(struct hostkeys *keys, const void *key, size_t len, bool *again)
{
	const struct type *type = type_of(key, len);
	char fingerprint[HOSTKEYS_FINGERPRINT_LEN + 1];

	*again = false;
	if (!type)
		return outcome_because(
			OUTCOME_SSH_PROTOCOL,
			"%s port %d shows a host key of a type that was not asked for",
			keys->conf->host, keys->conf->port);
	hostkeys_fingerprint(key, len, fingerprint);
	if (!keys->known)
		return judge_by_pin(keys, type, fingerprint, again);
	return judge_by_known_hosts(keys, type, fingerprint, key, len);
}
