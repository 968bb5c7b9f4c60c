/*
 * The installed pair: data/assets/ssl/cert.pem and key.pem. Two files cannot be replaced at once,
 * so this is how it goes: both are written beside the old ones and synced; the old pair is kept in
 * the state directory; a record of intent with the hashes of both is written; the two renames
 * follow each other at once. Whatever interrupts that, the next run's install_recover finishes what
 * the record names, or removes what it does not.
 *
 * The record (record.h) stays until the services serve the pair (install_finish): a run that dies
 * in between, or whose reload fails, is so completed by the next.
 */
#ifndef INSTALL_H
#define INSTALL_H

#include "pair.h"

struct install {
	int ssl;          /* data/assets/ssl */
	int state;        /* our state directory, or -1 in a dry run that found none */
	const char *note; /* for the record: what the one who completes it should know; or NULL */
};

/*
 * Complete what an earlier run began, or remove what it left over. COMPLETED: renames were missing.
 * FILE_...
 */
enum outcome install_recover(const struct install *install);

/* Are both files real ones, and not links that mailcow's containers cannot follow? */
bool install_is_real(const struct install *install);

/* Read the installed pair; it is the caller's to judge. Returns whether it could, and why not. */
enum outcome install_read(const struct install *install, struct pair *pair);

/*
 * Install ${new} in the place of ${old} (which may be none); ${keep}: keep that one for a rollback,
 * in the place of the one that was kept before. When this returns OK both files are in place and on
 * disk, and the record stays; cert.pem's modification time is when the pair arrived. On failure the
 * old pair is untouched. FILE_WRITE, NO_MEMORY.
 */
enum outcome install_pair(const struct install *install, const struct pair *new,
			  const struct pair *old, bool keep);

/*
 * Note that the services have yet to load the ${installed} pair, as if it had just been installed.
 * FILE_WRITE.
 */
enum outcome install_mark_pending(const struct install *install, const struct pair *installed);

/* Is there an installed pair that the services may not serve yet? */
bool install_is_pending(const struct install *install);

/* All services serve the pair: remove the record. FILE_WRITE. */
enum outcome install_finish(const struct install *install);

/*
 * Give key.pem the mode 0600 and cert.pem 0644 where somebody changed them; a change is logged.
 * FILE_WRITE.
 */
enum outcome install_correct_modes(const struct install *install);

#endif
