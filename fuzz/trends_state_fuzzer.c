/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes are a state file of the trends or are none. They are read twice: as they are, and as the sections of a file
 * whose head and checksum are right. What is taken is used, and written and read again.
 */
#include "base/check.h"
#include "control/server_trends.h"
#include "control/trends_state.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum { NOW_S = 7200 * 100000, SEEN_BYTES = 4096, MEMORY_BYTES = 16 << 20 };

struct taken {
	struct memory_budget budget;
	struct seen_sources seen;
	struct server_trends *servers;
	uint64_t secret;
};

static void on_general(void *owner, const struct trends_general *general)
{
	struct taken *taken = owner;
	taken->secret = general->secret;
}

static void on_seen(void *owner, struct byte_reader *reader)
{
	struct taken *taken = owner;
	if (taken->seen.words != NULL)
		return;
	seen_sources_read(&taken->seen, reader, &taken->budget);
	seen_sources_note(&taken->seen, 1, NOW_S, &taken->budget);
}

static void use_sources(struct source_trends *sources, struct taken *taken)
{
	source_trends_advance(sources, NOW_S + 100, taken->secret, &taken->budget);
	for (int window = 0; window < TREND_WINDOW_COUNT; window++) {
		struct source_report report;
		char text[NETWORK_TEXT_BYTES];
		source_trends_report(sources, window, NOW_S + 100, taken->secret, &report);
		for (uint32_t i = 0; i < report.line_count; i++)
			source_format(&report.lines[i].source, text, sizeof(text));
		source_report_done(&report);
	}
}

static void on_service(void *owner, const struct trends_saved_service *service)
{
	struct taken *taken = owner;
	struct service_trend trend = service->trend, again = { 0 };
	struct trend_amounts amounts = { .of = { 1, 2, 3, 4, 5 } };
	enum usual_change changes[SERVICE_MEASURE_COUNT];
	struct byte_writer writer = { 0 };
	service_trend_set_time(&trend, NOW_S, 100);
	service_trend_write(&trend, &writer);
	struct byte_reader reader = { .left = { (const char *)writer.bytes, writer.len } };
	service_trend_read(&again, &reader, taken->secret, &taken->budget);
	CHECK(!reader.has_failed);
	if (trend.rings != NULL)
		trend_rings_add(trend.rings, NOW_S + 100, &amounts);
	service_trend_note_minute(&trend, 7, changes);
	if (trend.sources != NULL)
		use_sources(trend.sources, taken);
	service_trend_done(&again, &taken->budget);
	service_trend_done(&trend, &taken->budget);
	byte_writer_done(&writer);
}

static void on_server(void *owner, struct byte_reader *reader)
{
	struct taken *taken = owner;
	server_trends_read_in(taken->servers, NOW_S, 100, reader);
}

static void read_file(struct span file)
{
	struct taken taken = { .budget = { .max_bytes = MEMORY_BYTES } };
	const struct trends_state_reader reader = {
		.owner = &taken,
		.budget = &taken.budget,
		.on_general = on_general,
		.on_seen = on_seen,
		.on_service = on_service,
		.on_server = on_server,
	};
	seen_sources_init(&taken.seen, SEEN_BYTES);
	taken.servers = server_trends_new(&taken.budget);
	trends_state_read(file, &reader);
	server_trends_free(&taken.servers);
	seen_sources_done(&taken.seen, &taken.budget);
	CHECK(taken.budget.used_bytes == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	size_t file_len = TRENDS_HEAD_BYTES + len + TRENDS_TAIL_BYTES;
	uint8_t *file = malloc(file_len);
	CHECK(file != NULL);
	read_file((struct span){ (const char *)data, len });
	trends_state_write_head(file);
	if (len > 0)
		memcpy(file + TRENDS_HEAD_BYTES, data, len);
	trends_state_write_tail(len, XXH3_64bits(data, len), file + TRENDS_HEAD_BYTES + len);
	read_file((struct span){ (const char *)file, file_len });
	free(file);
	return 0;
}
