#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "certsync/text.h"
#include "subprocess.h"

#define ENVIRONMENT_MAX 16
#define VARIABLE_MAX    4096
#define PROCESSES_MAX   32
/* How long an ended program's last words may take to arrive. */
#define DRAIN_MS 100

static void environment_free(char *environment[])
{
	for (size_t i = 0; environment[i]; i++)
		free(environment[i]);
}

static bool environment_make(char *environment[static ENVIRONMENT_MAX + 1],
			     const char *const keep[])
{
	size_t count = 0;

	environment[count++] =
		strdup("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
	environment[count++] = strdup("LC_ALL=C");
	for (; *keep && count < ENVIRONMENT_MAX; keep++) {
		const char *value = getenv(*keep);
		char *variable;

		if (value && asprintf(&variable, "%s=%s", *keep, value) > 0)
			environment[count++] = variable;
	}
	environment[count] = NULL;
	return environment[0] && environment[1];
}

static int spawn(struct subprocess *process, const char *const argv[], char *environment[], int out,
		 int err)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none;
	int error;

	sigemptyset(&none);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
	posix_spawn_file_actions_adddup2(&actions, err, STDERR_FILENO);
	posix_spawnattr_init(&attributes);
	/* A group of its own: what it starts can be ended with it. */
	posix_spawnattr_setpgroup(&attributes, 0);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK);
	error = posix_spawn(&process->pid, argv[0], &actions, &attributes, (char *const *)argv,
			    environment);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	return error;
}

bool subprocess_start(struct subprocess *process, const char *const argv[],
		      const char *const keep[])
{
	char *environment[ENVIRONMENT_MAX + 1] = { NULL };
	int out[2] = { -1, -1 }, err[2] = { -1, -1 }, error = ENOMEM;

	memset(process, 0, sizeof(*process));
	process->pid = process->pidfd = process->status = -1;
	if (pipe2(out, O_CLOEXEC) < 0 || pipe2(err, O_CLOEXEC) < 0)
		error = errno;
	else if (environment_make(environment, keep))
		error = spawn(process, argv, environment, out[1], err[1]);
	environment_free(environment);
	/* Our ends do not block: poll(2) says when there is something. */
	process->out.fd = out[0];
	process->err.fd = err[0];
	for (size_t i = 0; i < 2; i++) {
		int fd = i ? err[0] : out[0];

		if (fd >= 0)
			fcntl(fd, F_SETFL, O_NONBLOCK);
	}
	if (out[1] >= 0)
		close(out[1]);
	if (err[1] >= 0)
		close(err[1]);
	if (!error)
		process->pidfd = pidfd_open(process->pid, 0);
	else
		process->pid = -1;
	errno = error;
	return !error;
}

static void output_close(struct subprocess_output *output)
{
	if (output->fd >= 0)
		close(output->fd);
	output->fd = -1;
}

/*
 * Take what is there; what does not fit is read and forgotten, so that the program does not block.
 */
static void output_take(struct subprocess *process, struct subprocess_output *output)
{
	char rest[512] = { 0 };

	while (output->fd >= 0) {
		size_t room = SUBPROCESS_OUTPUT_MAX - output->len;
		ssize_t got = read(output->fd, room ? output->text + output->len : rest,
				   room ? room : sizeof(rest));

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0 && errno == EAGAIN)
			return;
		if (got < 0)
			process->unread = errno;
		if (got <= 0)
			output_close(output);
		else if (room)
			output->len += (size_t)got;
	}
}

static bool has_ended(struct subprocess *process, int flags)
{
	int status;

	if (process->pid < 0)
		return true;
	if (waitpid(process->pid, &status, flags) != process->pid)
		return false;
	process->status = status;
	process->pid = -1;
	return true;
}

static void add_poll(struct pollfd *fds, nfds_t *count, int fd)
{
	if (fd >= 0)
		fds[(*count)++] = (struct pollfd){ .fd = fd, .events = POLLIN };
}

/* Wait for any news of the ${count} processes, ${ms} at the most. */
static void wait_for_news(const struct subprocess *processes, size_t count, int ms)
{
	struct pollfd fds[3 * PROCESSES_MAX];
	nfds_t used = 0;

	for (size_t i = 0; i < count && i < PROCESSES_MAX; i++) {
		if (processes[i].pid >= 0)
			add_poll(fds, &used, processes[i].pidfd);
		/* Without pidfd_open(2) a process's end is not news: look again soon. */
		if (processes[i].pid >= 0 && processes[i].pidfd < 0 && ms > DRAIN_MS)
			ms = DRAIN_MS;
		add_poll(fds, &used, processes[i].out.fd);
		add_poll(fds, &used, processes[i].err.fd);
	}
	poll(fds, used, ms);
}

/* Take what all have said; returns how many still run. */
static size_t look(struct subprocess *processes, size_t count, bool *speaking)
{
	size_t running = 0;

	*speaking = false;
	for (size_t i = 0; i < count; i++) {
		running += !has_ended(&processes[i], WNOHANG);
		output_take(&processes[i], &processes[i].out);
		output_take(&processes[i], &processes[i].err);
		*speaking |= processes[i].out.fd >= 0 || processes[i].err.fd >= 0;
	}
	return running;
}

static void finish(struct subprocess *process)
{
	if (process->pid >= 0) {
		process->timed_out = true;
		kill(-process->pid, SIGKILL);
		has_ended(process, 0);
	}
	output_close(&process->out);
	output_close(&process->err);
	if (process->pidfd >= 0)
		close(process->pidfd);
	process->pidfd = -1;
}

void subprocess_wait(struct subprocess *processes, size_t count, deadline end)
{
	deadline drained = end;
	bool speaking;

	for (;;) {
		size_t running = look(processes, count, &speaking);
		int left;

		if (!running && !speaking)
			break;
		/* Something that an ended program left running may hold its output open. */
		if (!running && drained == end)
			drained = deadline_earlier(end, deadline_in(DRAIN_MS));
		left = deadline_left(running ? end : drained);
		if (!left)
			break;
		wait_for_news(processes, count, left);
	}
	for (size_t i = 0; i < count; i++)
		finish(&processes[i]);
}

bool subprocess_succeeded(const struct subprocess *process)
{
	return !process->timed_out && !process->unread && process->status != -1 &&
	       WIFEXITED(process->status) && WEXITSTATUS(process->status) == 0;
}

/* The last ${size} - 1 bytes at the most of ${output}, without the final newline, on one line. */
static void last_words(const struct subprocess_output *output, char *to, size_t size)
{
	size_t len = output->len, start;

	while (len && (output->text[len - 1] == '\n' || output->text[len - 1] == '\r'))
		len--;
	start = len >= size ? len - size + 1 : 0;
	snprintf(to, size, "%.*s", (int)(len - start), output->text + start);
	for (; *to; to++)
		if (*to == '\n' || *to == '\r' || *to == '\t')
			*to = ' ';
}

void subprocess_explain(const struct subprocess *process, char *to, size_t size)
{
	char words[400];

	last_words(process->err.len ? &process->err : &process->out, words, sizeof(words));
	if (process->timed_out)
		snprintf(to, size, "did not end in time%s%s", words[0] ? ": " : "", words);
	else if (process->status == -1)
		snprintf(to, size, "could not be started");
	else if (process->unread)
		snprintf(to, size, "what it said could not be read: %s", strerror(process->unread));
	else if (WIFSIGNALED(process->status))
		snprintf(to, size, "was ended by signal %d%s%s", WTERMSIG(process->status),
			 words[0] ? ": " : "", words);
	else
		snprintf(to, size, "exit status %d%s%s", WEXITSTATUS(process->status),
			 words[0] ? ": " : "", words);
}
