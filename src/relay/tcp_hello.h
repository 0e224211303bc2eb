/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The TLS greeting at the beginning of a connection: only looked at (MSG_PEEK), so that all of it goes to the server. Nothing
 * is kept: who needs it again looks again. The worker's thread.
 */
#ifndef RELAY_TCP_HELLO_H
#define RELAY_TCP_HELLO_H

#include "net/tls_hello.h"

/*
 * Returns 1 when the greeting is whole; 0 when it is not there, or not all of it; -EINVAL when what is there is none, or when
 * there is more of it than is looked at.
 */
int tcp_hello_look(int fd, struct tls_hello *ret_hello);

#endif
