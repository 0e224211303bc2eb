/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel/packet_guard.h"

#include "kernel/packet_fixture.h"
#include "kernel/packet_reference.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

/* As BPF_PROG_TEST_RUN gives them: linux/pkt_cls.h. */
enum { PASSED = -1, DROPPED = 2 };

static const char corpus[] = "fuzz/corpus/packet_guard";

static size_t fixture_number(const char *name)
{
	for (size_t i = 0; i < packet_fixture_count; i++) {
		struct packet_fixture fixture;
		packet_fixture_make(i, &fixture);
		if (strcmp(fixture.name, name) == 0)
			return i;
	}
	fail_msg("there is no fixture %s", name);
	return 0;
}

/* --- the classifier as C ----------------------------------------------------------------------------------------- */

static void every_fixture_has_its_class(void **state)
{
	(void)state;
	for (size_t i = 0; i < packet_fixture_count; i++) {
		struct packet_fixture fixture;
		packet_fixture_make(i, &fixture);
		int class = packet_reference_judge(fixture.frame, fixture.frame_bytes, (uint32_t)fixture.frame_bytes);
		if (class != (int)fixture.class)
			fail_msg("%s is %s", fixture.name, packet_class_word((enum packet_class) class));
	}
}

static void every_class_has_a_fixture(void **state)
{
	(void)state;
	size_t counts[PACKET_CLASS_COUNT] = { 0 };
	for (size_t i = 0; i < packet_fixture_count; i++) {
		struct packet_fixture fixture;
		packet_fixture_make(i, &fixture);
		counts[fixture.class]++;
		assert_int_equal(fixture_number(fixture.name), i);
	}
	for (enum packet_class class = PACKET_PASSED; class < PACKET_CLASS_COUNT; class ++)
		assert_true(counts[class] > 0 || class == PACKET_BLOCKED);
	assert_true(counts[PACKET_PASSED] > 60);
}

/* They are where fuzzing begins, and what integration tests send. */
static void fixtures_are_the_corpus(void **state)
{
	(void)state;
	bool is_update = getenv("UPDATE_EXPECTED") != NULL;
	size_t file_count = 0;
	mkdir(corpus, 0755);
	for (size_t i = 0; i < packet_fixture_count; i++) {
		struct packet_fixture fixture;
		uint8_t there[PACKET_FIXTURE_BYTES_MAX];
		char path[sizeof(corpus) + 1 + PACKET_FIXTURE_NAME_BYTES];
		packet_fixture_make(i, &fixture);
		snprintf(path, sizeof(path), "%s/%s", corpus, fixture.name);
		FILE *file = fopen(path, is_update ? "w" : "r");
		if (file == NULL)
			fail_msg("%s cannot be opened; UPDATE_EXPECTED=1 writes it", path);
		if (is_update)
			assert_int_equal(fwrite(fixture.frame, 1, fixture.frame_bytes, file), fixture.frame_bytes);
		else if (fread(there, 1, sizeof(there), file) != fixture.frame_bytes ||
			 memcmp(there, fixture.frame, fixture.frame_bytes) != 0)
			fail_msg("%s is not what the fixture is; UPDATE_EXPECTED=1 writes it", path);
		fclose(file);
	}
	DIR *folder = opendir(corpus);
	for (const struct dirent *entry; (entry = readdir(folder)) != NULL;)
		file_count += entry->d_name[0] != '.';
	closedir(folder);
	assert_int_equal(file_count, packet_fixture_count);
}

static int judge_as_if_long(const char *name, uint32_t packet_bytes)
{
	struct packet_fixture fixture;
	packet_fixture_make(fixture_number(name), &fixture);
	return packet_reference_judge(fixture.frame, fixture.frame_bytes, packet_bytes);
}

/* What the system puts together of many packets may be longer than its length field can say, which is 0 then. */
static void length_of_0_is_right_for_what_is_longer(void **state)
{
	(void)state;
	struct packet_fixture fixture;
	assert_int_equal(judge_as_if_long("ip_length.0", 14 + 65535), PACKET_IP_LENGTH);
	assert_int_equal(judge_as_if_long("ip_length.0", 14 + 65536), PACKET_PASSED);
	packet_fixture_make(fixture_number("passed.syn_over_ipv6"), &fixture);
	fixture.frame[14 + 4] = fixture.frame[14 + 5] = 0;
	assert_int_equal(packet_reference_judge(fixture.frame, fixture.frame_bytes, 14 + 40 + 65535),
			 PACKET_TCP_TRUNCATED);
	assert_int_equal(packet_reference_judge(fixture.frame, fixture.frame_bytes, 14 + 40 + 65536), PACKET_PASSED);
	packet_fixture_make(fixture_number("udp_length.0"), &fixture);
	fixture.frame[14 + 2] = fixture.frame[14 + 3] = 0;
	assert_int_equal(packet_reference_judge(fixture.frame, fixture.frame_bytes, 14 + 200000), PACKET_PASSED);
}

/* --- the program ------------------------------------------------------------------------------------------------- */

static struct packet_guard *guard;

/* Returns false where programs may not be loaded, as in most containers. */
static bool load(void)
{
	int result = packet_guard_new(&guard);
	if (result == -EPERM)
		print_message("# skipped: eBPF programs may not be loaded here\n");
	else
		assert_int_equal(result, 0);
	return result == 0;
}

static struct packet_guard_listen listen_at(const char *text, uint8_t protocol)
{
	struct packet_guard_listen listen = { .protocol = protocol };
	const char *problem;
	assert_int_equal(addr_parse(span_from_text(text), &listen.addr, &problem), 0);
	return listen;
}

static void listen_to(const struct packet_guard_listen *listens, size_t count)
{
	assert_int_equal(packet_guard_set_listens(guard, listens, count), 0);
}

/* Where the fixtures go. */
static void listen_as_usual(void)
{
	struct packet_guard_listen listens[] = { listen_at("*:8080", IPPROTO_TCP), listen_at("*:8080", IPPROTO_UDP),
						 listen_at("[::]:8080", IPPROTO_TCP),
						 listen_at("[::]:8080", IPPROTO_UDP) };
	listen_to(listens, 4);
}

#define NEEDS_BPF()                                                                                                    \
	do {                                                                                                           \
		if (!load())                                                                                           \
			skip();                                                                                        \
		listen_as_usual();                                                                                     \
	} while (0)

static int unload(void **state)
{
	(void)state;
	packet_guard_free(&guard);
	return 0;
}

/* Returns the class under which the frame is counted when it is dropped, else PACKET_PASSED. */
static enum packet_class run_frame(const uint8_t *frame, size_t frame_bytes)
{
	struct packet_guard_counts before;
	struct packet_guard_counts after;
	enum packet_class found = PACKET_PASSED;
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = frame, .data_size_in = (uint32_t)frame_bytes, .repeat = 1);
	packet_guard_read_counts(guard, &before);
	assert_int_equal(bpf_prog_test_run_opts(packet_guard_program(guard, INTERFACE_ETHERNET), &run), 0);
	packet_guard_read_counts(guard, &after);
	for (enum packet_class class = PACKET_PASSED; class < PACKET_CLASS_COUNT; class ++) {
		if (after.by_class[class] == before.by_class[class])
			continue;
		assert_int_equal(after.by_class[class], before.by_class[class] + 1);
		assert_int_equal(found, PACKET_PASSED);
		found = class;
	}
	assert_int_equal((int)run.retval, found == PACKET_PASSED ? PASSED : DROPPED);
	return found;
}

static enum packet_class run(const char *name)
{
	struct packet_fixture fixture;
	packet_fixture_make(fixture_number(name), &fixture);
	return run_frame(fixture.frame, fixture.frame_bytes);
}

static void program_says_what_the_classifier_says(void **state)
{
	(void)state;
	NEEDS_BPF();
	for (size_t i = 0; i < packet_fixture_count; i++) {
		struct packet_fixture fixture;
		packet_fixture_make(i, &fixture);
		/* The kernel does not run programs on them, so only a wire can show it: tests/integration. */
		if (fixture.class == PACKET_IP_TRUNCATED)
			continue;
		enum packet_class class = run_frame(fixture.frame, fixture.frame_bytes);
		if (class != fixture.class)
			fail_msg("%s is %s", fixture.name, packet_class_word(class));
	}
}

/* --- blocks ------------------------------------------------------------------------------------------------------ */

static struct network network(const char *text)
{
	struct network parsed;
	bool had_host_bits;
	const char *problem;
	assert_int_equal(network_parse(span_from_text(text), &parsed, &had_host_bits, &problem), 0);
	return parsed;
}

static int add(const char *text)
{
	struct network parsed = network(text);
	return packet_guard_block_add(guard, &parsed);
}

static int remove_block(const char *text)
{
	struct network parsed = network(text);
	return packet_guard_block_remove(guard, &parsed);
}

/* -1: it is not there. */
static int64_t packets(const char *text)
{
	struct network parsed = network(text);
	uint64_t count;
	int result = packet_guard_block_packets(guard, &parsed, &count);
	assert_true(result == 0 || result == -ENOENT);
	return result == 0 ? (int64_t)count : -1;
}

static void blocked_sources_are_dropped_and_counted(void **state)
{
	(void)state;
	NEEDS_BPF();
	assert_int_equal(run("passed.syn"), PACKET_PASSED);
	assert_int_equal(add("10.1.0.2"), 0);
	assert_int_equal(add("fd01::/64"), 0);
	assert_int_equal(run("passed.syn"), PACKET_BLOCKED);
	assert_int_equal(run("passed.udp"), PACKET_BLOCKED);
	assert_int_equal(run("passed.last_fragment_udp"), PACKET_BLOCKED);
	assert_int_equal(run("passed.tag"), PACKET_BLOCKED);
	assert_int_equal(run("passed.syn_over_ipv6"), PACKET_BLOCKED);
	assert_int_equal(run("passed.hop_by_hop"), PACKET_BLOCKED);
	assert_int_equal(run("passed.source_223"), PACKET_PASSED);
	assert_int_equal(run("passed.dhcp_over_ipv6"), PACKET_PASSED);
	assert_int_equal(packets("10.1.0.2"), 4);
	assert_int_equal(packets("fd01::/64"), 2);
	assert_int_equal(packets("10.1.0.3"), -1);
	assert_int_equal(add("unix:"), -EAFNOSUPPORT);
	assert_int_equal(packets("unix:"), -1);
	assert_int_equal(remove_block("unix:"), -ENOENT);
	assert_int_equal(remove_block("10.1.0.2"), 0);
	assert_int_equal(remove_block("10.1.0.2"), -ENOENT);
	assert_int_equal(run("passed.syn"), PACKET_PASSED);
	assert_int_equal(run("passed.syn_over_ipv6"), PACKET_BLOCKED);
	assert_int_equal(remove_block("fd01::/64"), 0);
	assert_int_equal(run("passed.syn_over_ipv6"), PACKET_PASSED);
}

/* Servers, routers and neighbours in a blocked network are heard. */
static void blocked_sources_are_kept_from_listen_addresses_only(void **state)
{
	(void)state;
	NEEDS_BPF();
	assert_int_equal(add("0.0.0.0/0"), 0);
	assert_int_equal(add("::/0"), 0);
	assert_int_equal(run("passed.fragmentation_needed"), PACKET_PASSED);
	assert_int_equal(run("passed.ping"), PACKET_PASSED);
	assert_int_equal(run("passed.neighbour_solicitation"), PACKET_PASSED);
	assert_int_equal(run("passed.arp"), PACKET_PASSED);
	assert_int_equal(run("passed.dhcp"), PACKET_PASSED);
	assert_int_equal(run("passed.tcp_lowest_ports"), PACKET_PASSED);
	assert_int_equal(run("tcp_syn_fin.alone"), PACKET_BLOCKED);
	assert_int_equal(run("tcp_option_length.over_ipv6"), PACKET_BLOCKED);
	listen_to(NULL, 0);
	assert_int_equal(run("passed.syn"), PACKET_PASSED);
	assert_int_equal(run("tcp_syn_fin.alone"), PACKET_TCP_SYN_FIN);
}

static void smallest_of_nested_blocks_counts(void **state)
{
	(void)state;
	NEEDS_BPF();
	assert_int_equal(add("10.0.0.0/8"), 0);
	assert_int_equal(add("10.1.0.0/24"), 0);
	assert_int_equal(packets("10.1.0.0/16"), -1);
	assert_int_equal(run("passed.syn"), PACKET_BLOCKED);
	assert_int_equal(add("10.1.0.0/24"), 0);
	assert_int_equal(packets("10.1.0.0/24"), 1);
	assert_int_equal(packets("10.0.0.0/8"), 0);
	assert_int_equal(remove_block("10.1.0.0/16"), -ENOENT);
	assert_int_equal(remove_block("10.1.0.0/24"), 0);
	assert_int_equal(run("passed.syn"), PACKET_BLOCKED);
	assert_int_equal(packets("10.0.0.0/8"), 1);
}

static void blocks_are_bounded(void **state)
{
	(void)state;
	NEEDS_BPF();
	struct network one = network("192.0.0.0");
	for (uint32_t i = 0; i < PACKET_BLOCKS_MAX; i++) {
		one.ip[13] = (uint8_t)(i >> 16);
		one.ip[14] = (uint8_t)(i >> 8);
		one.ip[15] = (uint8_t)i;
		assert_int_equal(packet_guard_block_add(guard, &one), 0);
	}
	assert_int_equal(add("10.1.0.2"), -ENOSPC);
	assert_int_equal(add("fd01::2"), 0);
	assert_int_equal(run("passed.syn"), PACKET_PASSED);
	assert_int_equal(remove_block("192.0.0.77"), 0);
	assert_int_equal(add("10.1.0.2"), 0);
	assert_int_equal(run("passed.syn"), PACKET_BLOCKED);
}

/* --- listen addresses -------------------------------------------------------------------------------------------- */

static void only_what_is_for_listen_addresses_is_judged(void **state)
{
	(void)state;
	NEEDS_BPF();
	struct packet_guard_listen listens[] = { listen_at("10.1.0.1:8080", IPPROTO_TCP),
						 listen_at("[fd01::1]:8080", IPPROTO_UDP) };
	listen_to(listens, 2);
	packet_guard_set_scope(guard, PACKET_GUARD_LISTENS);
	assert_int_equal(run("tcp_syn_fin.alone"), PACKET_TCP_SYN_FIN);
	assert_int_equal(run("land.tcp"), PACKET_LAND);
	assert_int_equal(run("udp_length.over_ipv6"), PACKET_UDP_LENGTH);
	assert_int_equal(run("tcp_syn_fin.over_ipv6"), PACKET_PASSED);
	assert_int_equal(run("udp_length.0"), PACKET_PASSED);
	assert_int_equal(run("port_zero.tcp_dest"), PACKET_PASSED);
	assert_int_equal(run("land.ping"), PACKET_PASSED);
	/* The port is not known. */
	assert_int_equal(run("ip_header_length.4"), PACKET_IP_HEADER_LENGTH);
	assert_int_equal(run("fragment_tiny.tcp_nothing"), PACKET_FRAGMENT_TINY);
	assert_int_equal(run("source_reserved.later_fragment"), PACKET_SOURCE_RESERVED);
	assert_int_equal(add("10.1.0.2"), 0);
	assert_int_equal(run("passed.syn"), PACKET_BLOCKED);
	assert_int_equal(run("passed.udp"), PACKET_PASSED);
	assert_int_equal(packets("10.1.0.2"), 1);
}

static void all_addresses_are_listen_addresses(void **state)
{
	(void)state;
	NEEDS_BPF();
	struct packet_guard_listen listens[] = { listen_at("*:8080", IPPROTO_TCP),
						 listen_at("[::]:8080", IPPROTO_TCP) };
	packet_guard_set_scope(guard, PACKET_GUARD_LISTENS);
	listen_to(listens, 1);
	assert_int_equal(run("tcp_syn_fin.alone"), PACKET_TCP_SYN_FIN);
	assert_int_equal(run("tcp_syn_fin.over_ipv6"), PACKET_PASSED);
	listen_to(listens + 1, 1);
	assert_int_equal(run("tcp_syn_fin.alone"), PACKET_PASSED);
	assert_int_equal(run("tcp_syn_fin.over_ipv6"), PACKET_TCP_SYN_FIN);
	listen_to(NULL, 0);
	assert_int_equal(run("tcp_syn_fin.over_ipv6"), PACKET_PASSED);
	packet_guard_set_scope(guard, PACKET_GUARD_EVERYTHING);
	assert_int_equal(run("tcp_syn_fin.alone"), PACKET_TCP_SYN_FIN);
	assert_int_equal(run("land.ping"), PACKET_LAND);
}

static void listen_addresses_are_bounded(void **state)
{
	(void)state;
	NEEDS_BPF();
	static struct packet_guard_listen listens[PACKET_LISTENS_MAX];
	for (uint32_t i = 0; i < PACKET_LISTENS_MAX; i++) {
		listens[i] = listen_at("10.1.0.1:8080", IPPROTO_UDP);
		addr_set_port(&listens[i].addr, (uint16_t)(i + 1));
	}
	assert_int_equal(add("10.1.0.2"), 0);
	assert_int_equal(packet_guard_set_listens(guard, listens, PACKET_LISTENS_MAX), -ENOSPC);
	assert_int_equal(run("passed.udp"), PACKET_PASSED);
	listen_to(listens, PACKET_LISTENS_MAX - 1);
	assert_int_equal(run("passed.udp"), PACKET_BLOCKED);
	assert_int_equal(run("passed.syn"), PACKET_PASSED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_fixture_has_its_class),
		cmocka_unit_test(every_class_has_a_fixture),
		cmocka_unit_test(fixtures_are_the_corpus),
		cmocka_unit_test(length_of_0_is_right_for_what_is_longer),
		cmocka_unit_test_teardown(program_says_what_the_classifier_says, unload),
		cmocka_unit_test_teardown(blocked_sources_are_dropped_and_counted, unload),
		cmocka_unit_test_teardown(blocked_sources_are_kept_from_listen_addresses_only, unload),
		cmocka_unit_test_teardown(smallest_of_nested_blocks_counts, unload),
		cmocka_unit_test_teardown(blocks_are_bounded, unload),
		cmocka_unit_test_teardown(only_what_is_for_listen_addresses_is_judged, unload),
		cmocka_unit_test_teardown(all_addresses_are_listen_addresses, unload),
		cmocka_unit_test_teardown(listen_addresses_are_bounded, unload),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
