/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What happens when a server's state changes: its state bits, the pool's view, the event in the log, the workers that
 * have to close flows. Verdicts come from health checks, ejections from workers. Control thread.
 */
#ifndef CONTROL_SERVER_STATES_H
#define CONTROL_SERVER_STATES_H

#include "control/daemon.h"

/* A health_verdict_fn; owner is the struct daemon. */
void server_states_on_verdict(void *owner, const struct health_verdict *verdict);

/* A worker has ejected the server: for how long, and what follows. */
void server_states_on_ejection(struct daemon *daemon, struct server *server);

/* Publishes new views of all pools whose servers have changed; once a turn. */
void server_states_publish(struct daemon *daemon);

/* Ends the waiting of all ejected servers, at the daemon's end. */
void server_states_done(struct daemon *daemon);

#endif
