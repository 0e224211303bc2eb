/* SPDX-License-Identifier: Apache-2.0 */
/* Weights matter only in proportion: what they have in common is divided out. Any thread. */
#ifndef BALANCE_DIVISOR_H
#define BALANCE_DIVISOR_H

#include <stdint.h>

/* The greatest common divisor; that of 0 and a number is the number. */
static inline uint64_t divisor_common(uint64_t a, uint64_t b)
{
	while (b != 0) {
		uint64_t rest = a % b;
		a = b;
		b = rest;
	}
	return a;
}

#endif
