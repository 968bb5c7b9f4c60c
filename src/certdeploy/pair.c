#include "pair.h"

enum outcome pair_judge(struct pair *pair, const struct judge_rules *rules)
{
	return judge_pair(&pair->chain, &pair->key, rules, &pair->judged);
}

bool pair_is_whole(const struct pair *pair)
{
	return pair->judged.fingerprint[0] && !outcome_failed((enum outcome)pair->judged.loaded);
}

bool pair_is_matched(const struct pair *pair)
{
	return pair_is_whole(pair) && pair->judged.is & JUDGED_MATCHED;
}

bool pair_equal(const struct pair *pair, const struct pair *other)
{
	return bytes_equal(&pair->chain, &other->chain) && bytes_equal(&pair->key, &other->key);
}

void pair_clear(struct pair *pair)
{
	bytes_clear(&pair->chain);
	bytes_clear(&pair->key);
	*pair = PAIR_NONE;
}
