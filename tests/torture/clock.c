/*
 * clock - a clock that is wrong, for LD_PRELOAD: by CLOCK_SHIFT seconds, ahead or behind
 *
 * The kernel's own clock, by which files get their times, stays right.
 */
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>

static time_t shift(void)
{
	const char *seconds = getenv("CLOCK_SHIFT");

	return seconds ? strtol(seconds, NULL, 10) : 0;
}

int clock_gettime(clockid_t id, struct timespec *now)
{
	int (*real)(clockid_t id, struct timespec * now);
	void *symbol = dlsym(RTLD_NEXT, "clock_gettime");
	int result;

	memcpy(&real, &symbol, sizeof(real));
	result = real(id, now);
	if (!result && id == CLOCK_REALTIME)
		now->tv_sec += shift();
	return result;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
	struct timespec precise;

	(void)zone;
	clock_gettime(CLOCK_REALTIME, &precise);
	*now = (struct timeval){ precise.tv_sec, precise.tv_nsec / 1000 };
	return 0;
}

time_t time(time_t *where)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	if (where)
		*where = now.tv_sec;
	return now.tv_sec;
}
