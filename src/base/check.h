/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CHECK: assertions that stay in release builds. For programming errors only, never for input, a peer or the kernel
 * saying no. One condition each, no side effects.
 */
#ifndef BASE_CHECK_H
#define BASE_CHECK_H

#include <stdnoreturn.h>

#define CHECK(condition) ((condition) ? (void)0 : check_failed(#condition, __FILE__, __LINE__))

/* Prints the condition and its place to stderr and aborts. Any thread. */
noreturn void check_failed(const char *condition, const char *file, int line);

#endif
