/* SPDX-License-Identifier: Apache-2.0 */
#include "relay/tcp_greeting.h"

#include "base/check.h"

#include <errno.h>
#include <sys/socket.h>

enum { WARM_GREETINGS = 64, SHORT_BYTES = 2048 };

struct tcp_greeting *tcp_greeting_take(struct slab *slab)
{
	struct tcp_greeting *greeting = slab_take(slab);
	CHECK(greeting != NULL);
	greeting->len = 0;
	return greeting;
}

void tcp_greeting_give(struct slab *slab, struct tcp_greeting *greeting)
{
	if (greeting->len > SHORT_BYTES)
		slab_give_large(slab, greeting, WARM_GREETINGS);
	else
		slab_give(slab, greeting);
}

/* Returns the number of bytes, 0 when there are none now, or -errno; the end of the stream is -EINVAL. */
static ssize_t receive(int fd, char *buf, size_t buf_bytes, int flags)
{
	ssize_t got;
	do
		got = recv(fd, buf, buf_bytes, flags | MSG_DONTWAIT);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return errno == EAGAIN ? 0 : -errno;
	return got == 0 ? -EINVAL : got;
}

enum tcp_beginning tcp_greeting_look(int fd)
{
	char bytes[PROXY_RECOGNIZED_BYTES];
	ssize_t there = receive(fd, bytes, sizeof(bytes), MSG_PEEK);
	if (there < 0)
		return TCP_BEGINNING_OTHER; /* reading finds out what it is */
	int begins = proxy_header_recognize((struct span){ bytes, (size_t)there });
	if (begins < 0)
		return TCP_BEGINNING_OTHER;
	return begins > 0 ? TCP_BEGINNING_HEADER : TCP_BEGINNING_SHORT;
}

static bool has_length(const struct tcp_greeting *greeting, size_t there)
{
	return greeting->header.version == 2 && there >= PROXY_V2_HEAD_BYTES;
}

static size_t length_of(const struct tcp_greeting *greeting)
{
	const uint8_t *bytes = (const uint8_t *)greeting->bytes;
	return PROXY_V2_HEAD_BYTES + (size_t)(bytes[14] << 8 | bytes[15]);
}

/* A whole header that was only looked at. */
static int take(struct tcp_greeting *greeting, int fd)
{
	size_t len = greeting->header.len;
	ssize_t got = receive(fd, greeting->bytes, len, 0);
	CHECK(got < 0 || (size_t)got == len); /* it was there */
	greeting->len = (uint32_t)len;
	return got < 0 ? (int)got : 1;
}

/* Looks at the beginning, and at no more than the longest line has. */
static int look(struct tcp_greeting *greeting, int fd, const char **ret_problem)
{
	ssize_t there = receive(fd, greeting->bytes, PROXY_V1_BYTES_MAX, MSG_PEEK);
	if (there <= 0)
		return (int)there;
	struct span bytes = { greeting->bytes, (size_t)there };
	int result = proxy_header_read(bytes, &greeting->header, ret_problem);
	if (result == 1)
		return take(greeting, fd);
	if (result < 0 || !has_length(greeting, (size_t)there))
		return result;
	ssize_t got = receive(fd, greeting->bytes, (size_t)there, 0);
	if (got > 0)
		greeting->len = (uint32_t)got;
	return got < 0 ? (int)got : 0;
}

int tcp_greeting_read(struct tcp_greeting *greeting, int fd, const char **ret_problem)
{
	*ret_problem = "the connection ended before its PROXY header";
	if (greeting->len == 0) {
		int result = look(greeting, fd, ret_problem);
		if (result != 0 || greeting->len == 0)
			return result;
	}
	size_t len = length_of(greeting);
	while (greeting->len < len) {
		ssize_t got = receive(fd, greeting->bytes + greeting->len, len - greeting->len, 0);
		if (got <= 0)
			return (int)got;
		greeting->len += (uint32_t)got;
	}
	int result = proxy_header_read((struct span){ greeting->bytes, len }, &greeting->header, ret_problem);
	CHECK(result != 0);
	return result;
}
