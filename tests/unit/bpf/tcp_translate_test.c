/* SPDX-License-Identifier: Apache-2.0 */
#include "bpf/tcp_compare.h"
#include "bpf/tcp_program.h"

#include "base/random.h"

#include <errno.h>
#include <linux/capability.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum {
	FIN = 0x01,
	SYN = 0x02,
	RST = 0x04,
	PSH = 0x08,
	ACK = 0x10,
	URG = 0x20,

	ROUNDS = 200000,
	PROGRAM_ROUNDS = 20000,
};

static bool has_program;

/* --- headers ----------------------------------------------------------------------------------------------------- */

struct header {
	uint8_t bytes[TCP_HEADER_BYTES_MAX];
	uint32_t count;
};

static void put_number(uint8_t *bytes, uint32_t number)
{
	bytes[0] = (uint8_t)(number >> 24);
	bytes[1] = (uint8_t)(number >> 16);
	bytes[2] = (uint8_t)(number >> 8);
	bytes[3] = (uint8_t)number;
}

static uint32_t number_at(const struct header *header, uint32_t at)
{
	const uint8_t *bytes = header->bytes + at;
	return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static uint16_t window_of(const struct header *header)
{
	return (uint16_t)(header->bytes[14] << 8 | header->bytes[15]);
}

static void set_offset(struct header *header)
{
	header->bytes[12] = (uint8_t)(header->count / 4 << 4);
}

/* Sequence number 1000, acknowledgement 2000, window 500, urgent pointer 77. */
static struct header header_make(uint8_t flags, const void *options, uint32_t option_bytes)
{
	struct header header = { .bytes = { 0x9c, 0x40, 0x1f, 0x90 }, .count = TCP_HEADER_BYTES_MIN + option_bytes };
	put_number(header.bytes + 4, 1000);
	put_number(header.bytes + 8, 2000);
	header.bytes[13] = flags;
	header.bytes[14] = 500 >> 8;
	header.bytes[15] = 500 & 255;
	header.bytes[16] = 0xbe;
	header.bytes[17] = 0xef;
	header.bytes[19] = 77;
	if (option_bytes > 0)
		memcpy(header.bytes + TCP_HEADER_BYTES_MIN, options, option_bytes);
	set_offset(&header);
	return header;
}

#define HEADER(flags, literal) header_make(flags, literal, sizeof(literal) - 1)

static const struct tcp_translation usual = {
	.sender_clock = 7000ULL << 32 | 8001, /* 7000 more, from 8001 on */
	.receiver_clock = 300ULL << 32 | 901,
	.seq_delta = 5000,
	.ack_delta = 50,
	.shift_in = 7,
	.shift_out = 7,
	.has_timestamps = 1,
};

/* Translates it with everything there is, and holds the results against each other. */
static enum tcp_translated translate(const struct tcp_translation *translation, struct header *header)
{
	enum tcp_translated result;
	uint8_t before[TCP_HEADER_BYTES_MAX];
	memcpy(before, header->bytes, header->count);
	const char *problem = tcp_compare(translation, before, header->count, has_program, &result, header->bytes);
	if (problem != NULL) {
		for (uint32_t i = 0; i < header->count; i++)
			fprintf(stderr, "%02x%s", before[i], i % 4 == 3 ? " " : "");
		fail_msg("%s", problem);
	}
	return result;
}

static void assert_broken(struct header header)
{
	assert_int_equal(translate(&usual, &header), TCP_BROKEN);
}

/* --- without options --------------------------------------------------------------------------------------------- */

static void numbers_move_and_nothing_else_changes(void **state)
{
	(void)state;
	struct header header = HEADER(ACK | PSH | URG, "");
	struct header expected = header;
	put_number(expected.bytes + 4, 6000);
	put_number(expected.bytes + 8, 1950);
	assert_int_equal(translate(&usual, &header), TCP_TRANSLATED);
	assert_memory_equal(header.bytes, expected.bytes, header.count);
}

static void sequence_numbers_wrap(void **state)
{
	(void)state;
	struct tcp_translation translation = usual;
	struct header header = HEADER(ACK, "");
	translation.seq_delta = 0xffffff00;
	translation.ack_delta = 3000;
	put_number(header.bytes + 4, 0xffffffff);
	assert_int_equal(translate(&translation, &header), TCP_TRANSLATED);
	assert_int_equal(number_at(&header, 4), 0xfffffeff);
	assert_int_equal(number_at(&header, 8), 0xfffffc18);
	header = HEADER(ACK, "");
	translation.seq_delta = 0xffffffff - 999;
	assert_int_equal(translate(&translation, &header), TCP_TRANSLATED);
	assert_int_equal(number_at(&header, 4), 0);
}

static void reset_without_acknowledgement_keeps_its_field(void **state)
{
	(void)state;
	struct header header = HEADER(RST, "");
	assert_int_equal(translate(&usual, &header), TCP_TRANSLATED);
	assert_int_equal(number_at(&header, 4), 6000);
	assert_int_equal(number_at(&header, 8), 2000);
	header = HEADER(RST | ACK, "");
	assert_int_equal(translate(&usual, &header), TCP_TRANSLATED);
	assert_int_equal(number_at(&header, 8), 1950);
}

static void every_pair_of_scales(void **state)
{
	(void)state;
	static const uint16_t windows[] = { 0, 1, 2, 127, 128, 500, 1024, 32768, 65535 };
	struct tcp_translation translation = usual;
	for (uint8_t in = 0; in <= TCP_SCALE_MAX; in++) {
		for (uint8_t out = 0; out <= TCP_SCALE_MAX; out++) {
			for (size_t i = 0; i < sizeof(windows) / sizeof(windows[0]); i++) {
				struct header header = HEADER(ACK, "");
				translation.shift_in = in;
				translation.shift_out = out;
				header.bytes[14] = (uint8_t)(windows[i] >> 8);
				header.bytes[15] = (uint8_t)windows[i];
				assert_int_equal(translate(&translation, &header), TCP_TRANSLATED);
				uint64_t said = (uint64_t)windows[i] << in;
				uint64_t shown = (uint64_t)window_of(&header) << out;
				assert_int_equal(said == 0, shown == 0);
				assert_true(shown <= said || window_of(&header) == 1);
				assert_true(said - shown < 1ULL << out || window_of(&header) == 65535 || shown > said);
			}
		}
	}
}

static void window_of_a_syn_has_no_scale(void **state)
{
	(void)state;
	struct tcp_translation translation = usual;
	struct header header = HEADER(SYN, "\2\4\5\xb4\1\3\3\7");
	translation.shift_out = 0;
	assert_int_equal(translate(&translation, &header), TCP_TRANSLATED);
	assert_int_equal(window_of(&header), 500);
}

/* --- timestamps -------------------------------------------------------------------------------------------------- */

#define TIMES  "\x8\xa\0\0\3\xe8\0\0\x7\xd0" /* 1000, echo of 2000 */
#define OTHERS "\2\4\5\xb4"                  /* an option of four bytes, which is left alone */

static void assert_times(struct header header, uint32_t at)
{
	assert_int_equal(translate(&usual, &header), TCP_TRANSLATED);
	assert_int_equal(number_at(&header, at), 8000);
	assert_int_equal(number_at(&header, at + 4), 1700);
	assert_int_equal(number_at(&header, 4), 6000);
}

static void timestamps_in_every_layout(void **state)
{
	(void)state;
	assert_times(HEADER(ACK, "\1\1" TIMES), 24);
	assert_times(HEADER(ACK, TIMES "\1\1"), 22);
	assert_times(HEADER(ACK, TIMES "\0\0"), 22);
	assert_times(HEADER(ACK, "\1" TIMES "\1"), 23);
	assert_times(HEADER(ACK, OTHERS "\1\1" TIMES), 28);
	assert_times(HEADER(ACK, OTHERS "\1" TIMES "\0"), 27);
	assert_times(HEADER(ACK, "\1\1" TIMES OTHERS), 24);
	assert_times(HEADER(ACK, "\x1e\xc\0\0\0\0\0\0\0\0\0\0\1\1" TIMES), 36);
	assert_times(HEADER(ACK, "\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1" TIMES), 52);
	assert_times(HEADER(ACK, "\xfe\x1d\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0" TIMES "\0"), 51);
	assert_times(HEADER(ACK, "\1\1" TIMES TIMES "\1\1"), 24);
}

static struct header times_of(uint32_t tsval, uint32_t tsecr, bool is_usual)
{
	struct header header = is_usual ? HEADER(ACK, "\1\1" TIMES) : HEADER(ACK, TIMES "\1\1");
	put_number(header.bytes + (is_usual ? 24 : 22), tsval);
	put_number(header.bytes + (is_usual ? 28 : 26), tsecr);
	return header;
}

static uint32_t echo_of(const struct tcp_translation *translation, uint32_t tsecr)
{
	struct header aligned = times_of(1, tsecr, true);
	struct header other = times_of(1, tsecr, false);
	assert_int_equal(translate(translation, &aligned), TCP_TRANSLATED);
	assert_int_equal(translate(translation, &other), TCP_TRANSLATED);
	assert_int_equal(number_at(&aligned, 28), number_at(&other, 26));
	return number_at(&aligned, 28);
}

static void echoes_from_before_the_clock_are_0(void **state)
{
	(void)state;
	struct tcp_translation translation = usual;
	assert_int_equal(echo_of(&translation, 901), 601);
	assert_int_equal(echo_of(&translation, 900), 0);
	assert_int_equal(echo_of(&translation, 0), 0);
	assert_int_equal(echo_of(&translation, 0x80000000 + 900), 0x80000000 + 600);
	assert_int_equal(echo_of(&translation, 0x80000000 + 901), 0);
	translation.receiver_clock = tcp_clock_before(77);
	assert_int_equal(echo_of(&translation, 5000), 0);
}

static void timestamps_wrap(void **state)
{
	(void)state;
	struct tcp_translation translation = usual;
	translation.sender_clock = tcp_clock_make(0xfffffffe, 1);
	translation.receiver_clock = tcp_clock_make(5, 0xfffffff0);
	struct header header = times_of(0xffffffff, 0xffffffff, true);
	assert_int_equal(translate(&translation, &header), TCP_TRANSLATED);
	assert_int_equal(number_at(&header, 24), 2);
	assert_int_equal(number_at(&header, 28), 20);
	assert_int_equal(echo_of(&translation, 3), 24);
	assert_int_equal(echo_of(&translation, 0xffffffef), 0);
}

static void clock_is_asked_for_once(void **state)
{
	(void)state;
	struct tcp_translation translation = usual;
	struct tcp_header copy;
	struct header header = times_of(123456, 0, true);
	translation.sender_clock = 0;
	assert_int_equal(translate(&translation, &header), TCP_WANTS_CLOCK);
	memcpy(copy.bytes, header.bytes, header.count);
	assert_int_equal(tcp_translate(&translation, &copy, header.count), TCP_WANTS_CLOCK);
	assert_int_equal(tcp_found_tsval(&copy), 123456);
	translation.sender_clock = tcp_clock_make(tcp_found_tsval(&copy), 9999);
	assert_int_equal(translate(&translation, &header), TCP_TRANSLATED);
	assert_int_equal(number_at(&header, 24), 9999);
	/* What says no time needs none: resets, for one. */
	translation.sender_clock = 0;
	header = HEADER(RST, "");
	assert_int_equal(translate(&translation, &header), TCP_TRANSLATED);
}

static void clocks_go_on_from_those_of_sockets(void **state)
{
	(void)state;
	tcp_clock clock = tcp_clock_make(10, 4);
	assert_int_equal(tcp_clock_delta(clock), 0xfffffffa);
	assert_int_equal(tcp_clock_since(clock), 5);
	assert_true(tcp_clock_is_chosen(tcp_clock_make(0, 0)));
	assert_false(tcp_clock_is_chosen(tcp_clock_before(0xffffffff)));
	/* The socket's clock began at 5000 and is at 5700 now; the peer's says 20. */
	clock = tcp_clock_choose(tcp_clock_before(5000), 20, 700 * 1000000ULL);
	assert_int_equal(20 + tcp_clock_delta(clock), 5700 + TCP_CLOCK_AHEAD_MS);
	clock = tcp_clock_choose(tcp_clock_before(0xffffff00), 20, (5ULL << 32) * 1000000 + 400 * 1000000ULL);
	assert_int_equal(20 + tcp_clock_delta(clock), 144 + TCP_CLOCK_AHEAD_MS);
}

static void timestamps_that_nobody_agreed_on_are_left_alone(void **state)
{
	(void)state;
	struct tcp_translation translation = usual;
	struct header header = times_of(1000, 2000, true);
	translation.has_timestamps = 0;
	translation.sender_clock = 0;
	assert_int_equal(translate(&translation, &header), TCP_TRANSLATED);
	assert_int_equal(number_at(&header, 24), 1000);
	assert_int_equal(number_at(&header, 28), 2000);
	assert_int_equal(number_at(&header, 4), 6000);
}

/* --- SACK -------------------------------------------------------------------------------------------------------- */

#define BLOCK "\0\0\x8\0\0\0\x9\0" /* 2048 to 2304 */

static void assert_blocks(struct header header, uint32_t at, uint32_t count)
{
	assert_int_equal(translate(&usual, &header), TCP_TRANSLATED);
	for (uint32_t i = 0; i < count; i++) {
		assert_int_equal(number_at(&header, at + 8 * i), 1998);
		assert_int_equal(number_at(&header, at + 8 * i + 4), 2254);
	}
	assert_int_equal(number_at(&header, 8), 1950);
}

static void sack_blocks_in_every_layout(void **state)
{
	(void)state;
	assert_blocks(HEADER(ACK, "\1\1\5\xa" BLOCK), 24, 1);
	assert_blocks(HEADER(ACK, "\5\xa" BLOCK "\1\1"), 22, 1);
	assert_blocks(HEADER(ACK, "\1\5\xa" BLOCK "\0"), 23, 1);
	assert_blocks(HEADER(ACK, "\1\1\5\x12" BLOCK BLOCK), 24, 2);
	assert_blocks(HEADER(ACK, "\1\1\5\x1a" BLOCK BLOCK BLOCK), 24, 3);
	assert_blocks(HEADER(ACK, "\1\1\5\x22" BLOCK BLOCK BLOCK BLOCK), 24, 4);
	assert_blocks(HEADER(ACK, OTHERS "\1\5\x22" BLOCK BLOCK BLOCK BLOCK "\0"), 27, 4);
	assert_blocks(HEADER(ACK, "\1\1\1\1\1\1\5\x22" BLOCK BLOCK BLOCK BLOCK), 28, 4);
	assert_blocks(HEADER(ACK, "\1\1" TIMES "\1\1\5\x1a" BLOCK BLOCK BLOCK), 36, 3);
	assert_blocks(HEADER(ACK, "\5\x1a" BLOCK BLOCK BLOCK TIMES "\1\1\1\1"), 22, 3);
	assert_blocks(HEADER(ACK, "\5\xa" BLOCK "\5\x12" BLOCK BLOCK "\1\1"), 22, 1);
	assert_times(HEADER(ACK, "\1\1" TIMES "\1\1\5\x1a" BLOCK BLOCK BLOCK), 24);
	assert_times(HEADER(ACK, "\1\1\5\x12" BLOCK BLOCK "\1\1" TIMES), 44);
}

static void sack_edges_wrap(void **state)
{
	(void)state;
	struct header header = HEADER(ACK, "\1\1\5\xa\0\0\0\x31\0\0\0\x33");
	assert_int_equal(translate(&usual, &header), TCP_TRANSLATED);
	assert_int_equal(number_at(&header, 24), 0xffffffff);
	assert_int_equal(number_at(&header, 28), 1);
}

/* --- what is not translated -------------------------------------------------------------------------------------- */

static void other_options_are_left_alone(void **state)
{
	(void)state;
	static const char options[] =
		"\x1e\x14\x20\x81\x11\x22\x33\x44\x55\x66\x77\x88\x5\xa\x8\xa\xaa\xbb\xcc\xdd\1\4\2\1"
		"\x3\x3\x7\x13\2\xfd\3\x8";
	struct header header = HEADER(ACK, options);
	assert_int_equal(translate(&usual, &header), TCP_TRANSLATED);
	assert_memory_equal(header.bytes + TCP_HEADER_BYTES_MIN, options, sizeof(options) - 1);
}

static void nothing_counts_after_the_last_option(void **state)
{
	(void)state;
	struct header header = HEADER(ACK, "\1\0" TIMES "\5\0\5\xff");
	assert_int_equal(translate(&usual, &header), TCP_TRANSLATED);
	assert_memory_equal(header.bytes + TCP_HEADER_BYTES_MIN, "\1\0" TIMES "\5\0\5\xff", 16);
}

static void broken_options_are_told(void **state)
{
	(void)state;
	assert_broken(HEADER(ACK, "\xfd\0\1\1"));
	assert_broken(HEADER(ACK, "\xfd\1\1\1"));
	assert_broken(HEADER(ACK, "\xfd\5\1\1"));
	assert_broken(HEADER(ACK, "\1\1\1\xfd"));
	assert_broken(HEADER(ACK, "\1\1\1\x8"));
	assert_broken(HEADER(ACK, "\1\1\x8\xa"));
	assert_broken(HEADER(ACK, "\x8\xb\0\0\3\xe8\0\0\x7\xd0\0\1"));
	assert_broken(HEADER(ACK, "\x8\x6\0\0\3\xe8\0\0"));
	assert_broken(HEADER(ACK, "\5\2\1\1"));
	assert_broken(HEADER(ACK, "\5\x6\0\0\0\1\1\1"));
	assert_broken(HEADER(ACK, "\5\xc" BLOCK "\0\0"));
	assert_broken(HEADER(ACK, "\5\xff" BLOCK "\0\0"));
	assert_broken(HEADER(ACK, "\1\1" TIMES "\1\1\1\5"));
	assert_broken(HEADER(ACK, "\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\5"));
}

/* --- many of them ------------------------------------------------------------------------------------------------ */

static struct random random_numbers;

static uint32_t below(uint32_t bound)
{
	return random_below(&random_numbers, bound);
}

/* Near the ends of what there is more often than elsewhere. */
static uint32_t any_number(void)
{
	uint32_t number = (uint32_t)random_next(&random_numbers);
	switch (below(4)) {
	case 0:
		return number % 8 - 4;
	case 1:
		return 0x80000000 + number % 8 - 4;
	default:
		return number;
	}
}

static void add_option(struct header *header, uint32_t option_bytes_max)
{
	static const uint8_t kinds[] = { 0, 1, 1, 1, 2, 3, 4, 5, 5, 5, 8, 8, 8, 19, 28, 29, 30, 172, 253 };
	uint32_t left = TCP_HEADER_BYTES_MIN + option_bytes_max - header->count;
	uint8_t *option = header->bytes + header->count;
	option[0] = kinds[below(sizeof(kinds))];
	uint32_t length = 2 + below(38);
	if (option[0] <= 1)
		length = 1;
	else if (option[0] == 8 && below(20) != 0)
		length = 10;
	else if (option[0] == 5 && below(20) != 0)
		length = 2 + 8 * (1 + below(4));
	if (length > left && below(20) != 0) {
		option[0] = 1;
		length = 1;
	}
	if (length > 1 && left > 1)
		option[1] = below(40) == 0 ? (uint8_t)any_number() : (uint8_t)length;
	for (uint32_t i = 2; i < length && i < left; i++)
		option[i] = (uint8_t)(below(8) == 0 ? 0xff : any_number());
	header->count += length < left ? length : left;
}

static struct header any_header(void)
{
	struct header header = { .count = TCP_HEADER_BYTES_MIN };
	uint32_t option_bytes = 4 * below(11);
	for (uint32_t i = 0; i < TCP_HEADER_BYTES_MIN; i += 4)
		put_number(header.bytes + i, any_number());
	while (header.count < TCP_HEADER_BYTES_MIN + option_bytes)
		add_option(&header, option_bytes);
	set_offset(&header);
	return header;
}

static tcp_clock any_clock(void)
{
	return below(8) == 0 ? tcp_clock_before(any_number()) : tcp_clock_make(any_number(), any_number());
}

static void model_says_the_same_of_any_header(void **state)
{
	(void)state;
	int counts[3] = { 0 };
	random_init_seed(&random_numbers, 20);
	for (int i = 0; i < (has_program ? PROGRAM_ROUNDS : ROUNDS); i++) {
		struct header header = any_header();
		struct tcp_translation translation = {
			.sender_clock = any_clock(),
			.receiver_clock = any_clock(),
			.seq_delta = any_number(),
			.ack_delta = any_number(),
			.shift_in = (uint8_t)below(TCP_SCALE_MAX + 1),
			.shift_out = (uint8_t)below(TCP_SCALE_MAX + 1),
			.has_timestamps = below(8) != 0,
		};
		counts[translate(&translation, &header)]++;
	}
	for (int i = 0; i < 3; i++)
		assert_true(counts[i] > PROGRAM_ROUNDS / 100);
}

/* What is done to a segment of one direction is taken back by what is done to its echo from the other. */
static void both_directions_belong_together(void **state)
{
	(void)state;
	struct tcp_translation back = usual;
	back.sender_clock = usual.receiver_clock;
	back.receiver_clock = usual.sender_clock;
	back.seq_delta = usual.ack_delta;
	back.ack_delta = usual.seq_delta;
	struct header sent = times_of(1001, 0, true);
	assert_int_equal(translate(&usual, &sent), TCP_TRANSLATED);
	struct header answer = times_of(600, number_at(&sent, 24), true);
	put_number(answer.bytes + 8, number_at(&sent, 4));
	put_number(answer.bytes + 4, 1950);
	assert_int_equal(translate(&back, &answer), TCP_TRANSLATED);
	assert_int_equal(number_at(&answer, 8), 1000);
	assert_int_equal(number_at(&answer, 4), 2000);
	assert_int_equal(number_at(&answer, 28), 1001);
	assert_int_equal(number_at(&answer, 24), 900);
}

/* --- each as C alone, and again with the program in the kernel --------------------------------------------------- */

static bool is_program_loaded;

static int without_program(void **state)
{
	(void)state;
	has_program = false;
	return 0;
}

static int with_program(void **state)
{
	(void)state;
	has_program = is_program_loaded;
	return 0;
}

/* What strait has when it runs with what its documentation asks for, and no more. */
static bool keep_two_capabilities(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct caps[2] = { 0 };
	caps[0].effective = caps[0].permitted = 1U << CAP_NET_ADMIN;
	caps[1].effective = caps[1].permitted = 1U << (CAP_BPF - 32);
	return syscall(SYS_capset, &head, caps) == 0;
}

static void verifier_wants_no_cap_perfmon(void **state)
{
	(void)state;
	int status;
	if (!is_program_loaded)
		skip();
	pid_t child = fork();
	if (child == 0)
		_exit(keep_two_capabilities() && tcp_program_load() == 0 ? 0 : 1);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static int load_program(void **state)
{
	(void)state;
	int result = tcp_program_load();
	if (result == -EPERM)
		print_message("# skipped in the kernel: eBPF programs may not be loaded here\n");
	is_program_loaded = result == 0;
	return result == -EPERM ? 0 : result;
}

static int unload_program(void **state)
{
	(void)state;
	tcp_program_unload();
	return 0;
}

#define TEST(function)                                                                                                 \
	{ #function, function, without_program, NULL, NULL },                                                          \
	{                                                                                                              \
#function "_in_the_kernel", function, with_program, NULL, NULL                                         \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(numbers_move_and_nothing_else_changes),
		TEST(sequence_numbers_wrap),
		TEST(reset_without_acknowledgement_keeps_its_field),
		TEST(every_pair_of_scales),
		TEST(window_of_a_syn_has_no_scale),
		TEST(timestamps_in_every_layout),
		TEST(echoes_from_before_the_clock_are_0),
		TEST(timestamps_wrap),
		TEST(clock_is_asked_for_once),
		TEST(clocks_go_on_from_those_of_sockets),
		TEST(timestamps_that_nobody_agreed_on_are_left_alone),
		TEST(sack_blocks_in_every_layout),
		TEST(sack_edges_wrap),
		TEST(other_options_are_left_alone),
		TEST(nothing_counts_after_the_last_option),
		TEST(broken_options_are_told),
		TEST(model_says_the_same_of_any_header),
		TEST(both_directions_belong_together),
		cmocka_unit_test(verifier_wants_no_cap_perfmon),
	};
	return cmocka_run_group_tests(tests, load_program, unload_program);
}
