/* A function run in a process of its own, its standard output and error kept. */
#ifndef RUN_CHILD_H
#define RUN_CHILD_H

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit.h"

#define CHILD_OUTPUT_MAX 16384

struct child {
	int status; /* exit status; 128 + signal if it died of one */
	char out[CHILD_OUTPUT_MAX];
	char err[CHILD_OUTPUT_MAX];
};

/* The process is this one's copy: it ends with what ${run} returns, and cmocka's checks, which jump
 * back into the runner, have no place in it. */
typedef int child_fn(void *context);

static inline void child_begin(child_fn *run, void *context, int out, int err)
{
	int status;

	dup2(out, STDOUT_FILENO);
	dup2(err, STDERR_FILENO);
	status = run(context);
	fflush(NULL);
	_exit(status);
}

/* Read both pipes until both are closed. */
static inline void child_collect(struct child *child, int out, int err)
{
	struct pollfd pipes[] = { { .fd = out, .events = POLLIN },
				  { .fd = err, .events = POLLIN } };
	char *texts[] = { child->out, child->err };
	size_t used[] = { 0, 0 };

	while (pipes[0].fd >= 0 || pipes[1].fd >= 0) {
		if (poll(pipes, 2, -1) < 0 && errno == EINTR)
			continue;
		for (size_t i = 0; i < 2; i++) {
			ssize_t got;

			if (pipes[i].fd < 0 || !pipes[i].revents)
				continue;
			got = read(pipes[i].fd, texts[i] + used[i], CHILD_OUTPUT_MAX - 1 - used[i]);
			if (got <= 0) {
				close(pipes[i].fd);
				pipes[i].fd = -1;
				continue;
			}
			used[i] += (size_t)got;
		}
	}
}

static inline void run_child(struct child *child, child_fn *run, void *context)
{
	int out[2], err[2], status;
	pid_t pid;

	memset(child, 0, sizeof(*child));
	fflush(NULL);
	assert_int_equal(pipe(out), 0);
	assert_int_equal(pipe(err), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		close(out[0]);
		close(err[0]);
		child_begin(run, context, out[1], err[1]);
	}
	close(out[1]);
	close(err[1]);
	child_collect(child, out[0], err[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	child->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

#define assert_contains(text, wanted)                                                              \
	do {                                                                                       \
		if (!strstr(text, wanted))                                                         \
			fail_msg("\"%s\" does not contain \"%s\"", text, wanted);                  \
	} while (0)

#define assert_lacks(text, unwanted)                                                               \
	do {                                                                                       \
		if (strstr(text, unwanted))                                                        \
			fail_msg("\"%s\" contains \"%s\"", text, unwanted);                        \
	} while (0)

#endif
