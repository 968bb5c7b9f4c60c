#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "certsync/memory.h"

void memory_free(void *memory)
{
	if (memory)
		OPENSSL_cleanse(memory, malloc_usable_size(memory));
	free(memory);
}

void *memory_resize(void *memory, size_t size)
{
	size_t old = memory ? malloc_usable_size(memory) : 0;
	void *moved = malloc(size);

	if (!moved)
		return NULL;
	if (old)
		memcpy(moved, memory, old < size ? old : size);
	memory_free(memory);
	return moved;
}

static void *allocate(size_t size, const char *file, int line)
{
	(void)file, (void)line;
	return malloc(size);
}

static void *resize(void *memory, size_t size, const char *file, int line)
{
	(void)file, (void)line;
	return memory_resize(memory, size);
}

static void release(void *memory, const char *file, int line)
{
	(void)file, (void)line;
	memory_free(memory);
}

void memory_use_for_openssl(void)
{
	CRYPTO_set_mem_functions(allocate, resize, release);
}
