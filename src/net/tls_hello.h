/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a TLS client says first (ClientHello; RFC 8446, sections 4.1.2 and 5.1, and before it RFC 5246): the name of the
 * server that it asks for (RFC 6066, section 3), which is not encrypted. Nothing is decrypted, and no I/O is done. Any thread.
 *
 * The message may arrive in any pieces, and stand in any number of records. What is something else is recognized at its first
 * wrong byte, as far as heads of records and of the message tell; the message itself is judged when it is whole.
 */
#ifndef NET_TLS_HELLO_H
#define NET_TLS_HELLO_H

#include "base/span.h"

#include <stdint.h>

enum {
	TLS_HELLO_BYTES_MAX = 16 * 1024, /* of the message; clients send some hundred, or two thousand */
	TLS_SERVER_NAME_BYTES_MAX = 255, /* of a host name (RFC 1035, section 2.3.4) */
};

struct tls_hello {
	struct span server_name; /* as it was sent, in message; empty: the client asks for none */
	uint8_t message[TLS_HELLO_BYTES_MAX];
};

/*
 * Reads the beginning of what has come so far. Returns 1 when the message is whole; 0 when more has to come; -EINVAL when it
 * is none, is malformed, or is too long.
 */
int tls_hello_read(struct span bytes, struct tls_hello *ret_hello);

#endif
