#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <seccomp.h>

#include "certsync/sandbox.h"

/* The kernel's overflow ID, "nobody" (/proc/sys/kernel/overflowuid). */
#define NOBODY 65534

/* A judge needs some 5 MB and 5 ms, TLS with all endpoints not much more. */
#define MEMORY_BYTES_MAX     ((rlim_t)96 * 1024 * 1024)
#define COMPUTE_SECONDS_MAX  5
#define CONVERSE_SECONDS_MAX 60

/* AddressSanitizer reserves terabytes of address space. */
#if defined(__SANITIZE_ADDRESS__)
#define MEMORY_LIMITED 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define MEMORY_LIMITED 0
#endif
#endif
#ifndef MEMORY_LIMITED
#define MEMORY_LIMITED 1
#endif

/* --- privileges --- */

static const char *drop_root(void)
{
	if (geteuid() != 0)
		return NULL;
	if (setgroups(0, NULL) < 0)
		return "setgroups";
	if (setresgid(NOBODY, NOBODY, NOBODY) < 0)
		return "setresgid";
	return setresuid(NOBODY, NOBODY, NOBODY) < 0 ? "setresuid" : NULL;
}

/*
 * There is no function for it in the C library (capset(2)). A service that has none is not allowed
 * to change them either. One that is inheritable and not permitted, as systemd 257 leaves those of
 * CapabilityBoundingSet=, is none: it could only come into effect by execve(2), and does not with
 * no_new_privs.
 */
static int drop_capabilities(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	const struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = { 0 };
	struct __user_cap_data_struct ours[_LINUX_CAPABILITY_U32S_3] = { 0 };
	__u32 permitted = 0;

	if (syscall(SYS_capget, &header, ours) < 0)
		return -1;
	for (size_t i = 0; i < _LINUX_CAPABILITY_U32S_3; i++)
		permitted |= ours[i].permitted;
	return permitted ? (int)syscall(SYS_capset, &header, none) : 0;
}

const char *sandbox_drop(void)
{
	const char *failed = drop_root();

	if (failed)
		return failed;
	if (drop_capabilities() < 0)
		return "capset";
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return "no_new_privs";
	/* A change of the user ID may have set it again. */
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return "dumpable";
	return NULL;
}

/* --- system calls --- */

/* What any computation needs: memory, the clock, randomness, and the descriptors that it has. */
static const int computing[] = {
	SCMP_SYS(read),
	SCMP_SYS(write),
	SCMP_SYS(writev),
	SCMP_SYS(brk),
	SCMP_SYS(munmap),
	SCMP_SYS(mremap),
	SCMP_SYS(madvise),
	SCMP_SYS(mlock),
	SCMP_SYS(mlock2),
	SCMP_SYS(futex),
	SCMP_SYS(getrandom),
	SCMP_SYS(clock_gettime),
	SCMP_SYS(gettimeofday),
	SCMP_SYS(getpid),
	SCMP_SYS(gettid),
	SCMP_SYS(sched_yield),
	SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigreturn),
	SCMP_SYS(restart_syscall),
	SCMP_SYS(sigaltstack),
	SCMP_SYS(exit),
	SCMP_SYS(exit_group),
	/* A thread of the resolver's may begin only now; without them that is the end of all. */
	SCMP_SYS(rseq),
	SCMP_SYS(set_robust_list),
};

/* And to talk to servers; closing, waiting and the like included. */
static const int conversing[] = {
	SCMP_SYS(connect),     SCMP_SYS(getsockopt),   SCMP_SYS(setsockopt),
	SCMP_SYS(getsockname), SCMP_SYS(getpeername),  SCMP_SYS(sendto),
	SCMP_SYS(recvfrom),    SCMP_SYS(sendmsg),      SCMP_SYS(shutdown),
	SCMP_SYS(poll),        SCMP_SYS(ppoll),        SCMP_SYS(close),
	SCMP_SYS(fcntl),       SCMP_SYS(rt_sigaction), SCMP_SYS(clock_nanosleep),
	SCMP_SYS(nanosleep),
};

/* And to ask a resolver. */
static const int looking_up[] = {
	SCMP_SYS(sendmmsg),
	SCMP_SYS(recvmsg),
};

/* What only somebody who has taken the process over would ask for. */
static const int never[] = {
	SCMP_SYS(execve),
	SCMP_SYS(execveat),
	SCMP_SYS(fork),
	SCMP_SYS(vfork),
	SCMP_SYS(ptrace),
	SCMP_SYS(kill),
	SCMP_SYS(process_vm_readv),
	SCMP_SYS(process_vm_writev),
	SCMP_SYS(bind),
	SCMP_SYS(listen),
	SCMP_SYS(accept4),
	SCMP_SYS(unshare),
	SCMP_SYS(mount),
	SCMP_SYS(bpf),
	SCMP_SYS(setuid),
	SCMP_SYS(setresuid),
};

static int add_all(scmp_filter_ctx filter, uint32_t action, const int *calls, size_t count)
{
	int error = 0;

	for (size_t i = 0; i < count && !error; i++)
		error = seccomp_rule_add(filter, action, calls[i], 0);
	return error;
}

/* Memory that is written or read, but never executed. */
static int add_memory(scmp_filter_ctx filter)
{
	const struct scmp_arg_cmp no_exec = {
		.arg = 2,
		.op = SCMP_CMP_MASKED_EQ,
		.datum_a = PROT_EXEC,
		.datum_b = 0,
	};
	int error = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1, &no_exec);

	return error ? error
		     : seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
					      &no_exec);
}

/* Sockets for connections, or for datagrams. */
static int add_sockets(scmp_filter_ctx filter, int type)
{
	static const int families[] = { AF_INET, AF_INET6 };
	int error = 0;

	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]) && !error; i++) {
		const struct scmp_arg_cmp internet[] = {
			{ .arg = 0, .op = SCMP_CMP_EQ, .datum_a = (scmp_datum_t)families[i] },
			{ .arg = 1,
			  .op = SCMP_CMP_MASKED_EQ,
			  .datum_a = UINT32_MAX & ~(scmp_datum_t)(SOCK_NONBLOCK | SOCK_CLOEXEC),
			  .datum_b = (scmp_datum_t)type },
		};

		error = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 2,
					       internet);
	}
	return error;
}

#define ADD_ALL(filter, action, calls)                                                             \
	add_all(filter, action, calls, sizeof(calls) / sizeof((calls)[0]))

static int build_filter(scmp_filter_ctx filter, enum sandbox kind)
{
	/* How long is the datagram that has come? */
	const struct scmp_arg_cmp how_much = { .arg = 1, .op = SCMP_CMP_EQ, .datum_a = FIONREAD };
	/* The resolver's threads as well, if one is still waiting for an answer. */
	int error = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);

	if (!error)
		error = ADD_ALL(filter, SCMP_ACT_KILL_PROCESS, never);
	if (!error)
		error = ADD_ALL(filter, SCMP_ACT_ALLOW, computing);
	if (!error)
		error = add_memory(filter);
	if (!error && kind != SANDBOX_COMPUTE)
		error = ADD_ALL(filter, SCMP_ACT_ALLOW, conversing);
	if (!error && kind != SANDBOX_COMPUTE)
		error = add_sockets(filter, SOCK_STREAM);
	if (!error && kind == SANDBOX_LOOK_UP)
		error = ADD_ALL(filter, SCMP_ACT_ALLOW, looking_up);
	if (!error && kind == SANDBOX_LOOK_UP)
		error = add_sockets(filter, SOCK_DGRAM);
	if (!error && kind == SANDBOX_LOOK_UP)
		error = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
					       &how_much);
	return error;
}

/*
 * All else fails: libraries ask for a file in passing and do well without, and the next release of
 * one may ask for more.
 */
static int restrict_calls(enum sandbox kind)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EACCES));
	int error = filter ? build_filter(filter, kind) : -ENOMEM;

	if (!error)
		error = seccomp_load(filter);
	seccomp_release(filter);
	errno = -error;
	return error;
}

/* --- limits --- */

static int limit(__rlimit_resource_t resource, rlim_t most)
{
	struct rlimit both;

	if (getrlimit(resource, &both) < 0)
		return -1;
	/* One more, so that SIGXCPU comes before SIGKILL; but what is lower already stays. */
	both.rlim_cur = most < both.rlim_max ? most : both.rlim_max;
	both.rlim_max = most < both.rlim_max ? most + 1 : both.rlim_max;
	return setrlimit(resource, &both);
}

const char *sandbox_enter(enum sandbox kind)
{
	if (limit(RLIMIT_CPU,
		  kind == SANDBOX_COMPUTE ? COMPUTE_SECONDS_MAX : CONVERSE_SECONDS_MAX) < 0 ||
	    (MEMORY_LIMITED && limit(RLIMIT_DATA, MEMORY_BYTES_MAX) < 0))
		return "setrlimit";
	return restrict_calls(kind) ? "seccomp" : NULL;
}
