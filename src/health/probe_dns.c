/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The DNS check: one question over UDP, with an id that nobody can guess. What comes from the server's address and port
 * but is no answer to this very question is passed over, so that a forged or late datagram decides nothing; if nothing
 * better comes the check fails with its time-out. An answer that was cut for its size (TC) is as good as a whole one:
 * the server is alive.
 */
#include "health/probe_datagram.h"

#include "base/random.h"
#include "net/dns_message.h"

#include <errno.h>
#include <stdio.h>

enum { DATAGRAMS_PER_STEP = 64 };

struct dns_state {
	uint8_t query[DNS_QUERY_BYTES_MAX];
};

static int dns_open(struct probe *probe)
{
	struct dns_state *state = probe->state;
	uint16_t id = (uint16_t)random_unguessable();
	int len = dns_write_query(id, span_from_text(probe->request.dns.name), probe->request.dns.type, state->query);
	if (len < 0)
		return len; /* refused by the configuration already */
	probe->request.send = (struct span){ (const char *)state->query, (size_t)len };
	return probe_datagram_open(probe);
}

static enum probe_next judge(struct probe *probe, const struct dns_answer *answer)
{
	char rcode[DNS_RCODE_TEXT_BYTES];
	char cause[PROBE_CAUSE_BYTES];
	if ((probe->request.dns.rcodes >> answer->rcode & 1) != 0)
		return probe_succeed(probe);
	snprintf(cause, sizeof(cause), "answered %s", dns_format_rcode(answer->rcode, rcode));
	return probe_fail(probe, cause);
}

static enum probe_next dns_step(struct probe *probe)
{
	struct dns_answer answer;
	for (int i = 0; i < DATAGRAMS_PER_STEP; i++) {
		ssize_t len = recv(probe->source.fd, probe->answer, PROBE_ANSWER_BYTES_MAX, 0);
		if (len < 0)
			return errno == EAGAIN ? PROBE_WANT_READ : probe_fail_errno(probe, errno);
		if (dns_read_answer(probe->request.send, (struct span){ probe->answer, (size_t)len }, &answer))
			return judge(probe, &answer);
		probe->lack = "no answer to the question";
	}
	return PROBE_WANT_READ;
}

const struct probe_kind probe_kind_dns = {
	.open = dns_open,
	.step = dns_step,
	.first = PROBE_WANT_READ,
	.state_bytes = sizeof(struct dns_state),
};
