#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <linux/sockios.h>

#include "certsync/cleanup.h"
#include "certsync/deadline.h"
#include "certsync/systemd.h"

#define JOURNAL_SOCKET   "/run/systemd/journal/socket"
#define FLUSH_MS         5000
#define FLUSH_POLL_MS    1
#define HANDED_FIRST     3 /* SD_LISTEN_FDS_START */
#define HANDED_NAMES_MAX 1024

/* Made for the first record. */
static int journal = -1;

/* A socket that sends datagrams to ${path}; "@...": to a name without a file. -1: see errno. */
static int connected_socket(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	_cleanup_(fd_closep) int fd = -1;
	size_t len = strlen(path);
	int connected;

	if (len >= sizeof(address.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(address.sun_path, path, len);
	if (path[0] == '@')
		address.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address,
			      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) < 0)
		return -1;
	connected = fd;
	fd = -1;
	return connected;
}

/* --- journald --- */

static bool leads_to_journald(int fd)
{
	const char *stream = getenv("JOURNAL_STREAM");
	char ours[64];
	struct stat status;

	if (!stream || fstat(fd, &status) < 0)
		return false;
	snprintf(ours, sizeof(ours), "%ju:%ju", (uintmax_t)status.st_dev, (uintmax_t)status.st_ino);
	return !strcmp(stream, ours);
}

bool systemd_has_stderr(void)
{
	return leads_to_journald(STDERR_FILENO) && !access(JOURNAL_SOCKET, F_OK);
}

bool systemd_record(const char *lines, size_t len)
{
	if (journal < 0)
		journal = connected_socket(JOURNAL_SOCKET);
	return journal >= 0 && send(journal, lines, len, MSG_NOSIGNAL) >= 0;
}

static void await_reader(int fd, deadline end)
{
	int unread;

	while (!ioctl(fd, SIOCOUTQ, &unread) && unread > 0 && deadline_pause(end, FLUSH_POLL_MS))
		;
}

void systemd_flush(void)
{
	const deadline end = deadline_in(FLUSH_MS);
	bool said = journal >= 0;

	fflush(stdout);
	for (int fd = STDOUT_FILENO; fd <= STDERR_FILENO; fd++)
		if (leads_to_journald(fd)) {
			await_reader(fd, end);
			said = true;
		}
	/* Once it has read an empty datagram, which it ignores, it is done with all before. */
	if (said && systemd_record("", 0))
		await_reader(journal, end);
}

/* --- the service manager --- */

bool systemd_notify(const char *state, int fd)
{
	const char *path = getenv("NOTIFY_SOCKET");
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { .space = "" };
	struct iovec text = { .iov_base = (void *)state, .iov_len = strlen(state) };
	struct msghdr message = { .msg_iov = &text, .msg_iovlen = 1 };
	_cleanup_(fd_closep) int socket_fd = -1;

	if (!path) {
		errno = ENOTCONN;
		return false;
	}
	if (fd >= 0) {
		control.header = (struct cmsghdr){ .cmsg_level = SOL_SOCKET,
						   .cmsg_type = SCM_RIGHTS,
						   .cmsg_len = CMSG_LEN(sizeof(int)) };
		memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
		message.msg_control = &control;
		message.msg_controllen = sizeof(control);
	}
	socket_fd = connected_socket(path);
	return socket_fd >= 0 && sendmsg(socket_fd, &message, MSG_NOSIGNAL) >= 0;
}

int systemd_handed(const char *name)
{
	const char *pid = getenv("LISTEN_PID"), *names = getenv("LISTEN_FDNAMES");
	char copy[HANDED_NAMES_MAX], *rest = copy, *next;

	/* They may be meant for a process that we come from. */
	if (!pid || !names || strtol(pid, NULL, 10) != getpid())
		return -1;
	snprintf(copy, sizeof(copy), "%s", names);
	for (int fd = HANDED_FIRST; (next = strsep(&rest, ":")); fd++)
		if (!strcmp(next, name))
			return fd;
	return -1;
}
