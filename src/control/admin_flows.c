/* SPDX-License-Identifier: Apache-2.0 */
#include "control/admin_flows.h"

#include "control/live_flows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	LIMIT_DEFAULT = 100,
	LIMIT_MAX = 10000,
};

static bool copy_name(const char *text, char name[FLOW_NAME_BYTES])
{
	if (text == NULL)
		return true;
	if (text[0] == '\0' || strlen(text) >= FLOW_NAME_BYTES)
		return false;
	memcpy(name, text, strlen(text) + 1);
	return true;
}

/* "10.0.0.1", "10.0.0.0/8", "10.0.0.1:4000", "[fd00::1]:4000", "unix:" */
static bool read_client(const char *text, struct flow_filter *filter)
{
	const char *problem;
	bool had_host_bits;
	struct addr addr;
	if (text == NULL)
		return true;
	filter->has_client = true;
	if (network_parse(span_from_text(text), &filter->client, &had_host_bits, &problem) == 0)
		return true;
	if (addr_parse(span_from_text(text), &addr, &problem) < 0 || addr_is_unix(&addr))
		return false;
	struct endpoint endpoint = endpoint_from_addr(&addr);
	filter->client_port = endpoint.port;
	filter->client = network_from_endpoint(&endpoint);
	return true;
}

/* "SERVER" or "POOL/SERVER"; a server may be called by a unix path, so a pool counts only where there is one. */
static bool read_server(const struct daemon *daemon, const char *text, struct flow_filter *filter)
{
	const char *slash = text != NULL ? strchr(text, '/') : NULL;
	char pool[FLOW_NAME_BYTES];
	if (slash != NULL && (size_t)(slash - text) < sizeof(pool)) {
		memcpy(pool, text, (size_t)(slash - text));
		pool[slash - text] = '\0';
		if (snapshot_find_pool(daemon->snapshot, pool) != NULL) {
			memcpy(filter->pool, pool, sizeof(pool));
			text = slash + 1;
		}
	}
	return copy_name(text, filter->server_name);
}

void admin_flows_list(struct admin_request *request, struct admin_answer *answer)
{
	struct flow_filter filter = { 0 };
	size_t limit;
	bool is_whole;
	if (!copy_name(admin_argument(request, "service"), filter.service) ||
	    !read_server(request->daemon, admin_argument(request, "server"), &filter)) {
		admin_refuse(answer, ADMIN_BAD_REQUEST, "service and server are names; server may be POOL/SERVER");
		return;
	}
	if (!read_client(admin_argument(request, "client"), &filter)) {
		admin_refuse(answer, ADMIN_BAD_REQUEST, "client is an address, ADDRESS:PORT or a network");
		return;
	}
	if (!admin_read_limit(request, LIMIT_DEFAULT, LIMIT_MAX, &limit)) {
		admin_refuse(answer, ADMIN_BAD_REQUEST, "limit is a number, at most 10000");
		return;
	}
	json_t *flows = json_array();
	size_t count = live_flows_list(request->daemon, &filter, limit, flows, &is_whole);
	json_t *document = json_object();
	json_object_set_new(document, "matched_count", json_integer((json_int_t)count));
	json_object_set_new(document, "is_whole", json_boolean(is_whole));
	json_object_set_new(document, "flows", flows);
	admin_answer_json(answer, ADMIN_OK, document);
}

void admin_flows_close(struct admin_request *request, struct admin_answer *answer)
{
	struct flow_filter filter = { 0 };
	char *end;
	const char *text = request->names[0];
	size_t digits = strspn(text, "0123456789abcdefABCDEF");
	filter.id = strtoull(text, &end, 16);
	if (digits == 0 || digits > 16 || text[digits] != '\0' || filter.id == 0 ||
	    live_flows_close(request->daemon, &filter, REASON_ADMIN_CLOSED) == 0) {
		admin_refuse(answer, ADMIN_NOT_FOUND, "there is no flow of that id; it may just have ended");
		return;
	}
	admin_answer_json(answer, ADMIN_OK, json_pack("{s:i}", "closed_count", 1));
}
