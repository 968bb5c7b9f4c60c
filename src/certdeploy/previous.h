/*
 * The pair that was installed before the current one, kept as a generation in the state directory
 * for a way back.
 */
#ifndef PREVIOUS_H
#define PREVIOUS_H

#include "pair.h"

/*
 * Keep ${pair} as the previous one in ${state} and remove the one kept so far. A pair that is none
 * (missing, or key and certificate do not match) is not worth keeping: what was kept then stays.
 * FILE_WRITE.
 */
enum outcome previous_keep(int state, const struct pair *pair);

/*
 * Read the pair that is kept in ${state} into ${pair}, which is PAIR_NONE and stays so if there is
 * none that is whole; the caller clears it. FILE_IO, FILE_DENIED, NO_MEMORY, SANDBOX_FAILED,
 * WORKER_DIED: it could not be read.
 */
enum outcome previous_read(int state, struct pair *pair);

#endif
