/* What the fuzz targets share: each is given bytes and aborts if what came of them cannot be. */
#ifndef FUZZ_H
#define FUZZ_H

#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "certsync/file.h"
#include "certsync/outcome.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

#define must(condition)                                                                            \
	do {                                                                                       \
		if (!(condition))                                                                  \
			abort();                                                                   \
	} while (0)

/* On the heap and no longer than that, for the sanitizer to see what is read behind it. */
static inline struct bytes fuzz_bytes(const unsigned char *data, size_t size)
{
	struct bytes bytes = { .data = OPENSSL_zalloc(size + 1), .len = size };

	must(bytes.data);
	if (size)
		memcpy(bytes.data, data, size);
	return bytes;
}

/* A file with these contents, until the next call; its path. */
static inline const char *fuzz_file(const unsigned char *data, size_t size)
{
	static char path[32];
	static int fd = -1;

	if (fd < 0) {
		fd = memfd_create("fuzz", MFD_CLOEXEC);
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	}
	must(fd >= 0 && ftruncate(fd, 0) == 0);
	must(pwrite(fd, data, size, 0) == (ssize_t)size);
	return path;
}

static char fuzz_directory[PATH_MAX];

static inline int fuzz_remove_one(const char *path, const struct stat *status, int kind,
				  struct FTW *walk)
{
	(void)status, (void)kind, (void)walk;
	return remove(path);
}

static inline void fuzz_remove_directory(void)
{
	nftw(fuzz_directory, fuzz_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* Make ${fuzz_directory}, which is there until the process ends; open it. */
static inline int fuzz_make_directory(void)
{
	const char *parent = getenv("TMPDIR");
	int fd;

	snprintf(fuzz_directory, sizeof(fuzz_directory), "%s/certsync-fuzz-XXXXXX",
		 parent ? parent : "/tmp");
	must(mkdtemp(fuzz_directory));
	atexit(fuzz_remove_directory);
	fd = open(fuzz_directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	must(fd >= 0);
	return fd;
}

static inline bool fuzz_is_printable(const char *text)
{
	for (; *text; text++)
		if (*text < ' ' || *text > '~')
			return false;
	return true;
}

/* A failure has words that can be shown. */
static inline void fuzz_check_reason(enum outcome outcome)
{
	const char *reason = outcome_reason(outcome);

	must(reason[0] && fuzz_is_printable(reason));
}

#endif
