/* SPDX-License-Identifier: Apache-2.0 */
#include "control/trace.h"

#include "balance/balance.h"
#include "balance/view.h"
#include "base/reason.h"
#include "config/edit.h"
#include "control/blocks.h"
#include "control/json_bytes.h"
#include "control/live_flows.h"
#include "guard/guard.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { SENTENCE_BYTES = 512 };

struct trace {
	struct daemon *daemon;
	const struct trace_question *question;
	const struct config_service *config;
	const struct service *service;
	json_t *document;
	json_t *why;
};

static __attribute__((format(printf, 2, 3))) void say(struct trace *trace, const char *format, ...)
{
	char sentence[SENTENCE_BYTES];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(sentence, sizeof(sentence), format, arguments);
	va_end(arguments);
	json_array_append_new(trace->why, json_bytes(sentence));
}

static void put_text(json_t *object, const char *key, const char *text)
{
	json_object_set_new(object, key, json_bytes(text));
}

static void set_verdict(struct trace *trace, enum reason reason)
{
	put_text(trace->document, "verdict", reason == REASON_NONE ? "server" : "refused");
	put_text(trace->document, "reason", reason == REASON_NONE ? "" : reason_word(reason));
}

/* --- rules and limits -------------------------------------------------------------------------------------------- */

/* The network of the rule, or of its list, that the client comes from; NULL: none. */
static const struct network *find_network(const struct trace *trace, const struct config_networks *from)
{
	const struct endpoint *client = &trace->question->client;
	if (from->list_path == NULL)
		return network_contains(&from->network, client) ? &from->network : NULL;
	const struct config_list *list = &trace->daemon->config->lists[from->list];
	for (size_t i = 0; i < list->count; i++)
		if (network_contains(&list->networks[i], client))
			return &list->networks[i];
	return NULL;
}

static const struct config_access_rule *find_rule(const struct trace *trace, const struct network **ret_network)
{
	for (size_t i = 0; i < trace->config->rule_count; i++) {
		*ret_network = find_network(trace, &trace->config->rules[i].from);
		if (*ret_network != NULL)
			return &trace->config->rules[i];
	}
	return NULL;
}

static bool passes_rules(struct trace *trace)
{
	char network[NETWORK_TEXT_BYTES];
	const struct network *matched;
	const struct config_access_rule *rule = find_rule(trace, &matched);
	if (rule == NULL) {
		json_object_set_new(trace->document, "rule", json_null());
		say(trace, trace->config->rule_count == 0 ? "the service has no access rules"
							  : "no access rule matches, so the client is allowed");
		return true;
	}
	const char *word = rule->is_allow ? "allow" : "deny";
	const char *file = rule->place.file < trace->daemon->config->file_count
				   ? trace->daemon->config->files[rule->place.file]
				   : "";
	network_format(matched, network, sizeof(network));
	json_object_set_new(trace->document, "rule",
			    json_pack("{s:s, s:s, s:o, s:i}", "action", word, "network", network, "file",
				      json_bytes(file), "line", (int)rule->place.line));
	say(trace, "the first access rule that matches is \"%s %s\", at %s:%u", word, network, file, rule->place.line);
	if (rule->from.list_path != NULL)
		say(trace, "it stands in the list %s", rule->from.list_path);
	return rule->is_allow;
}

static bool is_full(struct trace *trace, const char *what, uint64_t used, uint64_t max)
{
	if (max == 0 || max == UINT64_MAX)
		return false;
	say(trace, "%s: %llu of %llu%s", what, (unsigned long long)used, (unsigned long long)max,
	    used >= max ? ", so new ones are refused" : "");
	return used >= max;
}

static uint64_t active_flows(const struct trace *trace)
{
	size_t offset = offsetof(struct service_counters, flows_active) + trace->question->protocol * sizeof(counter);
	return service_sum(trace->service, offset);
}

static enum reason judge_limits(struct trace *trace)
{
	bool is_tcp = trace->question->protocol == FLOW_TCP;
	uint64_t active = active_flows(trace);
	uint64_t max = is_tcp ? trace->config->limit.connections : trace->config->limit.sessions;
	const char *what = is_tcp ? "connections of the service" : "sessions of the service";
	if (is_full(trace, what, active, max))
		return is_tcp ? REASON_LIMIT_CONNECTIONS : REASON_LIMIT_SESSIONS;
	if (trace->config->limit.rate.amount > 0 || trace->config->limit.per_source > 0 ||
	    trace->config->limit.per_source_rate.amount > 0)
		say(trace, "limits of rate or per source are set, too; whether they refuse depends on the moment");
	return REASON_NONE;
}

/* --- the PROXY protocol ------------------------------------------------------------------------------------------ */

static void explain_headers_in(struct trace *trace)
{
	const struct service_policy *policy = trace->service->policy;
	bool is_tcp = trace->question->protocol == FLOW_TCP;
	if (policy->proxy_network_count == 0)
		return;
	if (!service_policy_wants_proxy_header(policy, &trace->question->client))
		say(trace, "the client is in no network of accept-proxy: %s with a PROXY header is refused",
		    is_tcp ? "a connection that begins" : "a datagram");
	else
		say(trace,
		    "the client is a proxy (accept-proxy): %s has to begin with a PROXY header, and is judged and sent "
		    "as that of the client which the header names; this is for headers that name none",
		    is_tcp ? "its connection" : "each of its datagrams");
}

static void explain_headers_out(struct trace *trace, const struct pool *pool)
{
	const struct pool_policy *policy = pool->policy;
	bool is_tcp = trace->question->protocol == FLOW_TCP;
	if (policy->proxy_version == 0 || (policy->proxy_version == 1 && !is_tcp))
		return;
	say(trace, "the server is told of the client by a PROXY header of version %d%s", policy->proxy_version,
	    is_tcp                         ? ""
	    : policy->is_proxy_header_once ? ", in the first datagram"
					   : ", in every datagram");
}

/* --- servers ----------------------------------------------------------------------------------------------------- */

/* Why the server gets nothing new; "" when it may. */
static const char *obstacle_of(const struct server *server, uint32_t ignored_bits)
{
	uint32_t state = atomic_load_explicit(&server->state, memory_order_relaxed);
	if (state & SERVER_MAINT)
		return "maint";
	if (state & SERVER_DRAIN)
		return "drain";
	if (state & SERVER_EJECTED & ~ignored_bits)
		return "ejected";
	if (state & SERVER_DOWN & ~ignored_bits)
		return "down";
	return server_has_room(server) ? "" : "full";
}

static void add_servers(struct trace *trace, const struct pool *pool)
{
	json_t *servers = json_array();
	for (size_t i = 0; i < pool->server_count; i++) {
		const struct server *server = pool->servers[i];
		uint32_t ignored_bits = server->is_backup ? 0 : pool->view->ignored_bits;
		char address[ADDR_TEXT_BYTES];
		json_array_append_new(
			servers,
			json_pack("{s:o, s:o, s:s, s:b, s:I, s:I}", "name", json_bytes(server->name), "address",
				  json_bytes(addr_format(&server->addr, address, sizeof(address))), "obstacle",
				  obstacle_of(server, ignored_bits), "is_backup", (int)server->is_backup, "weight",
				  (json_int_t)server->weight, "flows_active", (json_int_t)server_active(server)));
	}
	json_object_set_new(trace->document, "servers", servers);
}

static const char *sentence_of(enum pool_algorithm algorithm)
{
	switch (algorithm) {
	case POOL_ROUND_ROBIN:
		return "it is the next in turn";
	case POOL_LEAST_CONNECTIONS:
		return "it has the fewest flows for its weight (of several with as few, one by chance)";
	case POOL_SOURCE_HASH:
	case POOL_MAGLEV:
		return "the client's address belongs to it as long as the servers stay";
	case POOL_RANDOM:
		return "of two picked by chance it has the fewer flows for its weight; the next may be another";
	case POOL_FIRST:
		return "it is the first that can be used";
	case POOL_ALGORITHM_COUNT:
		break;
	}
	return "";
}

static void explain_choice(struct trace *trace, const struct pool *pool, const struct server *server)
{
	const struct balance_view *view = pool->view;
	enum pool_algorithm algorithm = pool->policy->algorithm;
	if (view->ignored_bits != 0)
		say(trace, "so few servers are up that the pool panics: health is not looked at");
	if (server->is_backup)
		say(trace, "no primary server can be used, so a backup is");
	if (server->is_backup ? view->backup.count == 1 : view->primary.count == 1)
		say(trace, "%s is the only server that can be used", server->name);
	else
		say(trace, "%s chooses %s: %s", pool_algorithm_word(algorithm), server->name, sentence_of(algorithm));
}

static void put_server(struct trace *trace, const struct pool *pool, const char *name, const char *address)
{
	put_text(trace->document, "pool", pool->name);
	put_text(trace->document, "server", name);
	put_text(trace->document, "server_address", address);
}

static void choose(struct trace *trace)
{
	struct pool *pool = trace->service->policy->pool;
	struct random random;
	random_init(&random);
	const struct balance_request request = { .client = &trace->question->client, .random = &random };
	char address[ADDR_TEXT_BYTES];
	const struct server *server = balance_preview(pool, &request);
	say(trace, "the service goes to pool %s", pool->name);
	add_servers(trace, pool);
	put_text(trace->document, "algorithm", pool_algorithm_word(pool->policy->algorithm));
	if (server == NULL) {
		say(trace, "no server of the pool can be used");
		put_server(trace, pool, "", "");
		set_verdict(trace, REASON_NO_SERVER);
		return;
	}
	explain_choice(trace, pool, server);
	explain_headers_out(trace, pool);
	put_server(trace, pool, server->name, addr_format(&server->addr, address, sizeof(address)));
	set_verdict(trace, REASON_NONE);
}

/* --- all --------------------------------------------------------------------------------------------------------- */

static const char *text_of(const json_t *flow, const char *key)
{
	const char *text = json_string_value(json_object_get(flow, key));
	return text != NULL ? text : "";
}

/* Datagrams of a session go where its first one went. */
static bool finds_session(struct trace *trace)
{
	const struct endpoint *client = &trace->question->client;
	struct flow_filter filter = { .has_client = true, .client_port = client->port };
	bool is_whole;
	if (trace->question->protocol != FLOW_UDP || client->port == 0)
		return false;
	filter.client = network_from_endpoint(client);
	memcpy(filter.service, trace->service->name, sizeof(trace->service->name));
	json_t *flows = json_array();
	live_flows_list(trace->daemon, &filter, 16, flows, &is_whole);
	const json_t *found = NULL;
	for (size_t i = 0; i < json_array_size(flows) && found == NULL; i++)
		if (strcmp(text_of(json_array_get(flows, i), "protocol"), "udp") == 0)
			found = json_array_get(flows, i);
	if (found != NULL) {
		say(trace, "the client has a session (%s) with %s/%s, and its datagrams go there", text_of(found, "id"),
		    text_of(found, "pool"), text_of(found, "server"));
		put_text(trace->document, "pool", text_of(found, "pool"));
		put_text(trace->document, "server", text_of(found, "server"));
		put_text(trace->document, "server_address", text_of(found, "server_address"));
		set_verdict(trace, REASON_NONE);
	}
	json_decref(flows);
	return found != NULL;
}

static bool is_blocked(struct trace *trace)
{
	char network[NETWORK_TEXT_BYTES];
	struct block_status block;
	if (!blocks_find(trace->daemon->blocks, &trace->question->client, &block))
		return false;
	say(trace, "%s is blocked (%s)%s%s", network_format(&block.network, network, sizeof(network)),
	    block_origin_word(block.origin), block.cause[0] != '\0' ? ": " : "", block.cause);
	return true;
}

static enum reason judge(struct trace *trace)
{
	enum reason reason = passes_rules(trace) ? judge_limits(trace) : REASON_DENIED_ACCESS;
	if (reason == REASON_NONE || !guard_is_trial(trace->service->guard))
		return reason;
	say(trace, "with \"guard dry-run\" it is let in nevertheless");
	return REASON_NONE;
}

static void follow(struct trace *trace)
{
	if (is_blocked(trace)) {
		set_verdict(trace, REASON_BLOCKED);
		return;
	}
	explain_headers_in(trace);
	if (finds_session(trace))
		return;
	enum reason reason = judge(trace);
	if (reason != REASON_NONE)
		set_verdict(trace, reason);
	else
		choose(trace);
}

json_t *trace_build(struct daemon *daemon, const struct trace_question *question)
{
	char client[ENDPOINT_TEXT_BYTES];
	struct trace trace = {
		.daemon = daemon,
		.question = question,
		.config = config_find_service(daemon->config, question->service),
		.service = snapshot_find_service(daemon->snapshot, question->service),
	};
	if (trace.config == NULL || trace.service == NULL)
		return NULL;
	trace.document = json_object();
	trace.why = json_array();
	put_text(trace.document, "service", question->service);
	put_text(trace.document, "protocol", question->protocol == FLOW_TCP ? "tcp" : "udp");
	put_text(trace.document, "client", endpoint_format(&question->client, client, sizeof(client)));
	follow(&trace);
	json_object_set_new(trace.document, "why", trace.why);
	return trace.document;
}
