/*
 * OpenSSH's sshd in front of the directory staging/ in the test's scratch directory, for the user
 * nobody. Needs root, as sshd does for another user.
 */
#ifndef SSHD_H
#define SSHD_H

#include <errno.h>
#include <sched.h>
#include <stdbool.h>
#include <sys/mount.h>
#include <sys/resource.h>

#include "peer.h"
#include "push_conf.h"
#include "scratch.h"

#define SSHD_USER    "nobody"
#define SSHD_USER_ID 65534
/* A guard against hanging, not an assertion. */
#define SSHD_LONG_MS (60 * 1000)

struct sshd_options {
	const char *sftp;     /* options of internal-sftp; NULL: none */
	const char *settings; /* more lines of sshd_config, which count more; NULL: none */
	rlim_t file_max;      /* bytes that a file may have; 0: any */
};

/* Make a key pair ${name} and ${name}.pub in the scratch directory. */
static inline void sshd_keygen(const char *name, const char *type)
{
	char command[512];

	snprintf(command, sizeof(command), "ssh-keygen -q -N '' -t %s -f %s/%s", type, scratch,
		 name);
	assert_int_equal(system(command), 0);
}

/* A /run of its own, for sshd wants a directory in it that is not there while no service runs. */
static inline bool sshd_make_run(void)
{
	return unshare(CLONE_NEWNS) == 0 &&
	       mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	       mount("none", "/run", "tmpfs", 0, "mode=0755") == 0 && mkdir("/run/sshd", 0755) == 0;
}

static inline void sshd_limit(const struct sshd_options *options)
{
	const struct rlimit file = { options->file_max, options->file_max };

	if (!options->file_max)
		return;
	signal(SIGXFSZ, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &file);
}

/* Have sshd serve the one connection ${fd}, as inetd would; wait until it has. */
static inline void sshd_serve(int fd, void *options)
{
	pid_t pid = fork();

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(fd, STDIN_FILENO);
		dup2(fd, STDOUT_FILENO);
		dup2(openat(scratch_fd, "sshd.log", O_WRONLY | O_CREAT | O_APPEND, 0600),
		     STDERR_FILENO);
		if (sshd_make_run()) {
			sshd_limit(options);
			execl("/usr/sbin/sshd", "sshd", "-i", "-e", "-f",
			      scratch_path("sshd_config"), (char *)NULL);
		}
		perror("sshd");
		_exit(1);
	}
	waitpid(pid, NULL, 0);
}

static inline void sshd_configure(const struct sshd_options *options)
{
	char text[2048];

	snprintf(text, sizeof(text),
		 "%s\nHostKey %s/host_key\nAuthorizedKeysFile %s/identity.pub\nStrictModes no\n"
		 "UsePAM no\nPidFile none\nSubsystem sftp internal-sftp\n"
		 "ForceCommand internal-sftp -d %s/staging %s\n",
		 options->settings ? options->settings : "", scratch, scratch, scratch,
		 options->sftp ? options->sftp : "");
	scratch_write("sshd_config", text, strlen(text));
}

/* Have sshd wait for connections; ${options} must live as long. */
static inline void sshd_begin(const struct sshd_options *options)
{
	if (geteuid() != 0)
		skip();
	sshd_configure(options);
	/* What sshd leaves behind when it ends is waited for as well. */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	peer_begin(sshd_serve, (void *)(uintptr_t)options);
}

/* The process that ${parent} started last; 0: none. */
static inline pid_t sshd_child_of(pid_t parent)
{
	char path[64];
	int pid, last = 0;
	FILE *stream;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", parent, parent);
	stream = fopen(path, "r");
	assert_non_null(stream);
	while (fscanf(stream, "%d", &pid) == 1)
		last = pid;
	fclose(stream);
	return last;
}

/* End the SFTP server of the connection there is; sshd lives on. */
static inline void sshd_kill_sftp(void)
{
	pid_t last = peer_pid;

	/* sshd, its half without privileges, and the SFTP server that this half started. */
	for (pid_t pid = last; pid; pid = sshd_child_of(pid))
		last = pid;
	assert_int_not_equal(last, peer_pid);
	assert_int_equal(kill(last, SIGKILL), 0);
}

/* A scratch directory with staging/ in it, an identity and a key of the host's. */
static inline int sshd_make(void **state)
{
	if (scratch_make(state) < 0 || chmod(scratch, 0711) < 0 ||
	    mkdirat(scratch_fd, "staging", 0700) < 0 ||
	    (geteuid() == 0 && fchownat(scratch_fd, "staging", SSHD_USER_ID, SSHD_USER_ID, 0) < 0))
		return -1;
	sshd_keygen("identity", "ed25519");
	sshd_keygen("host_key", "ed25519");
	return 0;
}

/* The connection must be closed, or sshd will not end. */
static inline int sshd_remove(void **state)
{
	peer_end();
	while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
		;
	return scratch_remove(state);
}

#endif
