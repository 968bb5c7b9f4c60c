#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "certsync/cleanup.h"
#include "certsync/file.h"
#include "certsync/generation.h"
#include "swap.h"

/* Of KINDn.pem, n; 0: it is no such name. */
static unsigned long number_of(const char *name)
{
	char *end;
	unsigned long number = strtoul(name + strcspn(name, "0123456789"), &end, 10);

	return strcmp(end, ".pem") == 0 ? number : 0;
}

/* Where ${link} in ${dir} leads: the directory into ${target}, the number returned. 0: nowhere. */
static unsigned long follow(int dir, const char *link, char target[static PATH_MAX])
{
	ssize_t len = readlinkat(dir, link, target, PATH_MAX - 1);
	char *name;

	target[len > 0 ? len : 0] = '\0';
	name = strrchr(target, '/');
	if (!name)
		return 0;
	*name = '\0';
	return number_of(name + 1);
}

static bool is_recent(int dir, const char *path)
{
	struct stat status;

	return fstatat(dir, path, &status, 0) == 0 &&
	       labs(time(NULL) - status.st_mtime) < SWAP_RECENT_SECONDS;
}

/* certbot opens a new file before it writes it. */
static bool is_empty(int dir, const char *path)
{
	struct stat status;

	return fstatat(dir, path, &status, 0) == 0 && status.st_size == 0;
}

static bool holds_newer(int dir, const char *path, unsigned long number)
{
	_cleanup_(dir_closep) DIR *entries = file_list(dir, path);
	struct dirent *entry;

	while (entries && (entry = file_next_entry(entries)))
		if (number_of(entry->d_name) > number)
			return true;
	return false;
}

bool swap_is_under_way(int live, const char *name)
{
	_cleanup_(fd_closep) int lineage =
		openat(live, name, O_RDONLY | O_DIRECTORY | O_NONBLOCK | O_CLOEXEC);
	char archive[PATH_MAX], other[PATH_MAX];
	unsigned long number;

	if (lineage < 0)
		return false;
	number = follow(lineage, GENERATION_CHAIN, archive);
	/* What lies there undisturbed is what it is. */
	if (!number || !is_recent(lineage, archive))
		return false;
	return follow(lineage, GENERATION_KEY, other) != number ||
	       is_empty(lineage, GENERATION_CHAIN) || holds_newer(lineage, archive, number);
}
