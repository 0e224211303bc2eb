/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Learning when the daemon of this process serves, in the way a service manager does (sd_notify(3)): a socket whose name
 * is in NOTIFY_SOCKET, and READY=1 on it. The waiting is for another process, because daemon_run does not return.
 */
#ifndef CLI_READINESS_H
#define CLI_READINESS_H

#include <stdbool.h>

/* Sets NOTIFY_SOCKET. Returns the socket to wait on, or -errno. */
int readiness_open(void);

/* Waits; returns false when nothing can come any more. */
bool readiness_await(int fd);

#endif
