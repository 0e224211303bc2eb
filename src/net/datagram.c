/* SPDX-License-Identifier: Apache-2.0 */
#include "net/datagram.h"

#include "base/check.h"

#include <errno.h>
#include <linux/udp.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#ifndef SOL_UDP
#define SOL_UDP 17
#endif

/* Room for a packet-info and a segment-size message. */
union control {
	struct cmsghdr header;
	uint8_t bytes[CMSG_SPACE(sizeof(struct in6_pktinfo)) + CMSG_SPACE(sizeof(int)) + 16];
};

static const uint8_t mapped_prefix[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

static_assert(DATAGRAM_HEADROOM_BYTES + DATAGRAM_BYTES_MAX <= DATAGRAM_STRIDE_BYTES, "both fit");

void datagram_batch_init(struct datagram_batch *batch)
{
	*batch = (struct datagram_batch){ 0 };
	batch->memory = mmap(NULL, (size_t)DATAGRAM_BATCH_MAX * DATAGRAM_STRIDE_BYTES, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	CHECK(batch->memory != MAP_FAILED);
	for (size_t i = 0; i < DATAGRAM_BATCH_MAX; i++)
		batch->entries[i].bytes = batch->memory + i * DATAGRAM_STRIDE_BYTES + DATAGRAM_HEADROOM_BYTES;
}

void datagram_batch_done(struct datagram_batch *batch)
{
	munmap(batch->memory, (size_t)DATAGRAM_BATCH_MAX * DATAGRAM_STRIDE_BYTES);
}

static void set_trains(int fd, int value)
{
	setsockopt(fd, SOL_UDP, UDP_GRO, &value, sizeof(value));
}

void datagram_enable_trains(int fd)
{
	set_trains(fd, 1);
}

void datagram_disable_trains(int fd)
{
	set_trains(fd, 0);
}

static void read_control(struct msghdr *message, struct datagram *datagram)
{
	datagram->has_local = false;
	datagram->segment_bytes = 0;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c != NULL; c = CMSG_NXTHDR(message, c)) {
		if (c->cmsg_level == SOL_UDP && c->cmsg_type == UDP_GRO) {
			int segment;
			memcpy(&segment, CMSG_DATA(c), sizeof(segment));
			datagram->segment_bytes =
				segment > 0 && (uint32_t)segment < datagram->len ? (uint32_t)segment : 0;
		} else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
			struct in_pktinfo info;
			memcpy(&info, CMSG_DATA(c), sizeof(info));
			memcpy(datagram->local_ip, mapped_prefix, 12);
			memcpy(datagram->local_ip + 12, &info.ipi_addr, 4);
			datagram->has_local = true;
		} else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
			struct in6_pktinfo info;
			memcpy(&info, CMSG_DATA(c), sizeof(info));
			memcpy(datagram->local_ip, &info.ipi6_addr, 16);
			datagram->has_local = true;
		}
	}
}

/* System-call arguments for a batch; one per call, on the stack. */
struct vectors {
	struct mmsghdr messages[DATAGRAM_BATCH_MAX];
	struct iovec iovecs[DATAGRAM_BATCH_MAX];
	struct sockaddr_in6 names[DATAGRAM_BATCH_MAX];
	union control controls[DATAGRAM_BATCH_MAX];
};

/* An entry that was used before. */
static void restore(struct datagram *datagram)
{
	datagram->bytes -= datagram->skipped_bytes;
	datagram->skipped_bytes = 0;
	datagram->head_bytes = 0;
}

int datagram_receive(int fd, struct datagram_batch *batch, uint32_t max)
{
	struct vectors v;
	uint32_t room = DATAGRAM_BATCH_MAX - batch->count;
	uint32_t wanted = max < room ? max : room;
	for (uint32_t i = 0; i < wanted; i++) {
		restore(&batch->entries[batch->count + i]);
		v.iovecs[i] = (struct iovec){ batch->entries[batch->count + i].bytes, DATAGRAM_BYTES_MAX };
		v.messages[i].msg_hdr = (struct msghdr){
			.msg_name = &v.names[i],
			.msg_namelen = sizeof(v.names[i]),
			.msg_iov = &v.iovecs[i],
			.msg_iovlen = 1,
			.msg_control = &v.controls[i],
			.msg_controllen = sizeof(v.controls[i]),
		};
	}
	int count = recvmmsg(fd, v.messages, wanted, MSG_DONTWAIT, NULL);
	if (count < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	for (int i = 0; i < count; i++) {
		struct datagram *datagram = &batch->entries[batch->count + (uint32_t)i];
		datagram->len = v.messages[i].msg_len;
		datagram->peer = (struct endpoint){ 0 };
		if (v.messages[i].msg_hdr.msg_namelen > 0)
			datagram->peer = endpoint_from_sockaddr((struct sockaddr *)&v.names[i]);
		datagram->client = datagram->peer;
		read_control(&v.messages[i].msg_hdr, datagram);
	}
	batch->count += (uint32_t)count;
	return count;
}

static struct cmsghdr *append_control(struct msghdr *message, int level, int type, size_t len)
{
	struct cmsghdr *c = (struct cmsghdr *)(void *)((uint8_t *)message->msg_control + message->msg_controllen);
	*c = (struct cmsghdr){ .cmsg_level = level, .cmsg_type = type, .cmsg_len = CMSG_LEN(len) };
	message->msg_controllen += CMSG_SPACE(len);
	return c;
}

static void append_source(struct msghdr *message, const struct datagram *datagram, int family)
{
	if (family == AF_INET) {
		struct in_pktinfo info = { 0 };
		memcpy(&info.ipi_spec_dst, datagram->local_ip + 12, 4);
		memcpy(CMSG_DATA(append_control(message, IPPROTO_IP, IP_PKTINFO, sizeof(info))), &info, sizeof(info));
	} else {
		struct in6_pktinfo info = { .ipi6_ifindex = datagram->peer.scope_id };
		memcpy(&info.ipi6_addr, datagram->local_ip, 16);
		memcpy(CMSG_DATA(append_control(message, IPPROTO_IPV6, IPV6_PKTINFO, sizeof(info))), &info,
		       sizeof(info));
	}
}

static void append_segment(struct msghdr *message, const struct datagram *datagram)
{
	uint16_t segment = (uint16_t)(datagram->segment_bytes + datagram->head_bytes);
	memcpy(CMSG_DATA(append_control(message, SOL_UDP, UDP_SEGMENT, sizeof(segment))), &segment, sizeof(segment));
}

static void fill_message(const struct datagram_route *route, const struct datagram *datagram, struct vectors *v,
			 uint32_t i)
{
	v->iovecs[i] = (struct iovec){ datagram->bytes - datagram->head_bytes, datagram->len + datagram->head_bytes };
	struct msghdr *message = &v->messages[i].msg_hdr;
	*message = (struct msghdr){ .msg_iov = &v->iovecs[i], .msg_iovlen = 1, .msg_control = &v->controls[i] };
	if (!route->is_connected) {
		struct addr addr;
		endpoint_to_addr(&datagram->peer, &addr);
		memcpy(&v->names[i], &addr.sa, addr.len);
		message->msg_name = &v->names[i];
		message->msg_namelen = addr.len;
		if (datagram->has_local)
			append_source(message, datagram, route->family);
	}
	if (datagram->segment_bytes != 0)
		append_segment(message, datagram);
	if (message->msg_controllen == 0)
		message->msg_control = NULL;
}

/* Sends a train one datagram at a time, for kernels and devices that do not cut trains themselves. */
static uint32_t send_train_singly(const struct datagram_route *route, const struct datagram *train, int *ret_error)
{
	uint32_t unsent = 0;
	int error;
	struct datagram single = *train;
	single.segment_bytes = 0;
	for (uint32_t offset = 0; offset < train->len; offset += train->segment_bytes) {
		uint32_t left = train->len - offset;
		single.bytes = train->bytes + offset;
		single.len = left < train->segment_bytes ? left : train->segment_bytes;
		unsent += datagram_send(route, &single, 1, &error);
		if (error != 0)
			*ret_error = error;
	}
	return unsent;
}

/* These say that a train is not possible here, not that the datagrams are not. */
static bool is_train_refusal(int error)
{
	return error == EINVAL || error == EMSGSIZE || error == EIO || error == ENOPROTOOPT || error == EOPNOTSUPP;
}

/* On a connected socket these may report what an earlier datagram met (ICMP): the present one was not tried yet. */
static bool is_pending_error(int error)
{
	return error == ECONNREFUSED || error == EHOSTUNREACH || error == ENETUNREACH;
}

/* Deals with the entry that sendmmsg stopped at; returns how many of its datagrams were lost. */
static uint32_t settle_failed(const struct datagram_route *route, const struct datagram *entry, int error,
			      int *ret_error)
{
	if (entry->segment_bytes != 0 && is_train_refusal(error))
		return send_train_singly(route, entry, ret_error);
	*ret_error = -error;
	return datagram_count(entry);
}

/* As sendmmsg; for one datagram to the peer of a connected socket there is a cheaper call. */
static int send_messages(int fd, struct mmsghdr *messages, uint32_t count)
{
	const struct msghdr *first = &messages->msg_hdr;
	if (count > 1 || first->msg_name != NULL || first->msg_control != NULL)
		return sendmmsg(fd, messages, count, MSG_DONTWAIT | MSG_NOSIGNAL);
	return send(fd, first->msg_iov->iov_base, first->msg_iov->iov_len, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -1 : 1;
}

/* For entries that are one piece of memory each. */
static uint32_t send_pieces(const struct datagram_route *route, const struct datagram *entries, uint32_t count,
			    int *ret_error)
{
	struct vectors v;
	uint32_t unsent = 0;
	int error = 0;
	CHECK(count <= DATAGRAM_BATCH_MAX);
	for (uint32_t i = 0; i < count; i++)
		fill_message(route, &entries[i], &v, i);
	for (uint32_t done = 0; done < count;) {
		int sent = send_messages(route->fd, v.messages + done, count - done);
		if (sent > 0) {
			done += (uint32_t)sent;
		} else if (route->is_connected && is_pending_error(errno) && error == 0) {
			error = -errno; /* once a call: the entry gets its try */
		} else if (errno != EINTR) {
			unsent += settle_failed(route, &entries[done], errno, &error);
			done++;
		}
	}
	if (error != 0)
		*ret_error = error;
	return unsent;
}

/* --- trains with heads ------------------------------------------------------------------------------------------- */

static bool is_headed_train(const struct datagram *entry)
{
	return entry->segment_bytes != 0 && entry->head_bytes != 0;
}

/* So many of the train's datagrams, from the one at `offset` on. */
static struct datagram part_of(const struct datagram *train, uint32_t offset, uint32_t count)
{
	struct datagram part = *train;
	uint32_t bytes_max = count * train->segment_bytes;
	part.bytes = train->bytes + offset;
	part.len = train->len - offset;
	if (part.len > bytes_max)
		part.len = bytes_max;
	if (part.len <= part.segment_bytes)
		part.segment_bytes = 0;
	return part;
}

/* Sends a part, with the head of the train before each datagram. Returns 0 or an errno. */
static int send_headed(const struct datagram_route *route, const struct datagram *part, const uint8_t *head)
{
	struct vectors v;
	struct iovec pieces[2 * DATAGRAM_TRAIN_MAX];
	uint32_t segment_bytes = part->segment_bytes != 0 ? part->segment_bytes : part->len;
	uint32_t count = 0;
	uint32_t offset = 0;
	do {
		uint32_t left = part->len - offset;
		pieces[count++] = (struct iovec){ (void *)(uintptr_t)head, part->head_bytes };
		pieces[count++] = (struct iovec){ part->bytes + offset, left < segment_bytes ? left : segment_bytes };
		offset += segment_bytes;
	} while (offset < part->len);
	fill_message(route, part, &v, 0);
	v.messages[0].msg_hdr.msg_iov = pieces;
	v.messages[0].msg_hdr.msg_iovlen = count;
	ssize_t sent;
	do
		sent = sendmsg(route->fd, &v.messages[0].msg_hdr, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	return sent < 0 ? errno : 0;
}

/* The same; an error that an earlier datagram has met does not count, and is told. */
static int try_headed(const struct datagram_route *route, const struct datagram *part, const uint8_t *head,
		      int *ret_error)
{
	int error = send_headed(route, part, head);
	if (route->is_connected && is_pending_error(error)) {
		*ret_error = -error;
		error = send_headed(route, part, head);
	}
	return error;
}

/* So many datagrams at once as may be, or else each by itself. Returns how many were lost. */
static uint32_t send_headed_train(const struct datagram_route *route, const struct datagram *train, int *ret_error)
{
	const uint8_t *head = train->bytes - train->head_bytes;
	uint32_t count_max = DATAGRAM_TRAIN_BYTES_MAX / (train->segment_bytes + train->head_bytes);
	uint32_t unsent = 0;
	if (count_max > DATAGRAM_TRAIN_MAX)
		count_max = DATAGRAM_TRAIN_MAX;
	CHECK(count_max > 0); /* a train has two datagrams at least, and the head fits into the room for it */
	for (uint32_t offset = 0; offset < train->len;) {
		struct datagram part = part_of(train, offset, count_max);
		int error = try_headed(route, &part, head, ret_error);
		if (part.segment_bytes != 0 && is_train_refusal(error)) {
			count_max = 1;
			continue;
		}
		if (error != 0) {
			*ret_error = -error;
			unsent += datagram_count(&part);
		}
		offset += part.len;
	}
	return unsent;
}

uint32_t datagram_send(const struct datagram_route *route, const struct datagram *entries, uint32_t count,
		       int *ret_error)
{
	uint32_t unsent = 0;
	int error = 0;
	for (uint32_t first = 0, end; first < count; first = end) {
		end = first + 1;
		if (is_headed_train(&entries[first])) {
			unsent += send_headed_train(route, &entries[first], &error);
			continue;
		}
		while (end < count && !is_headed_train(&entries[end]))
			end++;
		unsent += send_pieces(route, entries + first, end - first, &error);
	}
	if (ret_error != NULL)
		*ret_error = error;
	return unsent;
}
