/*
 * SIGINT, SIGTERM and SIGHUP as a question, for runs that must tidy up elsewhere before they end.
 */
#ifndef CERTSYNC_INTERRUPT_H
#define CERTSYNC_INTERRUPT_H

#include <stdbool.h>

/*
 * From now on the signals are remembered instead of ending the process; system calls that wait
 * return EINTR.
 */
void interrupt_catch(void);

/* Has one come? */
bool interrupt_pending(void);

/* Die of the signal that came, as the shell and systemd expect it; returns if none came. */
void interrupt_raise(void);

#endif
