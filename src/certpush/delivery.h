/*
 * What is done on the mail host, by a process that has what it needs for that and nothing else
 * (worker.h): the keys were read before, and it can open no file and become nobody's else. This one
 * opens no connection to the host.
 */
#ifndef DELIVERY_H
#define DELIVERY_H

#include "certsync/file.h"
#include "certsync/generation.h"
#include "remote.h"

/*
 * Put the pair into the staging directory of ${conf}'s host as a new generation, which is called
 * ${name} there. Those of remote_new, remote_resolve, remote_connect, remote_put and worker_run.
 */
enum outcome delivery_put(const struct push_conf *conf, const char *fingerprint,
			  const struct bytes *chain, const struct bytes *key,
			  char name[static GENERATION_NAME_LEN + 1]);

/*
 * The same way without a pair: may we write there (remote_probe)? ${stage} is where it ended;
 * REMOTE_READY if it came to the probe.
 */
enum outcome delivery_probe(const struct push_conf *conf, enum remote_stage *stage, bool *removed);

#endif
