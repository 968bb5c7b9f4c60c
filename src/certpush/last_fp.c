#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "certsync/bundle.h"
#include "certsync/cleanup.h"
#include "certsync/file.h"
#include "certsync/journal.h"
#include "last_fp.h"

#define LAST_FP           "last_fp"
#define LAST_FP_BYTES_MAX 1024
#define LAST_FP_MODE      0644 /* a fingerprint is no secret */

bool last_fp_is(int state, const char *fingerprint)
{
	_cleanup_(bytes_clear) struct bytes bytes = BYTES_NONE;
	enum outcome outcome;

	if (state < 0)
		return false;
	outcome = file_read(state, LAST_FP, FILE_STAGED, LAST_FP_BYTES_MAX, &bytes);
	if (outcome_failed(outcome)) {
		journal_detail("%s", outcome_reason(outcome));
		return false;
	}
	return strcspn(bytes.data, " \t\r\n") == BUNDLE_FINGERPRINT_LEN &&
	       !strncasecmp(bytes.data, fingerprint, BUNDLE_FINGERPRINT_LEN);
}

time_t last_fp_when(int state)
{
	struct stat status;

	if (state < 0 || fstatat(state, LAST_FP, &status, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	return status.st_mtim.tv_sec;
}

enum outcome last_fp_write(int state, const char *fingerprint)
{
	struct file_access access = { .mode = LAST_FP_MODE };
	char line[BUNDLE_FINGERPRINT_LEN + 2];
	struct bytes bytes = { .data = line };
	struct stat status;

	/* A run by hand is root's, the service a user's of its own: the directory is that user's.
	 */
	if (fstat(state, &status) < 0)
		return outcome_because(OUTCOME_FILE_WRITE, "%s: cannot stat its directory: %s",
				       LAST_FP, strerror(errno));
	access.uid = status.st_uid;
	access.gid = status.st_gid;
	bytes.len = (size_t)snprintf(line, sizeof(line), "%s\n", fingerprint);
	return file_replace(state, LAST_FP, &bytes, &access);
}
