#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "certsync/cleanup.h"
#include "record.h"

#define RECORD_BYTES_MAX 2048
#define RECORD_MODE      0600

static bool hash(const struct bytes *bytes, char hex[static RECORD_HASH_LEN + 1])
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned int size;

	return EVP_Digest(bytes->data, bytes->len, digest, &size, EVP_sha256(), NULL) &&
	       OPENSSL_buf2hexstr_ex(hex, RECORD_HASH_LEN + 1, NULL, digest, size, '\0');
}

enum outcome record_make(const struct pair *pair, struct record *record)
{
	memset(record, 0, sizeof(*record));
	if (!hash(&pair->chain, record->chain) || !hash(&pair->key, record->key))
		return outcome_because(OUTCOME_NO_MEMORY, "out of memory");
	return OUTCOME_OK;
}

enum outcome record_write(int state, const char *name, const struct pair *pair, const char *note)
{
	const struct file_access access = { .uid = geteuid(),
					    .gid = getegid(),
					    .mode = RECORD_MODE };
	char text[RECORD_BYTES_MAX];
	struct bytes bytes = { .data = text };
	struct record record;
	enum outcome outcome = record_make(pair, &record);

	if (outcome_failed(outcome))
		return outcome;
	bytes.len = (size_t)snprintf(text, sizeof(text), "%s cert.pem\n%s key.pem\n%.*s\n",
				     record.chain, record.key, RECORD_NOTE_MAX, note);
	return file_replace(state, name, &bytes, &access);
}

enum outcome record_read(int state, const char *name, struct record *record)
{
	_cleanup_(bytes_clear) struct bytes bytes = BYTES_NONE;
	enum outcome outcome;
	int hashes_len = 0;

	memset(record, 0, sizeof(*record));
	if (state < 0)
		return OUTCOME_OK;
	outcome = file_read(state, name, FILE_STAGED, RECORD_BYTES_MAX, &bytes);
	if (outcome_failed(outcome))
		return file_is_unreadable(outcome) ? outcome : OUTCOME_OK;
	sscanf(bytes.data, "%64s cert.pem\n%64s key.pem%n", record->chain, record->key,
	       &hashes_len);
	/* The note may begin with a blank. */
	if (hashes_len)
		sscanf(bytes.data + hashes_len, "%*1[\n]%511[^\n]", record->note);
	else
		memset(record, 0, sizeof(*record));
	return OUTCOME_OK;
}

bool record_is_empty(const struct record *record)
{
	return !record->key[0];
}

bool record_exists(int state, const char *name)
{
	return state >= 0 && (faccessat(state, name, F_OK, 0) == 0 || errno != ENOENT);
}

bool record_hash_is(const char *wanted, const struct bytes *bytes)
{
	char hex[RECORD_HASH_LEN + 1];

	return hash(bytes, hex) && !strcmp(hex, wanted);
}

bool record_is_of(const struct record *record, const struct pair *pair)
{
	return record_hash_is(record->chain, &pair->chain) &&
	       record_hash_is(record->key, &pair->key);
}

enum outcome record_remove(int state, const char *name)
{
	if (unlinkat(state, name, 0) < 0 && errno != ENOENT)
		return outcome_because(OUTCOME_FILE_WRITE, "%s: cannot remove: %s", name,
				       strerror(errno));
	return file_sync_directory(state);
}
