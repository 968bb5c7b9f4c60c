#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "certsync/cleanup.h"
#include "certsync/interrupt.h"
#include "certsync/worker.h"

/* A signal that comes between our looking and our waiting is seen this much later at the latest. */
#define WAIT_SLICE_MS 200
/* How much longer than a worker the process that started it may take to say so. */
#define GRACE_MS 5000
/* Exit statuses of a worker that has said something. */
#define REPLIED    0
#define UNCONFINED 1

#define REASON_MAX 256

/* What a worker says that could not be confined. */
struct unconfined {
	char step[32];
	int error;
};

/*
 * The process that worker_call's workers are forked from; the descriptor is the way to it, or in it
 * the way back.
 */
static struct {
	pid_t pid;
	int fd;
} server = { .pid = 0, .fd = -1 };

/* --- bytes --- */

static bool send_all(int fd, const void *bytes, size_t len)
{
	const char *at = bytes;

	while (len) {
		ssize_t put = write(fd, at, len);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return false;
		at += put;
		len -= (size_t)put;
	}
	return true;
}

/*
 * Fill ${buffer} from ${fd}, as far as there is something to come until ${end}. A signal that came
 * is passed on to ${pid}, once, which has its own way to end.
 */
static size_t receive(int fd, void *buffer, size_t size, pid_t pid, deadline end)
{
	bool told = false;
	size_t used = 0;

	while (used < size && deadline_left(end)) {
		struct pollfd input = { .fd = fd, .events = POLLIN };
		ssize_t got;

		if (interrupt_pending() && !told) {
			kill(pid, SIGTERM);
			told = true;
		}
		if (poll(&input, 1,
			 deadline_left(deadline_earlier(end, deadline_in(WAIT_SLICE_MS)))) <= 0)
			continue;
		got = read(fd, (char *)buffer + used, size - used);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		used += (size_t)got;
	}
	return used;
}

/* --- the worker --- */

/* A worker that nobody waits for has no reason to live. */
static bool die_with(pid_t parent)
{
	return prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == 0 && getppid() == parent;
}

static const char *confine_and_run(const struct work *work, void *input, pid_t parent, void *reply)
{
	const char *failed = sandbox_drop();
	void *prepared = NULL;

	if (!failed && !die_with(parent))
		failed = "parent";
	if (failed)
		return failed;
	if (work->prepare)
		prepared = work->prepare(input);
	failed = sandbox_enter(work->sandbox);
	if (!failed)
		work->run(input, prepared, reply);
	return failed;
}

static void __attribute__((noreturn))
be_worker(const struct work *work, void *input, pid_t parent, void *reply, int out)
{
	struct unconfined unconfined = { .error = 0 };
	const char *failed;

	/* Nobody but the one that waits for it is to hear from it. */
	fd_closep(&server.fd);
	failed = confine_and_run(work, input, parent, reply);
	unconfined.error = errno;

	if (!failed)
		_exit(send_all(out, reply, work->reply_size) ? REPLIED : UNCONFINED);
	snprintf(unconfined.step, sizeof(unconfined.step), "%s", failed);
	send_all(out, &unconfined, sizeof(unconfined));
	_exit(UNCONFINED);
}

/* Why is there no reply? */
static enum outcome explain(const struct work *work, int status, const void *said, size_t said_len)
{
	struct unconfined unconfined;

	if (WIFEXITED(status) && WEXITSTATUS(status) == UNCONFINED &&
	    said_len == sizeof(unconfined)) {
		memcpy(&unconfined, said, sizeof(unconfined));
		return outcome_because(OUTCOME_SANDBOX_FAILED,
				       "the process for %s could not be confined: %.31s: %s",
				       work->name, unconfined.step, strerror(unconfined.error));
	}
	if (WIFSIGNALED(status))
		return outcome_because(OUTCOME_WORKER_DIED,
				       "the process for %s was ended by signal %s", work->name,
				       sigabbrev_np(WTERMSIG(status)));
	return outcome_because(OUTCOME_WORKER_DIED, "the process for %s ended without a result",
			       work->name);
}

static enum outcome await(const struct work *work, pid_t pid, int in, deadline end, void *reply)
{
	/* More than it should say is too much as well. */
	size_t size = work->reply_size > sizeof(struct unconfined) ? work->reply_size
								   : sizeof(struct unconfined);
	_cleanup_(string_freep) char *said = malloc(size + 1);
	size_t said_len = said ? receive(in, said, size + 1, pid, end) : 0;
	const bool late = !deadline_left(end);
	int status = 0;

	/* One that has said all may still not end. */
	if (late || !said)
		kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (!said)
		return outcome_because(OUTCOME_NO_MEMORY, "out of memory");
	if (WIFEXITED(status) && WEXITSTATUS(status) == REPLIED && said_len == work->reply_size) {
		memcpy(reply, said, said_len);
		return OUTCOME_OK;
	}
	if (late)
		return outcome_because(OUTCOME_WORKER_DIED,
				       "the process for %s did not end in time", work->name);
	return explain(work, status, said, said_len);
}

enum outcome worker_run(const struct work *work, void *input, deadline end, void *reply)
{
	const pid_t self = getpid();
	int ends[2];
	pid_t pid;

	memset(reply, 0, work->reply_size);
	if (pipe2(ends, O_CLOEXEC) < 0)
		return outcome_because(OUTCOME_NO_MEMORY, "%s: %s", work->name, strerror(errno));
	pid = fork();
	if (!pid)
		be_worker(work, input, self, reply, ends[1]);
	close(ends[1]);
	if (pid > 0) {
		enum outcome outcome = await(work, pid, ends[0], end, reply);

		close(ends[0]);
		return outcome;
	}
	close(ends[0]);
	return outcome_because(OUTCOME_NO_MEMORY, "%s: cannot start a process: %s", work->name,
			       strerror(errno));
}

/* --- the process that workers are forked from --- */

/* From the caller, whose program this is too: the addresses of functions are the same. */
struct request {
	struct work work;
	size_t input_len;
	deadline end;
};

struct answer {
	enum outcome outcome;
	char reason[REASON_MAX];
};

static bool take(int fd, void *buffer, size_t size)
{
	char *at = buffer;

	while (size) {
		ssize_t got = read(fd, at, size);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return false;
		at += got;
		size -= (size_t)got;
	}
	return true;
}

static bool serve_one(int fd, const struct request *request)
{
	_cleanup_(bytes_clear) struct bytes input = bytes_new(request->input_len);
	_cleanup_(bytes_clear) struct bytes reply = bytes_new(request->work.reply_size);
	struct answer answer = { .outcome = OUTCOME_NO_MEMORY };

	if (!input.data || !reply.data || !take(fd, input.data, input.len))
		return false;
	answer.outcome = worker_run(&request->work, &input, request->end, reply.data);
	snprintf(answer.reason, sizeof(answer.reason), "%s", outcome_reason(answer.outcome));
	return send_all(fd, &answer, sizeof(answer)) && send_all(fd, reply.data, reply.len);
}

/* It is nobody from the start, and holds nothing open but the way to its caller. */
static void __attribute__((noreturn)) be_server(int fd, pid_t parent)
{
	struct request request;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	/* The caller decides what a signal means. */
	interrupt_catch();
	signal(SIGPIPE, SIG_IGN);
	for (int i = 0; i <= STDERR_FILENO; i++)
		dup2(null, i);
	server.fd = dup2(fd, STDERR_FILENO + 1);
	if (server.fd < 0 || close_range((unsigned)server.fd + 1, ~0U, 0) < 0)
		_exit(UNCONFINED);
	/* Where this fails, so it does in each worker, which says it. */
	sandbox_drop();
	if (!die_with(parent))
		_exit(UNCONFINED);
	while (take(server.fd, &request, sizeof(request)) && serve_one(server.fd, &request))
		;
	_exit(REPLIED);
}

enum outcome worker_prepare(void)
{
	const pid_t self = getpid();
	int ends[2];

	if (server.pid)
		return OUTCOME_OK;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return outcome_because(OUTCOME_NO_MEMORY, "cannot start a process: %s",
				       strerror(errno));
	server.pid = fork();
	if (!server.pid)
		be_server(ends[1], self);
	close(ends[1]);
	if (server.pid > 0) {
		server.fd = ends[0];
		return OUTCOME_OK;
	}
	close(ends[0]);
	server.pid = 0;
	return outcome_because(OUTCOME_NO_MEMORY, "cannot start a process: %s", strerror(errno));
}

/* The server has gone: nothing that it could still say is to be taken for the next answer. */
static enum outcome give_up(const struct work *work)
{
	kill(server.pid, SIGKILL);
	if (interrupt_pending())
		return outcome_because(OUTCOME_INTERRUPTED, "interrupted while %s", work->name);
	return outcome_because(OUTCOME_WORKER_DIED,
			       "the process that starts the one for %s has gone", work->name);
}

static enum outcome converse(const struct work *work, const struct request *request,
			     const struct bytes *parts, size_t count, void *reply)
{
	_cleanup_(bytes_clear) struct bytes said = bytes_new(request->work.reply_size);
	const deadline end = request->end + GRACE_MS;
	struct answer answer;
	bool sent;

	/* Before anything is asked: an answer that is not taken would be the next one's. */
	if (!said.data)
		return outcome_because(OUTCOME_NO_MEMORY, "out of memory");
	sent = send_all(server.fd, request, sizeof(*request));
	for (size_t i = 0; i < count && sent; i++)
		sent = send_all(server.fd, parts[i].data, parts[i].len);
	if (!sent ||
	    receive(server.fd, &answer, sizeof(answer), server.pid, end) != sizeof(answer) ||
	    receive(server.fd, said.data, said.len, server.pid, end) != said.len)
		return give_up(work);
	if (outcome_failed(answer.outcome))
		return outcome_because(answer.outcome, "%.*s", REASON_MAX - 1, answer.reason);
	memcpy(reply, said.data, said.len);
	return OUTCOME_OK;
}

enum outcome worker_call(const struct work *work, const struct bytes *parts, size_t count,
			 size_t reply_size, deadline end, void *reply)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN }, before;
	struct request request = {
		.work = *work,
		.end = end,
	};
	enum outcome outcome = worker_prepare();

	if (outcome_failed(outcome))
		return outcome;
	if (!request.work.reply_size)
		request.work.reply_size = reply_size;
	for (size_t i = 0; i < count; i++)
		request.input_len += parts[i].len;
	sigaction(SIGPIPE, &ignore, &before);
	outcome = converse(work, &request, parts, count, reply);
	sigaction(SIGPIPE, &before, NULL);
	return outcome;
}

void worker_stop(void)
{
	if (!server.pid)
		return;
	close(server.fd);
	while (waitpid(server.pid, NULL, 0) < 0 && errno == EINTR)
		;
	server.pid = 0;
	server.fd = -1;
}
