/*
 * at_call - do something to a program at one of its system calls
 *
 *	at_call count FILE PROGRAM [ARGUMENT...]     write a line for each to FILE: P.N, its name,
 *	                                             and the errors that it can fail with
 *	at_call kill P.N PROGRAM [ARGUMENT...]       SIGKILL the process that makes it
 *	at_call ERRNO P.N PROGRAM [ARGUMENT...]      have it fail so (EIO, ENOSPC, ...)
 *
 * P.N is the N-th call of the P-th process: of the program, which is 0, from the first line of
 * main() on, and of those that it forks and that do not execute another. A call that cannot fail in
 * that way is passed over: the next one of that process that can is made to. Ends as the program
 * does, with 128 + N if a signal N ended it. Exit status 125: there was no such call.
 */
#include <elf.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <seccomp.h>

#define NO_SUCH_CALL  125
#define PROCESSES_MAX 4096
#define OPTIONS                                                                                    \
	(PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE |  \
	 PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL)

enum what {
	COUNT,
	KILL,
	FAIL
};

static struct {
	enum what what;
	int process;
	long call; /* of it */
	int error;
	FILE *names;
	bool done;     /* what was to be done */
	pid_t failing; /* the process whose call is being made to fail */
} plan;

/* The first one is the program; ${calls} is how many it has made. */
static struct process {
	pid_t pid;
	long calls;
} processes[PROCESSES_MAX];

static const struct {
	const char *name;
	int error;
} errors[] = {
	{ "EIO", EIO },       { "ENOSPC", ENOSPC }, { "ENOMEM", ENOMEM }, { "EINTR", EINTR },
	{ "EMFILE", EMFILE }, { "EROFS", EROFS },   { "EACCES", EACCES },
};

/* How calls can fail, by the names that they begin with. */
static const struct {
	const char *name;
	const char *errors;
} failures[] = {
	{ "open", "EIO ENOSPC ENOMEM EINTR EMFILE EROFS EACCES" },
	{ "read", "EIO EINTR" },
	{ "getdents", "EIO ENOMEM" },
	{ "write", "EIO ENOSPC EINTR" },
	{ "fsync", "EIO ENOSPC" },
	{ "fdatasync", "EIO ENOSPC" },
	{ "rename", "EIO ENOSPC EROFS ENOMEM" },
	{ "unlink", "EIO EROFS ENOMEM" },
	{ "rmdir", "EIO EROFS" },
	{ "mkdir", "EIO ENOSPC EROFS ENOMEM" },
	{ "fchmod", "EIO EROFS" },
	{ "chmod", "EIO EROFS" },
	{ "fchown", "EIO EROFS" },
	{ "utimensat", "EIO EROFS" },
	{ "ftruncate", "EIO" },
	{ "fstat", "EIO ENOMEM" },
	{ "newfstatat", "EIO ENOMEM EACCES" },
	{ "statx", "EIO ENOMEM" },
	{ "access", "EIO ENOMEM" },
	{ "faccessat", "EIO ENOMEM" },
	{ "readlink", "EIO" },
	{ "mmap", "ENOMEM" },
	{ "mremap", "ENOMEM" },
	{ "mlock", "ENOMEM" },
	{ "socket", "EMFILE ENOMEM EACCES" },
	{ "pipe", "EMFILE" },
	{ "dup", "EMFILE" },
	{ "connect", "EINTR ENOMEM EACCES" },
	{ "poll", "EINTR ENOMEM" },
	{ "ppoll", "EINTR ENOMEM" },
	{ "send", "EINTR ENOMEM" },
	{ "recv", "EINTR ENOMEM" },
	{ "clone", "ENOMEM" },
	{ "fork", "ENOMEM" },
	{ "vfork", "ENOMEM" },
	{ "pidfd_open", "EMFILE ENOMEM" },
	{ "getrandom", "EINTR" },
	{ "fcntl", "EINTR ENOMEM" },
	{ "flock", "EINTR ENOMEM" },
	{ "close", "EIO EINTR" },
	{ "wait", "EINTR" },
	{ "setgroups", "ENOMEM" },
	{ "setres", "ENOMEM" },
	{ "seccomp", "ENOMEM" },
};

/* The errors, by name, that ${call} can fail with; "" if it cannot. */
static const char *errors_of(const char *call)
{
	for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++)
		if (!strncmp(call, failures[i].name, strlen(failures[i].name)))
			return failures[i].errors;
	return "";
}

static bool can_fail(const char *call, int error)
{
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		if (errors[i].error == error)
			return strstr(errors_of(call), errors[i].name) != NULL;
	return false;
}

static void __attribute__((noreturn)) die(const char *what)
{
	fprintf(stderr, "at_call: %s: %s\n", what, strerror(errno));
	exit(NO_SUCH_CALL);
}

/* --- processes --- */

static int find_process(pid_t pid)
{
	int i = 0;

	while (i < PROCESSES_MAX && processes[i].pid && processes[i].pid != pid)
		i++;
	if (i == PROCESSES_MAX)
		die("too many processes");
	processes[i].pid = pid;
	return i;
}

/* The call that ${pid} is about to make is not made. */
static int cancel_call(pid_t pid)
{
#if defined(__x86_64__)
	return (int)ptrace(PTRACE_POKEUSER, pid, offsetof(struct user, regs.orig_rax), -1L);
#elif defined(__aarch64__)
	int none = -1;
	struct iovec value = { &none, sizeof(none) };

	return (int)ptrace(PTRACE_SETREGSET, pid, NT_ARM_SYSTEM_CALL, &value);
#else
#error "how is a system call cancelled here?"
#endif
}

static int set_result(pid_t pid, long result)
{
#if defined(__x86_64__)
	return (int)ptrace(PTRACE_POKEUSER, pid, offsetof(struct user, regs.rax), result);
#elif defined(__aarch64__)
	struct user_regs_struct registers;
	struct iovec value = { &registers, sizeof(registers) };

	if (ptrace(PTRACE_GETREGSET, pid, NT_PRSTATUS, &value) < 0)
		return -1;
	registers.regs[0] = (unsigned long)result;
	return (int)ptrace(PTRACE_SETREGSET, pid, NT_PRSTATUS, &value);
#else
#error "where is a system call's result here?"
#endif
}

/* --- a call --- */

/* protect_process() of command.c comes first, and sets this limit. */
static bool begins_main(const char *name, const struct __ptrace_syscall_info *info)
{
	return !strcmp(name, "prlimit64") && info->entry.args[1] == RLIMIT_CORE &&
	       info->entry.args[2];
}

static void act(pid_t pid, const char *name, uint64_t argument)
{
	if (plan.what == KILL) {
		plan.done = true;
		kill(pid, SIGKILL);
		return;
	}
	if (!can_fail(name, plan.error))
		return;
	plan.done = true;
	plan.failing = pid;
	/* Linux closes the descriptor whatever it then returns (close(2)). */
	if (strncmp(name, "close", strlen("close")) != 0 && cancel_call(pid) < 0)
		die("cannot cancel the call");
	fprintf(stderr, "at_call: %d.%ld: %s(%d)\n", plan.process, plan.call, name, (int)argument);
}

static void enter(pid_t pid, const struct __ptrace_syscall_info *info)
{
	char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, (int)info->entry.nr);
	const int index = find_process(pid);
	struct process *process = &processes[index];

	if (!name)
		return;
	if (index > 0 || process->calls || begins_main(name, info))
		process->calls++;
	if (process->calls && plan.names)
		fprintf(plan.names, "%d.%ld %s %s\n", index, process->calls, name, errors_of(name));
	if (plan.what != COUNT && !plan.done && index == plan.process && process->calls &&
	    process->calls >= plan.call)
		act(pid, name, info->entry.args[0]);
	free(name);
}

static void leave(pid_t pid)
{
	if (plan.failing != pid)
		return;
	plan.failing = 0;
	if (set_result(pid, -plan.error) < 0)
		die("cannot set the result");
}

/* --- stops --- */

static void on_call(pid_t pid)
{
	struct __ptrace_syscall_info info;

	if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info) < 0)
		return; /* it was killed meanwhile */
	if (info.op == PTRACE_SYSCALL_INFO_ENTRY)
		enter(pid, &info);
	else if (info.op == PTRACE_SYSCALL_INFO_EXIT)
		leave(pid);
}

static void on_stop(pid_t pid, int status, pid_t program)
{
	const int signal = WSTOPSIG(status), event = status >> 16;
	long deliver = 0;

	if (signal == (SIGTRAP | 0x80)) {
		on_call(pid);
	} else if (event == PTRACE_EVENT_EXEC && pid != program) {
		/* It is another program now, and none of ours. */
		ptrace(PTRACE_DETACH, pid, NULL, NULL);
		return;
	} else if (!event && signal != SIGSTOP && signal != SIGTRAP) {
		deliver = signal;
	}
	ptrace(PTRACE_SYSCALL, pid, NULL, deliver);
}

static int trace(pid_t program)
{
	int status, result = 0;
	pid_t pid;

	if (waitpid(program, &status, 0) < 0 || !WIFSTOPPED(status))
		die("the program did not start");
	if (ptrace(PTRACE_SETOPTIONS, program, NULL, OPTIONS) < 0)
		die("PTRACE_SETOPTIONS");
	find_process(program);
	ptrace(PTRACE_SYSCALL, program, NULL, NULL);
	while ((pid = waitpid(-1, &status, __WALL)) > 0 || (pid < 0 && errno == EINTR)) {
		if (pid < 0)
			continue;
		if (WIFSTOPPED(status)) {
			on_stop(pid, status, program);
			continue;
		}
		if (pid == program)
			result = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
	}
	return result;
}

int main(int argc, char *argv[])
{
	pid_t program;
	int result;

	if (argc < 4)
		return NO_SUCH_CALL;
	if (strcmp(argv[1], "count") != 0 &&
	    sscanf(argv[2], "%d.%ld", &plan.process, &plan.call) != 2)
		die(argv[2]);
	if (!strcmp(argv[1], "count"))
		plan.names = fopen(argv[2], "w");
	else if (!strcmp(argv[1], "kill"))
		plan.what = KILL;
	else
		plan.what = FAIL;
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		if (!strcmp(argv[1], errors[i].name))
			plan.error = errors[i].error;
	if ((plan.what == FAIL && !plan.error) || (plan.what == COUNT && !plan.names))
		die(argv[1]);
	program = fork();
	if (!program) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		execv(argv[3], argv + 3);
		_exit(NO_SUCH_CALL);
	}
	result = trace(program);
	if (plan.names)
		fclose(plan.names);
	return plan.what == COUNT || plan.done ? result : NO_SUCH_CALL;
}
