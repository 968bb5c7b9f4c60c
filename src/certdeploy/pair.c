#include "pair.h"

void pair_clear(struct pair *pair)
{
	bytes_clear(&pair->chain);
	bytes_clear(&pair->key);
	bundle_freep(&pair->bundle);
}
