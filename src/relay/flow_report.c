/* SPDX-License-Identifier: Apache-2.0 */
#include "relay/flow_report.h"

#include "base/clock.h"
#include "kernel/flow_table.h"
#include "net/socket.h"
#include "relay/flow_observe.h"
#include "relay/tcp_offload.h"

#include <stdio.h>
#include <string.h>

enum { LIMIT_REPORT_INTERVAL_MS = 60 * 1000 };

static void copy_name(char *to, size_t to_bytes, const char *from)
{
	span_copy(span_from_text(from), to, to_bytes);
}

static void begin_record(struct flow_record *record, const struct service *service, enum flow_protocol protocol,
			 enum reason reason)
{
	memset(record, 0, offsetof(struct flow_record, tried));
	record->end_realtime_us = clock_realtime_us();
	record->protocol = (uint8_t)protocol;
	record->path = FLOW_PATH_RELAY;
	record->reason = (uint8_t)reason;
	copy_name(record->service, sizeof(record->service), service->name);
}

static void put_record(struct relay *relay, const struct flow_record *record)
{
	ring_put(&relay->records, record, flow_record_bytes(record));
	relay->has_new_records = true;
}

static uint64_t microseconds_since(const struct relay *relay, uint64_t start_ns)
{
	return relay->loop->now_ns > start_ns ? (relay->loop->now_ns - start_ns) / CLOCK_NS_PER_US : 0;
}

static void add_listen(struct flow_record *record, const struct addr *listen)
{
	record->listen = endpoint_from_addr(listen);
	if (addr_is_unix(listen))
		addr_format(listen, record->listen_unix, sizeof(record->listen_unix));
}

static void add_server(struct flow_record *record, const struct pool *pool, const struct server *server)
{
	copy_name(record->pool, sizeof(record->pool), pool->name);
	if (server == NULL)
		return;
	record->server = server->endpoint;
	if (addr_is_unix(&server->addr))
		addr_format(&server->addr, record->server_unix, sizeof(record->server_unix));
	copy_name(record->server_name, sizeof(record->server_name), server->name);
}

/* A connection that failed at its last server names it as the server, and only those before it as tried. */
static const struct server *split_attempts(const struct tcp_connection *connection, struct flow_record *record)
{
	const struct tcp_attempts *attempts = connection->attempts;
	uint32_t failed = attempts != NULL ? attempts->count : 0;
	const struct server *last = connection->target;
	if (last == NULL && failed > 0)
		last = attempts->servers[--failed];
	record->retries = (uint8_t)failed;
	record->tried_count = (uint8_t)failed;
	for (uint32_t i = 0; i < failed; i++)
		copy_name(record->tried[i], FLOW_NAME_BYTES, attempts->servers[i]->name);
	return last;
}

static void describe_connection(const struct tcp_connection *connection, enum reason reason, struct flow_record *record)
{
	struct addr listen;
	begin_record(record, connection->service, FLOW_TCP, reason);
	record->id = connection->id;
	record->client = connection->client_endpoint;
	if (socket_local_addr(connection->client.source.fd, &listen) == 0)
		add_listen(record, &listen);
	if (connection->state == TCP_ESTABLISHED)
		record->local = socket_local_endpoint(connection->server.source.fd);
	record->connect_us = connection->connect_us;
	record->duration_us = microseconds_since(connection->relay, connection->start_ns);
	record->bytes_in = connection->client.bytes_read;
	record->bytes_out = connection->server.bytes_read;
	if (connection->offload_state == TCP_OFFLOAD_JOINING)
		record->path = FLOW_PATH_OFFLOAD;
	const struct server *server = split_attempts(connection, record);
	add_server(record, connection->pool, server);
	if (server != NULL)
		copy_name(record->chosen_by, sizeof(record->chosen_by), pool_algorithm_word(connection->algorithm));
}

static void describe_session(const struct udp_session *session, enum reason reason, struct flow_record *record)
{
	begin_record(record, session->service, FLOW_UDP, reason);
	record->id = session->id;
	record->client = session->client;
	record->listen = udp_session_listen_endpoint(session);
	record->local = socket_local_endpoint(session->upstream.fd);
	record->duration_us = microseconds_since(session->relay, session->start_ns);
	record->bytes_in = session->bytes_in;
	record->bytes_out = session->bytes_out;
	record->packets_in = session->packets_in;
	record->packets_out = session->packets_out;
	record->path = session->was_offloaded ? FLOW_PATH_OFFLOAD : FLOW_PATH_RELAY;
	add_server(record, session->server->pool, session->server);
	copy_name(record->chosen_by, sizeof(record->chosen_by), pool_algorithm_word(session->algorithm));
}

/* Its server may not be known any more; its address is. */
static void describe_bare(const struct bare_flow *flow, enum reason reason, struct flow_record *record)
{
	const struct flow_slot *slot = flow->kernel->slot;
	begin_record(record, flow->service, (enum flow_protocol)flow->protocol, reason);
	record->id = flow->id;
	record->path = flow->path;
	record->client = flow->client;
	record->listen = bare_flow_listen_endpoint(flow);
	record->local = bare_flow_local_endpoint(flow);
	record->connect_us = flow->connect_us;
	record->duration_us = microseconds_since(flow->relay, flow->start_ns);
	record->bytes_in = flow->bytes_in;
	record->bytes_out = flow->bytes_out;
	record->packets_in = flow->packets_in;
	record->packets_out = flow->packets_out;
	record->retries = flow->retries;
	add_server(record, flow->pool, flow->server);
	record->server = flow_side_dest(&slot->sides[FLOW_TO_SERVER], slot->version);
	if (flow->server != NULL)
		copy_name(record->chosen_by, sizeof(record->chosen_by),
			  pool_algorithm_word((enum pool_algorithm)flow->algorithm));
}

void flow_describe_bare(const struct bare_flow *flow, struct flow_record *ret_record)
{
	describe_bare(flow, REASON_NONE, ret_record);
}

void flow_describe_connection(const struct tcp_connection *connection, struct flow_record *ret_record)
{
	describe_connection(connection, REASON_NONE, ret_record);
}

void flow_describe_session(const struct udp_session *session, struct flow_record *ret_record)
{
	describe_session(session, REASON_NONE, ret_record);
}

void flow_report_connection(const struct tcp_connection *connection, enum reason reason)
{
	struct flow_record record;
	if (!relay_settings_write_records(connection->relay->settings))
		return;
	describe_connection(connection, reason, &record);
	put_record(connection->relay, &record);
}

void flow_report_session(const struct udp_session *session, enum reason reason)
{
	struct flow_record record;
	if (!relay_settings_write_records(session->relay->settings))
		return;
	describe_session(session, reason, &record);
	put_record(session->relay, &record);
}

void flow_report_bare(const struct bare_flow *flow, enum reason reason)
{
	struct flow_record record;
	if (!relay_settings_write_records(flow->relay->settings))
		return;
	describe_bare(flow, reason, &record);
	put_record(flow->relay, &record);
}

static void put_progress(struct relay *relay, struct flow_record *record, uint64_t start_ns,
			 const struct flow_moment *moment)
{
	record->is_progress = true;
	record->duration_us = (moment->now_ns - start_ns) / CLOCK_NS_PER_US;
	if (moment->previous_ns > start_ns)
		record->previous_us = (moment->previous_ns - start_ns) / CLOCK_NS_PER_US;
	put_record(relay, record);
}

void flow_report_connection_progress(const struct tcp_connection *connection, const struct flow_moment *moment)
{
	struct flow_record record;
	if (!relay_settings_write_records(connection->relay->settings))
		return;
	describe_connection(connection, REASON_NONE, &record);
	put_progress(connection->relay, &record, connection->start_ns, moment);
}

void flow_report_session_progress(const struct udp_session *session, const struct flow_moment *moment)
{
	struct flow_record record;
	if (!relay_settings_write_records(session->relay->settings))
		return;
	describe_session(session, REASON_NONE, &record);
	put_progress(session->relay, &record, session->start_ns, moment);
}

void flow_report_bare_progress(const struct bare_flow *flow, const struct flow_moment *moment)
{
	struct flow_record record;
	if (!relay_settings_write_records(flow->relay->settings))
		return;
	describe_bare(flow, REASON_NONE, &record);
	put_progress(flow->relay, &record, flow->start_ns, moment);
}

static bool is_limit(enum reason reason)
{
	return reason >= REASON_LIMIT_CONNECTIONS && reason <= REASON_LIMIT_MEMORY;
}

/* Control makes an event of it; once in a while is enough. */
static void report(struct relay *relay, uint64_t *reported_ms, const struct message *message)
{
	uint64_t now_ms = relay->loop->now_ms;
	if (*reported_ms != 0 && now_ms - *reported_ms < LIMIT_REPORT_INTERVAL_MS)
		return;
	*reported_ms = now_ms;
	mailbox_post(relay->settings->to_control, *message);
}

void flow_report_limit(struct relay *relay, struct service *service, enum reason reason)
{
	struct message message = { .kind = RELAY_REPORT_REFUSAL, .number = reason, .subject = service };
	report(relay, &relay->limit_reported_ms[reason], &message);
}

void flow_report_limit_spared(struct relay *relay, struct service *service, enum reason reason)
{
	struct message message = { .kind = RELAY_REPORT_SPARED, .number = reason, .subject = service };
	report(relay, &relay->spared_reported_ms[reason], &message);
}

static void put_refusal(struct relay *relay, const struct flow_refusal *refusal, struct flow_record *record)
{
	record->id = relay->next_flow_id++;
	record->client = refusal->client;
	if (refusal->listen != NULL)
		add_listen(record, refusal->listen);
	put_record(relay, record);
}

void flow_report_spared(struct relay *relay, const struct flow_refusal *spared)
{
	struct flow_record record;
	flow_report_limit_spared(relay, spared->service, spared->reason);
	if (!relay_settings_write_records(relay->settings))
		return;
	begin_record(&record, spared->service, spared->protocol, spared->reason);
	record.is_spared = true;
	put_refusal(relay, spared, &record);
}

void flow_report_refusal(struct relay *relay, const struct flow_refusal *refusal)
{
	struct service_counters *counters = &refusal->service->counters[relay->worker_index];
	counter_add(&counters->refused[refusal->reason], 1);
	flow_observe_refusal(relay, refusal->service, &refusal->client);
	if (is_limit(refusal->reason))
		flow_report_limit(relay, refusal->service, refusal->reason);
	if (!relay_settings_write_records(relay->settings))
		return;
	struct flow_record record;
	begin_record(&record, refusal->service, refusal->protocol, refusal->reason);
	put_refusal(relay, refusal, &record);
}
