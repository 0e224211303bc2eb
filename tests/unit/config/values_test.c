/* SPDX-License-Identifier: Apache-2.0 */
#include "config/values.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static const uint64_t untouched = 0xdeadbeef;

typedef int (*parse_function)(struct span text, uint64_t *ret_number, struct value_hint *ret_hint);

struct accepted {
	const char *text;
	uint64_t number;
};

struct refused {
	const char *text;
	int error;
	const char *hint;
};

static void accepts(parse_function parse, const struct accepted *cases, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct value_hint hint;
		uint64_t number = untouched;
		assert_int_equal(parse(span_from_text(cases[i].text), &number, &hint), 0);
		assert_int_equal(number, cases[i].number);
	}
}

static void refuses(parse_function parse, const struct refused *cases, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct value_hint hint = { "not written" };
		uint64_t number = untouched;
		assert_int_equal(parse(span_from_text(cases[i].text), &number, &hint), cases[i].error);
		assert_string_equal(hint.text, cases[i].hint);
		assert_int_equal(number, untouched);
	}
}

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static void reads_times(void **state)
{
	(void)state;
	static const struct accepted cases[] = {
		{ "250ms", 250 },
		{ "10s", 10000 },
		{ "1h30m", 5400000 },
		{ "2d", 172800000 },
		{ "1d2h3m4s5ms", 93784005 },
		{ "0s", 0 },
		{ "00010s", 10000 },
		{ "18446744073709551615ms", UINT64_MAX },
	};
	accepts(value_parse_time, cases, COUNT_OF(cases));
}

static void refuses_times(void **state)
{
	(void)state;
	static const struct refused cases[] = {
		{ "", -EINVAL, "it is empty" },
		{ "10", -EINVAL, "seconds or milliseconds? write 10s" },
		{ "1h30", -EINVAL, "the last number has no unit" },
		{ "0s0", -EINVAL, "the last number has no unit" },
		{ "s", -EINVAL, "" },
		{ "-1s", -EINVAL, "it cannot be negative" },
		{ "+1s", -EINVAL, "write it without the +" },
		{ "1.5s", -EINVAL, "write it without a fraction, in a smaller unit" },
		{ "1,000s", -EINVAL, "write the digits without separators" },
		{ "1_000s", -EINVAL, "write the digits without separators" },
		{ "10sec", -EINVAL, "write 10s" },
		{ "5min", -EINVAL, "write 5m" },
		{ "3S", -EINVAL, "write 3s" },
		{ "2hours", -EINVAL, "write 2h" },
		{ "9days", -EINVAL, "write 9d" },
		{ "500us", -EINVAL, "the smallest unit is ms" },
		{ "3w", -EINVAL, "" },
		{ "10 s", -EINVAL, "" },
		{ " 10s", -EINVAL, "" },
		{ "10s ", -EINVAL, "" },
		{ "30m1h", -EINVAL, "write each unit once, the largest first" },
		{ "1s1s", -EINVAL, "write each unit once, the largest first" },
		{ "18446744073709551616ms", -ERANGE, "" },
		{ "18446744073709551615s", -ERANGE, "" },
		{ "213503982334d14454801551616ms", -ERANGE, "" },
		{ "99999999999999999999999999999999999d", -ERANGE, "" },
	};
	refuses(value_parse_time, cases, COUNT_OF(cases));
}

static void reads_sizes(void **state)
{
	(void)state;
	static const struct accepted cases[] = {
		{ "0", 0 },          { "4096", 4096 },       { "64k", 65536 },
		{ "16m", 16777216 }, { "1g", 1073741824 },   { "1KiB", 1024 },
		{ "1MiB", 1048576 }, { "3GiB", 3221225472 }, { "1kB", 1000 },
		{ "1MB", 1000000 },  { "2GB", 2000000000 },  { "17179869183g", 18446744072635809792ull },
	};
	accepts(value_parse_size, cases, COUNT_OF(cases));
}

static void refuses_sizes(void **state)
{
	(void)state;
	static const struct refused cases[] = {
		{ "", -EINVAL, "it is empty" },
		{ "k", -EINVAL, "" },
		{ "64K", -EINVAL, "write 64k" },
		{ "16M", -EINVAL, "write 16m" },
		{ "1mib", -EINVAL, "write 1MiB" },
		{ "1KB", -EINVAL, "write 1kB" },
		{ "1t", -EINVAL, "" },
		{ "1.5g", -EINVAL, "write it without a fraction, in a smaller unit" },
		{ "17179869184g", -ERANGE, "" },
		{ "18446744073709551616", -ERANGE, "" },
	};
	refuses(value_parse_size, cases, COUNT_OF(cases));
}

static void reads_counts(void **state)
{
	(void)state;
	static const struct accepted cases[] = { { "0", 0 },
						 { "200", 200 },
						 { "50k", 50000 },
						 { "2M", 2000000 },
						 { "18446744073709M", 18446744073709000000ull } };
	accepts(value_parse_count, cases, COUNT_OF(cases));
}

static void refuses_counts(void **state)
{
	(void)state;
	static const struct refused cases[] = {
		{ "", -EINVAL, "it is empty" },
		{ "many", -EINVAL, "" },
		{ "50K", -EINVAL, "write 50k" },
		{ "2m", -EINVAL, "write 2M" },
		{ "1g", -EINVAL, "" },
		{ "0x10", -EINVAL, "" },
		{ "1e3", -EINVAL, "" },
		{ "-1", -EINVAL, "it cannot be negative" },
		{ "1'000", -EINVAL, "write the digits without separators" },
		{ "18446744073710M", -ERANGE, "" },
	};
	refuses(value_parse_count, cases, COUNT_OF(cases));
}

static void reads_percentages(void **state)
{
	(void)state;
	static const struct accepted accepted[] = { { "0", 0 }, { "50%", 50 }, { "50", 50 }, { "125%", 125 } };
	static const struct refused refused[] = {
		{ "%", -EINVAL, "" },
		{ "50%%", -EINVAL, "" },
		{ "half", -EINVAL, "" },
		{ "-5%", -EINVAL, "it cannot be negative" },
		{ "0.5%", -EINVAL, "write it without a fraction, in a smaller unit" },
	};
	accepts(value_parse_percent, accepted, COUNT_OF(accepted));
	refuses(value_parse_percent, refused, COUNT_OF(refused));
}

static void reads_shares(void **state)
{
	(void)state;
	static const struct accepted accepted[] = { { "1/1", 1 }, { "1/100", 100 }, { "1/10k", 10000 } };
	static const struct refused refused[] = {
		{ "100", -EINVAL, "write 1/100" },
		{ "5%", -EINVAL, "write 1/20" },
		{ "2/10", -EINVAL, "write 1/5" },
		{ "3/10", -EINVAL, "a share is one in N: 1/N" },
		{ "0", -EINVAL, "one in how many? write 1/N" },
		{ "half", -EINVAL, "one in how many? write 1/N" },
		{ "1/x", -EINVAL, "" },
		{ "1/", -EINVAL, "it is empty" },
		{ "/10", -EINVAL, "a share is one in N: 1/N" },
	};
	accepts(value_parse_share, accepted, COUNT_OF(accepted));
	refuses(value_parse_share, refused, COUNT_OF(refused));
}

static void reads_rates(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		struct config_rate rate;
	} cases[] = {
		{ "20/s", { 20, 1000 } },
		{ "2k/s", { 2000, 1000 } },
		{ "100/m", { 100, 60000 } },
		{ "1M/h", { 1000000, 3600000 } },
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct value_hint hint;
		struct config_rate rate = { 0 };
		assert_int_equal(value_parse_rate(span_from_text(cases[i].text), &rate, &hint), 0);
		assert_int_equal(rate.amount, cases[i].rate.amount);
		assert_int_equal(rate.per_ms, cases[i].rate.per_ms);
	}
}

static void refuses_rates(void **state)
{
	(void)state;
	static const struct refused cases[] = {
		{ "", -EINVAL, "it is empty" },
		{ "2k", -EINVAL, "per second or per minute? write 2k/s" },
		{ "/s", -EINVAL, "it is empty" },
		{ "20/", -EINVAL, "per second is /s, per minute /m, per hour /h" },
		{ "20/ms", -EINVAL, "per second is /s, per minute /m, per hour /h" },
		{ "20/sec", -EINVAL, "write 20/s" },
		{ "2K/s", -EINVAL, "write 2k" },
		{ "20/s/s", -EINVAL, "per second is /s, per minute /m, per hour /h" },
		{ "99999999999999999999/s", -ERANGE, "" },
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct value_hint hint = { "not written" };
		struct config_rate rate = { untouched, untouched };
		assert_int_equal(value_parse_rate(span_from_text(cases[i].text), &rate, &hint), cases[i].error);
		assert_string_equal(hint.text, cases[i].hint);
		assert_int_equal(rate.amount, untouched);
	}
}

static void reads_bandwidths(void **state)
{
	(void)state;
	static const struct accepted accepted[] = {
		{ "1Gbit/s", 1000000000 }, { "500Mbit/s", 500000000 },   { "10MB/s", 80000000 }, { "8kbit/s", 8000 },
		{ "1000bit/s", 1000 },     { "1000B/s", 8000 },          { "64kB/s", 512000 },   { "1MiB/s", 8388608 },
		{ "2KiB/s", 16384 },       { "1Tbit/s", 1000000000000 },
	};
	static const struct refused refused[] = {
		{ "1g", -EINVAL, "bits or bytes? write 1Gbit/s or 1GB/s" },
		{ "10bps", -EINVAL, "write 10bit/s" },
		{ "10", -EINVAL, "bits or bytes? write 10Mbit/s or 10MB/s" },
		{ "10M", -EINVAL, "bits or bytes? write 10Mbit/s or 10MB/s" },
		{ "10Mbps", -EINVAL, "write 10Mbit/s" },
		{ "10MBps", -EINVAL, "write 10MB/s" },
		{ "10mbit/s", -EINVAL, "write 10Mbit/s" },
		{ "10KB/s", -EINVAL, "write 10kB/s" },
		{ "10Mbit", -EINVAL, "write 10Mbit/s" },
		{ "10b/s", -EINVAL, "write 10bit/s" },
		{ "10/s", -EINVAL, "" },
		{ "1.5Gbit/s", -EINVAL, "write it without a fraction, in a smaller unit" },
		{ "-1Gbit/s", -EINVAL, "it cannot be negative" },
		{ "", -EINVAL, "it is empty" },
		{ "fast", -EINVAL, "" },
		{ "99999999999999999999bit/s", -ERANGE, "" },
		{ "99999999999999999Gbit/s", -ERANGE, "" },
	};
	accepts(value_parse_bandwidth, accepted, COUNT_OF(accepted));
	refuses(value_parse_bandwidth, refused, COUNT_OF(refused));
}

static void reads_names(void **state)
{
	(void)state;
	static const char *const good[] = { "a", "web-1.example_com", "_x", "7", "a.-_" };
	static const char *const bad[] = { "", "-a", ".a", "a b", "a/b", "a:b", "\xc3\xa9", "a\n", "..", "a\"b" };
	char name[CONFIG_NAME_BYTES];
	char long_name[CONFIG_NAME_BYTES + 1];
	struct value_hint hint;
	for (size_t i = 0; i < COUNT_OF(good); i++) {
		assert_int_equal(value_parse_name(span_from_text(good[i]), name, &hint), 0);
		assert_string_equal(name, good[i]);
	}
	for (size_t i = 0; i < COUNT_OF(bad); i++)
		assert_int_equal(value_parse_name(span_from_text(bad[i]), name, &hint), -EINVAL);
	memset(long_name, 'n', sizeof(long_name));
	assert_int_equal(value_parse_name((struct span){ long_name, CONFIG_NAME_BYTES - 1 }, name, &hint), 0);
	assert_int_equal(value_parse_name((struct span){ long_name, CONFIG_NAME_BYTES }, name, &hint), -ERANGE);
	assert_int_equal(value_parse_name((struct span){ "a\0b", 3 }, name, &hint), -EINVAL);
}

static void times_read_back(void **state)
{
	(void)state;
	static const struct accepted cases[] = {
		{ "0s", 0 },
		{ "1ms", 1 },
		{ "1s", 1000 },
		{ "1s500ms", 1500 },
		{ "10m", 600000 },
		{ "1h30m", 5400000 },
		{ "365d", 31536000000 },
		{ "213503982334d14h25m51s615ms", UINT64_MAX },
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		char buf[VALUE_TEXT_BYTES];
		struct value_hint hint;
		uint64_t number = untouched;
		assert_string_equal(value_format_time(cases[i].number, buf), cases[i].text);
		assert_int_equal(value_parse_time(span_from_text(buf), &number, &hint), 0);
		assert_int_equal(number, cases[i].number);
	}
}

static void numbers_read_back(void **state)
{
	(void)state;
	static const uint64_t numbers[] = { 0,     1,       999,     1000,    1024,       10000,     65535,
					    65536, 1000000, 1 << 20, 1 << 30, 2000000000, UINT64_MAX };
	for (size_t i = 0; i < COUNT_OF(numbers); i++) {
		char buf[VALUE_TEXT_BYTES];
		struct value_hint hint;
		uint64_t number = untouched;
		value_format_count(numbers[i], buf);
		assert_int_equal(value_parse_count(span_from_text(buf), &number, &hint), 0);
		assert_int_equal(number, numbers[i]);
		value_format_size(numbers[i], buf);
		assert_int_equal(value_parse_size(span_from_text(buf), &number, &hint), 0);
		assert_int_equal(number, numbers[i]);
		value_format_bandwidth(numbers[i], buf);
		assert_int_equal(value_parse_bandwidth(span_from_text(buf), &number, &hint), 0);
		assert_int_equal(number, numbers[i]);
	}
}

static void bandwidths_are_written_in_bits(void **state)
{
	(void)state;
	static const struct accepted cases[] = {
		{ "0bit/s", 0 },          { "1001bit/s", 1001 },        { "8kbit/s", 8000 },
		{ "80Mbit/s", 80000000 }, { "1500Mbit/s", 1500000000 }, { "2Tbit/s", 2000000000000 }
	};
	char buf[VALUE_TEXT_BYTES];
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		assert_string_equal(value_format_bandwidth(cases[i].number, buf), cases[i].text);
}

static void reads_prefixes(void **state)
{
	(void)state;
	static const struct refused bad[] = {
		{ "", -EINVAL, "write /BITS,/BITS, such as /32,/64" },
		{ "32,64", -EINVAL, "write /BITS,/BITS, such as /32,/64" },
		{ "/,/64", -EINVAL, "write /BITS,/BITS, such as /32,/64" },
		{ "/32", -EINVAL, "a second length follows, for IPv6: /32,/64" },
		{ "/33,/64", -EINVAL, "IPv4 addresses have 32 bits" },
		{ "/32,/129", -EINVAL, "IPv6 addresses have 128 bits" },
		{ "/99999999999999999999,/64", -EINVAL, "IPv4 addresses have 32 bits" },
		{ "/32,/64,/1", -EINVAL, "there are two lengths, of IPv4 and of IPv6" },
	};
	struct config_prefixes prefixes = { 1, 2 };
	struct value_hint hint;
	assert_int_equal(value_parse_prefixes(span_from_text("/24,/56"), &prefixes, &hint), 0);
	assert_int_equal(prefixes.ipv4_bits, 24);
	assert_int_equal(prefixes.ipv6_bits, 56);
	assert_int_equal(value_parse_prefixes(span_from_text("/0,/128"), &prefixes, &hint), 0);
	assert_int_equal(prefixes.ipv4_bits, 0);
	assert_int_equal(prefixes.ipv6_bits, 128);
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		assert_int_equal(value_parse_prefixes(span_from_text(bad[i].text), &prefixes, &hint), bad[i].error);
		assert_string_equal(hint.text, bad[i].hint);
		assert_int_equal(prefixes.ipv4_bits, 0);
	}
}

static void accepts_interfaces(void **state)
{
	static const char *const good[] = { "eth0", "eth0,eth1", "wg-1.2,enp0s31f6,br@lan", "a,b,a",
					    "fifteen_bytes_x" };
	static const struct {
		const char *text;
		const char *hint;
	} bad[] = {
		{ "", "names have one comma between them" },
		{ "eth0,", "names have one comma between them" },
		{ ",eth0", "names have one comma between them" },
		{ "a,,b", "names have one comma between them" },
		{ "sixteen_bytes_xy", "the name of an interface is at most 15 bytes long" },
		{ "eth0:1", "the name of an interface has no spaces, '/' and ':'" },
		{ "eth0, eth1", "the name of an interface has no spaces, '/' and ':'" },
		{ "../x", "the name of an interface has no spaces, '/' and ':'" },
	};
	struct value_hint hint;
	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_int_equal(value_accept_interfaces(span_from_text(good[i]), &hint), 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(value_accept_interfaces(span_from_text(bad[i].text), &hint), -EINVAL);
		assert_string_equal(hint.text, bad[i].hint);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_times),        cmocka_unit_test(refuses_times),
		cmocka_unit_test(reads_sizes),        cmocka_unit_test(refuses_sizes),
		cmocka_unit_test(reads_counts),       cmocka_unit_test(refuses_counts),
		cmocka_unit_test(reads_percentages),  cmocka_unit_test(reads_shares),
		cmocka_unit_test(reads_rates),        cmocka_unit_test(refuses_rates),
		cmocka_unit_test(reads_bandwidths),   cmocka_unit_test(reads_names),
		cmocka_unit_test(times_read_back),    cmocka_unit_test(numbers_read_back),
		cmocka_unit_test(reads_prefixes),     cmocka_unit_test(bandwidths_are_written_in_bits),
		cmocka_unit_test(accepts_interfaces),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
