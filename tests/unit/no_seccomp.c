/*
 * Preloaded under valgrind, which does not know seccomp(2) and makes system calls of its own:
 * workers run without their filter then.
 */
#include <seccomp.h>

scmp_filter_ctx seccomp_init(uint32_t action)
{
	static char filter;

	(void)action;
	return &filter;
}

int seccomp_attr_set(scmp_filter_ctx filter, enum scmp_filter_attr attribute, uint32_t value)
{
	(void)filter, (void)attribute, (void)value;
	return 0;
}

int seccomp_rule_add(scmp_filter_ctx filter, uint32_t action, int call, unsigned int count, ...)
{
	(void)filter, (void)action, (void)call, (void)count;
	return 0;
}

int seccomp_rule_add_array(scmp_filter_ctx filter, uint32_t action, int call, unsigned int count,
			   const struct scmp_arg_cmp *arguments)
{
	(void)filter, (void)action, (void)call, (void)count, (void)arguments;
	return 0;
}

int seccomp_load(const scmp_filter_ctx filter)
{
	(void)filter;
	return 0;
}

void seccomp_release(scmp_filter_ctx filter)
{
	(void)filter;
}
