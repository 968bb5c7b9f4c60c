/*
 * Work that is done by a process of its own, which has given up all that the work does not need
 * (sandbox.h) and can only return bytes of a fixed number. What it returns is to be believed no
 * more than what it read.
 */
#ifndef CERTSYNC_WORKER_H
#define CERTSYNC_WORKER_H

#include <stdbool.h>
#include <stddef.h>

#include "certsync/deadline.h"
#include "certsync/file.h"
#include "certsync/outcome.h"
#include "certsync/sandbox.h"

struct work {
	const char *name; /* "judging the pair", for reasons */
	enum sandbox sandbox;
	/*
	 * What has to be done while files that all may read can still be opened; NULL: nothing.
	 * What it returns is handed on to ${run}.
	 */
	void *(*prepare)(void *input);
	/* The work itself: from ${input} to ${reply}, which is all zero before. */
	void (*run)(void *input, void *prepared, void *reply);
	size_t reply_size;
};

/*
 * Have a process that was forked just for that do ${work} with ${input}, until ${end} at the
 * latest, and copy what it returns to ${reply}. It sees all that the caller's memory holds.
 * SANDBOX_FAILED (it could not be confined, and did not begin), WORKER_DIED (a crash, a forbidden
 * system call, a limit), INTERRUPTED, NO_MEMORY.
 */
enum outcome worker_run(const struct work *work, void *input, deadline end, void *reply);

/*
 * Start the process from which worker_call forks. It has the memory that this one has now: call it
 * before anything secret was read. NO_MEMORY.
 */
enum outcome worker_prepare(void);

/*
 * As worker_run, but the worker knows nothing of what the caller has read since worker_prepare
 * (which is called if it was not) but what it is sent: ${parts}, one after the other, are its
 * input, a struct bytes. ${reply_size} takes the place of the work's where that is 0.
 */
enum outcome worker_call(const struct work *work, const struct bytes *parts, size_t count,
			 size_t reply_size, deadline end, void *reply);

/*
 * End the process that worker_prepare started, if there is one, and wait for its end: nothing of a
 * run is to be left in a service's control group, for systemd to end.
 */
void worker_stop(void);

#endif
