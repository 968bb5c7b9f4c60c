/* What the state directories hold: a record of a pair, and last_fp. */
#include "fuzz.h"
#include "last_fp.h"
#include "record.h"

#define FINGERPRINT                                                                                \
	"AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:"                                         \
	"AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA"

static void put(int state, const char *name, const unsigned char *data, size_t size)
{
	int fd = openat(state, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	must(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	close(fd);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	static int state = -1;
	struct record record;

	if (state < 0)
		state = fuzz_make_directory();
	put(state, RECORD_PENDING, data, size);
	put(state, "last_fp", data, size);
	if (record_read(state, RECORD_PENDING, &record))
		must(record.chain[0] && record.key[0] && !strchr(record.note, '\n'));
	must(strnlen(record.chain, sizeof(record.chain)) <= RECORD_HASH_LEN &&
	     strnlen(record.key, sizeof(record.key)) <= RECORD_HASH_LEN &&
	     strnlen(record.note, sizeof(record.note)) <= RECORD_NOTE_MAX);
	if (last_fp_is(state, FINGERPRINT))
		must(size >= strlen(FINGERPRINT) &&
		     !strncasecmp((const char *)data, FINGERPRINT, strlen(FINGERPRINT)));
	return 0;
}
