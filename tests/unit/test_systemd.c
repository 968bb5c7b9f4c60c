/* What is said to systemd, and what it hands over. Each test in a process of its own. */
#include <sched.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "certsync/systemd.h"
#include "run_child.h"

/* ${run} ends well, and has printed that. */
static void assert_prints(child_fn *run, void *context, const char *wanted)
{
	struct child child;

	run_child(&child, run, context);
	assert_int_equal(child.status, 0);
	assert_string_equal(child.out, wanted);
}

static int bound_socket(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	return bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ? -1 : fd;
}

/* journald's socket, in a /run of our own. */
static int own_journald(void)
{
	if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("tmpfs", "/run", "tmpfs", 0, NULL) < 0 || mkdir("/run/systemd", 0755) < 0 ||
	    mkdir("/run/systemd/journal", 0755) < 0)
		return -1;
	return bound_socket("/run/systemd/journal/socket");
}

/* --- journald --- */

/* Takes a record, says so on standard output, and goes on to the next one only then. */
static int read_and_tell(int fd)
{
	char text[64];
	ssize_t got;

	while ((got = recv(fd, text, sizeof(text), 0)) > 0) {
		/* Long enough for one who does not wait to be ahead. */
		usleep(50000);
		printf("read %.*s", (int)got, text);
		fflush(stdout);
	}
	return got < 0;
}

static int flush(void *context)
{
	int fd = own_journald(), status;
	pid_t reader;

	(void)context;
	if (fd < 0 || !systemd_record("MESSAGE=one\n", 12) || !systemd_record("MESSAGE=two\n", 12))
		return 1;
	reader = fork();
	if (!reader)
		_exit(read_and_tell(fd));
	systemd_flush();
	printf("flushed\n");
	fflush(stdout);
	return waitpid(reader, &status, 0) != reader || status;
}

static void flushing_waits_until_all_records_were_dealt_with(void **state)
{
	(void)state;
	assert_prints(flush, NULL, "read MESSAGE=one\nread MESSAGE=two\nflushed\n");
}

static int flush_nothing(void *context)
{
	(void)context;
	systemd_flush();
	return 0;
}

static void where_nothing_was_recorded_there_is_nothing_to_flush(void **state)
{
	(void)state;
	assert_prints(flush_nothing, NULL, "");
}

/* A stream as systemd makes one of standard output, and says so. -1, or journald's end of it. */
static int stdout_to_journald(void)
{
	struct stat status;
	char stream[64];
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0 ||
	    dup2(ends[0], STDOUT_FILENO) < 0 || close(ends[0]) < 0 ||
	    fstat(STDOUT_FILENO, &status) < 0)
		return -1;
	snprintf(stream, sizeof(stream), "%ju:%ju", (uintmax_t)status.st_dev,
		 (uintmax_t)status.st_ino);
	return setenv("JOURNAL_STREAM", stream, 1) < 0 ? -1 : ends[1];
}

/* As journald, which has read from the stream, and deals with that before it reads a record. */
static int read_stream_and_tell(int stream, int records, int teller)
{
	char text[64];
	ssize_t got = read(stream, text, sizeof(text));

	usleep(50000);
	if (got < 0 || dprintf(teller, "read %.*s", (int)got, text) < 0)
		return 1;
	return recv(records, text, sizeof(text), 0) != 0;
}

static int flush_printed(void *context)
{
	int records = own_journald(), teller = dup(STDOUT_FILENO), stream = stdout_to_journald();
	int status;
	pid_t reader;

	(void)context;
	if (records < 0 || teller < 0 || stream < 0)
		return 1;
	reader = fork();
	if (!reader)
		_exit(read_stream_and_tell(stream, records, teller));
	printf("a verdict\n");
	systemd_flush();
	dprintf(teller, "flushed\n");
	/* What was not flushed is now, and no reader waits for ever. */
	fflush(stdout);
	systemd_record("", 0);
	return waitpid(reader, &status, 0) != reader || status;
}

static void flushing_waits_until_what_was_printed_was_dealt_with(void **state)
{
	(void)state;
	assert_prints(flush_printed, NULL, "read a verdict\nflushed\n");
}

/* --- the service manager --- */

/* Print the state that waits at ${fd}, and what can be read from the descriptor with it. */
static int print_notification(int fd)
{
	char state[256], contents[256], control[CMSG_SPACE(sizeof(int))];
	struct iovec text = { .iov_base = state, .iov_len = sizeof(state) };
	struct msghdr message = { .msg_iov = &text,
				  .msg_iovlen = 1,
				  .msg_control = control,
				  .msg_controllen = sizeof(control) };
	ssize_t got = recvmsg(fd, &message, MSG_DONTWAIT);
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);
	int passed;

	if (got < 0)
		return 1;
	printf("%.*s", (int)got, state);
	if (header) {
		memcpy(&passed, CMSG_DATA(header), sizeof(passed));
		got = read(passed, contents, sizeof(contents));
		printf(" with %.*s", (int)got, contents);
	}
	fflush(stdout);
	return 0;
}

static int notify_with(void *contents)
{
	int fd = own_journald(), manager = bound_socket("/run/notify"), pipes[2] = { -1, -1 };

	if (fd < 0 || manager < 0)
		return 1;
	setenv("NOTIFY_SOCKET", "/run/notify", 1);
	if (contents && (pipe(pipes) < 0 || write(pipes[1], contents, strlen(contents)) < 0))
		return 1;
	return !systemd_notify("STATUS=well", pipes[0]) || print_notification(manager);
}

static void the_manager_is_told_the_state(void **state)
{
	(void)state;
	assert_prints(notify_with, NULL, "STATUS=well");
}

static void the_manager_is_given_the_descriptor(void **state)
{
	(void)state;
	assert_prints(notify_with, (char[]){ "contents" }, "STATUS=well with contents");
}

static int notify_nobody(void *path)
{
	if (path)
		setenv("NOTIFY_SOCKET", path, 1);
	else
		unsetenv("NOTIFY_SOCKET");
	return systemd_notify("STATUS=well", -1);
}

static void a_manager_that_is_not_there_is_noticed(void **state)
{
	char long_path[200] = "/";

	(void)state;
	memset(long_path + 1, 'x', sizeof(long_path) - 2);
	for (size_t i = 0; i < 3; i++)
		assert_prints(notify_nobody,
			      (char *[]){ NULL, (char[]){ "/nowhere" }, long_path }[i], "");
}

/* --- what it hands over --- */

struct handed {
	const char *names;
	const char *name;
	bool to_another; /* process */
};

static int look_up(void *context)
{
	const struct handed *handed = context;
	char pid[16];

	snprintf(pid, sizeof(pid), "%d", getpid() + (handed->to_another ? 1 : 0));
	setenv("LISTEN_PID", pid, 1);
	if (handed->names)
		setenv("LISTEN_FDNAMES", handed->names, 1);
	printf("%d", systemd_handed(handed->name));
	fflush(stdout);
	return 0;
}

static void handed_is(struct handed handed, const char *wanted)
{
	assert_prints(look_up, &handed, wanted);
}

static void a_descriptor_is_found_by_its_name(void **state)
{
	(void)state;
	handed_is((struct handed){ .names = "one:two", .name = "one" }, "3");
	handed_is((struct handed){ .names = "one:two", .name = "two" }, "4");
	handed_is((struct handed){ .names = "one:two", .name = "tw" }, "-1");
	handed_is((struct handed){ .name = "one" }, "-1");
}

static void what_was_handed_to_another_process_is_not_ours(void **state)
{
	(void)state;
	handed_is((struct handed){ .names = "one", .name = "one", .to_another = true }, "-1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(flushing_waits_until_all_records_were_dealt_with),
		cmocka_unit_test(flushing_waits_until_what_was_printed_was_dealt_with),
		cmocka_unit_test(where_nothing_was_recorded_there_is_nothing_to_flush),
		cmocka_unit_test(the_manager_is_told_the_state),
		cmocka_unit_test(the_manager_is_given_the_descriptor),
		cmocka_unit_test(a_manager_that_is_not_there_is_noticed),
		cmocka_unit_test(a_descriptor_is_found_by_its_name),
		cmocka_unit_test(what_was_handed_to_another_process_is_not_ours),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
