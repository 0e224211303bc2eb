/* SPDX-License-Identifier: Apache-2.0 */
#include "message.h"
#include "server.h"

#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

/* Datagrams of one sender that came as one: all but the last are segment_bytes long. */
struct train {
	union {
		struct udp_message message;
		uint8_t bytes[UDP_PAYLOAD_BYTES_MAX];
	};
	size_t len;
	size_t segment_bytes;
	struct sockaddr_in from;
};

union control {
	struct cmsghdr header;
	uint8_t bytes[CMSG_SPACE(sizeof(int))];
};

/* False when there is nothing to read. */
static bool receive_train(int fd, struct train *train)
{
	union control control;
	struct iovec data = { train->bytes, sizeof(train->bytes) };
	struct msghdr message = { .msg_name = &train->from,
				  .msg_namelen = sizeof(train->from),
				  .msg_iov = &data,
				  .msg_iovlen = 1,
				  .msg_control = &control,
				  .msg_controllen = sizeof(control) };
	ssize_t got = recvmsg(fd, &message, 0);
	if (got < 0)
		return false;
	train->len = train->segment_bytes = (size_t)got;
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);
	if (header && header->cmsg_level == SOL_UDP && header->cmsg_type == UDP_GRO) {
		int segment_bytes;
		memcpy(&segment_bytes, CMSG_DATA(header), sizeof(segment_bytes));
		train->segment_bytes = (size_t)segment_bytes;
	}
	return true;
}

/* As it came: a train goes back as a train. What the socket does not take is lost. */
static void send_train(int fd, struct train *train)
{
	union control control = { 0 };
	struct iovec data = { train->bytes, train->len };
	struct msghdr message = {
		.msg_name = &train->from, .msg_namelen = sizeof(train->from), .msg_iov = &data, .msg_iovlen = 1
	};
	if (train->len > train->segment_bytes) {
		uint16_t segment_bytes = (uint16_t)train->segment_bytes;
		message.msg_control = &control;
		message.msg_controllen = CMSG_SPACE(sizeof(segment_bytes));
		control.header.cmsg_level = SOL_UDP;
		control.header.cmsg_type = UDP_SEGMENT;
		control.header.cmsg_len = CMSG_LEN(sizeof(segment_bytes));
		memcpy(CMSG_DATA(&control.header), &segment_bytes, sizeof(segment_bytes));
	}
	(void)!sendmsg(fd, &message, 0);
}

static void answer_count(int fd, const struct train *train, uint64_t count)
{
	struct udp_message answer = { .kind = UDP_COUNT, .value = count };
	(void)!sendto(fd, &answer, sizeof(answer), 0, (const struct sockaddr *)&train->from, sizeof(train->from));
}

/* A question may be the last, shorter datagram of a train. */
static void count_segments(int fd, const struct train *train, uint64_t *count)
{
	struct udp_message message;
	for (size_t offset = 0; offset + sizeof(message) <= train->len; offset += train->segment_bytes) {
		memcpy(&message, train->bytes + offset, sizeof(message));
		if (message.kind == UDP_COUNT)
			answer_count(fd, train, *count);
		else
			(*count)++;
	}
}

void udp_server_receive(int fd, uint64_t *count)
{
	static struct train train;
	while (receive_train(fd, &train)) {
		if (train.len >= sizeof(train.message) && train.message.kind == UDP_ECHO)
			send_train(fd, &train);
		else
			count_segments(fd, &train, count);
	}
}
