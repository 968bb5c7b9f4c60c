#include <arpa/inet.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "certsync/address.h"
#include "certsync/conf.h"

#define PORT_MAX    65535
#define PORT_DIGITS 5

static bool is_ip(int family, const char *text)
{
	unsigned char address[sizeof(struct in6_addr)];

	return inet_pton(family, text, address) == 1;
}

static bool parse_port(const char *text, int *port)
{
	size_t len = strspn(text, "0123456789");
	long number = len && len <= PORT_DIGITS && !text[len] ? strtol(text, NULL, 10) : 0;

	if (number < 1 || number > PORT_MAX)
		return false;
	*port = (int)number;
	return true;
}

bool address_parse(const char *text, int port, struct address *address)
{
	const bool bracketed = text[0] == '[', bare = is_ip(AF_INET6, text);
	const char *host = bracketed ? text + 1 : text;
	size_t len = bare ? strlen(host) : strcspn(host, bracketed ? "]" : ":");
	const char *rest = host + len;

	if (len > ADDRESS_HOST_MAX || (bracketed && *rest != ']'))
		return false;
	memcpy(address->host, host, len);
	address->host[len] = '\0';
	address->port = port;
	rest += bracketed;
	if (*rest && (*rest != ':' || !parse_port(rest + 1, &address->port)))
		return false;
	if (bracketed || bare)
		return is_ip(AF_INET6, address->host);
	/* The dot that ends a full name is part of none that is looked up here. */
	if (len > 1 && address->host[len - 1] == '.')
		address->host[len - 1] = '\0';
	return is_ip(AF_INET, address->host) || conf_is_dns_name(address->host);
}

bool address_is_ip(const char *host)
{
	return is_ip(AF_INET, host) || is_ip(AF_INET6, host);
}

enum outcome address_check(const char *text)
{
	struct address address;

	if (!text[0] || address_parse(text, 1, &address))
		return OUTCOME_OK;
	return outcome_because(OUTCOME_CONF_INVALID,
			       "%s is neither HOST nor HOST:PORT nor [ADDRESS]:PORT", text);
}
