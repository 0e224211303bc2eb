/* SPDX-License-Identifier: Apache-2.0 */
#include "health/probe.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/memory.h"
#include "net/socket.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static void close_all(struct probe *probe)
{
	timer_disarm(probe->wheel, &probe->deadline);
	if (probe->request.kind->close != NULL)
		probe->request.kind->close(probe);
	fd_close(&probe->source.fd); /* takes it out of the loop, too */
	free(probe->memory);
	probe->memory = probe->answer = NULL;
	probe->state = NULL;
}

static void end(struct probe *probe)
{
	CHECK(probe->outcome.result != PROBE_PENDING);
	close_all(probe);
	probe->on_end(probe);
}

static enum probe_next set_outcome(struct probe *probe, enum probe_result result, const char *cause)
{
	probe->outcome = (struct probe_outcome){
		.result = result,
		.duration_us = (clock_monotonic_ns() - probe->start_ns) / CLOCK_NS_PER_US,
	};
	snprintf(probe->outcome.cause, sizeof(probe->outcome.cause), "%s", cause);
	return PROBE_ENDED;
}

enum probe_next probe_succeed(struct probe *probe)
{
	return set_outcome(probe, PROBE_GOOD, "");
}

enum probe_next probe_fail(struct probe *probe, const char *cause)
{
	return set_outcome(probe, PROBE_BAD, cause);
}

enum probe_next probe_leave_undecided(struct probe *probe, const char *cause)
{
	return set_outcome(probe, PROBE_UNDECIDED, cause);
}

/* Errors that are about this process or this kernel, whoever the server is. */
static bool is_our_own_error(const struct probe *probe, int error)
{
	switch (error) {
	case EMFILE:
	case ENFILE:
	case ENOBUFS:
	case ENOMEM:
	case ENOSPC:        /* of epoll_ctl */
	case EADDRNOTAVAIL: /* no source address is here, or none has a port left */
		return true;
	case EAGAIN: /* of a unix socket: its backlog is full */
		return !addr_is_unix(&probe->request.addr);
	default:
		return false;
	}
}

enum probe_next probe_fail_errno(struct probe *probe, int error)
{
	char cause[PROBE_CAUSE_BYTES];
	const char *description = error == EAGAIN ? "the backlog is full" : strerrordesc_np(error);
	snprintf(cause, sizeof(cause), "%s", description != NULL ? description : "unknown error");
	cause[0] = (char)tolower((unsigned char)cause[0]);
	return set_outcome(probe, is_our_own_error(probe, error) ? PROBE_UNDECIDED : PROBE_BAD, cause);
}

static void time_out(struct probe *probe)
{
	uint64_t timeout_ms = probe->request.timeout_ms;
	bool is_whole = timeout_ms % CLOCK_MS_PER_S == 0;
	char cause[PROBE_CAUSE_BYTES];
	snprintf(cause, sizeof(cause), "%s within %" PRIu64 "%s", probe->lack,
		 is_whole ? timeout_ms / CLOCK_MS_PER_S : timeout_ms, is_whole ? "s" : "ms");
	probe_fail(probe, cause);
	end(probe);
}

/* Either the time is over, or the check had failed before it began. */
static void on_deadline(struct timer *timer, uint64_t now_ms)
{
	(void)now_ms;
	struct probe *probe = LIST_OWNER(timer, struct probe, deadline);
	if (probe->outcome.result == PROBE_PENDING)
		time_out(probe);
	else
		end(probe);
}

static uint32_t events_for(enum probe_next next)
{
	return next == PROBE_WANT_READ ? EPOLLIN : EPOLLOUT;
}

void probe_advance(struct probe *probe)
{
	/* Too late is too late, even if the answer is there before the timer was. */
	if (probe->loop->now_ms >= probe->deadline_ms) {
		time_out(probe);
		return;
	}
	enum probe_next next = probe->request.kind->step(probe);
	if (next != PROBE_ENDED && events_for(next) != probe->events) {
		probe->events = events_for(next);
		int result = loop_change(probe->loop, &probe->source, probe->events);
		if (result < 0)
			next = probe_fail_errno(probe, -result);
	}
	if (next == PROBE_ENDED)
		end(probe);
}

static void on_event(struct loop_source *source, uint32_t events)
{
	(void)events;
	struct probe *probe = LIST_OWNER(source, struct probe, source);
	if (source->fd >= 0) /* else an event from before the check ended */
		probe_advance(probe);
}

void probe_init(struct probe *probe, struct loop *loop, struct timer_wheel *wheel, void (*on_end)(struct probe *probe))
{
	*probe = (struct probe){
		.source = { .on_event = on_event, .fd = -1 },
		.deadline.on_expiry = on_deadline,
		.loop = loop,
		.wheel = wheel,
		.on_end = on_end,
	};
}

static struct span copy_span(struct span span, char *memory)
{
	if (span.len > 0)
		memcpy(memory, span.data, span.len);
	return (struct span){ memory, span.len };
}

/* The configuration may be replaced while the check runs. */
static void copy_request(struct probe *probe, const struct probe_request *request)
{
	size_t state_bytes = request->kind->state_bytes;
	probe->request = *request;
	size_t texts_bytes = request->preface.len + request->send.len + request->expect.len;
	probe->memory = memory_alloc(state_bytes + texts_bytes + PROBE_ANSWER_BYTES_MAX);
	probe->state = memset(probe->memory, 0, state_bytes);
	char *at = probe->memory + state_bytes;
	probe->request.preface = copy_span(request->preface, at);
	probe->request.send = copy_span(request->send, at + request->preface.len);
	probe->request.expect = copy_span(request->expect, at + request->preface.len + request->send.len);
	probe->answer = at + texts_bytes;
}

/* They belong to the policy, which may be freed while the check runs. */
static void forget_texts(struct probe_request *request)
{
	request->sources = NULL;
	request->http.method = request->http.path = request->http.host = NULL;
	request->dns.name = NULL;
	request->exec.program = request->exec.pool = request->exec.server = NULL;
}

void probe_start(struct probe *probe, const struct probe_request *request)
{
	CHECK(!probe_is_running(probe));
	copy_request(probe, request);
	probe->outcome = (struct probe_outcome){ .result = PROBE_PENDING };
	probe->is_connected = false;
	probe->sent_len = probe->answer_len = 0;
	probe->events = events_for(request->kind->first);
	probe->start_ns = clock_monotonic_ns();
	probe->deadline_ms = (probe->start_ns + CLOCK_NS_PER_MS - 1) / CLOCK_NS_PER_MS + request->timeout_ms;
	int result = request->kind->open(probe);
	forget_texts(&probe->request);
	if (result == 0 && probe->source.fd >= 0)
		result = loop_add(probe->loop, &probe->source, probe->events);
	if (result < 0) {
		probe_fail_errno(probe, -result);
		fd_close(&probe->source.fd);
	}
	bool has_failed = probe->outcome.result != PROBE_PENDING;
	/* A failure is told by the timer, too: the caller is not to be called back while it starts a check. */
	timer_arm(probe->wheel, &probe->deadline, has_failed ? 0 : probe->deadline_ms);
}

static int open_from(struct probe *probe, const struct socket_source *source, int type)
{
	const struct addr *addr = &probe->request.addr;
	int fd = socket_open_from(addr->sa.sa_family, type, source);
	if (fd < 0)
		return fd;
	int result = socket_connect(fd, addr);
	if (result < 0 && result != -EINPROGRESS)
		fd_close(&fd);
	else
		probe->source.fd = fd;
	return result;
}

int probe_connect(struct probe *probe, int type)
{
	struct socket_source source = { 0 };
	int result = -EADDRNOTAVAIL;
	for (size_t i = 0; i < probe->request.source_count && result == -EADDRNOTAVAIL; i++) {
		source.addr = probe->request.sources[i];
		result = open_from(probe, &source, type);
	}
	return probe->request.source_count > 0 ? result : open_from(probe, &source, type);
}

void probe_stop(struct probe *probe)
{
	if (probe_is_running(probe))
		close_all(probe);
}

bool probe_has_expected(const struct probe *probe)
{
	const struct span *expect = &probe->request.expect;
	return expect->len == 0 || memmem(probe->answer, probe->answer_len, expect->data, expect->len) != NULL;
}

bool probe_meets_itself(const struct probe *probe)
{
	struct addr local = { .len = sizeof(local.un) };
	struct addr peer = { .len = sizeof(peer.un) };
	if (addr_is_unix(&probe->request.addr) || getsockname(probe->source.fd, &local.sa, &local.len) < 0 ||
	    getpeername(probe->source.fd, &peer.sa, &peer.len) < 0)
		return false;
	return addr_equal(&local, &peer);
}
