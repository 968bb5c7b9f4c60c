/*
 * The middle of a renewal. certbot writes archive/npm-N/KINDn.pem with the next number n, then the
 * lineage's file in renewal/, and only then it exchanges the links in live/npm-N, one by one.
 */
#ifndef SWAP_H
#define SWAP_H

#include <stdbool.h>

/* A renewal that has not gone on for longer than this was broken off. */
#define SWAP_RECENT_SECONDS 10

/*
 * Are the links of lineage ${name} in directory ${live} about to be exchanged: is there something
 * newer than they lead to, or do they not agree, and that since a moment ago?
 */
bool swap_is_under_way(int live, const char *name);

#endif
