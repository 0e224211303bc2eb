/* SPDX-License-Identifier: Apache-2.0 */
/* The table of flows, and what the flow program makes of packets (BPF_PROG_TEST_RUN). */
#include "kernel/flow_table.h"

#include "bpf/tcp_model.h"
#include "bpf/tcp_translate.h"
#include "kernel/flow_packets.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <limits.h>
#include <linux/if_ether.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* As BPF_PROG_TEST_RUN gives them: linux/pkt_cls.h. */
enum { TO_THE_STACK = -1, REDIRECTED = 7 };

enum { FLOWS_MAX = 4096, LOOPBACK = 1 /* any interface that is there */ };

static struct flow_table *table;
static uint8_t payload[1500];

static bool open_table(void)
{
	const struct flow_table_settings settings = { .flows_max = FLOWS_MAX };
	int result = flow_table_open(&settings, &table);
	if (result == -EPERM)
		print_message("# skipped: eBPF programs may not be loaded here\n");
	else
		assert_int_equal(result, 0);
	return result == 0;
}

#define NEEDS_BPF()                                                                                                    \
	do {                                                                                                           \
		if (table == NULL && !open_table())                                                                    \
			skip();                                                                                        \
	} while (0)

static int close_table(void **state)
{
	(void)state;
	flow_table_close(&table);
	return 0;
}

static struct endpoint endpoint(const char *text)
{
	struct addr addr;
	const char *problem;
	assert_int_equal(addr_parse(span_from_text(text), &addr, &problem), 0);
	return endpoint_from_addr(&addr);
}

/* --- one flow ---------------------------------------------------------------------------------------------------- */

struct ends {
	const char *client, *listen, *local, *server;
};

static const struct ends ipv4 = { "192.0.2.7:40000", "198.51.100.1:443", "10.0.0.9:51000", "10.0.1.12:8443" };
static const struct ends ipv6 = { "[2001:db8::7]:40000", "[2001:db8:1::1]:443", "[fd00::9]:51000", "[fd00:1::c]:8443" };

static struct flow_slot *make_slot(const struct ends *ends, uint8_t protocol, uint32_t *ret_number)
{
	struct endpoint client = endpoint(ends->client), listen = endpoint(ends->listen);
	struct endpoint local = endpoint(ends->local), server = endpoint(ends->server);
	struct flow_slot *slot = flow_table_take(table, ret_number);
	assert_non_null(slot);
	slot->version = endpoint_is_ipv4(&client) ? 4 : 6;
	slot->protocol = protocol;
	flow_side_set_source(&slot->sides[FLOW_TO_SERVER], &local);
	flow_side_set_dest(&slot->sides[FLOW_TO_SERVER], &server);
	flow_side_set_source(&slot->sides[FLOW_TO_CLIENT], &listen);
	flow_side_set_dest(&slot->sides[FLOW_TO_CLIENT], &client);
	slot->sides[FLOW_TO_SERVER].way_out = LOOPBACK;
	slot->sides[FLOW_TO_CLIENT].way_out = LOOPBACK;
	return slot;
}

static struct flow_slot *begin(const struct ends *ends, uint8_t protocol, uint32_t *ret_number)
{
	struct flow_slot *slot = make_slot(ends, protocol, ret_number);
	slot->flags = FLOW_SLOT_HAS_SOCKET;
	assert_int_equal(flow_table_begin(table, *ret_number), 0);
	return slot;
}

static void finish(uint32_t number)
{
	flow_table_end(table, number);
	flow_table_give(table, number);
}

/* A packet that goes that way, as it comes in, or as it should leave. */
static struct flow_says says(const struct ends *ends, enum flow_way way, bool is_changed, uint8_t protocol)
{
	const char *source = way == FLOW_TO_SERVER ? (is_changed ? ends->local : ends->client)
						   : (is_changed ? ends->listen : ends->server);
	const char *dest = way == FLOW_TO_SERVER ? (is_changed ? ends->server : ends->listen)
						 : (is_changed ? ends->client : ends->local);
	return (struct flow_says){
		.source = endpoint(source),
		.dest = endpoint(dest),
		.protocol = protocol,
		.lifetime = is_changed ? 63 : 64,
		.seq = 1000000000,
		.ack = 3000000000,
		.window = 4321,
		.flags = 0x18,
		.payload = payload,
	};
}

static int run(const struct flow_frame *frame, struct flow_frame *ret_frame)
{
	int action = flow_frame_run(flow_table_program(table), frame, ret_frame);
	assert_int_not_equal(action, INT_MIN);
	return action;
}

static void assert_same(const struct flow_frame *a, const struct flow_frame *b)
{
	assert_int_equal(a->bytes, b->bytes);
	for (size_t i = 0; i < a->bytes; i++)
		if (a->at[i] != b->at[i])
			fail_msg("byte %zu of the frame is %02x, not %02x", i, a->at[i], b->at[i]);
}

/* The packet is sent on, and is what it should be. */
static void assert_becomes(const struct flow_says *before, const struct flow_says *after)
{
	struct flow_frame frame, expected, made;
	flow_frame_make(before, &frame);
	flow_frame_make(after, &expected);
	assert_int_equal(run(&frame, &made), REDIRECTED);
	assert_same(&made, &expected);
}

/* The packet goes to the stack as it is. */
static void assert_untouched(const struct flow_says *before)
{
	struct flow_frame frame, made;
	flow_frame_make(before, &frame);
	assert_int_equal(run(&frame, &made), TO_THE_STACK);
	assert_same(&made, &frame);
}

/* --- rewriting --------------------------------------------------------------------------------------------------- */

static void packets_get_the_other_side(void **state)
{
	(void)state;
	NEEDS_BPF();
	static const struct ends *const families[] = { &ipv4, &ipv6 };
	static const uint8_t protocols[] = { IPPROTO_UDP, IPPROTO_TCP };
	static const size_t sizes[] = { 0, 1, 2, 3, 64, 1001, 1400 };
	for (int i = 0; i < 16; i++) {
		const struct ends *ends = families[i & 1];
		uint8_t protocol = protocols[i >> 1 & 1];
		enum flow_way way = i >> 2 & 1;
		uint32_t number;
		begin(ends, protocol, &number);
		for (size_t j = 0; j < sizeof(sizes) / sizeof(sizes[0]); j++) {
			struct flow_says before = says(ends, way, false, protocol);
			struct flow_says after = says(ends, way, true, protocol);
			before.payload_bytes = after.payload_bytes = sizes[j];
			before.is_wrong = after.is_wrong = i >> 3; /* nobody looks, so the end that knows sees it */
			assert_becomes(&before, &after);
		}
		finish(number);
	}
}

/* Of UDP. Of IPv6, where there has to be one, it is not for us to say so. */
static void no_checksum_stays_none(void **state)
{
	(void)state;
	NEEDS_BPF();
	static const struct ends *const families[] = { &ipv4, &ipv6 };
	for (int i = 0; i < 2; i++) {
		uint32_t number;
		begin(families[i], IPPROTO_UDP, &number);
		struct flow_says before = says(families[i], FLOW_TO_SERVER, false, IPPROTO_UDP);
		struct flow_says after = says(families[i], FLOW_TO_SERVER, true, IPPROTO_UDP);
		before.has_no_checksum = after.has_no_checksum = true;
		before.payload_bytes = after.payload_bytes = 10;
		assert_becomes(&before, &after);
		finish(number);
	}
}

/* A sum of 0 is written as its complement; the payload makes each that there is. */
static void every_checksum_is_right(void **state)
{
	(void)state;
	NEEDS_BPF();
	uint32_t number;
	begin(&ipv4, IPPROTO_UDP, &number);
	struct flow_says before = says(&ipv4, FLOW_TO_SERVER, false, IPPROTO_UDP);
	struct flow_says after = says(&ipv4, FLOW_TO_SERVER, true, IPPROTO_UDP);
	uint8_t word[2];
	before.payload = after.payload = word;
	before.payload_bytes = after.payload_bytes = sizeof(word);
	for (uint32_t i = 0; i <= UINT16_MAX; i += 1) {
		word[0] = (uint8_t)(i >> 8);
		word[1] = (uint8_t)i;
		assert_becomes(&before, &after);
	}
	finish(number);
}

/* --- what is left to the stack ----------------------------------------------------------------------------------- */

static uint64_t counted(enum flow_count kind)
{
	struct flow_table_counts counts;
	flow_table_read_counts(table, &counts);
	return counts.by_kind[kind];
}

static void obstacles_go_to_the_socket(void **state)
{
	(void)state;
	NEEDS_BPF();
	uint32_t number;
	struct flow_slot *slot = begin(&ipv4, IPPROTO_UDP, &number);
	struct flow_says before = says(&ipv4, FLOW_TO_SERVER, false, IPPROTO_UDP);
	uint64_t count = counted(FLOW_COUNT_LIFETIME);
	before.payload_bytes = 1000;
	before.lifetime = 1;
	assert_untouched(&before);
	assert_int_equal(counted(FLOW_COUNT_LIFETIME), count + 1);

	before.lifetime = 64;
	struct flow_frame frame, made;
	flow_frame_make(&before, &frame);
	frame.at[ETH_HLEN + 6] = 0x20; /* more fragments */
	assert_int_equal(run(&frame, &made), TO_THE_STACK);
	assert_same(&made, &frame);
	frame.at[ETH_HLEN + 6] = 0;
	frame.at[ETH_HLEN + 7] = 3; /* a later one: what looks like ports is none */
	assert_int_equal(run(&frame, &made), TO_THE_STACK);

	slot->sides[FLOW_TO_SERVER].path_mtu = 1027;
	assert_untouched(&before);
	slot->sides[FLOW_TO_SERVER].path_mtu = 1028;
	struct flow_says after = says(&ipv4, FLOW_TO_SERVER, true, IPPROTO_UDP);
	after.payload_bytes = 1000;
	assert_becomes(&before, &after);
	finish(number);
}

/* An error that a packet of that way was larger than the path carries. It comes from a router, to whom it names. */
static void make_error(const struct flow_says *about, uint16_t mtu, struct flow_frame *ret_frame)
{
	struct flow_says error = { .dest = about->source, .lifetime = 64 };
	error.source = endpoint(endpoint_is_ipv4(&about->source) ? "203.0.113.1:1" : "[2001:db8:ff::1]:1");
	flow_frame_make_too_big(&error, about, mtu, ret_frame);
}

static uint16_t path_mtu_after(struct flow_slot *slot, const struct ends *ends, enum flow_way way, uint16_t mtu)
{
	struct flow_frame error, made;
	struct flow_says about = says(ends, way, true, slot->protocol);
	make_error(&about, mtu, &error);
	assert_int_equal(run(&error, &made), TO_THE_STACK);
	assert_same(&made, &error);
	return slot->sides[way].path_mtu;
}

static void datagrams_too_large_for_the_path_go_to_the_socket(void **state)
{
	(void)state;
	NEEDS_BPF();
	static const struct ends *const families[] = { &ipv4, &ipv6 };
	static const uint16_t mins[] = { 552, 1280 };
	for (size_t i = 0; i < 2; i++) {
		for (enum flow_way way = FLOW_TO_SERVER; way <= FLOW_TO_CLIENT; way++) {
			uint32_t number;
			struct flow_slot *slot = begin(families[i], IPPROTO_UDP, &number);
			assert_int_equal(path_mtu_after(slot, families[i], way, 1400), 1400);
			assert_int_equal(path_mtu_after(slot, families[i], way, 1420), 1400);
			assert_int_equal(path_mtu_after(slot, families[i], way, 1300), 1300);
			assert_int_equal(slot->sides[!way].path_mtu, 0);
			struct flow_says before = says(families[i], way, false, IPPROTO_UDP);
			before.payload_bytes = 1290;
			assert_untouched(&before);
			/* Who lies cannot do more than that. */
			assert_int_equal(path_mtu_after(slot, families[i], way, 0), mins[i]);
			finish(number);
		}
	}
}

/* Its sockets are still there; when they are gone nobody would cut up what is too large, or tell its sender. */
static void errors_do_not_narrow_connections(void **state)
{
	(void)state;
	NEEDS_BPF();
	uint32_t number;
	struct flow_slot *slot = begin(&ipv4, IPPROTO_TCP, &number);
	assert_int_equal(path_mtu_after(slot, &ipv4, FLOW_TO_CLIENT, 1300), 0);
	finish(number);
}

static void ip_options_go_to_the_socket(void **state)
{
	(void)state;
	NEEDS_BPF();
	uint32_t number;
	begin(&ipv4, IPPROTO_UDP, &number);
	struct flow_says before = says(&ipv4, FLOW_TO_SERVER, false, IPPROTO_UDP);
	struct flow_frame frame, made, longer;
	before.payload_bytes = 20;
	flow_frame_make(&before, &frame);
	longer = frame;
	longer.at[ETH_HLEN] = 0x46;
	memset(longer.at + ETH_HLEN + 20, 1, 4);
	memcpy(longer.at + ETH_HLEN + 24, frame.at + ETH_HLEN + 20, frame.bytes - ETH_HLEN - 20);
	longer.bytes += 4;
	uint64_t count = counted(FLOW_COUNT_OPTIONS);
	assert_int_equal(run(&longer, &made), TO_THE_STACK);
	assert_same(&made, &longer);
	assert_int_equal(counted(FLOW_COUNT_OPTIONS), count + 1);
	finish(number);
}

static void other_flows_are_not_touched(void **state)
{
	(void)state;
	NEEDS_BPF();
	uint32_t number;
	begin(&ipv4, IPPROTO_UDP, &number);
	struct flow_says other = says(&ipv4, FLOW_TO_SERVER, false, IPPROTO_UDP);
	other.source.port++;
	assert_untouched(&other);
	other = says(&ipv4, FLOW_TO_SERVER, false, IPPROTO_UDP);
	other.dest.port--;
	assert_untouched(&other);
	other = says(&ipv4, FLOW_TO_SERVER, false, IPPROTO_UDP);
	other.dest.ip[15] ^= 1;
	assert_untouched(&other);
	other = says(&ipv4, FLOW_TO_SERVER, false, IPPROTO_TCP);
	assert_untouched(&other);
	other = says(&ipv6, FLOW_TO_SERVER, false, IPPROTO_UDP);
	assert_untouched(&other);
	finish(number);
	other = says(&ipv4, FLOW_TO_SERVER, false, IPPROTO_UDP);
	assert_untouched(&other);
}

/* Whatever is cut off, nothing is read beyond it. */
static void short_frames_go_to_the_stack(void **state)
{
	(void)state;
	NEEDS_BPF();
	static const struct ends *const families[] = { &ipv4, &ipv6 };
	for (int i = 0; i < 2; i++) {
		uint32_t number;
		begin(families[i], IPPROTO_TCP, &number);
		struct flow_says before = says(families[i], FLOW_TO_SERVER, false, IPPROTO_TCP);
		struct flow_frame frame, made;
		flow_frame_make(&before, &frame);
		for (size_t bytes = frame.bytes - 1; bytes > ETH_HLEN; bytes--) {
			struct flow_frame cut = frame;
			cut.bytes = bytes;
			/* The kernel does not run programs on the shortest. */
			struct bpf_test_run_opts options = { .sz = sizeof(options),
							     .data_in = cut.at,
							     .data_size_in = (uint32_t)bytes,
							     .data_out = made.at,
							     .data_size_out = sizeof(made.at),
							     .repeat = 1 };
			if (bpf_prog_test_run_opts(flow_table_program(table), &options) == 0)
				assert_int_equal((int)options.retval, TO_THE_STACK);
		}
		finish(number);
	}
}

/* --- counting ---------------------------------------------------------------------------------------------------- */

static void datagrams_are_counted(void **state)
{
	(void)state;
	NEEDS_BPF();
	uint32_t number;
	struct flow_slot *slot = begin(&ipv4, IPPROTO_UDP, &number);
	struct flow_says before = says(&ipv4, FLOW_TO_CLIENT, false, IPPROTO_UDP);
	struct flow_says after = says(&ipv4, FLOW_TO_CLIENT, true, IPPROTO_UDP);
	for (size_t i = 0; i < 10; i++) {
		before.payload_bytes = after.payload_bytes = i * 100;
		assert_becomes(&before, &after);
	}
	assert_int_equal(slot->sides[FLOW_TO_CLIENT].packets, 10);
	assert_int_equal(slot->sides[FLOW_TO_CLIENT].bytes, 4500);
	assert_int_equal(slot->sides[FLOW_TO_SERVER].packets, 0);
	assert_true(slot->sides[FLOW_TO_CLIENT].seen_tick != 0);
	finish(number);
}

static void send_segment(uint32_t seq, size_t bytes, uint8_t flags)
{
	struct flow_says before = says(&ipv4, FLOW_TO_SERVER, false, IPPROTO_TCP);
	struct flow_says after = says(&ipv4, FLOW_TO_SERVER, true, IPPROTO_TCP);
	before.seq = after.seq = seq;
	before.payload_bytes = after.payload_bytes = bytes;
	before.flags = after.flags = flags;
	assert_becomes(&before, &after);
}

/* Of a flow whose client's bytes begin with that number: their side. */
static struct flow_side *begin_stream(uint32_t first, uint32_t *ret_number)
{
	struct flow_side *side = &begin(&ipv4, IPPROTO_TCP, ret_number)->sides[FLOW_TO_SERVER];
	side->bytes = side->first = first;
	return side;
}

/* By sequence numbers, whatever is sent again, comes in another order, or never was in the window; also over 2^32. */
static void streams_are_counted_once(void **state)
{
	(void)state;
	NEEDS_BPF();
	uint32_t number;
	struct flow_side *side = begin_stream(4294967000u, &number);
	send_segment(4294967000u, 200, 0x18);
	assert_int_equal(side->bytes - side->first, 200);
	send_segment(4294967000u, 200, 0x18); /* again */
	assert_int_equal(side->bytes - side->first, 200);
	send_segment(4294967200u + 500, 500, 0x18); /* what lies between is late, and passes the other way round */
	assert_int_equal(side->bytes - side->first, 1200);
	send_segment(4294967200u, 500, 0x18);
	assert_int_equal(side->bytes - side->first, 1200);
	send_segment(3000000000u, 100, 0x18); /* from nowhere */
	assert_int_equal(side->bytes - side->first, 1200);
	assert_int_equal(side->tcp_flags, 0);
	send_segment((uint32_t)side->bytes, 0, 0x11);
	assert_int_equal(side->tcp_flags, FLOW_TCP_FIN | FLOW_TCP_FIN_FIRST);
	assert_int_equal(side->bytes - side->first, 1200);
	send_segment((uint32_t)side->bytes, 0, 0x14);
	assert_int_equal(side->tcp_flags, FLOW_TCP_FIN | FLOW_TCP_FIN_FIRST | FLOW_TCP_RST);
	finish(number);
}

/* Who does not know the numbers ends nothing, and moves nothing: a receiver believes a reset only within its window (RFC 5961). */
static void a_reset_is_believed_by_its_number(void **state)
{
	(void)state;
	NEEDS_BPF();
	enum { SENT = 5000, ACKED = 3000, UNKNOWN = FLOW_RESET_AHEAD_MAX };
	static const struct {
		int64_t seq;
		bool is_believed;
	} resets[] = {
		{ ACKED - 1, false },
		{ SENT + UNKNOWN + 1, false },
		{ SENT + (1 << 20), false },
		{ -(1 << 20), false },
		{ ACKED, true },
		{ ACKED + 1000, true },
		{ SENT, true },
		{ SENT + 1, true },
		{ SENT + UNKNOWN, true },
	};
	for (size_t i = 0; i < sizeof(resets) / sizeof(resets[0]); i++) {
		uint32_t number, first = 4294966000u;
		struct flow_side *side = begin_stream(first, &number);
		side->bytes += SENT;
		flow_table_slot(table, number)->sides[FLOW_TO_CLIENT].acked = first + ACKED;
		send_segment(first + (uint32_t)resets[i].seq, 0, 0x04);
		assert_int_equal(side->tcp_flags, resets[i].is_believed ? FLOW_TCP_RST : 0);
		assert_int_equal(side->bytes - side->first, SENT);
		finish(number);
	}
}

/* The FIN was lost before it came here, and what its sender acknowledges afterwards has the number behind it. */
static void an_end_that_was_lost_is_no_byte(void **state)
{
	(void)state;
	NEEDS_BPF();
	uint32_t number;
	struct flow_side *side = begin_stream(4294967000u, &number);
	send_segment(4294967000u, 200, 0x18);
	send_segment(4294967201u, 0, 0x10);
	assert_int_equal(side->bytes - side->first, 200);
	send_segment(4294967200u, 0, 0x11);
	assert_int_equal(side->tcp_flags, FLOW_TCP_FIN | FLOW_TCP_FIN_FIRST);
	assert_int_equal(side->bytes - side->first, 200);
	finish(number);
}

/* An end from within the stream is nobody's. */
static void an_end_is_believed_where_the_stream_ends(void **state)
{
	(void)state;
	NEEDS_BPF();
	uint32_t number;
	struct flow_side *side = begin_stream(4294967000u, &number);
	send_segment(4294967000u, 200, 0x18);
	send_segment(4294967000u + 198, 0, 0x11);
	send_segment(3000000000u, 0, 0x11);
	assert_int_equal(side->tcp_flags, 0);
	send_segment(4294967000u + 100, 100, 0x19);
	assert_int_equal(side->tcp_flags, FLOW_TCP_FIN | FLOW_TCP_FIN_FIRST);
	finish(number);
}

/* --- joined connections ------------------------------------------------------------------------------------------ */

static uint32_t random_word(void)
{
	static uint64_t state = 88172645463325252u;
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)(state >> 16);
}

/* The options of a segment: timestamps, and up to three SACK blocks, at any offset. Returns their length. */
static size_t make_options(uint8_t *options, bool has_timestamps, int blocks)
{
	size_t at = 0;
	for (uint32_t i = random_word() % 3; i > 0; i--)
		options[at++] = 1;
	if (has_timestamps) {
		options[at] = 8;
		options[at + 1] = 10;
		for (int i = 2; i < 10; i++)
			options[at + i] = (uint8_t)(random_word() | 1);
		at += 10;
	}
	for (; at % 4 != 2 && blocks > 0; at++)
		options[at] = 1;
	if (blocks > 0) {
		options[at] = 5;
		options[at + 1] = (uint8_t)(2 + 8 * blocks);
		for (int i = 2; i < 2 + 8 * blocks; i++)
			options[at + i] = (uint8_t)random_word();
		at += 2 + 8 * (size_t)blocks;
	}
	for (; at % 4 != 0; at++)
		options[at] = 1;
	return at;
}

/* Random segments of a random join: the program does to the whole packet what the model does to its header. */
static void joined_segments_are_as_in_the_model(void **state)
{
	(void)state;
	NEEDS_BPF();
	for (int i = 0; i < 3000; i++) {
		const struct ends *ends = i & 1 ? &ipv6 : &ipv4;
		enum flow_way way = i >> 1 & 1;
		bool has_timestamps = i >> 2 & 1;
		uint8_t options[40], header[60], changed[60];
		uint32_t number;
		struct flow_slot *slot = make_slot(ends, IPPROTO_TCP, &number);
		struct flow_side *side = &slot->sides[way], *back = &slot->sides[1 - way];
		uint32_t ahead = random_word(), back_ahead = random_word();
		slot->flags = FLOW_SLOT_TRANSLATES_TCP | (has_timestamps ? FLOW_SLOT_HAS_TIMESTAMPS : 0);
		side->seq_delta = random_word();
		back->seq_delta = random_word();
		side->shift_in = random_word() % 15;
		side->shift_out = random_word() % 15;
		side->clock = (uint64_t)ahead << 32 | 1;
		back->clock = (uint64_t)back_ahead << 32 | 1;
		assert_int_equal(flow_table_begin(table, number), 0);

		struct flow_says before = says(ends, way, false, IPPROTO_TCP);
		struct flow_says after = says(ends, way, true, IPPROTO_TCP);
		before.seq = random_word();
		before.ack = random_word();
		before.window = (uint16_t)random_word();
		before.options = options;
		before.options_bytes =
			make_options(options, has_timestamps, (int)(random_word() % (has_timestamps ? 4 : 5)));
		before.payload_bytes = after.payload_bytes = random_word() % 1000;
		back->acked = before.seq + side->seq_delta;

		struct flow_frame frame;
		size_t header_at = ETH_HLEN + (i & 1 ? 40 : 20);
		size_t header_bytes = 20 + before.options_bytes;
		flow_frame_make(&before, &frame);
		memcpy(header, frame.at + header_at, header_bytes);
		const struct tcp_model_rule rule = {
			.sequence_shift = side->seq_delta,
			.acknowledgement_shift = back->seq_delta,
			.sender_scale = side->shift_in,
			.shown_scale = side->shift_out,
			.has_timestamps = has_timestamps,
			.sender = { true, ahead, 1 },
			.receiver = { true, back_ahead, 1 },
		};
		assert_int_equal(tcp_model_translate(&rule, header, header_bytes, changed), TCP_MODEL_DONE);
		struct tcphdr fixed;
		memcpy(&fixed, changed, sizeof(fixed));
		after.seq = ntohl(fixed.seq);
		after.ack = ntohl(fixed.ack_seq);
		after.window = ntohs(fixed.window);
		after.options = changed + 20;
		after.options_bytes = before.options_bytes;
		assert_becomes(&before, &after);
		finish(number);
	}
}

/*
 * A segment that carries nothing, with a number that the receiver has passed, would be dropped there together with what it
 * acknowledges. One number less asks for an answer, and resets say where they belong.
 */
static void what_is_behind_catches_up(void **state)
{
	(void)state;
	NEEDS_BPF();
	static const struct {
		int32_t behind;
		uint32_t payload_bytes;
		uint8_t flags;
		bool catches_up;
	} cases[] = {
		{ 0, 0, 0x10, false },     { 1, 0, 0x10, false }, { 2, 0, 0x10, true },  { 30000, 0, 0x10, true },
		{ 30000, 1, 0x10, false }, { 2, 0, 0x14, false }, { 2, 0, 0x11, false }, { -2, 0, 0x10, false },
	};
	for (size_t i = 0; i < 16 * sizeof(cases) / sizeof(cases[0]); i++) {
		const struct ends *ends = i & 1 ? &ipv6 : &ipv4;
		enum flow_way way = i >> 1 & 1;
		bool has_tail = i >> 2 & 1;
		uint8_t usual_options[12] = { 1, 1, 8, 10, 0, 0, 0, 5, 0, 0, 0, 5 };
		bool has_timestamps = !has_tail && (i >> 3 & 1);
		typeof(cases[0]) *one = &cases[i >> 4];
		uint32_t number;
		struct flow_slot *slot = make_slot(ends, IPPROTO_TCP, &number);
		struct flow_side *side = &slot->sides[way], *back = &slot->sides[1 - way];
		slot->flags = FLOW_SLOT_TRANSLATES_TCP | (has_timestamps ? FLOW_SLOT_HAS_TIMESTAMPS : 0) |
			      (has_tail ? FLOW_SLOT_HAS_TAIL : 0);
		side->seq_delta = 1000;
		back->acked = 7; /* it has just wrapped around */
		side->clock = back->clock = 1;
		assert_int_equal(flow_table_begin(table, number), 0);
		struct flow_says before = says(ends, way, false, IPPROTO_TCP);
		struct flow_says after = says(ends, way, true, IPPROTO_TCP);
		before.seq = 7 - side->seq_delta - (uint32_t)one->behind;
		after.seq = one->catches_up ? 7 : 7 - (uint32_t)one->behind;
		before.ack = after.ack = 100;
		before.window = after.window = 100;
		before.flags = after.flags = one->flags;
		if (has_timestamps) {
			before.options = after.options = usual_options;
			before.options_bytes = after.options_bytes = sizeof(usual_options);
		}
		before.payload_bytes = after.payload_bytes = one->payload_bytes;
		assert_becomes(&before, &after);
		finish(number);
	}
}

/* A receiver that may still have to get a tail is told of no large window. */
static void windows_are_bounded_until_the_tail_is_known(void **state)
{
	(void)state;
	NEEDS_BPF();
	static const struct {
		uint8_t flags;
		int32_t tail_bytes;
		uint16_t window;
	} cases[] = {
		{ FLOW_SLOT_HAS_TAIL, 0, 65535 },
		{ FLOW_SLOT_HAS_TAIL, 1, 32768 - 100 },
		{ FLOW_SLOT_HAS_TAIL | FLOW_SLOT_TAIL_IS_UNKNOWN, 0, 32768 - 100 },
	};
	for (size_t i = 0; i < 4 * sizeof(cases) / sizeof(cases[0]); i++) {
		const struct ends *ends = i & 1 ? &ipv6 : &ipv4;
		enum flow_way way = i >> 1 & 1;
		typeof(cases[0]) *one = &cases[i >> 2];
		uint32_t number;
		struct flow_slot *slot = make_slot(ends, IPPROTO_TCP, &number);
		struct flow_side *side = &slot->sides[way], *back = &slot->sides[1 - way];
		slot->flags = FLOW_SLOT_TRANSLATES_TCP | one->flags;
		side->first = 5000;
		back->first = 7000;
		back->acked = side->first - (uint32_t)one->tail_bytes;
		assert_int_equal(flow_table_begin(table, number), 0);
		struct flow_says before = says(ends, way, false, IPPROTO_TCP);
		struct flow_says after = says(ends, way, true, IPPROTO_TCP);
		before.seq = after.seq = side->first;
		before.ack = after.ack = back->first + 100; /* so much further than the socket has come */
		before.window = 65535;
		after.window = one->window;
		before.flags = after.flags = 0x10;
		before.payload_bytes = after.payload_bytes = 10;
		assert_becomes(&before, &after);
		finish(number);
	}
}

/* --- the table --------------------------------------------------------------------------------------------------- */

static void a_key_belongs_to_one_flow(void **state)
{
	(void)state;
	NEEDS_BPF();
	uint32_t first, second;
	begin(&ipv4, IPPROTO_UDP, &first);
	make_slot(&ipv4, IPPROTO_UDP, &second);
	assert_int_equal(flow_table_begin(table, second), -EEXIST);
	flow_table_give(table, second);
	struct flow_says before = says(&ipv4, FLOW_TO_SERVER, false, IPPROTO_UDP);
	struct flow_says after = says(&ipv4, FLOW_TO_SERVER, true, IPPROTO_UDP);
	assert_becomes(&before, &after);
	finish(first);
	assert_int_equal(flow_table_flows(table), 0);
}

static void slots_are_bounded_and_rest(void **state)
{
	(void)state;
	NEEDS_BPF();
	uint32_t numbers[FLOWS_MAX];
	uint32_t number;
	for (int i = 0; i < FLOWS_MAX; i++)
		while (flow_table_take(table, &numbers[i]) == NULL)
			usleep(10000); /* those of tests before still rest */
	assert_int_equal(flow_table_flows(table), FLOWS_MAX);
	assert_null(flow_table_take(table, &number));
	flow_table_give(table, numbers[0]);
	assert_null(flow_table_take(table, &number)); /* a packet may be on its way through the program */
	while (flow_table_take(table, &number) == NULL)
		usleep(10000);
	assert_int_equal(number, numbers[0]);
	for (int i = 0; i < FLOWS_MAX; i++)
		flow_table_give(table, numbers[i]);
	assert_int_equal(flow_table_flows(table), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(packets_get_the_other_side),
		cmocka_unit_test(no_checksum_stays_none),
		cmocka_unit_test(every_checksum_is_right),
		cmocka_unit_test(obstacles_go_to_the_socket),
		cmocka_unit_test(datagrams_too_large_for_the_path_go_to_the_socket),
		cmocka_unit_test(errors_do_not_narrow_connections),
		cmocka_unit_test(ip_options_go_to_the_socket),
		cmocka_unit_test(other_flows_are_not_touched),
		cmocka_unit_test(short_frames_go_to_the_stack),
		cmocka_unit_test(datagrams_are_counted),
		cmocka_unit_test(streams_are_counted_once),
		cmocka_unit_test(a_reset_is_believed_by_its_number),
		cmocka_unit_test(an_end_that_was_lost_is_no_byte),
		cmocka_unit_test(an_end_is_believed_where_the_stream_ends),
		cmocka_unit_test(joined_segments_are_as_in_the_model),
		cmocka_unit_test(what_is_behind_catches_up),
		cmocka_unit_test(windows_are_bounded_until_the_tail_is_known),
		cmocka_unit_test(a_key_belongs_to_one_flow),
		cmocka_unit_test(slots_are_bounded_and_rest),
	};
	for (size_t i = 0; i < sizeof(payload); i++)
		payload[i] = (uint8_t)(i * 7);
	return cmocka_run_group_tests(tests, NULL, close_table);
}
