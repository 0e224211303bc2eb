/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The form of the file that trends are kept in over a restart:
 *
 *   head      "strait trends\n", version, the order of bytes, and the layout: how large what is written as it stands is
 *   sections  kind, length, bytes; those of an unknown kind are passed over
 *   tail      length of all sections, their checksum (XXH3), "end\n"
 *
 * Written and read on the same kind of machine. Reading believes nothing: any bytes give a part of what they hold and an
 * error, never more memory than the budget has. Pure; any thread, one at a time.
 */
#ifndef CONTROL_TRENDS_STATE_H
#define CONTROL_TRENDS_STATE_H

#include "base/byte_stream.h"
#include "pool/service.h"
#include "stats/seen_sources.h"
#include "stats/service_trend.h"

enum trends_section {
	TRENDS_SECTION_GENERAL = 1,
	TRENDS_SECTION_SEEN,
	TRENDS_SECTION_SERVICE,
	TRENDS_SECTION_SERVER,
};

enum { TRENDS_HEAD_BYTES = 24, TRENDS_TAIL_BYTES = 24 };

void trends_state_write_head(uint8_t head[TRENDS_HEAD_BYTES]);
void trends_state_write_tail(uint64_t bytes, uint64_t checksum, uint8_t tail[TRENDS_TAIL_BYTES]);

/* A section: its bytes are put into the writer between the two calls. Returns a mark for the second. */
size_t trends_state_begin_section(struct byte_writer *writer, enum trends_section kind);
void trends_state_end_section(struct byte_writer *writer, size_t mark);

struct trends_general {
	uint64_t secret;             /* that sources are hashed with */
	uint64_t written_realtime_s; /* since 1970 */
};

/* A service of a former process. */
struct trends_saved_service {
	char name[SERVICE_NAME_BYTES];
	struct service_trend trend;
	bool is_taken; /* the reader's caller's */
};

void trends_state_write_service(struct byte_writer *writer, const char *name, const struct service_trend *trend);

/* Who takes what is read. All functions get owner. */
struct trends_state_reader {
	void *owner;
	struct memory_budget *budget;
	/* Comes first, once. */
	void (*on_general)(void *owner, const struct trends_general *general);
	void (*on_seen)(void *owner, struct byte_reader *reader);
	/* Takes over what the service holds. */
	void (*on_service)(void *owner, const struct trends_saved_service *service);
	void (*on_server)(void *owner, struct byte_reader *reader);
};

/*
 * Reads a whole file. NULL when all is well; else what is wrong, a few words for people: then what was taken is good, and
 * there may be more in the file. When the file is cut, changed or foreign nothing is taken.
 */
const char *trends_state_read(struct span file, const struct trends_state_reader *reader);

#endif
