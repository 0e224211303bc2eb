/* SPDX-License-Identifier: Apache-2.0 */
#include "tcp_connection.h"
#include "message.h"
#include "socket.h"

#include <err.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { RECEIVE_BYTES = 64 << 10 };

void tcp_traffic_init(struct tcp_traffic *traffic, const struct options *options)
{
	*traffic = (struct tcp_traffic){
		.request_bytes = (uint32_t)options->request_bytes,
		.response_bytes = (uint32_t)options->response_bytes,
	};
	struct tcp_request header = { traffic->request_bytes, traffic->response_bytes };
	traffic->request = calloc(1, traffic->request_bytes);
	if (!traffic->request)
		err(1, "memory");
	memcpy(traffic->request, &header, sizeof(header));
}

void tcp_traffic_done(struct tcp_traffic *traffic)
{
	free(traffic->request);
	traffic->request = NULL;
}

int tcp_connection_open(struct tcp_connection *connection, const struct sockaddr_in *address)
{
	connection->fd = socket_open(SOCK_STREAM);
	connection->unsent_bytes = connection->received_bytes = 0;
	connection->sent_count = connection->answered_count = 0;
	return socket_connect(connection->fd, address);
}

uint32_t tcp_connection_unanswered(const struct tcp_connection *connection)
{
	return connection->sent_count - connection->answered_count;
}

bool tcp_connection_request(struct tcp_connection *connection, const struct tcp_traffic *traffic, uint64_t time_ns)
{
	if (tcp_connection_unanswered(connection) == TCP_UNANSWERED_MAX)
		return false;
	connection->stamps[connection->sent_count++ % TCP_UNANSWERED_MAX] = time_ns;
	connection->unsent_bytes += traffic->request_bytes;
	return true;
}

int tcp_connection_flush(struct tcp_connection *connection, const struct tcp_traffic *traffic)
{
	while (connection->unsent_bytes > 0) {
		uint64_t left = (connection->unsent_bytes - 1) % traffic->request_bytes + 1; /* of the request begun */
		const uint8_t *from = traffic->request + (traffic->request_bytes - left);
		ssize_t sent = send(connection->fd, from, left, MSG_NOSIGNAL);
		if (sent < 0)
			return errno == EAGAIN ? 0 : -errno;
		connection->unsent_bytes -= (uint64_t)sent;
	}
	return 0;
}

static void record_answer(struct tcp_connection *connection, struct measurement *measurement, uint64_t now)
{
	uint64_t stamp = connection->stamps[connection->answered_count++ % TCP_UNANSWERED_MAX];
	measurement_record(measurement, stamp, now - stamp);
}

int tcp_connection_receive(struct tcp_connection *connection, const struct tcp_traffic *traffic,
			   struct measurement *measurement)
{
	static uint8_t discarded[RECEIVE_BYTES];
	int answers = 0;
	ssize_t got;
	do {
		got = recv(connection->fd, discarded, sizeof(discarded), 0);
		if (got == 0)
			return -EPIPE;
		if (got < 0)
			return errno == EAGAIN ? answers : -errno;
		uint64_t now = now_ns();
		connection->received_bytes += (uint64_t)got;
		for (; connection->received_bytes >= traffic->response_bytes; answers++) {
			if (tcp_connection_unanswered(connection) == 0)
				return -EPROTO;
			connection->received_bytes -= traffic->response_bytes;
			record_answer(connection, measurement, now);
		}
	} while (got == sizeof(discarded));
	return answers;
}
