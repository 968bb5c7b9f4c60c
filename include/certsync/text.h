/* Text that is safe to show: in a log, on a terminal, in a table. */
#ifndef CERTSYNC_TEXT_H
#define CERTSYNC_TEXT_H

#include <stddef.h>
#include <stdio.h>
#include <time.h>

/*
 * Copy ${len} bytes of ${from} to ${to} (at most ${size} bytes with the final '\0'), everything but
 * printable ASCII replaced by \xNN; too long a text ends in "...".
 */
void text_printable(char *to, size_t size, const char *from, size_t len);

#define TEXT_TIME_LEN 20 /* "2026-11-22T03:00:07Z" */

/* ${when} as ISO 8601 in UTC. */
void text_time(char to[static TEXT_TIME_LEN + 1], time_t when);

#define TEXT_SPAN_LEN 31

/* So many ${seconds} in a unit that fits: "1 minute", "3 hours", "20 days". */
void text_span(char to[static TEXT_SPAN_LEN + 1], time_t seconds);

#endif
