/*
 * Memory that is overwritten when it is given back: private keys pass through what libraries
 * allocate.
 */
#ifndef CERTSYNC_MEMORY_H
#define CERTSYNC_MEMORY_H

#include <stddef.h>

/* free(3) and realloc(3), but what is given back is overwritten. It is malloc(3)'s memory. */
void memory_free(void *memory);
void *memory_resize(void *memory, size_t size);

/* Have OpenSSL allocate so. Before it allocates anything, or it stays as it is. */
void memory_use_for_openssl(void);

#endif
