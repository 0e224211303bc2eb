/* SPDX-License-Identifier: Apache-2.0 */
#include "control/admin_trace.h"

#include "control/trace.h"

#include <string.h>

/* An address with or without its port. */
static bool read_client(const char *text, struct endpoint *ret_client)
{
	const char *problem;
	bool had_host_bits;
	struct addr addr;
	struct network network;
	if (network_parse(span_from_text(text), &network, &had_host_bits, &problem) == 0) {
		*ret_client = (struct endpoint){ .family = network.family };
		memcpy(ret_client->ip, network.ip, sizeof(network.ip));
		return network.family == AF_UNIX || network.prefix_bits == 128;
	}
	if (addr_parse(span_from_text(text), &addr, &problem) < 0)
		return false;
	*ret_client = endpoint_from_addr(&addr);
	return true;
}

static bool read_protocol(const struct service *service, const struct snapshot *snapshot, const char *text,
			  enum flow_protocol *ret_protocol)
{
	*ret_protocol = text != NULL && strcmp(text, "udp") == 0 ? FLOW_UDP : FLOW_TCP;
	if (text != NULL)
		return *ret_protocol == FLOW_UDP || strcmp(text, "tcp") == 0;
	/* A service of UDP alone is asked about UDP. */
	for (size_t i = 0; i < snapshot->listen_count; i++) {
		if (snapshot->listens[i].service != service)
			continue;
		*ret_protocol = snapshot->listens[i].protocol;
		if (*ret_protocol == FLOW_TCP)
			break;
	}
	return true;
}

void admin_trace(struct admin_request *request, struct admin_answer *answer)
{
	const struct snapshot *snapshot = request->daemon->snapshot;
	const char *client = admin_argument(request, "client");
	const char *name = admin_argument(request, "service");
	struct trace_question question = { .service = name };
	if (client == NULL || name == NULL || !read_client(client, &question.client)) {
		admin_refuse(answer, ADMIN_BAD_REQUEST,
			     "client is an address, with or without port; service is a name");
		return;
	}
	const struct service *service = snapshot_find_service(snapshot, name);
	if (service == NULL) {
		admin_refuse(answer, ADMIN_NOT_FOUND, "there is no service of that name; /v1/services lists all");
		return;
	}
	if (!read_protocol(service, snapshot, admin_argument(request, "protocol"), &question.protocol))
		admin_refuse(answer, ADMIN_BAD_REQUEST, "protocol is tcp or udp");
	else
		admin_answer_json(answer, ADMIN_OK, trace_build(request->daemon, &question));
}
