/* SPDX-License-Identifier: Apache-2.0 */
#include "control/trends_state.h"

#include <assert.h>
#include <string.h>
#include <xxhash.h>

enum { VERSION = 1, ORDER = 0x01020304, SECTION_HEAD_BYTES = 8 };

static const char head_magic[] = "strait trends\n";
static const char tail_magic[] = "end\n\0\0\0";

struct head {
	char magic[sizeof(head_magic) - 1];
	uint16_t version;
	uint32_t order;
	uint32_t layout;
};
static_assert(sizeof(struct head) == TRENDS_HEAD_BYTES, "without gaps");

struct tail {
	uint64_t bytes;
	uint64_t checksum;
	char magic[sizeof(tail_magic)];
};
static_assert(sizeof(struct tail) == TRENDS_TAIL_BYTES, "without gaps");

/* Changes when what is written as it stands has another size. */
static uint32_t layout(void)
{
	return (uint32_t)(sizeof(struct usual_learnt) * USUAL_HOURS + sizeof(struct network) * 7 +
			  sizeof(struct trend_amounts) * TREND_SLOTS_MAX + sizeof(struct source_totals));
}

static struct head make_head(void)
{
	struct head head = { .version = VERSION, .order = ORDER, .layout = layout() };
	memcpy(head.magic, head_magic, sizeof(head.magic));
	return head;
}

void trends_state_write_head(uint8_t head[TRENDS_HEAD_BYTES])
{
	struct head made = make_head();
	memcpy(head, &made, sizeof(made));
}

void trends_state_write_tail(uint64_t bytes, uint64_t checksum, uint8_t tail[TRENDS_TAIL_BYTES])
{
	struct tail made = { .bytes = bytes, .checksum = checksum };
	memcpy(made.magic, tail_magic, sizeof(made.magic));
	memcpy(tail, &made, sizeof(made));
}

size_t trends_state_begin_section(struct byte_writer *writer, enum trends_section kind)
{
	uint32_t number = kind;
	uint32_t bytes = 0;
	BYTE_WRITER_PUT(writer, number);
	BYTE_WRITER_PUT(writer, bytes);
	return writer->len;
}

void trends_state_end_section(struct byte_writer *writer, size_t mark)
{
	uint32_t bytes = (uint32_t)(writer->len - mark);
	memcpy(writer->bytes + mark - sizeof(bytes), &bytes, sizeof(bytes));
}

void trends_state_write_service(struct byte_writer *writer, const char *name, const struct service_trend *trend)
{
	char text[SERVICE_NAME_BYTES] = "";
	size_t mark = trends_state_begin_section(writer, TRENDS_SECTION_SERVICE);
	memcpy(text, name, strnlen(name, sizeof(text) - 1));
	BYTE_WRITER_PUT(writer, text);
	service_trend_write(trend, writer);
	trends_state_end_section(writer, mark);
}

/* --- reading ----------------------------------------------------------------------------------------------------- */

/* Why the file is not one that this program has written, or NULL with its sections. */
static const char *find_sections(struct span file, struct span *ret_sections)
{
	struct head expected = make_head();
	struct head head;
	struct tail tail;
	if (file.len < sizeof(head) || memcmp(file.data, head_magic, sizeof(head.magic)) != 0)
		return "it holds no trends";
	memcpy(&head, file.data, sizeof(head));
	if (memcmp(&head, &expected, sizeof(head)) != 0)
		return "it is of another version or another kind of machine";
	if (file.len < sizeof(head) + sizeof(tail))
		return "its end is missing";
	struct span sections = { file.data + sizeof(head), file.len - sizeof(head) - sizeof(tail) };
	memcpy(&tail, sections.data + sections.len, sizeof(tail));
	if (memcmp(tail.magic, tail_magic, sizeof(tail.magic)) != 0 || tail.bytes != sections.len)
		return "its end is missing";
	if (tail.checksum != XXH3_64bits(sections.data, sections.len))
		return "its checksum is wrong";
	*ret_sections = sections;
	return NULL;
}

struct reading {
	const struct trends_state_reader *reader;
	struct trends_general general;
	bool has_general;
};

static void read_general(struct reading *reading, struct byte_reader *bytes)
{
	BYTE_READER_TAKE(bytes, reading->general);
	if (bytes->has_failed || reading->has_general)
		return;
	reading->has_general = true;
	reading->reader->on_general(reading->reader->owner, &reading->general);
}

static void read_service(struct reading *reading, struct byte_reader *bytes)
{
	struct trends_saved_service service = { .is_taken = false };
	BYTE_READER_TAKE(bytes, service.name);
	if (service.name[sizeof(service.name) - 1] != '\0' || service.name[0] == '\0')
		bytes->has_failed = true;
	if (bytes->has_failed)
		return;
	service_trend_read(&service.trend, bytes, reading->general.secret, reading->reader->budget);
	if (!bytes->has_failed)
		reading->reader->on_service(reading->reader->owner, &service);
}

static void read_section(struct reading *reading, uint32_t kind, struct byte_reader *bytes)
{
	const struct trends_state_reader *reader = reading->reader;
	if (kind == TRENDS_SECTION_GENERAL)
		read_general(reading, bytes);
	else if (!reading->has_general)
		bytes->has_failed = true; /* the hashes in it mean nothing */
	else if (kind == TRENDS_SECTION_SEEN)
		reader->on_seen(reader->owner, bytes);
	else if (kind == TRENDS_SECTION_SERVICE)
		read_service(reading, bytes);
	else if (kind == TRENDS_SECTION_SERVER)
		reader->on_server(reader->owner, bytes);
}

const char *trends_state_read(struct span file, const struct trends_state_reader *reader)
{
	struct reading reading = { .reader = reader };
	struct byte_reader sections = { .left = { "", 0 } };
	bool has_nonsense = false;
	const char *problem = find_sections(file, &sections.left);
	if (problem != NULL)
		return problem;
	while (sections.left.len > 0 && !sections.has_failed) {
		uint32_t kind, bytes;
		BYTE_READER_TAKE(&sections, kind);
		BYTE_READER_TAKE(&sections, bytes);
		struct byte_reader section = { .left = byte_reader_take_span(&sections, bytes) };
		if (!sections.has_failed)
			read_section(&reading, kind, &section);
		has_nonsense = has_nonsense || section.has_failed;
	}
	return sections.has_failed || has_nonsense ? "a part of it makes no sense" : NULL;
}
