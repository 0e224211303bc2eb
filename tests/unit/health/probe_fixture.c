/* SPDX-License-Identifier: Apache-2.0 */
#include "health/probe_fixture.h"

#include "base/fd.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { SLACK_MS = 2000 };

struct fixture fixture;
struct probe probe;
bool probe_has_ended;
unsigned int probe_ended_count;

static void note_end(struct probe *ended)
{
	assert_ptr_equal(ended, &probe);
	assert_false(probe_is_running(ended));
	probe_has_ended = true;
	probe_ended_count++;
}

int probe_fixture_set_up(void **state)
{
	(void)state;
	fixture_init(&fixture);
	probe_init(&probe, &fixture.loop, &fixture.wheel, note_end);
	probe_has_ended = false;
	probe_ended_count = 0;
	return 0;
}

int probe_fixture_tear_down(void **state)
{
	(void)state;
	fixture_done(&fixture);
	return 0;
}

struct probe_request probe_request_to(const struct probe_kind *kind, const struct addr *addr, const char *send_text,
				      const char *expect_text)
{
	return (struct probe_request){
		.kind = kind,
		.addr = *addr,
		.timeout_ms = 3000,
		.send = span_from_text(send_text),
		.expect = span_from_text(expect_text),
	};
}

const struct probe_outcome *probe_run(const struct probe_request *request)
{
	probe_has_ended = false;
	probe_start(&probe, request);
	assert_false(probe_has_ended);
	assert_true(probe_is_running(&probe));
	fixture_run_until(&fixture, &probe_has_ended);
	assert_int_equal(probe.source.fd, -1);
	return &probe.outcome;
}

void assert_good(const struct probe_outcome *outcome)
{
	assert_string_equal(outcome->cause, "");
	assert_int_equal(outcome->result, PROBE_GOOD);
}

void assert_bad(const struct probe_outcome *outcome, const char *cause)
{
	assert_string_equal(outcome->cause, cause);
	assert_int_equal(outcome->result, PROBE_BAD);
}

void assert_took(const struct probe_outcome *outcome, uint64_t min_ms)
{
	assert_in_range(outcome->duration_us, min_ms * 1000, (min_ms + SLACK_MS) * 1000);
}

bool has_family(int family)
{
	struct addr addr = fixture_addr(family, 0);
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool is_there = fd >= 0 && bind(fd, &addr.sa, addr.len) == 0;
	fd_close(&fd);
	return is_there;
}
