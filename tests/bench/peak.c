/* peak FILE COMMAND [WORD...]: run it, and add to FILE how many KiB of memory it had at most. */

#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 * What wait4(2) says is the most of any process of the command. A program that is started from a
 * larger one is charged with that one's memory: so it is started from here, which is small.
 */
int main(int argc, char *argv[])
{
	struct rusage usage;
	int status, fd;
	pid_t pid;

	if (argc < 3)
		return 64;
	fd = open(argv[1], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	pid = fork();
	if (fd < 0 || pid < 0)
		return 71;
	if (pid == 0) {
		execvp(argv[2], argv + 2);
		_exit(127);
	}
	if (wait4(pid, &status, 0, &usage) < 0 || dprintf(fd, "%ld\n", usage.ru_maxrss) < 0)
		return 71;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 70;
}
