/* SPDX-License-Identifier: Apache-2.0 */
#include "net/tcp_repair.h"

#include "base/clock.h"
#include "base/fd.h"

#include <errno.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

enum {
	STATE_ESTABLISHED = 1, /* of TCP_INFO: include/net/tcp_states.h */
	TIMESTAMPS_BYTES = 12, /* in each segment, with what aligns them */
	LOOKS_MAX = 100,       /* for what must not have changed meanwhile; bytes come one segment after the other */
	CLOCK_APART_MS_MAX = 1,
	OPTION_USEC_TS = 64, /* TCPI_OPT_USEC_TS */
};

static int set_int(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof(value)) < 0 ? -errno : 0;
}

static int get_int(int fd, int level, int option, int *ret_value)
{
	socklen_t len = sizeof(*ret_value);
	return getsockopt(fd, level, option, ret_value, &len) < 0 ? -errno : 0;
}

static int get_count(int fd, unsigned long request, uint32_t *ret_count)
{
	int count = 0;
	if (ioctl(fd, request, &count) < 0)
		return -errno;
	*ret_count = (uint32_t)count;
	return 0;
}

/* --- whether ----------------------------------------------------------------------------------------------------- */

/* tcpi_options is more than its old eight bits are on some kernels; all that are asked for here are among these. */
static int read_info(int fd, struct tcp_info *ret_info)
{
	socklen_t len = sizeof(*ret_info);
	memset(ret_info, 0, sizeof(*ret_info));
	return getsockopt(fd, IPPROTO_TCP, TCP_INFO, ret_info, &len) < 0 ? -errno : 0;
}

static bool has_urgent_data(int fd)
{
	struct pollfd poller = { .fd = fd, .events = POLLPRI };
	return poll(&poller, 1, 0) > 0 && (poller.revents & POLLPRI) != 0;
}

static int judge(int fd, const struct tcp_info *info, enum tcp_obstacle *ret_obstacle)
{
	uint32_t unacknowledged = 0;
	int result = get_count(fd, SIOCOUTQ, &unacknowledged);
	if (result < 0)
		return result;
	if (info->tcpi_state != STATE_ESTABLISHED)
		*ret_obstacle = TCP_OBSTACLE_STATE;
	else if (unacknowledged > 0)
		*ret_obstacle = TCP_OBSTACLE_SENDING;
	else if (has_urgent_data(fd))
		*ret_obstacle = TCP_OBSTACLE_URGENT;
	else if ((info->tcpi_options & OPTION_USEC_TS) != 0)
		*ret_obstacle = TCP_OBSTACLE_CLOCK;
	else
		*ret_obstacle = TCP_NO_OBSTACLE;
	return *ret_obstacle == TCP_NO_OBSTACLE ? 0 : -EAGAIN;
}

/* --- in repair mode ---------------------------------------------------------------------------------------------- */

static int read_queue_seq(int fd, int queue, uint32_t *ret_seq)
{
	int seq;
	int result = set_int(fd, IPPROTO_TCP, TCP_REPAIR_QUEUE, queue);
	if (result == 0)
		result = get_int(fd, IPPROTO_TCP, TCP_QUEUE_SEQ, &seq);
	if (result == 0)
		*ret_seq = (uint32_t)seq;
	return result;
}

/* The kernel knows what it has received, and how much of it is unread, but does not say both at once. */
static int read_receive_queue(int fd, struct tcp_numbers *numbers)
{
	uint32_t received = 0;
	uint32_t after = 0;
	int result = get_count(fd, SIOCINQ, &after);
	for (int i = 0; i < LOOKS_MAX && result == 0; i++) {
		uint32_t before = after;
		result = read_queue_seq(fd, TCP_RECV_QUEUE, &received);
		if (result == 0)
			result = get_count(fd, SIOCINQ, &after);
		if (result == 0 && before == after) {
			numbers->unread_bytes = after;
			numbers->read_next = received - after;
			return 0;
		}
	}
	return result < 0 ? result : -EAGAIN;
}

static int read_windows(int fd, struct tcp_numbers *numbers)
{
	struct tcp_repair_window window;
	socklen_t len = sizeof(window);
	if (getsockopt(fd, IPPROTO_TCP, TCP_REPAIR_WINDOW, &window, &len) < 0)
		return -errno;
	uint32_t promised_until = window.rcv_wup + window.rcv_wnd;
	numbers->peer_window = window.snd_wnd;
	/* A window that was shrunk may end before what has come. */
	numbers->own_window =
		(int32_t)(promised_until - numbers->read_next) > 0 ? promised_until - numbers->read_next : 0;
	return 0;
}

/* The two clocks cannot be read at once; a thread that lost its processor in between looks again. */
static int read_clock(int fd, struct tcp_numbers *numbers)
{
	int now;
	int result = 0;
	uint64_t after_ms = clock_monotonic_ms();
	for (int i = 0; i < LOOKS_MAX && result == 0; i++) {
		uint64_t before_ms = after_ms;
		result = get_int(fd, IPPROTO_TCP, TCP_TIMESTAMP, &now);
		after_ms = clock_monotonic_ms();
		if (result == 0 && after_ms - before_ms <= CLOCK_APART_MS_MAX) {
			numbers->clock_ms = (uint32_t)now - (uint32_t)after_ms;
			return 0;
		}
	}
	return result < 0 ? result : -EAGAIN;
}

/* The segment size that the peer has announced; TCP_INFO knows only what is made of it when something is sent. */
static int read_peer_segment(int fd, struct tcp_numbers *numbers)
{
	int bytes;
	int result = get_int(fd, IPPROTO_TCP, TCP_MAXSEG, &bytes);
	if (result == 0)
		numbers->send_segment_bytes = (uint16_t)bytes;
	return result;
}

static int read_in_repair(int fd, struct tcp_numbers *numbers)
{
	int result = read_receive_queue(fd, numbers);
	if (result == 0)
		result = read_queue_seq(fd, TCP_SEND_QUEUE, &numbers->send_next);
	set_int(fd, IPPROTO_TCP, TCP_REPAIR_QUEUE, TCP_NO_QUEUE);
	if (result == 0)
		result = read_windows(fd, numbers);
	if (result == 0)
		result = read_peer_segment(fd, numbers);
	return result == 0 ? read_clock(fd, numbers) : result;
}

int tcp_repair_hold(int fd)
{
	return set_int(fd, IPPROTO_TCP, TCP_REPAIR, TCP_REPAIR_ON);
}

/* TCP_REPAIR_OFF would send a window probe. */
int tcp_repair_release(int fd)
{
	return set_int(fd, IPPROTO_TCP, TCP_REPAIR, TCP_REPAIR_OFF_NO_WP);
}

static int leave(int fd, int reuses_address)
{
	int result = tcp_repair_release(fd);
	set_int(fd, SOL_SOCKET, SO_REUSEADDR, reuses_address);
	return result;
}

/* --- all --------------------------------------------------------------------------------------------------------- */

/* What fits into a packet: less the headers of IP and TCP. */
static uint32_t largest_segment(int fd, uint32_t packet_bytes)
{
	int family = AF_INET;
	get_int(fd, SOL_SOCKET, SO_DOMAIN, &family);
	uint32_t headers = family == AF_INET6 ? 60 : 40;
	return packet_bytes > headers ? packet_bytes - headers : 0;
}

static void take_info(int fd, const struct tcp_info *info, struct tcp_numbers *numbers)
{
	uint32_t fitting = largest_segment(fd, info->tcpi_pmtu);
	uint32_t sent = numbers->send_segment_bytes < fitting ? numbers->send_segment_bytes : fitting;
	numbers->has_timestamps = (info->tcpi_options & TCPI_OPT_TIMESTAMPS) != 0;
	numbers->has_sack = (info->tcpi_options & TCPI_OPT_SACK) != 0;
	numbers->has_ecn = (info->tcpi_options & TCPI_OPT_ECN) != 0;
	numbers->peer_scale = info->tcpi_snd_wscale;
	numbers->own_scale = info->tcpi_rcv_wscale;
	uint32_t options = numbers->has_timestamps ? TIMESTAMPS_BYTES : 0;
	numbers->send_segment_bytes = (uint16_t)(sent > options ? sent - options : 0);
	numbers->receive_segment_bytes = (uint16_t)info->tcpi_advmss; /* of which the options are taken off already */
}

int tcp_repair_read(int fd, struct tcp_numbers *ret_numbers, enum tcp_obstacle *ret_obstacle)
{
	struct tcp_info info;
	struct tcp_numbers numbers = { 0 };
	int reuses_address = 0;
	*ret_obstacle = TCP_NO_OBSTACLE;
	int result = read_info(fd, &info);
	if (result == 0)
		result = judge(fd, &info, ret_obstacle);
	if (result == 0)
		result = get_int(fd, SOL_SOCKET, SO_REUSEADDR, &reuses_address);
	/* An acknowledgement that waits for its timer goes out now: it says how much the peer may send. */
	if (result == 0)
		result = set_int(fd, IPPROTO_TCP, TCP_QUICKACK, 1);
	if (result == 0)
		result = tcp_repair_hold(fd);
	if (result < 0)
		return result;
	result = read_in_repair(fd, &numbers);
	int left = leave(fd, reuses_address);
	if (result == 0)
		result = left;
	/* A FIN that has come meanwhile is in the count of what was received. */
	if (result == 0)
		result = read_info(fd, &info);
	if (result == 0)
		result = judge(fd, &info, ret_obstacle);
	if (result < 0)
		return result;
	take_info(fd, &info, &numbers);
	*ret_numbers = numbers;
	return 0;
}

int tcp_repair_close(int *fd)
{
	int result = tcp_repair_hold(*fd);
	if (result == 0)
		fd_close(fd);
	return result;
}

/* --- two of them ------------------------------------------------------------------------------------------------- */

static bool may_send_to(const struct tcp_numbers *from, const struct tcp_numbers *to)
{
	return from->receive_segment_bytes <= to->send_segment_bytes;
}

/*
 * A peer that was told that it may send more than the other takes will have its window shrunk, which every sender has to
 * bear (RFC 9293 3.8.6, MUST-34): it learns of it with the first bytes that are acknowledged. So some have to be taken, and what
 * comes too much, and is sent twice, should not be much.
 */
static bool may_promise(const struct tcp_numbers *from, const struct tcp_numbers *to)
{
	enum { SEGMENTS_MIN = 4 };
	if (from->own_window <= to->peer_window)
		return true;
	return to->peer_window >= (uint32_t)SEGMENTS_MIN * to->send_segment_bytes &&
	       from->own_window / 2 <= to->peer_window;
}

enum tcp_obstacle tcp_match(const struct tcp_numbers *client, const struct tcp_numbers *server)
{
	if (client->has_timestamps != server->has_timestamps)
		return TCP_OBSTACLE_TIMESTAMPS;
	if (client->has_sack != server->has_sack)
		return TCP_OBSTACLE_SACK;
	if (client->has_ecn != server->has_ecn)
		return TCP_OBSTACLE_ECN;
	if (!may_send_to(client, server) || !may_send_to(server, client))
		return TCP_OBSTACLE_SEGMENTS;
	if (!may_promise(client, server) || !may_promise(server, client))
		return TCP_OBSTACLE_WINDOW;
	return TCP_NO_OBSTACLE;
}

static const struct {
	const char *word;
	const char *meaning;
} obstacles[TCP_OBSTACLE_COUNT] = { [TCP_NO_OBSTACLE] = { "none", "nothing is in the way" },
#define TCP_OBSTACLE_TEXTS(name, word, meaning) [TCP_OBSTACLE_##name] = { word, meaning },
				    TCP_OBSTACLE_LIST(TCP_OBSTACLE_TEXTS)
#undef TCP_OBSTACLE_TEXTS
};

const char *tcp_obstacle_word(enum tcp_obstacle obstacle)
{
	return obstacles[obstacle].word;
}

const char *tcp_obstacle_meaning(enum tcp_obstacle obstacle)
{
	return obstacles[obstacle].meaning;
}
