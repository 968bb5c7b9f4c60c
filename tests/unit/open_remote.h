/* The connection that a test is about. */
#ifndef OPEN_REMOTE_H
#define OPEN_REMOTE_H

#include "remote.h"

/* All the steps to one that can be used; ${out} is NULL on failure. */
static inline enum outcome remote_open(const struct push_conf *conf, deadline end,
				       struct remote **out)
{
	enum outcome outcome = remote_new(conf, end, out);

	if (!outcome_failed(outcome))
		outcome = remote_resolve(*out);
	if (!outcome_failed(outcome))
		outcome = remote_connect(*out);
	if (outcome_failed(outcome))
		remote_closep(out);
	return outcome;
}

#endif
