/* SPDX-License-Identifier: Apache-2.0 */
#include "commands.h"
#include "message.h"
#include "pace.h"
#include "socket.h"
#include "wait_set.h"

#include <err.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LOST_NS (200 * NS_PER_MS) /* a datagram without an answer for so long counts as lost */

struct udp_session {
	int fd;
	uint64_t stamp; /* of the datagram that has to be answered; 0: none has to be */
};

struct udp_run {
	struct measurement measurement;
	struct wait_set set;
	struct udp_session *sessions;
	size_t session_count;
	size_t next; /* the session whose turn it is */
	size_t request_bytes;
};

static void run_init(struct udp_run *run, const struct options *options)
{
	wait_set_init(&run->set);
	run->request_bytes = (size_t)options->request_bytes;
	if (run->request_bytes < sizeof(struct udp_message) || run->request_bytes > UDP_PAYLOAD_BYTES_MAX)
		errx(2, "--request: from %zu to %d for datagrams", sizeof(struct udp_message), UDP_PAYLOAD_BYTES_MAX);
	run->session_count = (size_t)options->connections;
	run->sessions = calloc(run->session_count, sizeof(*run->sessions));
	if (!run->sessions)
		err(1, "memory");
	for (size_t i = 0; i < run->session_count; i++) {
		struct udp_session *session = &run->sessions[i];
		session->fd = socket_open(SOCK_DGRAM);
		if (socket_connect(session->fd, &options->address) < 0)
			err(1, "connect");
		wait_set_add(&run->set, session->fd, session);
	}
	measurement_init(&run->measurement, options);
}

static void run_done(struct udp_run *run)
{
	measurement_print(&run->measurement);
	for (size_t i = 0; i < run->session_count; i++)
		close(run->sessions[i].fd);
	close(run->set.fd);
	free(run->sessions);
}

/* A datagram that the kernel does not take is lost like any other. */
static void send_stamped(const struct udp_run *run, struct udp_session *session, uint64_t stamp)
{
	static union {
		struct udp_message message;
		uint8_t bytes[UDP_PAYLOAD_BYTES_MAX];
	} datagram = { .message.kind = UDP_ECHO };
	datagram.message.value = stamp;
	session->stamp = stamp;
	(void)!send(session->fd, &datagram, run->request_bytes, 0);
}

/* The stamp of the next answer that is there; false when there is none. */
static bool receive_stamp(const struct udp_session *session, uint64_t *ret_stamp)
{
	struct udp_message message;
	ssize_t got = recv(session->fd, &message, sizeof(message), 0);
	if (got != sizeof(message))
		return false;
	*ret_stamp = message.value;
	return true;
}

/* The session that has waited longest for its turn. */
static struct udp_session *take_next(struct udp_run *run)
{
	struct udp_session *session;
	do
		session = &run->sessions[run->next++ % run->session_count];
	while (session->stamp != 0);
	return session;
}

/* Answers to what was given up as lost are ignored. */
static void receive_and_send_again(struct udp_run *run, struct udp_session *session)
{
	uint64_t stamp;
	while (receive_stamp(session, &stamp)) {
		if (stamp != session->stamp)
			continue;
		uint64_t now = now_ns();
		measurement_record(&run->measurement, stamp, now - stamp);
		session->stamp = 0;
		send_stamped(run, take_next(run), now);
	}
}

static void replace_lost(struct udp_run *run)
{
	uint64_t now = now_ns();
	for (size_t i = 0; i < run->session_count; i++) {
		struct udp_session *session = &run->sessions[i];
		if (session->stamp == 0 || now - session->stamp < LOST_NS)
			continue;
		measurement_record_error(&run->measurement, session->stamp);
		send_stamped(run, session, now);
	}
}

void udp_round_trips(const struct options *options)
{
	static struct udp_run run;
	run_init(&run, options);
	size_t active = options->active > 0 && options->active < options->connections ? (size_t)options->active
										      : run.session_count;
	while (run.next < active)
		send_stamped(&run, take_next(&run), now_ns());
	uint64_t next_check_ns = now_ns() + LOST_NS;
	for (uint64_t now = now_ns(); now < run.measurement.end_ns; now = now_ns()) {
		if (now >= next_check_ns) {
			replace_lost(&run);
			next_check_ns = now + LOST_NS;
		}
		wait_set_wait(&run.set, next_check_ns);
		for (int i = 0; i < run.set.count; i++)
			receive_and_send_again(&run, run.set.events[i].data.ptr);
	}
	run_done(&run);
}

/* Datagrams that are due go to the sessions in turn. Returns how many of them belong to the measurement. */
static uint64_t send_due(struct udp_run *run, struct pace *pace, size_t *next)
{
	uint64_t now = now_ns(), count = 0;
	for (; pace_due_ns(pace) <= now && pace_due_ns(pace) < run->measurement.end_ns; pace_advance(pace)) {
		uint64_t due = pace_due_ns(pace);
		send_stamped(run, &run->sessions[(*next)++ % run->session_count], due);
		count += measurement_contains(&run->measurement, due);
	}
	return count;
}

static void receive_all(struct udp_run *run, const struct udp_session *session)
{
	uint64_t stamp;
	while (receive_stamp(session, &stamp))
		measurement_record(&run->measurement, stamp, now_ns() - stamp);
}

void udp_open_loop(const struct options *options)
{
	static struct udp_run run;
	struct pace pace;
	size_t next = 0;
	uint64_t sent = 0;
	run_init(&run, options);
	pace_init(&pace, options->rate);
	const uint64_t give_up_ns = run.measurement.end_ns + LOST_NS;
	while (now_ns() < give_up_ns) {
		sent += send_due(&run, &pace, &next);
		bool all_sent = pace_due_ns(&pace) >= run.measurement.end_ns;
		wait_set_wait(&run.set, all_sent ? give_up_ns : pace_due_ns(&pace));
		for (int i = 0; i < run.set.count; i++)
			receive_all(&run, run.set.events[i].data.ptr);
	}
	run.measurement.errors = sent - run.measurement.count;
	run_done(&run);
}
