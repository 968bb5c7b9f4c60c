/* Time limits on the monotonic clock, which no one sets back (clock_gettime(2)). */
#ifndef CERTSYNC_DEADLINE_H
#define CERTSYNC_DEADLINE_H

#include <stdbool.h>
#include <stdint.h>

/* A moment, in milliseconds of CLOCK_MONOTONIC. */
typedef int64_t deadline;

/* The moment ${ms} milliseconds from now. */
deadline deadline_in(int ms);

/* The earlier of two. */
deadline deadline_earlier(deadline one, deadline other);

/* Milliseconds left, as poll(2) takes them: 0 once it has passed. */
int deadline_left(deadline when);

/* Wait ${ms} milliseconds or until ${when}, whichever is sooner; false once ${when} has passed. */
bool deadline_pause(deadline when, int ms);

#endif
