/*
 * Scope-bound clean-up, as systemd and the kernel do it: a variable declared `_cleanup_(f)` is
 * handed to f by its address when its scope ends. A clean-up function accepts what it would find in
 * a variable that was never filled: NULL, or -1 for a descriptor.
 */
#ifndef CERTSYNC_CLEANUP_H
#define CERTSYNC_CLEANUP_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define _cleanup_(function) __attribute__((cleanup(function)))

static inline void fd_closep(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static inline void dir_closep(DIR **directory)
{
	if (*directory)
		closedir(*directory);
	*directory = NULL;
}

static inline void file_closep(FILE **stream)
{
	if (*stream)
		fclose(*stream);
	*stream = NULL;
}

static inline void string_freep(char **string)
{
	free(*string);
	*string = NULL;
}

#endif
