#include <signal.h>
#include <stddef.h>

#include "certsync/interrupt.h"

static volatile sig_atomic_t pending;

static void remember(int signal_number)
{
	pending = signal_number;
}

void interrupt_catch(void)
{
	struct sigaction action = { .sa_handler = remember };

	sigemptyset(&action.sa_mask);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
}

bool interrupt_pending(void)
{
	return pending != 0;
}

void interrupt_raise(void)
{
	if (!pending)
		return;
	signal(pending, SIG_DFL);
	raise(pending);
}
