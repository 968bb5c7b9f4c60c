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
	const char *settings; /* more lines of sshd_config; NULL: none */
	const char *command;  /* forced instead of internal-sftp; NULL: none */
	bool without_sftp;    /* sshd does not know of it */
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
	       mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) == 0 &&
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
	char command[512], text[2048];

	snprintf(command, sizeof(command), "internal-sftp -d %s/staging %s", scratch,
		 options->sftp ? options->sftp : "");
	snprintf(text, sizeof(text),
		 "HostKey %s/host_key\nAuthorizedKeysFile %s/identity.pub\nStrictModes no\n"
		 "UsePAM no\nPidFile none\nForceCommand %s\n%s\n%s\n",
		 scratch, scratch, options->command ? options->command : command,
		 options->without_sftp ? "" : "Subsystem sftp internal-sftp",
		 options->settings ? options->settings : "");
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

/* Settings for the server at peer_port; what they point to lives until the next call. */
static inline struct push_conf sshd_conf(void)
{
	static char host[] = PEER_HOST, user[] = SSHD_USER, staging[] = ".", no_text[] = "";
	static char identity[sizeof(scratch) + 16], known_hosts[sizeof(scratch) + 16];

	snprintf(identity, sizeof(identity), "%s/identity", scratch);
	snprintf(known_hosts, sizeof(known_hosts), "%s/known_hosts", scratch);
	return (struct push_conf){
		.host = host,
		.port = peer_port,
		.user = user,
		.identity = identity,
		.known_hosts = known_hosts,
		.host_key = no_text,
		.staging = staging,
		.connect_timeout = SSHD_LONG_MS,
		.handshake_timeout = SSHD_LONG_MS,
	};
}

/* Have known_hosts say that the public key ${name}.pub is that of the server at peer_port. */
static inline void sshd_trust(const char *name)
{
	char line[1024], file[64];
	int used = snprintf(line, sizeof(line), "[" PEER_HOST "]:%d ", peer_port);
	FILE *stream;

	snprintf(file, sizeof(file), "%s.pub", name);
	stream = fopen(scratch_path(file), "r");
	assert_non_null(stream);
	assert_non_null(fgets(line + used, (int)sizeof(line) - used, stream));
	fclose(stream);
	scratch_write("known_hosts", line, strlen(line));
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
