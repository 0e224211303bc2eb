/* SPDX-License-Identifier: Apache-2.0 */
#include "relay/udp_request.h"

#include "base/check.h"
#include "relay/relay.h"
#include "relay/udp_session.h"

void udp_request_add(struct udp_session *session, const struct datagram *datagram)
{
	struct relay *relay = session->relay;
	struct udp_requests *requests = &relay->requests_out;
	CHECK(requests->count < CALL_BATCH_MAX);
	call_batch_send(&relay->calls, session->upstream.fd, datagram->bytes - datagram->head_bytes,
			datagram->len + datagram->head_bytes);
	requests->all[requests->count++] = (struct udp_request){ session, datagram };
	session->has_requests = true;
	if (requests->count == CALL_BATCH_MAX)
		udp_request_flush(relay);
}

/* A socket that reports what an earlier datagram met has not tried this one: it goes the slow way, which knows that. */
static void settle(const struct udp_request *request, int32_t result)
{
	struct udp_session *session = request->session;
	if (session->is_ended) /* by an earlier one of this flush */
		udp_session_note_lost(session, result >= 0 ? 0 : 1);
	else if (result >= 0)
		udp_session_note_sent(session, 0, 0);
	else
		udp_session_send(session, request->datagram, 1, result);
}

void udp_request_flush(struct relay *relay)
{
	struct udp_requests sent = relay->requests_out;
	if (sent.count == 0)
		return;
	relay->requests_out.count = 0;
	call_batch_run(&relay->calls);
	for (uint32_t i = 0; i < sent.count; i++)
		sent.all[i].session->has_requests = false;
	for (uint32_t i = 0; i < sent.count; i++)
		settle(&sent.all[i], relay->calls.results[i]);
}
