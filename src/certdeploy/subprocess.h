/*
 * Other programs, several at a time: run with a clean environment and no input, what they say
 * captured, killed when their time is up.
 */
#ifndef SUBPROCESS_H
#define SUBPROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "certsync/deadline.h"

/* What is kept of standard output and error, each. */
#define SUBPROCESS_OUTPUT_MAX 16384

struct subprocess_output {
	int fd;
	size_t len;
	char text[SUBPROCESS_OUTPUT_MAX + 1];
};

struct subprocess {
	pid_t pid;
	int pidfd;
	struct subprocess_output out;
	struct subprocess_output err;
	bool timed_out;
	int unread; /* why some of what it said could not be read, an errno; 0: all was */
	int status; /* as waitpid(2) gives it; -1: could not be started */
};

/*
 * Start ${argv} (ends with NULL; argv[0] is a path). The environment is PATH, LC_ALL and, where
 * they are set, the variables named in ${keep} (ends with NULL). False: errno says why; ${process}
 * can be given to subprocess_wait all the same.
 */
bool subprocess_start(struct subprocess *process, const char *const argv[],
		      const char *const keep[]);

/* Wait until all ${count} have ended or ${end} has passed; those still running are then killed. */
void subprocess_wait(struct subprocess *processes, size_t count, deadline end);

/* Did it run, end by itself and return 0, and was all read that it said? */
bool subprocess_succeeded(const struct subprocess *process);

/* Write what became of a failed one to ${to}: what it said last, or how it ended. */
void subprocess_explain(const struct subprocess *process, char *to, size_t size);

#endif
