/* SPDX-License-Identifier: Apache-2.0 */
/* One probe in a loop, for the tests of single checks: started, run to its end, and what came of it. */
#ifndef TEST_PROBE_FIXTURE_H
#define TEST_PROBE_FIXTURE_H

#include "health/health_fixture.h"
#include "health/probe.h"

extern struct fixture fixture;
extern struct probe probe;
extern bool probe_has_ended;
extern unsigned int probe_ended_count;

int probe_fixture_set_up(void **state);
int probe_fixture_tear_down(void **state);

/* With a time-out of 3 s. */
struct probe_request probe_request_to(const struct probe_kind *kind, const struct addr *addr, const char *send_text,
				      const char *expect_text);

/* Runs the check to its end. */
const struct probe_outcome *probe_run(const struct probe_request *request);

void assert_good(const struct probe_outcome *outcome);
void assert_bad(const struct probe_outcome *outcome, const char *cause);
/* It took at least min_ms, and not much longer. */
void assert_took(const struct probe_outcome *outcome, uint64_t min_ms);

/* True when this host has the family at all. */
bool has_family(int family);

#endif
