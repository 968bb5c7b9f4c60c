/*
 * What a run changes: the staged pair is installed, the installed one serving. A new pair that the
 * services cannot serve, although they served the one before, is rolled back.
 */
#ifndef DEPLOY_H
#define DEPLOY_H

#include "converge.h"

/* Install what is staged and have it serving. */
enum outcome deploy_staged(struct situation *situation);

/* Have what is installed serving, where it is not. */
enum outcome deploy_installed(struct situation *situation);

/* Is there anything for deploy_installed to do, by what the endpoints serve? */
bool deploy_is_behind(struct situation *situation);

#endif
