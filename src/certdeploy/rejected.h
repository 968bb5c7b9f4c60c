/*
 * Pairs that the services could not serve and that were rolled back, so that they are not tried
 * again: a record (record.h) of each in the state directory, until another pair is deployed.
 */
#ifndef REJECTED_H
#define REJECTED_H

#include "pair.h"
#include "record.h"

/* Note that ${pair} was rolled back, and why. FILE_WRITE, NO_MEMORY. */
enum outcome rejected_add(int state, const struct pair *pair, const char *why);

/*
 * The record of ${pair}, which is empty if it was not rolled back; ${state} may be -1. FILE_IO,
 * FILE_DENIED, NO_MEMORY: who knows whether it was.
 */
enum outcome rejected_find(int state, const struct pair *pair, struct record *record);

/* Remove all of them. FILE_WRITE, FILE_IO. */
enum outcome rejected_forget(int state);

#endif
