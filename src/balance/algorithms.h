/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The algorithms, each in the file of its name. For balance.c, which finds them by enum pool_algorithm; everybody else
 * uses balance_find.
 */
#ifndef BALANCE_ALGORITHMS_H
#define BALANCE_ALGORITHMS_H

#include "balance/balance.h"

extern const struct balancer round_robin_balancer;
extern const struct balancer least_connections_balancer;
extern const struct balancer source_hash_balancer;
extern const struct balancer two_choices_balancer; /* `random` in the configuration */
extern const struct balancer maglev_balancer;
extern const struct balancer first_balancer;

#endif
