/* What the state directory says of TLSA records, which a look then goes on from. */
#include "certsync/cleanup.h"
#include "fuzz.h"
#include "sightings.h"

#define NAME "_25._tcp.mail.example.org"
#define NOW  ((time_t)1764000000)
#define WEEK ((time_t)7 * 24 * 60 * 60)

static void put(int state, const unsigned char *data, size_t size)
{
	int fd = openat(state, "tlsa.json", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	must(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	close(fd);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	static struct lookup_answer answer = {
		.result = LOOKUP_FOUND,
		.name = NAME,
		.ttl = 3600,
		.count = 1,
		.record = { { TLSA_DANE_EE, TLSA_SPKI, TLSA_SHA2_256, .len = TLSA_SHA256_LEN } },
	};
	_cleanup_(sightings_freep) struct sightings *sightings = NULL;
	static int state = -1;
	time_t known, first;

	if (state < 0)
		state = fuzz_make_directory();
	put(state, data, size);
	if (outcome_failed(sightings_load(state, &sightings)))
		return 0;
	sightings_note(sightings, &answer, NOW);
	known = sightings_known_from(sightings, NAME, &answer.record[0], &first);
	must(first <= NOW && known <= NOW + WEEK + 10);
	must(sightings_hold(sightings, "spki", NOW) <= NOW);
	must(!outcome_failed(sightings_save(state, sightings)));
	return 0;
}
