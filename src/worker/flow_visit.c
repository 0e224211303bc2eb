/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/flow_visit.h"

#include "base/memory.h"
#include "relay/bare_flow.h"
#include "relay/flow_report.h"
#include "relay/tcp_connection.h"
#include "relay/udp_offload.h"
#include "relay/udp_session.h"

#include <stdlib.h>
#include <string.h>

struct flow_visit *flow_visit_new(const struct flow_filter *filter, enum flow_visit_action action)
{
	struct flow_visit *visit = memory_alloc_zeroed(1, sizeof(*visit));
	visit->filter = *filter;
	visit->action = action;
	visit->holder_count = 1;
	sem_init(&visit->done, 0, 0);
	return visit;
}

void flow_visit_acquire(struct flow_visit *visit)
{
	atomic_fetch_add(&visit->holder_count, 1);
}

void flow_visit_release(struct flow_visit *visit)
{
	if (atomic_fetch_sub(&visit->holder_count, 1) > 1)
		return;
	sem_destroy(&visit->done);
	free(visit);
}

static bool fits_name(const char *wanted, const char *name)
{
	return wanted[0] == '\0' || strcmp(wanted, name) == 0;
}

static bool fits_client(const struct flow_filter *filter, const struct endpoint *client)
{
	return (!filter->has_client || network_contains(&filter->client, client)) &&
	       (filter->client_port == 0 || filter->client_port == client->port);
}

static bool fits_server(const struct flow_filter *filter, const struct server *server)
{
	if (server == NULL)
		return filter->server == NULL && filter->server_name[0] == '\0';
	return (filter->server == NULL || filter->server == server) && fits_name(filter->server_name, server->name);
}

static bool fits_connection(const struct flow_filter *filter, const struct tcp_connection *connection)
{
	return connection->state != TCP_CLOSED && (filter->id == 0 || filter->id == connection->id) &&
	       fits_name(filter->service, connection->service->name) &&
	       fits_name(filter->pool, connection->pool->name) && fits_server(filter, connection->target) &&
	       fits_client(filter, &connection->client_endpoint);
}

static bool fits_session(const struct flow_filter *filter, const struct udp_session *session)
{
	return !session->is_ended && (filter->id == 0 || filter->id == session->id) &&
	       fits_name(filter->service, session->service->name) &&
	       fits_name(filter->pool, session->server->pool->name) && fits_server(filter, session->server) &&
	       fits_client(filter, &session->client);
}

static struct flow_record *next_record(struct flow_visit *visit)
{
	return visit->record_count < visit->record_max ? &visit->records[visit->record_count++] : NULL;
}

static void visit_connection(struct flow_visit *visit, struct tcp_connection *connection)
{
	struct flow_record *record;
	if (!fits_connection(&visit->filter, connection))
		return;
	visit->match_count++;
	if (visit->action == FLOW_VISIT_CLOSE)
		tcp_connection_abort(connection, visit->close_reason);
	else if ((record = next_record(visit)) != NULL)
		flow_describe_connection(connection, record);
}

static void visit_session(struct flow_visit *visit, struct udp_session *session)
{
	struct flow_record *record;
	if (!fits_session(&visit->filter, session))
		return;
	visit->match_count++;
	if (visit->action == FLOW_VISIT_CLOSE)
		udp_session_end(session, visit->close_reason);
	else if ((record = next_record(visit)) != NULL) {
		udp_offload_fold(session);
		flow_describe_session(session, record);
	}
}

static bool fits_bare(const struct flow_filter *filter, const struct bare_flow *flow)
{
	return !flow->is_ended && (filter->id == 0 || filter->id == flow->id) &&
	       fits_name(filter->service, flow->service->name) && fits_name(filter->pool, flow->pool->name) &&
	       fits_server(filter, flow->server) && fits_client(filter, &flow->client);
}

static void visit_bare(struct flow_visit *visit, struct bare_flow *flow)
{
	struct flow_record *record;
	if (!fits_bare(&visit->filter, flow))
		return;
	visit->match_count++;
	if (visit->action == FLOW_VISIT_CLOSE) {
		bare_flow_end(flow, visit->close_reason);
	} else if ((record = next_record(visit)) != NULL) {
		bare_flow_fold(flow);
		flow_describe_bare(flow, record);
	}
}

static void visit_flow(struct flow_visit *visit, const struct flow_met *flow)
{
	if (flow->connection != NULL)
		visit_connection(visit, flow->connection);
	else if (flow->session != NULL)
		visit_session(visit, flow->session);
	else
		visit_bare(visit, flow->bare);
}

void flow_visit_continue(struct flow_visit *visit, struct relay *relay)
{
	struct flow_met flow;
	size_t told_max = visit->record_max > 0 ? visit->record_max : FLOW_VISIT_SLOTS;
	visit->match_count = visit->record_count = 0;
	for (int i = 0; i < FLOW_VISIT_SLOTS && visit->match_count < told_max; i++) {
		if (!flow_walk_next(&visit->walk, relay, &flow)) {
			visit->is_over = true;
			return;
		}
		visit_flow(visit, &flow);
	}
}
