/*
 * The directories below data/assets/ssl that mailcow serves for names of their own: those with the
 * files domains (which has a name in it), cert.pem and key.pem, left over from its own ACME client
 * as a rule. dovecot, postfix and nginx prefer them to the installed pair, so they are kept in step
 * with it.
 */
#ifndef SNI_H
#define SNI_H

#include "pair.h"

#define SNI_NAME_MAX 255

enum sni_state {
	SNI_CURRENT,   /* holds the pair */
	SNI_STALE,     /* holds another one, and the pair covers all its names */
	SNI_FOREIGN,   /* the pair does not cover all its names: it is none of ours */
	SNI_SHADOWING, /* the same, and the mail host is one of them */
};

struct sni_directory {
	char name[SNI_NAME_MAX + 1]; /* below data/assets/ssl; as the file system has it */
	enum sni_state state;
	char uncovered[JUDGE_NAME_MAX]; /* a name that the pair does not cover; "": none */
	bool updated;                   /* by sni_update; ${old} is what was there */
	struct pair old;
};

struct sni {
	struct sni_directory *directory; /* in the order of their names */
	size_t count;
};

/*
 * Find the directories in ${ssl} and how each relates to ${pair}, for the mail host ${hostname}.
 * Real directories only; links to directories are not followed. A wildcard among the names is
 * covered by that very wildcard. The caller sni_clears ${sni} in any case. FILE_... of the first
 * whose file domains cannot be read, NO_MEMORY; the others are found all the same.
 */
enum outcome sni_find(int ssl, const struct pair *pair, const char *hostname, struct sni *sni);

/*
 * Write ${pair} into every directory that is SNI_STALE, which is SNI_CURRENT then: both files are
 * written under temporary names (".key.pem.new", ".cert.pem.new") with mode 0600 and 0644, owner
 * and group as the directory's, and then renamed, or neither. What was there is kept in ${sni}.
 * Temporaries of a run that was killed are removed. FILE_WRITE, FILE_DENIED of the first that
 * failed, which has its old pair; the others were done all the same.
 */
enum outcome sni_update(int ssl, const struct pair *pair, struct sni *sni);

/*
 * Put back what sni_update replaced, which is SNI_STALE then, unless that was no pair. As
 * sni_update.
 */
enum outcome sni_restore(int ssl, struct sni *sni);

/* Free what ${sni} holds; for _cleanup_. */
void sni_clear(struct sni *sni);

#endif
