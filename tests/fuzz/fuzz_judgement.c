/* What comes back from a process that may have been taken over: a judgement, or an answer. */
#include <stdint.h>

#include "certsync/wire.h"
#include "fuzz.h"
#include "judge.h"

static void check_judgement(const unsigned char *data, size_t size)
{
	struct judgement judgement = { .loaded = OUTCOME_CERT_UNREADABLE,
				       .good = OUTCOME_CERT_UNREADABLE };

	memcpy(&judgement, data, size < sizeof(judgement) ? size : sizeof(judgement));
	if (!judge_accept(&judgement))
		return;
	must(fuzz_is_printable(judgement.reason) && fuzz_is_printable(judgement.key_type) &&
	     fuzz_is_printable(judgement.uncovered) && fuzz_is_printable(judgement.fingerprint) &&
	     fuzz_is_printable(judgement.spki));
	must(outcome_text((enum outcome)judgement.good)->name != NULL);
	must(outcome_failed((enum outcome)judgement.good) || judgement.fingerprint[0]);
	judge_outcome(&judgement, judgement.good);
}

static void check_answer(const unsigned char *data, size_t size)
{
	struct wire_answer answer = { .result = WIRE_REFUSED };

	memcpy(&answer, data, size < sizeof(answer) ? size : sizeof(answer));
	if (!wire_accept(&answer))
		return;
	must(answer.trusted || !answer.trusted);
	must(fuzz_is_printable(answer.reason) && fuzz_is_printable(answer.tls) &&
	     fuzz_is_printable(answer.distrust) && fuzz_is_printable(answer.fingerprint));
	must((answer.result == WIRE_SERVED) == (answer.fingerprint[0] != '\0'));
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	if (!size)
		return 0;
	if (data[0] & 1)
		check_judgement(data + 1, size - 1);
	else
		check_answer(data + 1, size - 1);
	return 0;
}
