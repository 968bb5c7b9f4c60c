/*
 * For a process that reads what strangers wrote: it gives up what it could do harm with, for good,
 * and has the kernel see to it (capabilities(7), seccomp(2), setrlimit(2)).
 */
#ifndef CERTSYNC_SANDBOX_H
#define CERTSYNC_SANDBOX_H

#include <stdbool.h>

enum sandbox {
	SANDBOX_COMPUTE,  /* memory, the clock, and the descriptors that are open */
	SANDBOX_CONVERSE, /* and TCP connections, which it may make itself */
	SANDBOX_LOOK_UP,  /* and datagrams, to ask a resolver */
};

/*
 * Be nobody: root's user and group IDs are changed to 65534, supplementary groups and all
 * capabilities are dropped, execve(2) can give none back, no core is dumped and nobody else may
 * trace or read the process. Files that all may read can still be opened. NULL, or the step that
 * failed, and why in errno.
 */
const char *sandbox_drop(void);

/*
 * After sandbox_drop: no file can be opened any more, no program executed, no process made; all
 * system calls that ${kind} does not need fail, and those that nobody asks for by mistake end the
 * process (SIGSYS). Memory and processor time are limited. NULL, or the step that failed, and why
 * in errno.
 */
const char *sandbox_enter(enum sandbox kind);

#endif
