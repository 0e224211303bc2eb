/* SPDX-License-Identifier: Apache-2.0 */
#include "relay/udp_header.h"

#include "base/check.h"
#include "relay/flow_admission.h"
#include "relay/introduction.h"
#include "relay/tcp_pump.h"

static_assert((int)INTRODUCTION_BYTES_MIN <= (int)DATAGRAM_HEADROOM_BYTES, "there is room before every datagram");

/* --- that come --------------------------------------------------------------------------------------------------- */

/* Takes the header off a datagram of a proxy. */
static bool take(struct datagram *datagram)
{
	struct proxy_header header;
	const char *problem;
	struct span bytes = { (const char *)datagram->bytes, datagram->len };
	if (datagram->segment_bytes != 0) /* it came before a reload made its sender a proxy */
		return false;
	if (proxy_header_read(bytes, &header, &problem) != 1 || header.version != 2)
		return false;
	if (header.has_addresses)
		datagram->client = header.source;
	datagram_skip(datagram, (uint32_t)header.len);
	return true;
}

/* Returns false when the datagram is not to be taken. */
static bool judge(struct udp_listener *listener, const struct service_policy *policy, struct datagram *datagram)
{
	if (service_policy_wants_proxy_header(policy, &datagram->peer))
		return take(datagram);
	if (proxy_header_recognize((struct span){ (const char *)datagram->bytes, datagram->len }) <= 0)
		return true;
	flow_note_misbehaviour(listener->relay, listener->service, &datagram->peer);
	return false;
}

void udp_header_take_all(struct udp_listener *listener, struct datagram_batch *batch)
{
	const struct service_policy *policy = service_policy(listener->service);
	if (policy->proxy_network_count == 0)
		return;
	for (uint32_t i = 0; i < batch->count; i++) {
		struct datagram *datagram = &batch->entries[i];
		if (judge(listener, policy, datagram))
			continue;
		udp_session_refuse(listener, datagram, REASON_BAD_PROXY_HEADER);
		datagram->client = (struct endpoint){ 0 };
	}
}

/* --- that go ----------------------------------------------------------------------------------------------------- */

/* What came is read again: until now it stands before the datagram, where what goes is about to be written. */
static void put(const struct udp_session *session, const struct pool_policy *policy, struct datagram *datagram)
{
	struct proxy_header came;
	const char *problem;
	uint8_t *scratch = session->relay->scratch;
	size_t room = datagram_headroom(datagram);
	struct endpoint asked = udp_session_listen_endpoint(session);
	struct introduction introduction = {
		.client = &session->client,
		.asked = &asked,
		.flow_id = session->id,
		.transport = PROXY_TRANSPORT_DATAGRAM,
	};
	if (datagram->skipped_bytes > 0) {
		const uint8_t *header = datagram->bytes - datagram->skipped_bytes;
		int result = proxy_header_read((struct span){ (const char *)header, datagram->skipped_bytes }, &came,
					       &problem);
		CHECK(result == 1);
		introduction.came = &came;
	}
	size_t len = introduction_write(policy, &introduction, scratch,
					room < TCP_SCRATCH_BYTES ? room : (size_t)TCP_SCRATCH_BYTES);
	memcpy(datagram->bytes - len, scratch, len);
	datagram->head_bytes = (uint32_t)len;
}

void udp_header_put(const struct udp_session *session, struct datagram *datagrams, uint32_t count)
{
	const struct pool_policy *policy = pool_policy(session->server->pool);
	if (policy->proxy_version != 2 || (policy->is_proxy_header_once && session->packets_in > 0))
		return;
	for (uint32_t i = 0; i < (policy->is_proxy_header_once ? 1 : count); i++)
		put(session, policy, &datagrams[i]);
}
