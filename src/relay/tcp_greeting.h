/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The PROXY header at the beginning of a connection, while it comes. Of the connection's bytes none behind the header is
 * read: as long as its length is not known it is only looked at (MSG_PEEK), and from then on as much is read as it has left.
 *
 * A worker has a slab of them, one for each connection that there can be; memory is used as headers come, up to 64 KiB each,
 * and only clients that the configuration calls proxies can make it be used. That of long headers goes back to the system.
 * The worker's thread.
 */
#ifndef RELAY_TCP_GREETING_H
#define RELAY_TCP_GREETING_H

#include "base/slab.h"
#include "net/proxy_protocol.h"

#include <stdint.h>

struct tcp_greeting {
	uint32_t len; /* of the header, what has been read */
	struct proxy_header header;
	char bytes[PROXY_V2_BYTES_MAX];
};

/* The slab has one for every connection. */
struct tcp_greeting *tcp_greeting_take(struct slab *slab);
void tcp_greeting_give(struct slab *slab, struct tcp_greeting *greeting);

enum tcp_beginning { TCP_BEGINNING_OTHER, TCP_BEGINNING_SHORT, TCP_BEGINNING_HEADER };

/* Looks at the first bytes of a connection that may not begin with a PROXY header; reads none. */
enum tcp_beginning tcp_greeting_look(int fd);

/*
 * Reads on from the descriptor. Returns 1 when the header is whole, and greeting->header tells; 0 when more has to come;
 * -EINVAL when there is none and will be none, with *ret_problem; another -errno when the connection is broken.
 */
int tcp_greeting_read(struct tcp_greeting *greeting, int fd, const char **ret_problem);

#endif
