#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "certsync/cleanup.h"
#include "domains.h"
#include "sni.h"

#define DOMAINS           "domains"
#define CERT              "cert.pem"
#define KEY               "key.pem"
#define CERT_NEW          ".cert.pem.new"
#define KEY_NEW           ".key.pem.new"
#define CERT_MODE         0644
#define KEY_MODE          0600
#define DOMAINS_BYTES_MAX ((size_t)64 * 1024)
#define REASON_MAX        512

/* The first failure of several: the other directories are done all the same. */
struct failure {
	enum outcome outcome;
	char reason[REASON_MAX];
};

static void note(struct failure *first, enum outcome outcome, const char *name)
{
	if (!outcome_failed(outcome) || outcome_failed(first->outcome))
		return;
	first->outcome = outcome;
	snprintf(first->reason, sizeof(first->reason), "%s: %s", name, outcome_reason(outcome));
}

static enum outcome conclude(const struct failure *first)
{
	return outcome_failed(first->outcome) ? outcome_because(first->outcome, "%s", first->reason)
					      : OUTCOME_OK;
}

static int open_directory(int ssl, const char *name)
{
	return openat(ssl, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* --- looking --- */

/* OpenSSL takes "*.example.org" for covered by that very wildcard and no other. */
static enum outcome judge(struct sni_directory *directory, struct bytes *domains,
			  const struct pair *pair, const char *hostname)
{
	const struct judge_rules rules = { .hostname = hostname, .names = domains };
	struct judgement judged;
	enum outcome outcome;

	directory->state = SNI_CURRENT;
	if (pair_equal(&directory->old, pair))
		return OUTCOME_OK;
	outcome = judge_pair(&pair->chain, &pair->key, &rules, &judged);
	if (outcome_failed(outcome))
		return outcome;
	memcpy(directory->uncovered, judged.uncovered, sizeof(directory->uncovered));
	if (!directory->uncovered[0])
		directory->state = SNI_STALE;
	else
		directory->state = domains_find(domains->data, domains_stand_for, hostname)
					   ? SNI_SHADOWING
					   : SNI_FOREIGN;
	return OUTCOME_OK;
}

/*
 * Are all of the files there? As mailcow's scripts look: a link that leads to a file is one. What
 * is in it is not asked.
 */
static enum outcome has_files(int directory, bool *all)
{
	static const char *const names[] = { DOMAINS, CERT, KEY };

	*all = true;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names) && *all; i++) {
		struct stat status = { .st_mode = 0 };

		if (fstatat(directory, names[i], &status, 0) < 0 && errno != ENOENT &&
		    errno != ENOTDIR && errno != ELOOP)
			return outcome_because(OUTCOME_FILE_IO, "%s: cannot stat: %s", names[i],
					       strerror(errno));
		*all = S_ISREG(status.st_mode);
	}
	return OUTCOME_OK;
}

/* What is there and cannot be read is another pair. */
static void read_pair(int fd, struct pair *pair)
{
	if (outcome_failed(file_read(fd, CERT, FILE_OWN, BUNDLE_BYTES_MAX, &pair->chain)) ||
	    outcome_failed(file_read(fd, KEY, FILE_OWN, BUNDLE_BYTES_MAX, &pair->key)))
		pair_clear(pair);
}

static struct sni_directory *append(struct sni *sni, const char *name)
{
	struct sni_directory *more =
		reallocarray(sni->directory, sni->count + 1, sizeof(*sni->directory));

	if (!more)
		return NULL;
	sni->directory = more;
	more += sni->count++;
	memset(more, 0, sizeof(*more));
	snprintf(more->name, sizeof(more->name), "%s", name);
	return more;
}

static enum outcome look_at(int ssl, const char *name, const struct pair *pair,
			    const char *hostname, struct sni *sni)
{
	_cleanup_(bytes_clear) struct bytes domains = BYTES_NONE;
	_cleanup_(fd_closep) int fd = open_directory(ssl, name);
	struct sni_directory *directory;
	enum outcome outcome;
	bool all;

	/* A link, a file, or gone in the meantime. */
	if (fd < 0 && (errno == ENOTDIR || errno == ELOOP || errno == ENOENT))
		return OUTCOME_OK;
	if (fd < 0)
		return outcome_because(OUTCOME_FILE_IO, "cannot open: %s", strerror(errno));
	outcome = has_files(fd, &all);
	if (outcome_failed(outcome) || !all)
		return outcome;
	outcome = file_read(fd, DOMAINS, FILE_OWN, DOMAINS_BYTES_MAX, &domains);
	if (outcome_failed(outcome))
		return outcome;
	/* It is served for no name at all. */
	if (domains_are_none(domains.data))
		return OUTCOME_OK;
	directory = append(sni, name);
	if (!directory)
		return outcome_because(OUTCOME_NO_MEMORY, "out of memory");
	read_pair(fd, &directory->old);
	return judge(directory, &domains, pair, hostname);
}

/* nginx serves hidden directories as well, dovecot and postfix do not. */
static int may_be_directory(const struct dirent *entry)
{
	return (entry->d_type == DT_DIR || entry->d_type == DT_UNKNOWN) &&
	       strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

enum outcome sni_find(int ssl, const struct pair *pair, const char *hostname, struct sni *sni)
{
	struct failure first = { .outcome = OUTCOME_OK };
	struct dirent **entries;
	int count;

	*sni = (struct sni){ .count = 0 };
	count = scandirat(ssl, ".", &entries, may_be_directory, alphasort);
	if (count < 0)
		return outcome_because(OUTCOME_FILE_IO, "cannot list: %s", strerror(errno));
	for (int i = 0; i < count; i++) {
		const char *name = entries[i]->d_name;

		note(&first, look_at(ssl, name, pair, hostname, sni), name);
		free(entries[i]);
	}
	free(entries);
	return conclude(&first);
}

/* --- writing --- */

static void remove_temporaries(int fd)
{
	unlinkat(fd, KEY_NEW, 0);
	unlinkat(fd, CERT_NEW, 0);
}

/*
 * The key first, as for the installed pair. Both or neither: with a certificate and the key of
 * another, nginx would not start again.
 */
static enum outcome swap(int fd, const struct bytes *old_key, const struct file_access *key)
{
	enum outcome outcome;

	if (renameat(fd, KEY_NEW, fd, KEY) < 0)
		return outcome_because(OUTCOME_FILE_WRITE, "%s: cannot replace: %s", KEY,
				       strerror(errno));
	if (renameat(fd, CERT_NEW, fd, CERT) == 0)
		return file_sync_directory(fd);
	outcome = outcome_because(OUTCOME_FILE_WRITE, "%s: cannot replace: %s", CERT,
				  strerror(errno));
	if (old_key->len)
		file_replace(fd, KEY, old_key, key);
	return outcome;
}

/* Write ${pair} in the place of ${old}. All that may take room or time is done before the swap. */
static enum outcome write_pair(int fd, const struct pair *pair, const struct pair *old)
{
	struct file_access key, cert;
	struct stat status;
	enum outcome outcome;

	if (fstat(fd, &status) < 0)
		return outcome_because(OUTCOME_FILE_WRITE, "cannot stat: %s", strerror(errno));
	key = (struct file_access){ status.st_uid, status.st_gid, KEY_MODE };
	cert = (struct file_access){ status.st_uid, status.st_gid, CERT_MODE };
	outcome = file_write(fd, KEY_NEW, &pair->key, &key);
	if (!outcome_failed(outcome))
		outcome = file_write(fd, CERT_NEW, &pair->chain, &cert);
	if (!outcome_failed(outcome))
		outcome = swap(fd, &old->key, &key);
	if (outcome_failed(outcome))
		remove_temporaries(fd);
	return outcome;
}

static enum outcome update(int ssl, const struct pair *pair, struct sni_directory *directory)
{
	_cleanup_(fd_closep) int fd = open_directory(ssl, directory->name);
	enum outcome outcome;

	/* Of a run that was killed. */
	if (fd >= 0)
		remove_temporaries(fd);
	if (directory->state != SNI_STALE)
		return OUTCOME_OK;
	if (fd < 0)
		return outcome_because(OUTCOME_FILE_WRITE, "cannot open: %s", strerror(errno));
	outcome = write_pair(fd, pair, &directory->old);
	if (outcome_failed(outcome))
		return outcome;
	directory->state = SNI_CURRENT;
	directory->updated = true;
	return OUTCOME_OK;
}

enum outcome sni_update(int ssl, const struct pair *pair, struct sni *sni)
{
	struct failure first = { .outcome = OUTCOME_OK };

	for (size_t i = 0; i < sni->count; i++)
		note(&first, update(ssl, pair, &sni->directory[i]), sni->directory[i].name);
	return conclude(&first);
}

static enum outcome restore(int ssl, struct sni_directory *directory)
{
	_cleanup_(fd_closep) int fd = -1;
	struct pair *old = &directory->old;
	enum outcome outcome;

	if (!directory->updated)
		return OUTCOME_OK;
	directory->updated = false;
	/* What is no pair, links to who knows what perhaps, is not worth having back. */
	if (!old->chain.len ||
	    outcome_failed(pair_judge(old, &(struct judge_rules){ .hostname = "" })) ||
	    !pair_is_matched(old))
		return OUTCOME_OK;
	fd = open_directory(ssl, directory->name);
	if (fd < 0)
		return outcome_because(OUTCOME_FILE_WRITE, "cannot open: %s", strerror(errno));
	outcome = write_pair(fd, old, &PAIR_NONE);
	if (!outcome_failed(outcome))
		directory->state = SNI_STALE;
	return outcome;
}

enum outcome sni_restore(int ssl, struct sni *sni)
{
	struct failure first = { .outcome = OUTCOME_OK };

	for (size_t i = 0; i < sni->count; i++)
		note(&first, restore(ssl, &sni->directory[i]), sni->directory[i].name);
	return conclude(&first);
}

void sni_clear(struct sni *sni)
{
	for (size_t i = 0; i < sni->count; i++)
		pair_clear(&sni->directory[i].old);
	free(sni->directory);
	*sni = (struct sni){ .count = 0 };
}
