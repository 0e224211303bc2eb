/* SPDX-License-Identifier: Apache-2.0 */
/* Sockets of the load generator. Ends the program with a message where no error is documented. */
#ifndef LOAD_SOCKET_H
#define LOAD_SOCKET_H

#include <netinet/in.h>

/* Non-blocking. `kind` is SOCK_STREAM (small requests leave at once) or SOCK_DGRAM. */
int socket_open(int kind);
/* 0, also when the handshake goes on in the background, or -errno. */
int socket_connect(int fd, const struct sockaddr_in *address);
/* Opened and bound, sharing the port with other processes. */
int socket_bind(int kind, const struct sockaddr_in *address);
void socket_set_option(int fd, int level, int name, int value);
/* Waits, at most 200 ms, for POLLIN or POLLOUT. 0, -ETIMEDOUT or another -errno. */
int socket_wait(int fd, short poll_events);

#endif
