/* SPDX-License-Identifier: Apache-2.0 */
#include "control/admin_blocks.h"

#include "base/clock.h"
#include "config/values.h"
#include "control/blocks.h"
#include "control/json_bytes.h"
#include "control/live_flows.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum {
	LIMIT_DEFAULT = 1000,
	LIMIT_MAX = 100000,
};
#define FOR_MS_MAX (UINT64_C(10) * 365 * 24 * 3600 * 1000)

/* --- telling ----------------------------------------------------------------------------------------------------- */

static json_t *block_build(const struct block_status *status)
{
	char network[NETWORK_TEXT_BYTES];
	char since[CLOCK_TEXT_BYTES];
	return json_pack("{s:s, s:s, s:o, s:s, s:s, s:o, s:I, s:I}", "network",
			 network_format(&status->network, network, sizeof(network)), "origin",
			 block_origin_word(status->origin), "cause", json_bytes(status->cause), "service",
			 status->service, "since",
			 clock_format_realtime(status->since_realtime_us, since, sizeof(since)), "remaining_ms",
			 status->remaining_ms > 0 ? json_integer((json_int_t)status->remaining_ms) : json_null(),
			 "refused", (json_int_t)status->refused, "packets_dropped", (json_int_t)status->packets);
}

struct listing {
	json_t *blocks;
	size_t limit;
};

static bool add_to_listing(void *owner, const struct block_status *status)
{
	struct listing *listing = owner;
	if (json_array_size(listing->blocks) == listing->limit)
		return false;
	json_array_append_new(listing->blocks, block_build(status));
	return true;
}

/* An address, with or without a port. */
static bool read_address(const char *text, struct endpoint *ret_endpoint)
{
	const char *problem;
	bool had_host_bits;
	struct network network;
	struct addr addr;
	if (addr_parse(span_from_text(text), &addr, &problem) == 0) {
		*ret_endpoint = endpoint_from_addr(&addr);
		return true;
	}
	if (network_parse(span_from_text(text), &network, &had_host_bits, &problem) < 0 ||
	    (network.family != AF_UNIX && network.prefix_bits != NETWORK_PREFIX_MAX))
		return false;
	*ret_endpoint = (struct endpoint){ .family = network.family };
	memcpy(ret_endpoint->ip, network.ip, sizeof(network.ip));
	return true;
}

void admin_blocks_list(struct admin_request *request, struct admin_answer *answer)
{
	const char *address = admin_argument(request, "address");
	struct blocks *blocks = request->daemon->blocks;
	struct listing listing = { .blocks = NULL };
	struct endpoint endpoint;
	struct block_status status;
	if (!admin_read_limit(request, LIMIT_DEFAULT, LIMIT_MAX, &listing.limit)) {
		admin_refuse(answer, ADMIN_BAD_REQUEST, "limit is a number, at most 100000");
		return;
	}
	if (address != NULL && !read_address(address, &endpoint)) {
		admin_refuse(answer, ADMIN_BAD_REQUEST, "address is an IP address, or unix:");
		return;
	}
	listing.blocks = json_array();
	if (address == NULL)
		blocks_visit(blocks, add_to_listing, &listing);
	else if (blocks_find(blocks, &endpoint, &status))
		add_to_listing(&listing, &status);
	admin_answer_json(answer, ADMIN_OK,
			  json_pack("{s:I, s:i, s:o}", "count", (json_int_t)block_list_count(blocks_list(blocks)),
				    "max", BLOCKS_MAX, "blocks", listing.blocks));
}

/* --- adding ------------------------------------------------------------------------------------------------------ */

/* Returns NULL, or what is wrong with the document. */
static const char *read_request(const json_t *document, struct block_request *ret_request)
{
	static const char *const known[] = { "network", "for", "cause" };
	const char *problem;
	const char *key;
	json_t *value;
	struct value_hint hint;
	bool had_host_bits;
	*ret_request = (struct block_request){ .origin = BLOCK_FROM_API };
	json_object_foreach((json_t *)document, key, value)
	{
		bool is_known = false;
		for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
			is_known = is_known || strcmp(key, known[i]) == 0;
		if (!is_known || !json_is_string(value))
			return "the body has \"network\", and perhaps \"for\" and \"cause\", all of them strings";
	}
	const char *network = json_string_value(json_object_get(document, "network"));
	const char *time = json_string_value(json_object_get(document, "for"));
	if (network == NULL ||
	    network_parse(span_from_text(network), &ret_request->network, &had_host_bits, &problem) < 0)
		return "\"network\" is an address or a network: 203.0.113.7 203.0.113.0/24 2001:db8::/32";
	bool is_all = ret_request->network.family != AF_UNIX &&
		      ret_request->network.prefix_bits == (ret_request->network.family == AF_INET ? 96 : 0);
	if (is_all)
		return "that would keep everybody out; a service that is to take nothing says deny";
	if (time != NULL && (value_parse_time(span_from_text(time), &ret_request->for_ms, &hint) < 0 ||
			     ret_request->for_ms == 0 || ret_request->for_ms > FOR_MS_MAX))
		return "\"for\" is a time such as 10m or 2d, at most 3650d";
	ret_request->cause = json_string_value(json_object_get(document, "cause"));
	return NULL;
}

static void refuse(struct admin_answer *answer, int result)
{
	if (result == -EPERM)
		admin_refuse(answer, ADMIN_CONFLICT, "this block stands in the configuration");
	else if (result == -ENOSPC)
		admin_refuse(answer, ADMIN_CONFLICT, "there are as many blocks as there can be");
	else
		admin_refuse(answer, ADMIN_NOT_FOUND,
			     "there is no block of exactly this network; /v1/blocks lists all");
}

void admin_blocks_add(struct admin_request *request, struct admin_answer *answer)
{
	struct daemon *daemon = request->daemon;
	struct block_request wanted;
	struct block_status status = { 0 };
	struct flow_filter filter = { .has_client = true };
	const char *problem = request->document != NULL ? read_request(request->document, &wanted)
							: "the body tells whom to block: {\"network\":\"203.0.113.7\"}";
	if (problem != NULL) {
		admin_refuse(answer, ADMIN_BAD_REQUEST, problem);
		return;
	}
	int result = blocks_add(daemon->blocks, &wanted);
	if (result < 0) {
		refuse(answer, result);
		return;
	}
	filter.client = wanted.network;
	size_t closed = live_flows_close(daemon, &filter, REASON_BLOCKED);
	blocks_get(daemon->blocks, &wanted.network, &status);
	json_t *document = block_build(&status);
	json_object_set_new(document, "closed_count", json_integer((json_int_t)closed));
	admin_answer_json(answer, result > 0 ? ADMIN_CREATED : ADMIN_OK, document);
}

/* --- removing ---------------------------------------------------------------------------------------------------- */

void admin_blocks_remove(struct admin_request *request, struct admin_answer *answer)
{
	char text[2 * ADMIN_NAME_BYTES];
	const char *problem;
	bool had_host_bits;
	struct network network;
	bool has_prefix = request->names[1][0] != '\0';
	snprintf(text, sizeof(text), "%s%s%s", request->names[0], has_prefix ? "/" : "", request->names[1]);
	if (network_parse(span_from_text(text), &network, &had_host_bits, &problem) < 0) {
		admin_refuse(answer, ADMIN_BAD_REQUEST, "the path ends with an address or a network");
		return;
	}
	int result = blocks_remove(request->daemon->blocks, &network);
	if (result < 0)
		refuse(answer, result);
	else
		admin_answer_json(answer, ADMIN_OK, json_pack("{s:i}", "removed_count", 1));
}
