#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "certsync/bundle.h"
#include "certsync/cleanup.h"
#include "certsync/systemd.h"
#include "handover.h"

enum outcome handover_give_file(const char *name, int fd)
{
	char removal[128], state[128];

	/* One of that name may be left from a run that is to be tried again. */
	snprintf(removal, sizeof(removal), "FDSTOREREMOVE=1\nFDNAME=%s", name);
	snprintf(state, sizeof(state), "FDSTORE=1\nFDNAME=%s", name);
	if (systemd_notify(removal, -1) && systemd_notify(state, fd))
		return OUTCOME_OK;
	return outcome_because(OUTCOME_USAGE,
			       "there is no service manager to keep what is opened: %s",
			       strerror(errno));
}

enum outcome handover_give(const char *name, const void *data, size_t len)
{
	_cleanup_(fd_closep) int fd = memfd_create(name, MFD_CLOEXEC);

	if (fd < 0 || write(fd, data, len) != (ssize_t)len)
		return outcome_because(OUTCOME_NO_MEMORY, "%s: cannot be handed over: %s", name,
				       strerror(errno));
	return handover_give_file(name, fd);
}

int handover_file(const char *name)
{
	int fd = systemd_handed(name);

	return fd >= 0 && lseek(fd, 0, SEEK_SET) == 0 ? fd : -1;
}

enum outcome handover_take(const char *name, struct bytes *bytes)
{
	return file_read_fd(handover_file(name), name, BUNDLE_BYTES_MAX, bytes);
}
