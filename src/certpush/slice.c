#include "slice.h"

bool slice_take(struct slice *from, size_t len, struct slice *out)
{
	if (len > from->len)
		return false;
	*out = (struct slice){ from->data, len };
	from->data += len;
	from->len -= len;
	return true;
}

bool slice_byte(struct slice *from, uint8_t *out)
{
	struct slice byte;

	if (!slice_take(from, 1, &byte))
		return false;
	*out = (uint8_t)byte.data[0];
	return true;
}

bool slice_uint32(struct slice *from, uint32_t *out)
{
	*out = 0;
	for (int i = 0; i < 4; i++) {
		uint8_t byte;

		if (!slice_byte(from, &byte))
			return false;
		*out = *out << 8 | byte;
	}
	return true;
}

bool slice_string(struct slice *from, struct slice *out)
{
	uint32_t len;

	return slice_uint32(from, &len) && slice_take(from, len, out);
}
