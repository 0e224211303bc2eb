/* SPDX-License-Identifier: Apache-2.0 */
#include "commands.h"
#include "pace.h"
#include "tcp_connection.h"
#include "wait_set.h"

#include <err.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define DRAIN_NS (NS_PER_S / 2) /* how long an open loop waits for its last answers */

struct tcp_run {
	struct measurement measurement;
	struct tcp_traffic traffic;
	struct wait_set set;
	struct tcp_connection *connections;
	size_t connection_count;
};

static void open_connection(struct tcp_run *run, struct tcp_connection *connection)
{
	int error = tcp_connection_open(connection, &run->measurement.options->address);
	if (error) {
		errno = -error;
		err(1, "connect");
	}
	wait_set_add(&run->set, connection->fd, connection);
}

static void run_init(struct tcp_run *run, const struct options *options)
{
	tcp_traffic_init(&run->traffic, options);
	wait_set_init(&run->set);
	run->connection_count = (size_t)options->connections;
	run->connections = calloc(run->connection_count, sizeof(*run->connections));
	if (!run->connections)
		err(1, "memory");
	measurement_init(&run->measurement, options);
	for (size_t i = 0; i < run->connection_count; i++)
		open_connection(run, &run->connections[i]);
}

static void run_done(struct tcp_run *run)
{
	measurement_print(&run->measurement);
	for (size_t i = 0; i < run->connection_count; i++)
		close(run->connections[i].fd);
	close(run->set.fd);
	free(run->connections);
	tcp_traffic_done(&run->traffic);
}

/* What an event allows. Returns the number of answers that came, or -errno. */
static int handle_event(struct tcp_run *run, const struct epoll_event *event)
{
	struct tcp_connection *connection = event->data.ptr;
	int error = 0;
	if (event->events & EPOLLOUT)
		error = tcp_connection_flush(connection, &run->traffic);
	if (!error && event->events & (EPOLLIN | EPOLLRDHUP | EPOLLERR | EPOLLHUP))
		error = tcp_connection_receive(connection, &run->traffic, &run->measurement);
	return error;
}

static void fail(int error)
{
	errno = -error;
	err(1, "a keep-alive connection");
}

static void send_request(struct tcp_run *run, struct tcp_connection *connection)
{
	tcp_connection_request(connection, &run->traffic, now_ns());
	int error = tcp_connection_flush(connection, &run->traffic);
	if (error)
		fail(error);
}

void tcp_round_trips(const struct options *options)
{
	static struct tcp_run run;
	run_init(&run, options);
	for (size_t i = 0; i < run.connection_count; i++)
		tcp_connection_request(&run.connections[i], &run.traffic, now_ns());
	while (now_ns() < run.measurement.end_ns) {
		wait_set_wait(&run.set, run.measurement.end_ns);
		for (int i = 0; i < run.set.count; i++) {
			int answers = handle_event(&run, &run.set.events[i]);
			if (answers < 0)
				fail(answers);
			for (; answers > 0; answers--)
				send_request(&run, run.set.events[i].data.ptr);
		}
	}
	run_done(&run);
}

/* The next connection in the place of one that was answered or failed. */
static void replace_connection(struct tcp_run *run, struct tcp_connection *connection)
{
	close(connection->fd);
	open_connection(run, connection);
	tcp_connection_request(connection, &run->traffic, now_ns());
}

void tcp_churn(const struct options *options)
{
	static struct tcp_run run;
	run_init(&run, options);
	for (size_t i = 0; i < run.connection_count; i++)
		tcp_connection_request(&run.connections[i], &run.traffic, now_ns());
	while (now_ns() < run.measurement.end_ns) {
		wait_set_wait(&run.set, run.measurement.end_ns);
		for (int i = 0; i < run.set.count; i++) {
			int answers = handle_event(&run, &run.set.events[i]);
			if (answers < 0)
				measurement_record_error(&run.measurement, now_ns());
			if (answers != 0)
				replace_connection(&run, run.set.events[i].data.ptr);
		}
	}
	run_done(&run);
}

/* Requests that are due go to the connections in turn. */
static void send_due_requests(struct tcp_run *run, struct pace *pace, size_t *next)
{
	uint64_t now = now_ns();
	for (; pace_due_ns(pace) <= now && pace_due_ns(pace) < run->measurement.end_ns; pace_advance(pace)) {
		struct tcp_connection *connection = &run->connections[(*next)++ % run->connection_count];
		if (!tcp_connection_request(connection, &run->traffic, pace_due_ns(pace)))
			measurement_record_error(&run->measurement, pace_due_ns(pace));
		int error = tcp_connection_flush(connection, &run->traffic);
		if (error)
			fail(error);
	}
}

static void record_unanswered(struct tcp_run *run)
{
	for (size_t i = 0; i < run->connection_count; i++) {
		struct tcp_connection *connection = &run->connections[i];
		for (uint32_t k = connection->answered_count; k != connection->sent_count; k++)
			measurement_record_error(&run->measurement, connection->stamps[k % TCP_UNANSWERED_MAX]);
	}
}

void tcp_open_loop(const struct options *options)
{
	static struct tcp_run run;
	struct pace pace;
	size_t next = 0;
	run_init(&run, options);
	pace_init(&pace, options->rate);
	const uint64_t give_up_ns = run.measurement.end_ns + DRAIN_NS;
	while (now_ns() < give_up_ns) {
		send_due_requests(&run, &pace, &next);
		bool all_sent = pace_due_ns(&pace) >= run.measurement.end_ns;
		wait_set_wait(&run.set, all_sent ? give_up_ns : pace_due_ns(&pace));
		for (int i = 0; i < run.set.count; i++) {
			int answers = handle_event(&run, &run.set.events[i]);
			if (answers < 0)
				fail(answers);
		}
	}
	record_unanswered(&run);
	run_done(&run);
}
