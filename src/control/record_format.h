/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a record looks on a line. Two kinds of records, access records of flows and events, in two forms for people and
 * programs, and a third one for the journal of systemd, whose fields are lines:
 *
 *   JSON  {"ts":"2026-11-23T06:29:19.266Z","event":"server_down","pool":"web","server":"blue"}
 *   text  2026-11-23T06:29:19.266Z server_down pool=web server=blue cause="connection refused"
 *
 * A record is flat: a list of typed fields. Both forms have the same keys in the same order, and every key of a flow is
 * always there: a text that is not known (a refused flow has no server) is empty, a number 0, a list empty.
 *
 * Texts may come from clients and servers. In both forms a quoted text is escaped as in JSON: quotes, backslashes,
 * control characters (C0, DEL, C1), and each byte that is not part of valid UTF-8 as \u00XX. In the text form a value
 * stands without quotes only if it consists of letters, digits and . _ - : / @ % + * [ ]; so no text can look like
 * another field or another line.
 *
 * A line is at most RECORD_LINE_BYTES long: a text is cut after RECORD_TEXT_BYTES_MAX bytes and then ends in "...";
 * fields that do not fit any more are left out, and the field cut=true says so.
 *
 * Pure functions without state. Any thread.
 */
#ifndef CONTROL_RECORD_FORMAT_H
#define CONTROL_RECORD_FORMAT_H

#include "config/config.h"
#include "stats/flow_record.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	RECORD_LINE_BYTES = 8192,
	RECORD_TEXT_BYTES_MAX = 512,
};

struct record_line {
	size_t len; /* with the newline at the end; there is no zero behind it */
	char text[RECORD_LINE_BYTES];
};

enum record_kind { RECORD_TEXT, RECORD_NUMBER, RECORD_DECIMAL, RECORD_BOOLEAN, RECORD_NAMES };

/* One field of a record. Keys are constants of the program: snake_case, the unit last. */
struct record_field {
	const char *key;
	enum record_kind kind;
	uint32_t name_count; /* of names */
	union {
		const char *text; /* NULL is the empty text */
		uint64_t number;
		double decimal; /* not negative; written to three places */
		bool boolean;
		const char (*names)[FLOW_NAME_BYTES];
	};
};

static inline struct record_field record_text(const char *key, const char *text)
{
	return (struct record_field){ .key = key, .kind = RECORD_TEXT, .text = text };
}

static inline struct record_field record_number(const char *key, uint64_t number)
{
	return (struct record_field){ .key = key, .kind = RECORD_NUMBER, .number = number };
}

static inline struct record_field record_decimal(const char *key, double decimal)
{
	return (struct record_field){ .key = key, .kind = RECORD_DECIMAL, .decimal = decimal };
}

static inline struct record_field record_boolean(const char *key, bool boolean)
{
	return (struct record_field){ .key = key, .kind = RECORD_BOOLEAN, .boolean = boolean };
}

/* One of the forms that a record can have. */
enum record_form {
	RECORD_FORM_TEXT = CONFIG_LOG_TEXT,
	RECORD_FORM_JSON = CONFIG_LOG_JSON,
	RECORD_FORM_JOURNAL, /* its fields for the journal: STRAIT_EVENT=server_down, STRAIT_POOL=web, a line each */
	RECORD_FORM_COUNT
};

struct record_event {
	int64_t realtime_us;
	const char *name; /* snake_case, a constant of the program */
	const struct record_field *fields;
	size_t field_count;
};

/* sample: of how many flows this one was chosen to be written; up to 1: all are, and nothing is said of it. */
void record_format_flow(const struct flow_record *record, enum record_form form, uint64_t sample,
			struct record_line *ret_line);
void record_format_event(const struct record_event *event, enum record_form form, struct record_line *ret_line);

/* "flow_end", "flow_progress" or "flow_spared". */
const char *record_flow_event(const struct flow_record *record);

#endif
