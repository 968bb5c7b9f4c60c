/* A process with a resolver of its own, for what a name stands for is the machine's affair. */
#ifndef OWN_RESOLVER_H
#define OWN_RESOLVER_H

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "scratch.h"

/* The only server for names; it takes every question and never answers. */
static int mute_resolver = -1;

static inline bool start_mute_resolver(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(53) };

	mute_resolver = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return mute_resolver >= 0 &&
	       bind(mute_resolver, (struct sockaddr *)&address, sizeof(address)) == 0;
}

static inline bool bring_loopback_up(void)
{
	struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool up = fd >= 0 && ioctl(fd, SIOCSIFFLAGS, &request) == 0;

	close(fd);
	return up;
}

/*
 * From here on, this process (run_child) has a network with nothing but loopback, and an /etc that
 * has nothing but ${hosts} and the mute resolver for all other names. False: not allowed.
 */
static inline bool own_resolver(const char *hosts)
{
	static const char resolvers[] = "nameserver 127.0.0.1\noptions timeout:30 attempts:5\n";
	static const char sources[] = "hosts: files dns\n", several[] = "multi on\n";

	scratch_write("hosts", hosts, strlen(hosts));
	scratch_write("resolv.conf", resolvers, sizeof(resolvers) - 1);
	scratch_write("nsswitch.conf", sources, sizeof(sources) - 1);
	scratch_write("host.conf", several, sizeof(several) - 1);
	/* As it is on any machine: workers ask as nobody. */
	return chmod(scratch, 0755) == 0 && unshare(CLONE_NEWNS | CLONE_NEWNET) == 0 &&
	       mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) == 0 &&
	       mount(scratch, "/etc", "none", MS_BIND, NULL) == 0 && bring_loopback_up() &&
	       start_mute_resolver();
}

#endif
