/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing the Prometheus text format, version 0.0.4: lines "name{label="value"} number" into one growing buffer. Label
 * values are escaped here, and bytes that are not valid UTF-8 become '?', because the format is UTF-8 throughout.
 *
 * Made for pages of a hundred thousand lines: no printf for a number, and labels are escaped once for many lines.
 * Owns its buffer. Any thread, one at a time.
 */
#ifndef CONTROL_METRICS_TEXT_H
#define CONTROL_METRICS_TEXT_H

#include "stats/histogram.h"

#include <stddef.h>
#include <stdint.h>

struct metrics_text {
	char *data; /* heap; no zero at the end */
	size_t len;
	size_t capacity;
};

enum { METRICS_LABELS_BYTES = 1024 };

/* The inside of the braces: `pool="web",server="a"`, or nothing. */
struct metrics_labels {
	size_t len;
	char text[METRICS_LABELS_BYTES];
};

/* Adds one label; a value that does not fit is cut between two characters. name is a constant of the program. */
void metrics_labels_add(struct metrics_labels *labels, const char *name, const char *value);

/* The two lines before the series of a metric; type is "counter", "gauge" or "histogram". */
void metrics_text_header(struct metrics_text *text, const char *name, const char *type, const char *help);

/* One line. name may be split, for the endings of a histogram's series: suffix is "" otherwise. */
struct metrics_series {
	const char *name;
	const char *suffix;
	const struct metrics_labels *labels;
	const char *more; /* further labels, escaped already: `reason="drained"`, or "" */
};
void metrics_text_number(struct metrics_text *text, const struct metrics_series *series, uint64_t value);
/* The same in seconds, to the microsecond. */
void metrics_text_microseconds(struct metrics_text *text, const struct metrics_series *series, uint64_t value_us);

/* All lines of one histogram: a bucket for each bound, the sum in seconds, the count. */
void metrics_text_histogram(struct metrics_text *text, const struct metrics_series *series,
			    const struct histogram_scale *scale, const struct histogram_total *total);

/* Accepts an empty one. */
void metrics_text_done(struct metrics_text *text);

#endif
