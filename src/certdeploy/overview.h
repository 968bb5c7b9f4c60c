/* Tables of what stands where, for people. */
#ifndef OVERVIEW_H
#define OVERVIEW_H

#include <stdio.h>

#include "situation.h"

/* Print the endpoints and what they serve, compared with ${wanted}. */
void overview_endpoints(const struct serving *serving, FILE *to);

#endif
