/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The windows that trends are asked for: the last minute, 10 minutes, hour and day. Each is covered by a few steps, of
 * which the oldest leaves whole when a new one begins, so a window reaches back between (steps - 1) and steps of its steps.
 */
#ifndef STATS_TREND_WINDOWS_H
#define STATS_TREND_WINDOWS_H

#include <stdint.h>

enum trend_window { TREND_1M, TREND_10M, TREND_1H, TREND_24H, TREND_WINDOW_COUNT };

enum { TREND_WINDOW_STEPS_MAX = 12 };

struct trend_window_shape {
	uint32_t step_s; /* a multiple of that of the window before */
	uint32_t steps;
};

static inline struct trend_window_shape trend_window_shape(enum trend_window window)
{
	static const struct trend_window_shape shapes[TREND_WINDOW_COUNT] = {
		[TREND_1M] = { 15, 4 },
		[TREND_10M] = { 120, 5 },
		[TREND_1H] = { 600, 6 },
		[TREND_24H] = { 7200, 12 },
	};
	return shapes[window];
}

static inline uint32_t trend_window_seconds(enum trend_window window)
{
	return trend_window_shape(window).step_s * trend_window_shape(window).steps;
}

/* The first second that the window covers at this moment. */
static inline uint64_t trend_window_begin_s(enum trend_window window, uint64_t now_s)
{
	struct trend_window_shape shape = trend_window_shape(window);
	uint64_t step = now_s / shape.step_s;
	return step + 1 > shape.steps ? (step + 1 - shape.steps) * shape.step_s : 0;
}

#endif
