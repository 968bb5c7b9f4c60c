#include <errno.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "certsync/file.h"
#include "certsync/state.h"

#define STATE_MODE 0700

enum outcome state_open(const char *path, int *fd)
{
	enum outcome outcome;

	*fd = -1;
	if (mkdir(path, STATE_MODE) < 0 && errno != EEXIST)
		return outcome_because(OUTCOME_FILE_WRITE,
				       "%s: cannot make the state directory: %s", path,
				       strerror(errno));
	outcome = file_open_directory(path, fd);
	if (outcome_failed(outcome))
		return outcome;
	if (flock(*fd, LOCK_EX | LOCK_NB) == 0)
		return OUTCOME_OK;
	if (errno == EWOULDBLOCK)
		return outcome_because(OUTCOME_LOCKED, "%s: another run is under way", path);
	return outcome_because(OUTCOME_FILE_WRITE, "%s: cannot lock: %s", path, strerror(errno));
}

enum outcome state_look(const char *path, int *fd)
{
	enum outcome outcome = file_open_directory(path, fd);

	return outcome == OUTCOME_FILE_MISSING ? OUTCOME_OK : outcome;
}
