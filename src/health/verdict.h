/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a row of outcomes means: the first one decides at once, later ones must come `rise` or `fall` times in a row
 * against what is believed, so that one lost packet changes nothing. A plain value, pure. Any thread.
 */
#ifndef HEALTH_VERDICT_H
#define HEALTH_VERDICT_H

#include <stdbool.h>
#include <stdint.h>

struct verdict {
	bool is_up;              /* what is believed */
	bool is_decided;         /* by a check; false: the next one decides alone */
	uint32_t contradictions; /* outcomes in a row that say the contrary */
};

/* Notes one outcome. Returns true when it changed what is believed. */
static inline bool verdict_note(struct verdict *verdict, bool was_good, uint32_t rise, uint32_t fall)
{
	bool decides_alone = !verdict->is_decided;
	verdict->is_decided = true;
	if (was_good == verdict->is_up) {
		verdict->contradictions = 0;
		return false;
	}
	verdict->contradictions++;
	if (!decides_alone && verdict->contradictions < (was_good ? rise : fall))
		return false;
	verdict->is_up = was_good;
	verdict->contradictions = 0;
	return true;
}

#endif
