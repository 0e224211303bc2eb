/* SPDX-License-Identifier: Apache-2.0 */
#include "relay/tcp_hello.h"

#include <errno.h>
#include <sys/socket.h>

/* The message and the heads of some records. */
enum { LOOKED_AT_BYTES = TLS_HELLO_BYTES_MAX + 512 };

int tcp_hello_look(int fd, struct tls_hello *ret_hello)
{
	char bytes[LOOKED_AT_BYTES];
	ssize_t there;
	do
		there = recv(fd, bytes, sizeof(bytes), MSG_PEEK | MSG_DONTWAIT);
	while (there < 0 && errno == EINTR);
	if (there < 0)
		return errno == EAGAIN ? 0 : -EINVAL; /* reading finds out what it is */
	if (there == 0)
		return -EINVAL;
	int result = tls_hello_read((struct span){ bytes, (size_t)there }, ret_hello);
	return result == 0 && there == LOOKED_AT_BYTES ? -EINVAL : result;
}
