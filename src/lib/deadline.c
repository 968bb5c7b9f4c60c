#include <limits.h>
#include <time.h>

#include "certsync/deadline.h"

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

deadline deadline_in(int ms)
{
	return now_ms() + ms;
}

deadline deadline_earlier(deadline one, deadline other)
{
	return one < other ? one : other;
}

int deadline_left(deadline when)
{
	int64_t left = when - now_ms();

	if (left < 0)
		return 0;
	return left > INT_MAX ? INT_MAX : (int)left;
}

bool deadline_pause(deadline when, int ms)
{
	int left = deadline_left(when);
	struct timespec pause;

	if (left < ms)
		ms = left;
	pause.tv_sec = ms / 1000;
	pause.tv_nsec = (long)(ms % 1000) * 1000000;
	nanosleep(&pause, NULL);
	return left > 0;
}
