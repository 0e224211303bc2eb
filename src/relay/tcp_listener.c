/* SPDX-License-Identifier: Apache-2.0 */
#include "relay/tcp_listener.h"

#include "base/fd.h"
#include "guard/guard.h"
#include "net/socket.h"
#include "relay/flow_admission.h"
#include "relay/flow_report.h"
#include "relay/own_flows.h"
#include "relay/tcp_connection.h"

#include <errno.h>

enum {
	ACCEPTS_PER_TURN = 64,
	ACCEPTS_ON_CLOSE_MAX = 2 * SOCKET_BACKLOG,
	PAUSE_MS = 50,
	DESCRIPTORS_PER_CONNECTION = 2,
};

enum accept_result { ACCEPT_ONE, ACCEPT_NONE, ACCEPT_SHORTAGE };

static int watch(struct tcp_listener *listener)
{
	/* A socket that several workers wait on wakes one of them for a connection, not all. */
	uint32_t exclusive = listener->is_shared ? (uint32_t)EPOLLEXCLUSIVE : 0;
	return loop_add(listener->relay->loop, &listener->source, EPOLLIN | exclusive);
}

static void on_resume(struct timer *timer, uint64_t now_ms)
{
	(void)now_ms;
	struct tcp_listener *listener = LIST_OWNER(timer, struct tcp_listener, resume);
	watch(listener);
}

static void pause_accepting(struct tcp_listener *listener)
{
	struct relay *relay = listener->relay;
	loop_remove(relay->loop, &listener->source);
	timer_arm(relay->wheel, &listener->resume, relay->loop->now_ms + PAUSE_MS);
}

static bool comes_back(const struct tcp_listener *listener, const struct tcp_client *client)
{
	struct own_flows *own_flows = listener->relay->settings->own_flows;
	if (own_flows_is_empty(own_flows))
		return false;
	struct own_flow_key key = { .from = client->endpoint, .protocol = FLOW_TCP };
	key.to = socket_local_endpoint(client->fd);
	return own_flows_returns(own_flows, &key, listener->service);
}

/*
 * Judges the client: REASON_NONE when the service's guard and the daemon's budget have given it a place. A proxy is judged by
 * the budget only, and the client that it speaks for by the guard, when the header has come.
 */
static enum reason admit(struct tcp_listener *listener, struct tcp_client *client)
{
	struct relay *relay = listener->relay;
	client->is_admitted = !service_policy_wants_proxy_header(service_policy(listener->service), &client->endpoint);
	if (slab_is_full(&relay->connections))
		return REASON_LIMIT_MEMORY;
	if (comes_back(listener, client))
		return REASON_DENIED_ACCESS;
	enum reason reason = REASON_NONE;
	if (client->is_admitted)
		reason = flow_admit(relay, listener->service, GUARD_CONNECTION, &client->endpoint, &client->ticket);
	else if (flow_is_kept_out(relay, &client->endpoint))
		reason = REASON_BLOCKED;
	if (reason != REASON_NONE)
		return reason;
	if (flow_ceiling_take(&relay->settings->budget->connections, 1))
		return REASON_NONE;
	if (client->is_admitted)
		guard_release(listener->service->guard, GUARD_CONNECTION, &client->endpoint, client->ticket);
	return REASON_LIMIT_CONNECTIONS;
}

static void refuse(struct tcp_listener *listener, struct tcp_client *client, enum reason reason)
{
	struct flow_refusal refusal = {
		.service = listener->service,
		.protocol = FLOW_TCP,
		.reason = reason,
		.client = client->endpoint,
	};
	struct addr listen;
	if (relay_settings_write_records(listener->relay->settings) && socket_local_addr(client->fd, &listen) == 0)
		refusal.listen = &listen;
	flow_report_refusal(listener->relay, &refusal);
	flow_ceiling_give(&listener->relay->settings->budget->descriptors, DESCRIPTORS_PER_CONNECTION);
	socket_reset_on_close(client->fd);
	fd_close(&client->fd);
}

static enum accept_result accept_one(struct tcp_listener *listener)
{
	if (!relay_take_descriptors(listener->relay, DESCRIPTORS_PER_CONNECTION))
		return ACCEPT_SHORTAGE;
	struct addr peer = { .len = sizeof(peer.un) };
	int fd = accept4(listener->source.fd, &peer.sa, &peer.len, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0) {
		int error = errno;
		flow_ceiling_give(&listener->relay->settings->budget->descriptors, DESCRIPTORS_PER_CONNECTION);
		if (socket_is_shortage(error))
			return ACCEPT_SHORTAGE;
		/* Others are errors of the connection that was about to be accepted (accept(2)): on to the next. */
		return error == EAGAIN || error == EBADF || error == EINVAL ? ACCEPT_NONE : ACCEPT_ONE;
	}
	struct tcp_client client = { .fd = fd, .endpoint = endpoint_from_sockaddr(&peer.sa) };
	enum reason reason = admit(listener, &client);
	if (reason == REASON_NONE)
		tcp_connection_begin(listener->relay, listener->service, &client);
	else
		refuse(listener, &client, reason);
	return ACCEPT_ONE;
}

static enum accept_result accept_many(struct tcp_listener *listener, int max)
{
	enum accept_result result = ACCEPT_ONE;
	for (int i = 0; i < max && result == ACCEPT_ONE; i++)
		result = accept_one(listener);
	return result;
}

static void on_event(struct loop_source *source, uint32_t events)
{
	(void)events;
	struct tcp_listener *listener = LIST_OWNER(source, struct tcp_listener, source);
	if (source->fd < 0)
		return;
	/* A connection that comes alone is not followed by a look for another: that would be there in the next turn. */
	uint32_t turn = listener->relay->loop->turn;
	int max = listener->accept_turn == turn - 1 ? ACCEPTS_PER_TURN : 1;
	listener->accept_turn = turn;
	if (accept_many(listener, max) == ACCEPT_SHORTAGE)
		pause_accepting(listener);
}

int tcp_listener_open(struct tcp_listener *listener, struct relay *relay, struct service *service, int fd)
{
	*listener = (struct tcp_listener){
		.source = { .on_event = on_event, .fd = fd, .is_late = true },
		.resume = { .on_expiry = on_resume },
		.relay = relay,
		.service = service,
	};
	listener->is_shared = socket_local_endpoint(fd).family == AF_UNIX;
	return watch(listener);
}

void tcp_listener_close(struct tcp_listener *listener)
{
	if (listener->source.fd < 0)
		return;
	accept_many(listener, ACCEPTS_ON_CLOSE_MAX);
	timer_disarm(listener->relay->wheel, &listener->resume);
	fd_close(&listener->source.fd);
}
