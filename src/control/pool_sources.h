/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Can connections to servers come from where a pool's `source` says? Asks the kernel by binding sockets that send nothing, each
 * time: addresses come and go (VRRP), and what cannot be used now may be used later. Control thread.
 */
#ifndef CONTROL_POOL_SOURCES_H
#define CONTROL_POOL_SOURCES_H

#include "control/daemon.h"

enum { POOL_SOURCES_PROBLEM_BYTES = 192 };

/* What is wrong, for people, in ret_problem of POOL_SOURCES_PROBLEM_BYTES; false: nothing is. */
bool pool_sources_find_problem(const struct pool_policy *policy, char *ret_problem);

/* Writes an event for each pool with a problem: at the start, and after a reload. */
void pool_sources_report_problems(const struct daemon *daemon);

/* A worker has found none of a pool's sources usable. error: a positive errno. */
void pool_sources_report_refusal(const struct daemon *daemon, const struct pool *pool, int error);

/* What the kernel gives away as ports, for relay_settings.ephemeral_ports. */
uint32_t pool_sources_read_ephemeral_ports(void);

#endif
