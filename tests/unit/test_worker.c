/* What a worker may do, which is little, and what becomes of one that does not end as it should. */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <seccomp.h>

#include "certsync/cleanup.h"
#include "certsync/interrupt.h"
#include "certsync/sandbox.h"
#include "certsync/worker.h"
#include "unit.h"

/* Longer than any machine takes; a test that waits for so long has failed. */
#define LONG_MS 60000

/* What a worker found out about itself. */
struct report {
	int got[16];
};

static enum outcome call(const struct work *work, struct report *report)
{
	return worker_call(work, NULL, 0, 0, deadline_in(LONG_MS), report);
}

static void assert_died(const struct work *work, const char *reason)
{
	struct report report;

	assert_int_equal(call(work, &report), OUTCOME_WORKER_DIED);
	assert_non_null(strstr(outcome_reason(OUTCOME_WORKER_DIED), reason));
}

/* Work of a function, and of what else is set. */
#define WORK(...)                                                                                  \
	(struct work)                                                                              \
	{                                                                                          \
		.name = "a test", .reply_size = sizeof(struct report), .run = __VA_ARGS__          \
	}

/* --- input and reply --- */

static void add_up(void *input, void *prepared, void *reply)
{
	const struct bytes *bytes = input;
	struct report *report = reply;

	(void)prepared;
	report->got[0] = (int)bytes->len;
	for (size_t i = 0; i < bytes->len; i++)
		report->got[1] += bytes->data[i];
}

static void a_worker_has_its_input_and_returns_its_reply(void **state)
{
	const struct work work = WORK(add_up);
	const struct bytes parts[] = { { .data = (char[]){ 1, 2 }, .len = 2 },
				       { .data = NULL, .len = 0 },
				       { .data = (char[]){ 40 }, .len = 1 } };
	struct report report;

	(void)state;
	for (int i = 0; i < 3; i++) {
		assert_int_equal(worker_call(&work, parts, 3, 0, deadline_in(LONG_MS), &report),
				 OUTCOME_OK);
		assert_int_equal(report.got[0], 3);
		assert_int_equal(report.got[1], 43);
		assert_int_equal(report.got[2], 0);
	}
}

static void a_mebibyte_of_input_arrives(void **state)
{
	_cleanup_(bytes_clear) struct bytes many = bytes_new((size_t)1 << 20);
	const struct work work = WORK(add_up);
	struct report report;

	(void)state;
	memset(many.data, 1, many.len);
	assert_int_equal(worker_call(&work, &many, 1, 0, deadline_in(LONG_MS), &report),
			 OUTCOME_OK);
	assert_int_equal(report.got[1], 1 << 20);
}

static int secret;

static void tell_secret(void *input, void *prepared, void *reply)
{
	(void)input, (void)prepared;
	((struct report *)reply)->got[0] = secret;
}

static void a_worker_knows_nothing_of_what_was_read_since(void **state)
{
	const struct work work = WORK(tell_secret);
	struct report report;

	(void)state;
	assert_int_equal(worker_prepare(), OUTCOME_OK);
	secret = 42;
	assert_int_equal(call(&work, &report), OUTCOME_OK);
	assert_int_equal(report.got[0], 0);
	/* Unless it is forked for just that. */
	assert_int_equal(worker_run(&work, NULL, deadline_in(LONG_MS), &report), OUTCOME_OK);
	assert_int_equal(report.got[0], 42);
}

/* --- privileges --- */

/* Before the filter: what is asked for here is not denied by it. */
static void *look_at_self(void *input)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct caps[2] = { 0 };
	static struct report report;
	gid_t groups[8];

	(void)input;
	syscall(SYS_capget, &header, caps);
	report.got[0] = (int)getuid();
	report.got[1] = (int)geteuid();
	report.got[2] = (int)getgid();
	report.got[3] = getgroups(8, groups);
	report.got[4] = (int)(caps[0].effective | caps[0].permitted | caps[0].inheritable);
	report.got[5] = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
	report.got[6] = prctl(PR_GET_DUMPABLE, 0, 0, 0, 0);
	report.got[7] = setresuid(0, 0, 0);
	report.got[8] = open("/etc/shadow", O_RDONLY | O_CLOEXEC);
	report.got[9] = access("/etc/passwd", R_OK);
	return &report;
}

static void return_prepared(void *input, void *prepared, void *reply)
{
	(void)input;
	memcpy(reply, prepared, sizeof(struct report));
}

static void root_is_nobody_and_cannot_come_back(void **state)
{
	const struct work work = WORK(return_prepared, .prepare = look_at_self);
	struct report report;

	(void)state;
	assert_int_equal(geteuid(), 0);
	assert_int_equal(call(&work, &report), OUTCOME_OK);
	assert_int_equal(report.got[0], 65534);
	assert_int_equal(report.got[1], 65534);
	assert_int_equal(report.got[2], 65534);
	assert_int_equal(report.got[3], 0);
	assert_int_equal(report.got[4], 0);
	assert_int_equal(report.got[5], 1);
	assert_int_equal(report.got[6], 0);
	assert_int_equal(report.got[7], -1);
	assert_int_equal(report.got[8], -1);
	assert_int_equal(report.got[9], 0);
}

/* In a service's process, which has these capabilities (capset(2)) and may not change them. */
static const char *dropped_as_service(uint32_t permitted, uint32_t inheritable)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct caps[2] = { { .inheritable = inheritable,
						    .permitted = permitted } };
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);

	if (!filter || prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0 ||
	    setresuid(65534, 65534, 65534) < 0 || syscall(SYS_capset, &header, caps) < 0 ||
	    seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(capset), 0) < 0 ||
	    seccomp_load(filter) < 0)
		return "setting the scene";
	seccomp_release(filter);
	return sandbox_drop();
}

static void assert_dropped_as_service(uint32_t permitted, uint32_t inheritable, const char *failed)
{
	const pid_t pid = fork();
	const char *step;
	int status;

	assert_true(pid >= 0);
	if (!pid) {
		step = dropped_as_service(permitted, inheritable);
		_exit(failed ? !step || strcmp(step, failed) != 0 : !!step);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* systemd 257 leaves those of CapabilityBoundingSet= as inheritable to a process without any. */
static void a_capability_that_cannot_be_used_need_not_be_dropped(void **state)
{
	(void)state;
	assert_int_equal(geteuid(), 0);
	assert_dropped_as_service(0, 0, NULL);
	assert_dropped_as_service(0, 1U << CAP_DAC_READ_SEARCH, NULL);
	assert_dropped_as_service(1U << CAP_DAC_READ_SEARCH, 0, "capset");
}

/* --- system calls --- */

/* 0 if it could, otherwise errno. */
static int failed(long result)
{
	return result < 0 ? errno : 0;
}

static void try_everything(void *input, void *prepared, void *reply)
{
	int *got = ((struct report *)reply)->got;
	int ends[2];

	(void)input, (void)prepared;
	got[0] = failed(open("/etc/passwd", O_RDONLY | O_CLOEXEC));
	got[1] = failed(open("/tmp/x", O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	got[2] = failed(socket(AF_INET, SOCK_STREAM, 0));
	got[3] = failed(socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
	got[4] = failed(socket(AF_INET, SOCK_DGRAM, 0));
	got[5] = failed(socket(AF_UNIX, SOCK_STREAM, 0));
	got[6] = failed(socket(AF_NETLINK, SOCK_RAW, 0));
	got[7] = failed(pipe(ends));
	got[8] = failed(dup(STDOUT_FILENO));
	got[9] = failed(unlink("/tmp/x"));
	got[10] = failed(chmod("/tmp", 0777));
	got[11] = failed(syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL));
	got[12] = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
				  MAP_FAILED
			  ? errno
			  : 0;
	got[13] = failed((long)syscall(SYS_keyctl, 0, 0, 0, 0, 0));
	got[14] = failed(syscall(SYS_memfd_create, "x", 0));
	got[15] = failed(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0));
}

static void one_that_computes_can_ask_the_kernel_for_nothing(void **state)
{
	const struct work work = WORK(try_everything, .sandbox = SANDBOX_COMPUTE);
	struct report report;

	(void)state;
	assert_int_equal(call(&work, &report), OUTCOME_OK);
	for (size_t i = 0; i < sizeof(report.got) / sizeof(report.got[0]); i++)
		if (report.got[i] != EACCES)
			fail_msg("attempt %zu: %s", i, strerror(report.got[i]));
}

static void one_that_converses_can_ask_for_tcp_alone(void **state)
{
	const struct work work = WORK(try_everything, .sandbox = SANDBOX_CONVERSE);
	struct report report;

	(void)state;
	assert_int_equal(call(&work, &report), OUTCOME_OK);
	for (size_t i = 0; i < sizeof(report.got) / sizeof(report.got[0]); i++)
		if (report.got[i] != (i == 2 || i == 3 ? 0 : EACCES))
			fail_msg("attempt %zu: %s", i, strerror(report.got[i]));
}

static void one_that_looks_up_can_ask_for_datagrams_as_well(void **state)
{
	const struct work work = WORK(try_everything, .sandbox = SANDBOX_LOOK_UP);
	struct report report;

	(void)state;
	assert_int_equal(call(&work, &report), OUTCOME_OK);
	for (size_t i = 0; i < sizeof(report.got) / sizeof(report.got[0]); i++)
		if (report.got[i] != (i >= 2 && i <= 4 ? 0 : EACCES))
			fail_msg("attempt %zu: %s", i, strerror(report.got[i]));
}

static void begin_as_a_thread(void *input, void *prepared, void *reply)
{
	int *got = ((struct report *)reply)->got;

	(void)input, (void)prepared;
	got[0] = failed(syscall(SYS_set_robust_list, NULL, 1));
	got[1] = failed(syscall(SYS_rseq, NULL, 0, 0, 0));
}

/* The C library ends the process where it may not, and the resolver's threads begin when they like.
 */
static void a_thread_that_begins_late_can_do_what_each_one_does(void **state)
{
	const struct work work = WORK(begin_as_a_thread, .sandbox = SANDBOX_CONVERSE);
	struct report report;

	(void)state;
	assert_int_equal(call(&work, &report), OUTCOME_OK);
	assert_int_equal(report.got[0], EINVAL);
	assert_int_equal(report.got[1], EINVAL);
}

static void execute(void *input, void *prepared, void *reply)
{
	char *arguments[] = { "/bin/true", NULL };

	(void)input, (void)prepared, (void)reply;
	execv(arguments[0], arguments);
}

static void trace(void *input, void *prepared, void *reply)
{
	(void)input, (void)prepared, (void)reply;
	syscall(SYS_ptrace, 0, 0, 0, 0);
}

static void end_parent(void *input, void *prepared, void *reply)
{
	(void)input, (void)prepared, (void)reply;
	kill(getppid(), SIGKILL);
}

static void what_nobody_asks_for_by_mistake_is_the_end(void **state)
{
	(void)state;
	assert_died(&WORK(execute), "signal SYS");
	assert_died(&WORK(trace), "signal SYS");
	assert_died(&WORK(end_parent), "signal SYS");
}

/* --- limits --- */

/* AddressSanitizer reserves terabytes of address space, and so the limit is not set with it. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define MEMORY_UNLIMITED
#endif
#endif

#ifndef MEMORY_UNLIMITED
static void take_memory(void *input, void *prepared, void *reply)
{
	int *got = ((struct report *)reply)->got;
	char *taken;

	(void)input, (void)prepared;
	while (got[0] < 4096 && (taken = malloc((size_t)1 << 20))) {
		memset(taken, 1, (size_t)1 << 20);
		got[0]++;
	}
}

static void memory_is_limited(void **state)
{
	struct report report;

	(void)state;
	assert_int_equal(call(&WORK(take_memory), &report), OUTCOME_OK);
	assert_in_range(report.got[0], 16, 128);
}
#endif

static void compute_for_ever(void *input, void *prepared, void *reply)
{
	(void)input, (void)prepared, (void)reply;
	for (volatile unsigned i = 0;; i++)
		;
}

static void one_that_computes_for_ever_is_ended(void **state)
{
	(void)state;
	assert_died(&WORK(compute_for_ever), "signal XCPU");
}

static void wait_for_ever(void *input, void *prepared, void *reply)
{
	(void)input, (void)prepared, (void)reply;
	for (;;)
		poll(NULL, 0, -1);
}

static void one_that_waits_for_ever_is_ended(void **state)
{
	const struct work work = WORK(wait_for_ever, .sandbox = SANDBOX_CONVERSE);
	struct report report;

	(void)state;
	assert_int_equal(worker_call(&work, NULL, 0, 0, deadline_in(50), &report),
			 OUTCOME_WORKER_DIED);
	assert_non_null(strstr(outcome_reason(OUTCOME_WORKER_DIED), "in time"));
	/* The next one is none the worse for it. */
	assert_int_equal(call(&WORK(add_up), &report), OUTCOME_OK);
}

/* --- crashes --- */

/* cmocka catches it. */
static void *catch_nothing(void *input)
{
	(void)input;
	signal(SIGILL, SIG_DFL);
	return NULL;
}

static void crash(void *input, void *prepared, void *reply)
{
	(void)input, (void)prepared, (void)reply;
	__builtin_trap();
}

static void leave(void *input, void *prepared, void *reply)
{
	(void)input, (void)prepared, (void)reply;
	_exit(0);
}

static void one_that_crashes_is_told_and_the_next_one_works(void **state)
{
	struct report report;

	(void)state;
	assert_died(&WORK(crash, .prepare = catch_nothing), "signal ILL");
	assert_died(&WORK(leave), "without a result");
	assert_int_equal(call(&WORK(add_up), &report), OUTCOME_OK);
}

static void *be_confined_already(void *input)
{
	(void)input;
	sandbox_enter(SANDBOX_COMPUTE);
	return NULL;
}

static void one_that_cannot_be_confined_does_not_begin(void **state)
{
	const struct work work = WORK(add_up, .prepare = be_confined_already);
	struct report report;

	(void)state;
	assert_int_equal(call(&work, &report), OUTCOME_SANDBOX_FAILED);
	assert_non_null(strstr(outcome_reason(OUTCOME_SANDBOX_FAILED), "a test"));
}

/* --- signals --- */

static void wait_for_signal(void *input, void *prepared, void *reply)
{
	(void)input, (void)prepared;
	while (!interrupt_pending())
		poll(NULL, 0, 100);
	((struct report *)reply)->got[0] = 1;
}

/* Comes when the caller does: before it waits, or while it does. */
static void a_signal_is_passed_on(void **state)
{
	const struct work work = WORK(wait_for_signal, .sandbox = SANDBOX_CONVERSE);
	struct report report;

	(void)state;
	interrupt_catch();
	raise(SIGTERM);
	assert_int_equal(call(&work, &report), OUTCOME_OK);
	assert_int_equal(report.got[0], 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_worker_knows_nothing_of_what_was_read_since),
		cmocka_unit_test(a_worker_has_its_input_and_returns_its_reply),
		cmocka_unit_test(a_mebibyte_of_input_arrives),
		cmocka_unit_test(root_is_nobody_and_cannot_come_back),
		cmocka_unit_test(a_capability_that_cannot_be_used_need_not_be_dropped),
		cmocka_unit_test(one_that_computes_can_ask_the_kernel_for_nothing),
		cmocka_unit_test(one_that_converses_can_ask_for_tcp_alone),
		cmocka_unit_test(one_that_looks_up_can_ask_for_datagrams_as_well),
		cmocka_unit_test(a_thread_that_begins_late_can_do_what_each_one_does),
		cmocka_unit_test(what_nobody_asks_for_by_mistake_is_the_end),
#ifndef MEMORY_UNLIMITED
		cmocka_unit_test(memory_is_limited),
#endif
		cmocka_unit_test(one_that_computes_for_ever_is_ended),
		cmocka_unit_test(one_that_waits_for_ever_is_ended),
		cmocka_unit_test(one_that_crashes_is_told_and_the_next_one_works),
		cmocka_unit_test(one_that_cannot_be_confined_does_not_begin),
		/* The last one, as it is remembered. */
		cmocka_unit_test(a_signal_is_passed_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
