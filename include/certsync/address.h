/* An endpoint as the configuration names it: HOST, HOST:PORT or [ADDRESS]:PORT (RFC 3986 3.2.2). */
#ifndef CERTSYNC_ADDRESS_H
#define CERTSYNC_ADDRESS_H

#include <stdbool.h>

#include "certsync/outcome.h"

#define ADDRESS_HOST_MAX 253 /* RFC 1035 2.3.4 */

struct address {
	char host[ADDRESS_HOST_MAX + 1]; /* DNS name or IP address, the latter without brackets */
	int port;
};

/* Parse ${text}, which may leave the ${port} out, into ${address}; false: it is none. */
bool address_parse(const char *text, int port, struct address *address);

/* Is ${host} an IP address, without brackets? */
bool address_is_ip(const char *host);

/* Is ${text} empty or an address? For conf_setting. CONF_INVALID. */
enum outcome address_check(const char *text);

#endif
