/* SPDX-License-Identifier: Apache-2.0 */
#include "relay/udp_unanswered.h"

#include "base/clock.h"
#include "relay/flow_report.h"
#include "relay/udp_session.h"

void udp_unanswered_add(struct udp_session *session)
{
	struct relay *relay = session->relay;
	list_add_last(&relay->unanswered, &session->unanswered.of_worker);
	list_add_last(&session->service->counters[relay->worker_index].unanswered, &session->unanswered.of_service);
}

void udp_unanswered_remove(struct udp_session *session)
{
	list_remove(&session->unanswered.of_worker);
	list_remove(&session->unanswered.of_service);
}

/* A new time counts an eighth, as in TCP's estimate of the round trip (RFC 6298, section 2). */
void udp_unanswered_note_answer(struct udp_session *session)
{
	struct relay *relay = session->relay;
	uint64_t *answer_ns = &session->server->pool->counters[relay->worker_index].answer_ns;
	uint64_t sample_ns = relay->loop->now_ns - session->start_ns;
	*answer_ns = *answer_ns == 0 ? sample_ns : *answer_ns - *answer_ns / 8 + sample_ns / 8;
	udp_unanswered_remove(session);
}

static uint64_t youth_ns(const struct udp_session *session)
{
	enum { ANSWERS = 4 };
	uint64_t answer_ns = session->server->pool->counters[session->relay->worker_index].answer_ns;
	uint64_t youth_ns = ANSWERS * answer_ns;
	if (answer_ns == 0)
		return UDP_UNANSWERED_MS_UNKNOWN * CLOCK_NS_PER_MS;
	if (youth_ns < UDP_UNANSWERED_MS_MIN * CLOCK_NS_PER_MS)
		return UDP_UNANSWERED_MS_MIN * CLOCK_NS_PER_MS;
	return youth_ns < UDP_UNANSWERED_MS_MAX * CLOCK_NS_PER_MS ? youth_ns : UDP_UNANSWERED_MS_MAX * CLOCK_NS_PER_MS;
}

static struct udp_session *if_old_enough(struct udp_session *session)
{
	return session->relay->loop->now_ns - session->start_ns >= youth_ns(session) ? session : NULL;
}

struct udp_session *udp_unanswered_find_in(const struct relay *relay, const struct service *service)
{
	const struct list *sessions = &service->counters[relay->worker_index].unanswered;
	return list_is_empty(sessions)
		       ? NULL
		       : if_old_enough(LIST_OWNER(sessions->next, struct udp_session, unanswered.of_service));
}

struct udp_session *udp_unanswered_find(const struct relay *relay)
{
	const struct list *sessions = &relay->unanswered;
	return list_is_empty(sessions)
		       ? NULL
		       : if_old_enough(LIST_OWNER(sessions->next, struct udp_session, unanswered.of_worker));
}

void udp_unanswered_evict(struct udp_session *session)
{
	flow_report_limit(session->relay, session->service, REASON_LIMIT_SESSIONS);
	udp_session_end(session, REASON_LIMIT_SESSIONS);
}
