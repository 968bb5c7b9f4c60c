/*
 * What was before the installed pair, for a rollback, also for the run that completes one that was
 * cut off.
 */
#ifndef HISTORY_H
#define HISTORY_H

#include "situation.h"

struct history {
	struct pair previous; /* not whole: none is known */
	char healthy[RECORD_NOTE_MAX +
		     1]; /* names of the endpoints that were, with blanks around */
};

/* Have the record of what is installed next say which endpoints are healthy now. */
void history_note(struct situation *situation, struct history *history);

/*
 * Was what is installed never proved, as the run that installed it did not come to that, or may
 * that be so, as a later one failed that was to install another? What they knew is recalled: the
 * pair that was proved, and what was healthy then. FILE_..., WORKER_DIED.
 */
enum outcome history_recall(struct situation *situation, struct history *history, bool *unproven);

/* For _cleanup_. */
void history_clear(struct history *history);

#endif
