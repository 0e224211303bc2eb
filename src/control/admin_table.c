/* SPDX-License-Identifier: Apache-2.0 */
#include "control/admin_routes.h"

#include "base/check.h"
#include "control/admin_blocks.h"
#include "control/admin_config.h"
#include "control/admin_events.h"
#include "control/admin_flows.h"
#include "control/admin_openapi.h"
#include "control/admin_page.h"
#include "control/admin_servers.h"
#include "control/admin_state.h"
#include "control/admin_trace.h"
#include "control/admin_trends.h"
#include "control/metrics.h"

#include <stdio.h>
#include <stdlib.h>

#define TEXT "text/plain"

static void answer_index(struct admin_request *request, struct admin_answer *answer);

const struct admin_parameter admin_path_parameters[] = {
	{ "service", "string", "name of a service" },
	{ "pool", "string", "name of a pool" },
	{ "server", "string",
	  "name of a server, or its address if it has none: `10.0.0.1:80`, `unix%3A%2Frun%2Fx.sock`" },
	{ "id", "string", "of a flow, as its record has it" },
	{ "network", "string", "an address, or a network with its slash as %2F" },
	{ "prefix", "integer", "the prefix length of the network, behind a slash of its own" },
	{ "file", "string", "name of a file that the page refers to" },
	{ NULL, NULL, NULL },
};

/* clang-format off: a table is read by its columns */
const struct admin_route admin_routes[] = {
	{ .method = "GET", .path = "/", .handle = admin_page_answer,
	  .help = "the dashboard",
	  .details = "For browsers (dashboard.md); it and its files need no token. A text where it was built without Node.",
	  .answer = "text/html",
	  .other_answer = TEXT },
	{ .method = "GET", .path = "/assets/{file}", .handle = admin_page_answer,
	  .help = "what the dashboard is made of",
	  .answer = "text/javascript",
	  .other_answer = "text/css",
	  .problems = { ADMIN_NOT_FOUND } },
	{ .method = "GET", .path = "/v1", .handle = answer_index,
	  .help = "this list",
	  .answer = TEXT },
	{ .method = "GET", .path = "/openapi.json", .handle = admin_openapi_show,
	  .help = "this API as an OpenAPI 3.1 document",
	  .details = "Made of the same table as this page, so it is never behind.",
	  .answer = "object" },
	{ .method = "GET", .path = "/livez", .handle = admin_state_livez,
	  .help = "200 while strait lives",
	  .answer = TEXT },
	{ .method = "GET", .path = "/readyz", .handle = admin_state_readyz,
	  .help = "200 when it serves, else 503",
	  .details = "Ready is: running, and every pool has a server that may receive new flows.",
	  .arguments = {
		{ "pool", "string", "ask for this pool only" },
		{ "min", "integer", "at least that many servers; 1 if not given" },
	  },
	  .answer = TEXT,
	  .problems = { ADMIN_NOT_FOUND, ADMIN_UNAVAILABLE } },
	{ .method = "GET", .path = "/metrics", .handle = metrics_answer,
	  .help = "the metrics, for Prometheus",
	  .details = "Text format, version 0.0.4; metrics.md has the list.",
	  .answer = TEXT },
	{ .method = "GET", .path = "/v1/status", .handle = admin_state_status,
	  .help = "what there is, what it does and how it is",
	  .details = "`version`, `uptime_seconds`, `generation`, `phase`, `is_degraded`, `reloads`, `workers`, "
		"`limits` and the use of each, `memory`, `log`, `services` and `pools`.",
	  .answer = "Status" },
	{ .method = "GET", .path = "/v1/services", .handle = admin_state_services,
	  .help = "all services: state and counters",
	  .details = "`{\"services\":[...]}`, each as the next endpoint tells it.",
	  .answer = "Services" },
	{ .method = "GET", .path = "/v1/services/{service}", .handle = admin_state_service,
	  .help = "one service",
	  .answer = "Service",
	  .problems = { ADMIN_NOT_FOUND } },
	{ .method = "GET", .path = "/v1/pools", .handle = admin_state_pools,
	  .help = "all pools with their servers",
	  .details = "`{\"pools\":[...]}`, each as the next endpoint tells it.",
	  .answer = "Pools" },
	{ .method = "GET", .path = "/v1/pools/{pool}", .handle = admin_state_pool,
	  .help = "one pool",
	  .answer = "Pool",
	  .problems = { ADMIN_NOT_FOUND } },
	{ .method = "POST", .path = "/v1/pools/{pool}/servers", .handle = admin_servers_add,
	  .help = "adds a server",
	  .details = "The body has the settings of the directive `server`: "
		"`{\"address\":\"10.0.0.3:80\",\"name\":\"c\",\"weight\":2,\"backup\":true,\"state\":\"drain\"}`. Answers 201 and "
		"the server; 409 when the name is taken. It stays until strait ends, also over reloads, or until "
		"the file has a server of that name.",
	  .body = ADMIN_BODY_JSON, .body_type = "NewServer",
	  .answer = "Server", .other_answer = "NamedServer", .is_creating = true,
	  .problems = { ADMIN_NOT_FOUND, ADMIN_CONFLICT, ADMIN_UNPROCESSABLE_CONTENT } },
	{ .method = "GET", .path = "/v1/pools/{pool}/servers/{server}", .handle = admin_servers_show,
	  .help = "one server",
	  .answer = "Server",
	  .problems = { ADMIN_NOT_FOUND } },
	{ .method = "PATCH", .path = "/v1/pools/{pool}/servers/{server}", .handle = admin_servers_change,
	  .help = "changes state or weight",
	  .details = "`{\"state\":\"up|drain|maint\",\"weight\":50,\"flows\":\"keep|close\"}`, each of them optional. A server "
		"in `drain` gets nothing new and keeps its flows; in `maint` it is not checked either, and its "
		"UDP sessions move. With `on-down close` in the pool UDP sessions of a drained server move, too. "
		"`\"flows\":\"close\"` closes what it has. A change stays over reloads as long as the file says the "
		"same of that server.",
	  .body = ADMIN_BODY_JSON, .body_type = "ServerChange",
	  .answer = "Server", .other_answer = "NamedServer",
	  .problems = { ADMIN_NOT_FOUND, ADMIN_CONFLICT } },
	{ .method = "DELETE", .path = "/v1/pools/{pool}/servers/{server}", .handle = admin_servers_remove,
	  .help = "removes a server",
	  .details = "409 for the last server of a pool.",
	  .arguments = {
		{ "flows", "keep|close", "what becomes of its flows: they go on, or are closed; keep if not given" },
	  },
	  .answer = "ServerRemoved",
	  .problems = { ADMIN_NOT_FOUND, ADMIN_CONFLICT } },
	{ .method = "GET", .path = "/v1/flows", .handle = admin_flows_list,
	  .help = "live flows",
	  .details = "`{\"matched_count\":N,\"is_whole\":true,\"flows\":[...]}`: each flow has the keys of its access "
		"record.",
	  .arguments = {
		{ "service", "string", "of this service only" },
		{ "client", "string", "of this client only: an address, ADDRESS:PORT or a network" },
		{ "server", "string", "of this server only: SERVER or POOL/SERVER" },
		{ "limit", "integer", "how many are told; 100 if not given, 10000 at most" },
	  },
	  .answer = "Flows" },
	{ .method = "DELETE", .path = "/v1/flows/{id}", .handle = admin_flows_close,
	  .help = "closes a flow",
	  .details = "By its `id`; its record says `admin_closed`.",
	  .answer = "FlowClosed",
	  .problems = { ADMIN_NOT_FOUND } },
	{ .method = "GET", .path = "/v1/blocks", .handle = admin_blocks_list,
	  .help = "which networks are blocked",
	  .details = "`{\"count\":N,\"max\":N,\"blocks\":[...]}`, the newest first. `origin` tells where a block comes from: the "
		"`api`, a `service` with the directive `block` that has refused the source too often, or the "
		"`configuration`. `refused` counts flows and datagrams that strait itself has kept out.",
	  .arguments = {
		{ "address", "string", "only the block that this address falls under" },
		{ "limit", "integer", "how many are told; 1000 if not given, 100000 at most" },
	  },
	  .answer = "Blocks" },
	{ .method = "POST", .path = "/v1/blocks", .handle = admin_blocks_add,
	  .help = "blocks a network",
	  .details = "`{\"network\":\"203.0.113.7\",\"for\":\"10m\",\"cause\":\"scans\"}`; without `for` until it is "
		"removed. It holds for all services, over reloads, and until strait ends. The network's flows are closed "
		"(`closed_count`), with the reason `blocked`. 200 when it was blocked already: it has the new time and cause "
		"then. 409 when the configuration blocks it.",
	  .body = ADMIN_BODY_JSON, .body_type = "NewBlock",
	  .answer = "BlockAdded", .is_creating = true,
	  .problems = { ADMIN_CONFLICT } },
	{ .method = "DELETE", .path = "/v1/blocks/{network}", .handle = admin_blocks_remove,
	  .help = "removes a block",
	  .details = "409 when the configuration blocks it.",
	  .answer = "BlockRemoved",
	  .problems = { ADMIN_NOT_FOUND, ADMIN_CONFLICT } },
	{ .method = "DELETE", .path = "/v1/blocks/{network}/{prefix}", .handle = admin_blocks_remove,
	  .help = "the same, with the network as it is written",
	  .answer = "BlockRemoved",
	  .problems = { ADMIN_NOT_FOUND, ADMIN_CONFLICT } },
	{ .method = "GET", .path = "/v1/events", .handle = admin_events_stream,
	  .help = "what happens, as it happens: server-sent events",
	  .details = "Two kinds of messages (WHATWG HTML, server-sent events):\n\n"
		"- `change`: an event of the log, whatever its level, at once; `data` is the JSON object of its record, `id` "
		"its number. With `Last-Event-ID: N` those that are remembered after number N come first, 0 means all of "
		"them; a number that is not reached yet is of a former run and means all of them, too.\n"
		"- `tick`: the numbers of services and servers, about every second: `{\"ts\",\"generation\",\"phase\","
		"\"is_degraded\",\"is_full\",\"services\":[{\"name\",\"flows_active\",\"flows_total\",\"bytes_in\",\"bytes_out\","
		"\"packets_in\",\"packets_out\",\"refused_total\"}],\"servers\":[{\"pool\",\"name\",\"state\",\"flows_active\","
		"\"flows_total\",\"bytes_in\",\"bytes_out\",\"connect_failures_total\"}]}`. The first has `is_full` true: it holds "
		"all that there is. Later ones hold only services and servers of which something has changed; values "
		"are absolute. After a reload, a change of a pool's servers, or when a client was too slow for a tick, the "
		"next is full again.\n\n"
		"At most 24 streams at a time, else 503. A client that takes nothing for 10 s, or has not taken what "
		"there is within 30 s, is closed; it can come back with `Last-Event-ID`.",
	  .answer = "text/event-stream",
	  .problems = { ADMIN_UNAVAILABLE } },
	{ .method = "GET", .path = "/v1/history", .handle = admin_events_history,
	  .help = "the latest events",
	  .details = "All events of the log, whatever its level: at most 4096, and at most 1 MiB of them. Access records "
		"are not events.",
	  .arguments = {
		{ "after", "integer", "only those with higher numbers" },
		{ "limit", "integer", "that many: the oldest of them with after, else the latest; all if not given" },
	  },
	  .answer = "History" },
	{ .method = "GET", .path = "/v1/trends", .handle = admin_trends_list,
	  .help = "who uses the services, how much, and whether that is usual",
	  .details = "For each service the totals of a window that ends now, how many different sources there were, who "
		"came most and who is new, and for each measure what is usual per second (trends.md). Where "
		"there are more sources than places, `flows` of one may be too high, by `error` at most. `is_whole` is false where memory was short. By destination `top` names the servers of the "
		"service's pool, with all that they got, from whichever service.",
	  .arguments = {
		{ "by", "source|destination", "source if not given" },
		{ "window", "1m|10m|1h|24h", "10m if not given" },
		{ "service", "string", "of this service only" },
		{ "limit", "integer", "sources of each service at most; 10 if not given, 1000 at most" },
	  },
	  .answer = "Trends", .other_answer = "DestinationTrends",
	  .problems = { ADMIN_NOT_FOUND } },
	{ .method = "GET", .path = "/v1/trends/{service}", .handle = admin_trends_service,
	  .help = "what there was of a service over time",
	  .details = "Each number is the count of one step, oldest first; of `flows_active` the value at its end. The step "
		"that goes on is not among them. Numbers above 2047 are rounded to 0.05 %.",
	  .arguments = {
		{ "step", "1s|1m|15m", "10 minutes, 24 hours or 30 days at most; 1s if not given" },
	  },
	  .answer = "ServiceTrend",
	  .problems = { ADMIN_NOT_FOUND } },
	{ .method = "GET", .path = "/v1/trace", .handle = admin_trace,
	  .help = "where a client would go, and why",
	  .details = "`verdict` (`server` or `refused`), `reason`, the access `rule` that decides, `pool`, `server`, "
		"`why` in sentences, and all `servers` with what is in the way of each. Changes nothing.",
	  .arguments = {
		{ "client", "string!", "an address, with or without its port" },
		{ "service", "string!", "name of a service" },
		{ "protocol", "tcp|udp", "where a service has both; tcp if not given" },
	  },
	  .answer = "Trace",
	  .problems = { ADMIN_NOT_FOUND } },
	{ .method = "GET", .path = "/v1/config", .handle = admin_config_show,
	  .help = "the running configuration",
	  .details = "Run-time changes included; the text is a file that can be saved, the JSON the same in its other "
		"form (configuration-json.md).",
	  .arguments = {
		{ "format", "text|json", "text if not given" },
	  },
	  .answer = TEXT, .other_answer = "object" },
	{ .method = "PUT", .path = "/v1/config", .handle = admin_config_replace,
	  .help = "replaces the configuration whole",
	  .details = "The body is the JSON form, or `{\"text\":\"...\"}` with the text of a file, or that text as "
		"text/plain; it cannot include files. The same way as a reload, with the same answer. Run-time "
		"changes of servers are dropped; the file stays as it is, and the next reload reads it.",
	  .arguments = {
		{ "dry_run", "0|1|false|true", "1: try all that can fail and change nothing" },
		{ "confirm", "string", "a time such as 60s, 1d at most: as with a reload" },
	  },
	  .body = ADMIN_BODY_CONFIGURATION,
	  .answer = "Reloaded",
	  .problems = { ADMIN_CONFLICT, ADMIN_UNPROCESSABLE_CONTENT } },
	{ .method = "GET", .path = "/v1/config/diff", .handle = admin_config_diff,
	  .help = "how the running configuration differs from the file",
	  .details = "`{\"generation\":N,\"changes\":[...]}`, in words.",
	  .answer = "Difference",
	  .problems = { ADMIN_CONFLICT, ADMIN_UNPROCESSABLE_CONTENT } },
	{ .method = "POST", .path = "/v1/reload", .handle = admin_config_reload,
	  .help = "reads the file again",
	  .details = "In force when it answers: `{\"generation\":N,\"changes\":[...],\"warnings\":[...]}`. 422 with `errors` "
		"when the file is not valid, 409 when it cannot be taken now; then nothing was changed.",
	  .arguments = {
		{ "confirm", "string", "a time such as 60s, 1d at most: the old configuration comes back after it unless `/v1/confirm` follows; meanwhile other reloads are refused" },
		{ "dry_run", "0|1|false|true", "1: try all that can fail and change nothing" },
	  },
	  .body = ADMIN_BODY_JSON,
	  .answer = "Reloaded",
	  .problems = { ADMIN_CONFLICT, ADMIN_UNPROCESSABLE_CONTENT } },
	{ .method = "POST", .path = "/v1/confirm", .handle = admin_config_confirm,
	  .help = "keeps the configuration in force",
	  .details = "409 when none waits for being confirmed.",
	  .body = ADMIN_BODY_JSON,
	  .answer = "Confirmed",
	  .problems = { ADMIN_CONFLICT } },
};
/* clang-format on */
const size_t admin_route_count = sizeof(admin_routes) / sizeof(admin_routes[0]);

/* --- GET /v1 --------------------------------------------------------------------------------------------------- */

static void print_route(const struct admin_route *route, FILE *out)
{
	char text[128];
	int len = snprintf(text, sizeof(text), "%s", route->path);
	for (size_t i = 0; route->arguments[i].name != NULL; i++)
		len += snprintf(text + len, sizeof(text) - (size_t)len, "%s%s=", i == 0 ? "?" : "&",
				route->arguments[i].name);
	fprintf(out, "%-6s %-40s %s\n", route->method, text, route->help);
}

static void answer_index(struct admin_request *request, struct admin_answer *answer)
{
	char *text = NULL;
	size_t bytes = 0;
	(void)request;
	FILE *out = open_memstream(&text, &bytes);
	CHECK(out != NULL);
	fputs("strait admin API\n\n", out);
	for (size_t i = 0; i < admin_route_count; i++)
		print_route(&admin_routes[i], out);
	fclose(out);
	admin_answer_text(answer, text);
	free(text);
}
