/*
 * The pair that was installed before the current one, kept as a generation in the state directory
 * for a way back.
 */
#ifndef PREVIOUS_H
#define PREVIOUS_H

#include <stdbool.h>

#include "pair.h"

/*
 * Keep ${pair} as the previous one in ${state} and remove the one kept so far. A pair that is none
 * (missing, or key and certificate do not match) is not worth keeping: what was kept then stays.
 * FILE_WRITE.
 */
enum outcome previous_keep(int state, const struct pair *pair);

/*
 * Read the pair that is kept in ${state} into ${pair}, which the caller clears. False: there is
 * none that is whole.
 */
bool previous_read(int state, struct pair *pair);

#endif
