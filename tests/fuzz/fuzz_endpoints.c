/* What section [verify] says of endpoints; each word by itself as an address; and of services. */
#include "certsync/address.h"
#include "certsync/conf.h"
#include "endpoints.h"
#include "fuzz.h"
#include "services.h"

static void check_address(const char *text)
{
	struct address address, again;
	char whole[ADDRESS_HOST_MAX + 16];

	if (!address_parse(text, 1, &address))
		return;
	must(address.port >= 1 && address.port <= 65535);
	must(address_is_ip(address.host) || conf_is_dns_name(address.host));
	snprintf(whole, sizeof(whole), strchr(address.host, ':') ? "[%s]:%d" : "%s:%d",
		 address.host, address.port);
	must(address_parse(whole, 0, &again) && again.port == address.port &&
	     !strcmp(again.host, address.host));
}

static void check_endpoints(const char *changes)
{
	static const struct mailcow none;
	struct endpoints endpoints;
	enum outcome outcome = endpoints_find(&none, changes, &endpoints);

	must(outcome_failed(outcome) == outcome_failed(endpoints_check(changes)));
	must(endpoints.count <= ENDPOINTS_MAX);
	if (outcome_failed(outcome))
		fuzz_check_reason(outcome);
	for (size_t i = 0; i < endpoints.count; i++) {
		const struct endpoint *endpoint = &endpoints.endpoint[i];

		must(endpoint->name[0] && endpoint->kind[0] && endpoint->port >= 0 &&
		     endpoint->port <= 65535);
		for (size_t j = 0; j < i; j++)
			must(strcmp(endpoint->name, endpoints.endpoint[j].name) != 0);
	}
}

static void check_services(const char *list)
{
	struct services services;
	enum outcome outcome = services_parse(list, &services);

	must(services.count <= SERVICES_MAX);
	if (outcome_failed(outcome))
		fuzz_check_reason(outcome);
	for (size_t i = 0; i < services.count; i++)
		must(services.service[i].name[0] && services.service[i].kind &&
		     fuzz_is_printable(services.service[i].name));
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	struct bytes text = fuzz_bytes(data, size);
	char *rest = text.data, *word;

	check_endpoints(text.data);
	check_services(text.data);
	while ((word = strsep(&rest, " =")))
		check_address(word);
	bytes_clear(&text);
	return 0;
}
