/*
 * Have the services serve a certificate, by the gentlest means that works, and believe nothing but
 * what they then serve: reload; where that was not enough, restart.
 */
#ifndef CONVERGE_H
#define CONVERGE_H

#include "situation.h"

/* Choose all services; those that serve a stale endpoint; the number chosen is returned. */
size_t converge_choose_all(struct situation *situation);
size_t converge_choose_stale(struct situation *situation);

/*
 * Have the chosen services, whose containers were found (services_find), serve ${wanted}. What is
 * done to each is logged. OK, whatever came of it: the states in ${situation}'s serving say that.
 * NO_MEMORY.
 */
enum outcome converge(struct situation *situation, const char *wanted);

/*
 * Do the services' configurations stand their own test, before anything is changed? One that does
 * not is logged, and its endpoints do not count as healthy: what they do is not the new
 * certificate's fault.
 */
void converge_test(struct situation *situation);

/* Does any endpoint that was healthy before not serve ${situation}'s wanted certificate now? */
bool converge_broke_something(const struct situation *situation);

/* And could its service be told at all to load that certificate? If not, it is not to blame. */
bool converge_failed_to_load(const struct situation *situation);

#endif
