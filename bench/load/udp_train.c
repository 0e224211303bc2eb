/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A flood of one client: each send() is a train of equal datagrams that the kernel or the receiver divides
 * (UDP_SEGMENT). Nothing comes back, so the server counts, and is asked for its count through the same session.
 */
#include "commands.h"
#include "measurement.h"
#include "message.h"
#include "socket.h"

#include <err.h>
#include <errno.h>
#include <netinet/udp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ASK_TRIES = 25 };

/* How many datagrams of this session's server were counted. Waits for what is under way before the question. */
static uint64_t ask_count(int fd)
{
	struct udp_message question = { .kind = UDP_COUNT }, answer;
	for (int i = 0; i < ASK_TRIES; i++) {
		if (send(fd, &question, sizeof(question), 0) < 0 && errno != EAGAIN && errno != ECONNREFUSED)
			err(1, "send");
		if (socket_wait(fd, POLLIN) == 0 && recv(fd, &answer, sizeof(answer), 0) == sizeof(answer))
			return answer.value;
	}
	errx(1, "the server does not tell its count");
}

/* Returns the number of datagrams sent. */
static uint64_t send_until(int fd, const struct options *options, uint64_t end_ns)
{
	static union {
		struct udp_message message;
		uint8_t bytes[UDP_PAYLOAD_BYTES_MAX];
	} train;
	const size_t segment_bytes = (size_t)options->segment_bytes, segments = (size_t)options->segments;
	for (size_t i = 0; i < segments; i++)
		memcpy(train.bytes + i * segment_bytes, &(struct udp_message){ .kind = UDP_DISCARD },
		       sizeof(struct udp_message));
	uint64_t sent = 0;
	while (now_ns() < end_ns) {
		if (send(fd, &train, segment_bytes * segments, 0) > 0)
			sent += segments;
		else if (errno == EAGAIN)
			socket_wait(fd, POLLOUT);
		else if (errno != ECONNREFUSED)
			err(1, "send");
	}
	return sent;
}

void udp_trains(const struct options *options)
{
	static struct measurement measurement;
	if (options->segment_bytes * options->segments > UDP_PAYLOAD_BYTES_MAX)
		errx(2, "a train is at most %d bytes long", UDP_PAYLOAD_BYTES_MAX);
	int fd = socket_open(SOCK_DGRAM);
	if (socket_connect(fd, &options->address) < 0)
		err(1, "connect");
	(void)ask_count(fd); /* the session begins */
	socket_set_option(fd, SOL_UDP, UDP_SEGMENT, (int)options->segment_bytes);
	measurement_init(&measurement, options);
	send_until(fd, options, measurement.begin_ns);
	uint64_t before = ask_count(fd);
	measurement.begin_ns = now_ns();
	measurement.end_ns = measurement.begin_ns + (uint64_t)(options->seconds * NS_PER_S);
	uint64_t sent = send_until(fd, options, measurement.end_ns);
	measurement.count = ask_count(fd) - before;
	measurement.errors = sent - measurement.count;
	measurement.end_ns = now_ns();
	measurement_print(&measurement);
	close(fd);
}
