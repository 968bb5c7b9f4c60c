/* The data types of SSH (RFC 4251 5), taken one after the other from what a server said. */
#ifndef SLICE_H
#define SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes of somebody else; whoever takes from them moves their beginning. */
struct slice {
	const char *data;
	size_t len;
};

/*
 * Take the next ${len} bytes. This and the others: false if there are not as many, and ${out} is
 * then worth nothing.
 */
bool slice_take(struct slice *from, size_t len, struct slice *out);

bool slice_byte(struct slice *from, uint8_t *out);

/* In network byte order. */
bool slice_uint32(struct slice *from, uint32_t *out);

/* A length and that many bytes. */
bool slice_string(struct slice *from, struct slice *out);

#endif
