#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "certsync/cleanup.h"
#include "sni.h"

#define DOMAINS           "domains"
#define CERT              "cert.pem"
#define KEY               "key.pem"
#define CERT_MODE         0644
#define KEY_MODE          0600
#define DOMAINS_BYTES_MAX ((size_t)64 * 1024)
#define REASON_MAX        512
#define WHITE             " \t\r\n\v\f"

/* --- looking --- */

/* Is the wildcard ${name} itself among the names of ${bundle}? */
static bool has_wildcard(const struct bundle *bundle, const char *name)
{
	const size_t len = strlen(name);

	for (const char *at = bundle_names(bundle); *at; at += strspn(at, " ")) {
		size_t here = strcspn(at, " ");

		if (here == len && !strncasecmp(at, name, len))
			return true;
		at += here;
	}
	return false;
}

static bool covers(const struct bundle *bundle, const char *name)
{
	return name[0] == '*' ? has_wildcard(bundle, name)
			      : !outcome_failed(bundle_check_host(bundle, name));
}

/* Does ${name}, perhaps a wildcard, stand for ${host} (RFC 6125)? */
static bool stands_for(const char *name, const char *host)
{
	const char *parent = strchr(host, '.');

	return !strcasecmp(name, host) ||
	       (name[0] == '*' && parent && !strcasecmp(name + 1, parent));
}

static void judge(struct sni_directory *directory, char *domains, const struct pair *pair,
		  const char *hostname)
{
	bool shadows = false;
	char *rest = NULL;

	directory->state = bytes_equal(&directory->old.chain, &pair->chain) &&
					   bytes_equal(&directory->old.key, &pair->key)
				   ? SNI_CURRENT
				   : SNI_STALE;
	for (char *name = strtok_r(domains, WHITE, &rest); name;
	     name = strtok_r(NULL, WHITE, &rest)) {
		shadows |= stands_for(name, hostname);
		if (directory->uncovered[0] || covers(pair->bundle, name))
			continue;
		snprintf(directory->uncovered, sizeof(directory->uncovered), "%s", name);
	}
	if (directory->state == SNI_STALE && directory->uncovered[0])
		directory->state = shadows ? SNI_SHADOWING : SNI_FOREIGN;
}

static int open_directory(int ssl, const char *name)
{
	return openat(ssl, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static bool has_file(int directory, const char *name)
{
	struct stat status;

	return fstatat(directory, name, &status, 0) == 0 && S_ISREG(status.st_mode);
}

/* True: it is one that mailcow serves. It need not hold anything sensible for that. */
static bool is_served(int directory)
{
	return has_file(directory, DOMAINS) && has_file(directory, CERT) &&
	       has_file(directory, KEY);
}

static enum outcome look_at(int ssl, const char *name, const struct pair *pair,
			    const char *hostname, struct sni *sni)
{
	struct sni_directory *directory = &sni->directory[sni->count];
	_cleanup_(bytes_clear) struct bytes domains = BYTES_NONE;
	_cleanup_(fd_closep) int fd = open_directory(ssl, name);
	enum outcome outcome;

	if (fd < 0 || !is_served(fd) || sni->count == SNI_DIRECTORIES_MAX)
		return OUTCOME_OK;
	outcome = file_read(fd, DOMAINS, FILE_OWN, DOMAINS_BYTES_MAX, &domains);
	/* What is there and cannot be read is another pair. */
	if (!outcome_failed(outcome) &&
	    (outcome_failed(
		     file_read(fd, CERT, FILE_OWN, BUNDLE_BYTES_MAX, &directory->old.chain)) ||
	     outcome_failed(file_read(fd, KEY, FILE_OWN, BUNDLE_BYTES_MAX, &directory->old.key))))
		pair_clear(&directory->old);
	if (outcome_failed(outcome))
		return outcome_in(outcome, "%s", name);
	/* It is served for no name at all. */
	if (!domains.data[strspn(domains.data, WHITE)]) {
		pair_clear(&directory->old);
		return OUTCOME_OK;
	}
	snprintf(directory->name, sizeof(directory->name), "%s", name);
	judge(directory, domains.data, pair, hostname);
	sni->count++;
	return OUTCOME_OK;
}

enum outcome sni_find(int ssl, const struct pair *pair, const char *hostname, struct sni *sni)
{
	_cleanup_(dir_closep) DIR *entries = NULL;
	int fd = openat(ssl, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	enum outcome result = OUTCOME_OK;
	char reason[REASON_MAX] = "";
	struct dirent *entry;

	memset(sni, 0, sizeof(*sni));
	entries = fd < 0 ? NULL : fdopendir(fd);
	if (!entries) {
		if (fd >= 0)
			close(fd);
		return outcome_because(OUTCOME_FILE_IO, "cannot list: %s", strerror(errno));
	}
	while ((entry = readdir(entries))) {
		enum outcome outcome;

		/* mailcow's scripts look for data/assets/ssl/<anything but a dot>. */
		if (entry->d_name[0] == '.')
			continue;
		outcome = look_at(ssl, entry->d_name, pair, hostname, sni);
		if (!outcome_failed(outcome))
			continue;
		/* The look at the next one records reasons of its own. */
		snprintf(reason, sizeof(reason), "%s", outcome_reason(outcome));
		result = outcome;
	}
	return outcome_failed(result) ? outcome_because(result, "%s", reason) : OUTCOME_OK;
}

/* --- writing --- */

/*
 * The key first, as for the installed pair: for a moment the directory holds a certificate and the
 * key of another, which its readers refuse, whichever comes first.
 */
static enum outcome write_pair(int ssl, const struct sni_directory *directory,
			       const struct pair *pair)
{
	_cleanup_(fd_closep) int fd = open_directory(ssl, directory->name);
	struct file_access access;
	struct stat status;
	enum outcome outcome;

	if (fd < 0 || fstat(fd, &status) < 0)
		return outcome_because(OUTCOME_FILE_WRITE, "%s: cannot open: %s", directory->name,
				       strerror(errno));
	access = (struct file_access){ status.st_uid, status.st_gid, KEY_MODE };
	outcome = file_replace(fd, KEY, &pair->key, &access);
	access.mode = CERT_MODE;
	if (!outcome_failed(outcome))
		outcome = file_replace(fd, CERT, &pair->chain, &access);
	return outcome_in(outcome, "%s", directory->name);
}

static enum outcome put_back(int ssl, const struct sni_directory *directory)
{
	/* What could not be read before is not worth having back. */
	return directory->old.chain.len ? write_pair(ssl, directory, &directory->old) : OUTCOME_OK;
}

enum outcome sni_update(int ssl, const struct pair *pair, struct sni *sni)
{
	enum outcome result = OUTCOME_OK;

	for (size_t i = 0; i < sni->count; i++) {
		struct sni_directory *directory = &sni->directory[i];
		enum outcome outcome;

		if (directory->state != SNI_STALE)
			continue;
		outcome = write_pair(ssl, directory, pair);
		if (outcome_failed(outcome)) {
			result = outcome;
			/* The new key may be there without its certificate. */
			put_back(ssl, directory);
			continue;
		}
		directory->state = SNI_CURRENT;
		directory->updated = true;
	}
	return result;
}

enum outcome sni_restore(int ssl, struct sni *sni)
{
	enum outcome result = OUTCOME_OK;

	for (size_t i = 0; i < sni->count; i++) {
		struct sni_directory *directory = &sni->directory[i];
		enum outcome outcome;

		if (!directory->updated)
			continue;
		outcome = put_back(ssl, directory);
		if (outcome_failed(outcome))
			result = outcome;
		directory->state = SNI_STALE;
		directory->updated = false;
	}
	return result;
}

void sni_clear(struct sni *sni)
{
	for (size_t i = 0; i < sni->count; i++)
		pair_clear(&sni->directory[i].old);
	sni->count = 0;
}
