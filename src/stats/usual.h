/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is usual of one measure, and whether it is left. Learns one value a minute: a mean and a mean absolute deviation,
 * both exponentially weighted, for each hour of the week, and the same over all hours. A value is outside when it is
 * further from the mean than
 *
 *   the largest of: four times the deviation, half of the mean, a floor
 *
 * and a departure begins after USUAL_MINUTES values outside in a row, and is over after as many inside. What it goes by
 * is the hour of the week, once that has been learnt for long enough; before that all hours together; before that
 * nothing, and then nothing is said. A value outside is learnt as if it were at the border: what stays becomes usual in
 * the end, and a burst does not.
 *
 * No clock: the caller says which hour of the week it is. All zero knows nothing. One thread.
 */
#ifndef STATS_USUAL_H
#define STATS_USUAL_H

#include "base/byte_stream.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	USUAL_HOURS = 7 * 24,
	USUAL_MINUTES = 5, /* of rough traffic one in fifty is outside; five in a row come once in a thousand years */
	USUAL_HOUR_SAMPLES_MIN = 120, /* an hour of the week must have come twice */
	USUAL_ALL_SAMPLES_MIN = 24 * 60,
	USUAL_HOUR_MEMORY = 240, /* samples: four weeks */
	USUAL_ALL_MEMORY = 7 * 24 * 60,
};

struct usual_learnt {
	float mean;
	float deviation;
	uint32_t samples; /* stays at the length of the memory */
};

enum usual_basis { USUAL_NOTHING, USUAL_ALL_HOURS, USUAL_HOUR };

struct usual_verdict {
	double now;
	double usual; /* this and the next: 0 without a basis */
	double deviation;
	uint32_t samples;
	enum usual_basis basis;
	uint32_t hour; /* of the week, with USUAL_HOUR */
	bool is_unusual;
};

struct usual {
	struct usual_learnt hours[USUAL_HOURS];
	struct usual_learnt all;
	struct usual_verdict last; /* all zero: none yet */
	uint32_t run_length;       /* values in a row that say the contrary of last.is_unusual */
};

enum usual_change { USUAL_SAME, USUAL_DEPARTURE, USUAL_RETURN };

/* One value, once a minute. hour: 0 is Sunday 0:00 to 1:00. The verdict is in usual->last. */
enum usual_change usual_note(struct usual *usual, uint32_t hour, double value, double floor);

void usual_write(const struct usual *usual, struct byte_writer *writer);
/* Nonsense sets reader->has_failed. A departure is not remembered: it begins anew if it goes on. */
void usual_read(struct usual *usual, struct byte_reader *reader);

#endif
