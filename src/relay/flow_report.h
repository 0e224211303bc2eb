/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Telling the log writer about a flow: a record when it ended or was refused, if a sink wants records. Called on the
 * worker's thread before the flow's descriptors are closed, so that whoever sees the end also finds the record.
 */
#ifndef RELAY_FLOW_REPORT_H
#define RELAY_FLOW_REPORT_H

#include "relay/bare_flow.h"
#include "relay/relay.h"
#include "relay/tcp_connection.h"
#include "relay/udp_session.h"

void flow_report_connection(const struct tcp_connection *connection, enum reason reason);
void flow_report_session(const struct udp_session *session, enum reason reason);
void flow_report_bare(const struct bare_flow *flow, enum reason reason);

/* When the flows of a worker are told of, and when they were the time before; monotonic. */
struct flow_moment {
	uint64_t now_ns;
	uint64_t previous_ns;
};

/* A record of a flow that goes on, if a sink wants records. It began before the moment. */
void flow_report_connection_progress(const struct tcp_connection *connection, const struct flow_moment *moment);
void flow_report_session_progress(const struct udp_session *session, const struct flow_moment *moment);
void flow_report_bare_progress(const struct bare_flow *flow, const struct flow_moment *moment);

/* What there is to say of a flow that goes on; its reason is REASON_NONE, its end is now. */
void flow_describe_connection(const struct tcp_connection *connection, struct flow_record *ret_record);
void flow_describe_session(const struct udp_session *session, struct flow_record *ret_record);
void flow_describe_bare(const struct bare_flow *flow, struct flow_record *ret_record);

/* What is known of a flow that never began. */
struct flow_refusal {
	struct service *service;
	enum flow_protocol protocol;
	enum reason reason;
	struct endpoint client;
	const struct addr *listen; /* NULL: not known, nobody will read it */
};

/* A limit of the service has refused something, or, on trial, would have: control is told once in a while. */
void flow_report_limit(struct relay *relay, struct service *service, enum reason reason);
void flow_report_limit_spared(struct relay *relay, struct service *service, enum reason reason);

/* The same, with a record of the flow that begins nevertheless. */
void flow_report_spared(struct relay *relay, const struct flow_refusal *spared);

/* Counts the refusal for the service and writes a record. */
void flow_report_refusal(struct relay *relay, const struct flow_refusal *refusal);

#endif
