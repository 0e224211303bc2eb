/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the checks over UDP have in common: one datagram goes out, once only: a lost one is what rise and fall are for.
 * Silence is a failure like any other, since a UDP "connect" alone cannot fail; so is an ICMP error about it.
 *
 * Each check has a port of its own, so a late answer to the last one cannot be taken for one to this; and the socket is
 * connected, so that it hears nobody but the server.
 */
#ifndef HEALTH_PROBE_DATAGRAM_H
#define HEALTH_PROBE_DATAGRAM_H

#include "health/probe.h"

/* For a kind's open: opens source.fd and sends request.preface and request.send in one. Returns 0 or -errno. */
int probe_datagram_open(struct probe *probe);

#endif
