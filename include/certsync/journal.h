/*
 * What the programs say: structured records to journald when systemd runs them (sd_journal_send(3),
 * with MESSAGE_ID and CERTSYNC_... fields), text on standard error otherwise, coloured on a
 * terminal.
 */
#ifndef CERTSYNC_JOURNAL_H
#define CERTSYNC_JOURNAL_H

#include "certsync/outcome.h"

enum journal_volume {
	JOURNAL_QUIET,   /* warnings and errors */
	JOURNAL_NORMAL,  /* and what was done */
	JOURNAL_VERBOSE, /* and how */
};

/* Begin to log as ${program} (a string that lives on). */
void journal_open(const char *program, enum journal_volume volume);

/*
 * Add the field ${name} (upper case, CERTSYNC_...; a string that lives on) with ${value} to every
 * later record; NULL takes it away.
 */
void journal_field(const char *name, const char *value);

/*
 * Log ${outcome} with this message at the priority, and with the MESSAGE_ID and advice, that the
 * table has for it.
 */
void journal_log(enum outcome outcome, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Log ${outcome} with the reason recorded for it. */
void journal_outcome(enum outcome outcome);

/* Say how something is done; heard with JOURNAL_VERBOSE only. */
void journal_detail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/*
 * Say that a step is done: heard by a person at a terminal, and with JOURNAL_VERBOSE by everybody.
 */
void journal_step(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Tell the service manager the result in words, for `systemctl status` (sd_notify(3), STATUS=). */
void journal_status(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
