/* Text that is safe to show: in a log, on a terminal, in a table. */
#ifndef CERTSYNC_TEXT_H
#define CERTSYNC_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <time.h>

/*
 * Copy ${len} bytes of ${from} to ${to} (at most ${size} bytes with the final '\0'), everything but
 * printable ASCII replaced by \xNN; too long a text ends in "...".
 */
void text_printable(char *to, size_t size, const char *from, size_t len);

/*
 * For text that came from a process that may have been taken over: make what is in ${text}
 * printable in its place. False: it does not end within ${size}, which is TEXT_ACCEPTED_MAX at the
 * most.
 */
#define TEXT_ACCEPTED_MAX 1024
bool text_accept(char *text, size_t size);

/* Is ${text} of exactly ${len} bytes, all of them in ${allowed}, and does it end within ${size}? */
bool text_is(const char *text, size_t size, size_t len, const char *allowed);

#define TEXT_TIME_LEN 20 /* "2026-11-22T03:00:07Z" */

/* ${when} as ISO 8601 in UTC. */
void text_time(char to[static TEXT_TIME_LEN + 1], time_t when);

#define TEXT_SPAN_LEN 31

/* So many ${seconds} in a unit that fits: "1 minute", "3 hours", "20 days". */
void text_span(char to[static TEXT_SPAN_LEN + 1], time_t seconds);

#endif
