/*
 * What is said to systemd, and what it hands over: datagrams to journald (its native protocol) and
 * to the service manager (sd_notify(3)), and the descriptors that it keeps for a service
 * (sd_listen_fds(3)). It takes no library to speak to them.
 */
#ifndef CERTSYNC_SYSTEMD_H
#define CERTSYNC_SYSTEMD_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Does standard error lead to journald, and can it be reached? Then records can have fields
 * (systemd.exec(5), $JOURNAL_STREAM).
 */
bool systemd_has_stderr(void);

/* Send a record: ${len} bytes of lines FIELD=value, each with its '\n'. False: it was not taken. */
bool systemd_record(const char *lines, size_t len);

/*
 * Wait until journald has dealt with all records and with what was printed to it, some seconds at
 * the most. It looks up in /proc which run of which unit something comes from, and can no longer
 * tell once the process has ended.
 */
void systemd_flush(void);

/*
 * Tell the service manager ${state} (sd_notify(3)), along with the descriptor ${fd}; -1: with none.
 * False: there is no manager that wants to hear it, or the reason is in errno.
 */
bool systemd_notify(const char *state, int fd);

/* The descriptor that the service manager has handed us as ${name}, which stays open; -1: none. */
int systemd_handed(const char *name);

#endif
