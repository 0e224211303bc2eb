/* SPDX-License-Identifier: Apache-2.0 */
#include "config/values.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <strings.h>

/* Largest unit first: the order in which they may follow each other. */
static const struct time_unit {
	const char *name;
	uint64_t ms;
} time_units[] = { { "d", 86400000 }, { "h", 3600000 }, { "m", 60000 }, { "s", 1000 }, { "ms", 1 } };

enum {
	UNIT_NUMBER_MIN = 10000, /* 1000 is easier to read than 1k */
	TIME_UNIT_COUNT = sizeof(time_units) / sizeof(time_units[0]),
	RATE_UNIT_COUNT = 3,
	BIT_UNIT_COUNT = 5, /* of bandwidth_units, the first */
};

static const struct unit {
	const char *name;
	uint64_t factor;
} size_units[] = {
	{ "", 1 },
	{ "k", 1ull << 10 },
	{ "m", 1ull << 20 },
	{ "g", 1ull << 30 },
	{ "KiB", 1ull << 10 },
	{ "MiB", 1ull << 20 },
	{ "GiB", 1ull << 30 },
	{ "kB", 1000 },
	{ "MB", 1000000 },
	{ "GB", 1000000000 },
	{ NULL, 0 },
}, count_units[] = {
	{ "", 1 },
	{ "k", 1000 },
	{ "M", 1000000 },
	{ NULL, 0 },
};

/* In bits per second. As in networks, prefixes are powers of 1000; KiB and the like are of 1024. */
static const struct unit bandwidth_units[] = {
	{ "bit/s", 1 },
	{ "kbit/s", 1000 },
	{ "Mbit/s", 1000000 },
	{ "Gbit/s", 1000000000 },
	{ "Tbit/s", 1000000000000 },
	{ "B/s", 8 },
	{ "kB/s", 8000 },
	{ "MB/s", 8000000 },
	{ "GB/s", 8000000000 },
	{ "TB/s", 8000000000000 },
	{ "KiB/s", 8ull << 10 },
	{ "MiB/s", 8ull << 20 },
	{ "GiB/s", 8ull << 30 },
	{ NULL, 0 },
};

static const struct rate_unit {
	const char *name;
	uint64_t ms;
} rate_units[RATE_UNIT_COUNT] = { { "s", 1000 }, { "m", 60000 }, { "h", 3600000 } };

/* Spellings people bring along from elsewhere. */
static const struct {
	const char *written;
	const char *meant;
} time_synonyms[] = {
	{ "sec", "s" },    { "secs", "s" },    { "second", "s" }, { "seconds", "s" }, { "min", "m" },   { "mins", "m" },
	{ "minute", "m" }, { "minutes", "m" }, { "hr", "h" },     { "hour", "h" },    { "hours", "h" }, { "day", "d" },
	{ "days", "d" },   { "msec", "ms" },   { "msecs", "ms" }, { "millis", "ms" }, { "S", "s" },     { "M", "m" },
	{ "H", "h" },      { "D", "d" },       { "MS", "ms" },
};

static int __attribute__((format(printf, 3, 4))) refuse(int error, struct value_hint *ret_hint, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(ret_hint->text, sizeof(ret_hint->text), format, arguments);
	va_end(arguments);
	return error;
}

static bool is_digit(char byte)
{
	return byte >= '0' && byte <= '9';
}

/* Takes the digits at the start off the text. */
static int digits_take(struct span *text, uint64_t *ret_number)
{
	uint64_t number = 0;
	size_t len = 0;
	for (; len < text->len && is_digit(text->data[len]); len++) {
		if (__builtin_mul_overflow(number, 10u, &number) ||
		    __builtin_add_overflow(number, (uint64_t)(text->data[len] - '0'), &number))
			return -ERANGE;
	}
	if (len == 0)
		return -EINVAL;
	text->data += len;
	text->len -= len;
	*ret_number = number;
	return 0;
}

/* A hint for text whose number cannot be read, or NULL. */
static const char *number_hint(struct span text)
{
	if (text.len == 0)
		return "it is empty";
	if (text.data[0] == '-')
		return "it cannot be negative";
	if (text.data[0] == '+')
		return "write it without the +";
	return NULL;
}

/* Refuses text in which something that is no unit follows a number. */
static int unit_refuse(struct span rest, struct value_hint *ret_hint)
{
	if (rest.len > 0 && rest.data[0] == '.')
		return refuse(-EINVAL, ret_hint, "write it without a fraction, in a smaller unit");
	if (rest.len > 0 && (rest.data[0] == ',' || rest.data[0] == '_' || rest.data[0] == '\''))
		return refuse(-EINVAL, ret_hint, "write the digits without separators");
	return refuse(-EINVAL, ret_hint, "%s", "");
}

static size_t letters_len(struct span text)
{
	size_t len = 0;
	while (len < text.len &&
	       ((text.data[len] >= 'a' && text.data[len] <= 'z') || (text.data[len] >= 'A' && text.data[len] <= 'Z')))
		len++;
	return len;
}

static int time_unit_refuse(struct span unit, struct span rest, uint64_t number, struct value_hint *ret_hint)
{
	for (size_t i = 0; i < sizeof(time_synonyms) / sizeof(time_synonyms[0]); i++) {
		if (span_equals(unit, time_synonyms[i].written))
			return refuse(-EINVAL, ret_hint, "write %llu%s", (unsigned long long)number,
				      time_synonyms[i].meant);
	}
	if (span_equals(unit, "us") || span_equals(unit, "ns"))
		return refuse(-EINVAL, ret_hint, "the smallest unit is ms");
	return unit_refuse(rest, ret_hint);
}

int value_parse_time(struct span text, uint64_t *ret_ms, struct value_hint *ret_hint)
{
	uint64_t sum = 0;
	size_t next_unit = 0;
	if (number_hint(text) != NULL)
		return refuse(-EINVAL, ret_hint, "%s", number_hint(text));
	for (struct span rest = text; rest.len > 0;) {
		uint64_t number = 0;
		int error = digits_take(&rest, &number);
		if (error != 0)
			return error == -ERANGE ? refuse(error, ret_hint, "%s", "") : unit_refuse(rest, ret_hint);
		if (rest.len == 0)
			return sum == 0 && next_unit == 0
				       ? refuse(-EINVAL, ret_hint, "seconds or milliseconds? write %llus",
						(unsigned long long)number)
				       : refuse(-EINVAL, ret_hint, "the last number has no unit");
		struct span unit = { rest.data, letters_len(rest) };
		size_t i = 0;
		while (i < TIME_UNIT_COUNT && !span_equals(unit, time_units[i].name))
			i++;
		if (i == TIME_UNIT_COUNT)
			return time_unit_refuse(unit, rest, number, ret_hint);
		if (i < next_unit)
			return refuse(-EINVAL, ret_hint, "write each unit once, the largest first");
		next_unit = i + 1;
		if (__builtin_mul_overflow(number, time_units[i].ms, &number) ||
		    __builtin_add_overflow(sum, number, &sum))
			return refuse(-ERANGE, ret_hint, "%s", "");
		rest = (struct span){ rest.data + unit.len, rest.len - unit.len };
	}
	*ret_ms = sum;
	return 0;
}

static int unit_apply(struct span unit, const struct unit *units, uint64_t *number, struct value_hint *ret_hint)
{
	for (const struct unit *candidate = units; candidate->name != NULL; candidate++) {
		if (!span_equals(unit, candidate->name))
			continue;
		if (__builtin_mul_overflow(*number, candidate->factor, number))
			return refuse(-ERANGE, ret_hint, "%s", "");
		return 0;
	}
	for (const struct unit *candidate = units; candidate->name != NULL; candidate++) {
		if (unit.len > 0 && strlen(candidate->name) == unit.len &&
		    strncasecmp(unit.data, candidate->name, unit.len) == 0)
			return refuse(-EINVAL, ret_hint, "write %llu%s", (unsigned long long)*number, candidate->name);
	}
	return unit_refuse(unit, ret_hint);
}

static int number_parse(struct span text, const struct unit *units, uint64_t *ret_number, struct value_hint *ret_hint)
{
	uint64_t number = 0;
	struct span rest = text;
	int error = digits_take(&rest, &number);
	if (error != 0) {
		const char *hint = error == -EINVAL ? number_hint(text) : NULL;
		return refuse(error, ret_hint, "%s", hint != NULL ? hint : "");
	}
	error = unit_apply(rest, units, &number, ret_hint);
	if (error == 0)
		*ret_number = number;
	return error;
}

int value_parse_size(struct span text, uint64_t *ret_bytes, struct value_hint *ret_hint)
{
	return number_parse(text, size_units, ret_bytes, ret_hint);
}

int value_parse_count(struct span text, uint64_t *ret_count, struct value_hint *ret_hint)
{
	return number_parse(text, count_units, ret_count, ret_hint);
}

int value_parse_rate(struct span text, struct config_rate *ret_rate, struct value_hint *ret_hint)
{
	struct config_rate rate = { 0 };
	const char *slash = text.len > 0 ? memchr(text.data, '/', text.len) : NULL;
	struct span amount = { text.data, slash != NULL ? (size_t)(slash - text.data) : text.len };
	int error = value_parse_count(amount, &rate.amount, ret_hint);
	if (error != 0)
		return error;
	if (slash == NULL)
		return refuse(-EINVAL, ret_hint, "per second or per minute? write %.*s/s", (int)text.len, text.data);
	struct span unit = { slash + 1, text.len - amount.len - 1 };
	for (size_t i = 0; i < RATE_UNIT_COUNT; i++) {
		if (span_equals(unit, rate_units[i].name))
			rate.per_ms = rate_units[i].ms;
	}
	if (rate.per_ms != 0)
		*ret_rate = rate;
	else if (span_equals(unit, "sec") || span_equals(unit, "second") || span_equals(unit, "min") ||
		 span_equals(unit, "minute") || span_equals(unit, "hour"))
		return refuse(-EINVAL, ret_hint, "write %.*s/%c", (int)amount.len, amount.data, unit.data[0]);
	else
		return refuse(-EINVAL, ret_hint, "per second is /s, per minute /m, per hour /h");
	return 0;
}

/* "10mbps", "1g": a b may stand for bits, a B for bytes; without either nobody knows. */
static int bandwidth_unit_refuse(struct span unit, unsigned long long number, struct value_hint *ret_hint)
{
	char prefix[2] = "";
	for (const char *known = "kMGT"; *known != '\0'; known++) {
		if (unit.len > 0 && (unit.data[0] | 0x20) == (*known | 0x20))
			prefix[0] = *known;
	}
	size_t prefix_len = strlen(prefix);
	char kind = unit.len > prefix_len ? unit.data[prefix_len] : '\0';
	if (kind == 'b')
		return refuse(-EINVAL, ret_hint, "write %llu%sbit/s", number, prefix);
	if (kind == 'B')
		return refuse(-EINVAL, ret_hint, "write %llu%sB/s", number, prefix);
	if (kind != '\0')
		return unit_refuse(unit, ret_hint);
	if (prefix_len == 0)
		prefix[0] = 'M';
	return refuse(-EINVAL, ret_hint, "bits or bytes? write %llu%sbit/s or %llu%sB/s", number, prefix, number,
		      prefix);
}

int value_parse_bandwidth(struct span text, uint64_t *ret_bits, struct value_hint *ret_hint)
{
	uint64_t number = 0;
	struct span unit = text;
	int error = digits_take(&unit, &number);
	if (error != 0) {
		const char *hint = error == -EINVAL ? number_hint(text) : NULL;
		return refuse(error, ret_hint, "%s", hint != NULL ? hint : "");
	}
	for (const struct unit *known = bandwidth_units; known->name != NULL; known++) {
		uint64_t bits;
		if (!span_equals(unit, known->name))
			continue;
		if (__builtin_mul_overflow(number, known->factor, &bits))
			return refuse(-ERANGE, ret_hint, "%s", "");
		*ret_bits = bits;
		return 0;
	}
	return bandwidth_unit_refuse(unit, number, ret_hint);
}

int value_parse_percent(struct span text, uint64_t *ret_percent, struct value_hint *ret_hint)
{
	static const struct unit units[] = { { "", 1 }, { "%", 1 }, { NULL, 0 } };
	return number_parse(text, units, ret_percent, ret_hint);
}

int value_parse_share(struct span text, uint64_t *ret_divisor, struct value_hint *ret_hint)
{
	const char *slash = text.len > 0 ? memchr(text.data, '/', text.len) : NULL;
	struct span part = { text.data, slash != NULL ? (size_t)(slash - text.data) : text.len };
	struct span whole = { slash != NULL ? slash + 1 : "", slash != NULL ? text.len - part.len - 1 : 0 };
	struct value_hint ignored;
	uint64_t number = 0;
	uint64_t divisor = 0;
	bool is_count = value_parse_count(part, &number, &ignored) == 0;
	if (slash == NULL && value_parse_percent(text, &number, &ignored) == 0 && !is_count)
		return number > 0 && 100 % number == 0
			       ? refuse(-EINVAL, ret_hint, "write 1/%llu", (unsigned long long)(100 / number))
			       : refuse(-EINVAL, ret_hint, "one in how many? write 1/N");
	if (slash == NULL)
		return is_count && number > 0 ? refuse(-EINVAL, ret_hint, "write 1/%.*s", (int)text.len, text.data)
					      : refuse(-EINVAL, ret_hint, "one in how many? write 1/N");
	int error = value_parse_count(whole, &divisor, ret_hint);
	if (error != 0)
		return error;
	if (is_count && number > 1 && divisor % number == 0)
		return refuse(-EINVAL, ret_hint, "write 1/%llu", (unsigned long long)(divisor / number));
	if (!is_count || number != 1)
		return refuse(-EINVAL, ret_hint, "a share is one in N: 1/N");
	*ret_divisor = divisor;
	return 0;
}

static bool is_name_byte(char byte)
{
	return is_digit(byte) || (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || byte == '.' ||
	       byte == '_' || byte == '-';
}

/* Takes "/32" off the text. */
static int prefix_take(struct span *text, uint64_t bits_max, uint8_t *ret_bits, struct value_hint *ret_hint)
{
	uint64_t bits = 0;
	if (text->len == 0 || text->data[0] != '/')
		return refuse(-EINVAL, ret_hint, "write /BITS,/BITS, such as /32,/64");
	text->data++;
	text->len--;
	int error = digits_take(text, &bits);
	if (error == -EINVAL)
		return refuse(-EINVAL, ret_hint, "write /BITS,/BITS, such as /32,/64");
	if (error != 0 || bits > bits_max)
		return refuse(-EINVAL, ret_hint, "%s addresses have %u bits", bits_max == 32 ? "IPv4" : "IPv6",
			      (unsigned int)bits_max);
	*ret_bits = (uint8_t)bits;
	return 0;
}

int value_parse_prefixes(struct span text, struct config_prefixes *ret_prefixes, struct value_hint *ret_hint)
{
	enum { IPV4_BITS = 32, IPV6_BITS = 128 };
	struct config_prefixes prefixes = { 0 };
	int error = prefix_take(&text, IPV4_BITS, &prefixes.ipv4_bits, ret_hint);
	if (error != 0)
		return error;
	if (text.len == 0 || text.data[0] != ',')
		return refuse(-EINVAL, ret_hint, "a second length follows, for IPv6: /32,/64");
	text.data++;
	text.len--;
	error = prefix_take(&text, IPV6_BITS, &prefixes.ipv6_bits, ret_hint);
	if (error == 0 && text.len > 0)
		error = refuse(-EINVAL, ret_hint, "there are two lengths, of IPv4 and of IPv6");
	if (error == 0)
		*ret_prefixes = prefixes;
	return error;
}

/* One of the two parts; nothing of a kind may come twice. */
static int threshold_take(struct span text, struct config_threshold *threshold, struct value_hint *ret_hint)
{
	struct value_hint ignored;
	uint64_t bytes = 0;
	uint64_t ms = 0;
	int size_error = value_parse_size(text, &bytes, &ignored);
	int time_error = value_parse_time(text, &ms, &ignored);
	if (size_error == -ERANGE || time_error == -ERANGE)
		return refuse(-ERANGE, ret_hint, "that is too much");
	if (size_error != 0 && time_error != 0)
		return refuse(-EINVAL, ret_hint, "write a size and a time, such as 64k|50ms, or one of both");
	if (size_error == 0 ? threshold->bytes != 0 : threshold->ms != 0)
		return refuse(-EINVAL, ret_hint, "there may be one size and one time");
	if (bytes == 0 && ms == 0)
		return refuse(-EINVAL, ret_hint, "more than 0");
	if (size_error == 0)
		threshold->bytes = bytes;
	else
		threshold->ms = ms;
	return 0;
}

int value_parse_threshold(struct span text, struct config_threshold *ret_threshold, struct value_hint *ret_hint)
{
	struct config_threshold threshold = { 0 };
	const char *bar = text.len > 0 ? memchr(text.data, '|', text.len) : NULL;
	struct span first = { text.data, bar != NULL ? (size_t)(bar - text.data) : text.len };
	int error = threshold_take(first, &threshold, ret_hint);
	if (error == 0 && bar != NULL)
		error = threshold_take((struct span){ bar + 1, text.len - first.len - 1 }, &threshold, ret_hint);
	if (error == 0)
		*ret_threshold = threshold;
	return error;
}

/* As the kernel has them (dev_valid_name in net/core/dev.c), and without commas. */
static int interface_accept(struct span name, struct value_hint *ret_hint)
{
	enum { LEN_MAX = 15 };
	if (name.len == 0)
		return refuse(-EINVAL, ret_hint, "names have one comma between them");
	if (name.len > LEN_MAX)
		return refuse(-EINVAL, ret_hint, "the name of an interface is at most %d bytes long", LEN_MAX);
	for (size_t i = 0; i < name.len; i++) {
		unsigned char byte = (unsigned char)name.data[i];
		if (byte <= ' ' || byte == 0x7f || byte == '/' || byte == ':')
			return refuse(-EINVAL, ret_hint, "the name of an interface has no spaces, '/' and ':'");
	}
	return 0;
}

int value_accept_interfaces(struct span text, struct value_hint *ret_hint)
{
	for (;;) {
		const char *comma = text.len > 0 ? memchr(text.data, ',', text.len) : NULL;
		struct span name = { text.data, comma != NULL ? (size_t)(comma - text.data) : text.len };
		int error = interface_accept(name, ret_hint);
		if (error != 0 || comma == NULL)
			return error;
		text = (struct span){ comma + 1, text.len - name.len - 1 };
	}
}

int value_parse_name(struct span text, char *buf, struct value_hint *ret_hint)
{
	if (text.len == 0)
		return refuse(-EINVAL, ret_hint, "it is empty");
	for (size_t i = 0; i < text.len; i++) {
		if (!is_name_byte(text.data[i]))
			return refuse(-EINVAL, ret_hint, "a name has letters, digits, '.', '_' and '-'");
	}
	if (text.data[0] == '.' || text.data[0] == '-')
		return refuse(-EINVAL, ret_hint, "a name begins with a letter, a digit or '_'");
	if (text.len >= CONFIG_NAME_BYTES)
		return refuse(-ERANGE, ret_hint, "a name is at most %d bytes long", CONFIG_NAME_BYTES - 1);
	span_copy(text, buf, CONFIG_NAME_BYTES);
	return 0;
}

char *value_format_time(uint64_t ms, char *buf)
{
	size_t len = 0;
	if (ms == 0)
		snprintf(buf, VALUE_TEXT_BYTES, "0s");
	for (size_t i = 0; i < TIME_UNIT_COUNT && ms > 0; i++) {
		if (ms < time_units[i].ms)
			continue;
		len += (size_t)snprintf(buf + len, VALUE_TEXT_BYTES - len, "%llu%s",
					(unsigned long long)(ms / time_units[i].ms), time_units[i].name);
		ms %= time_units[i].ms;
	}
	return buf;
}

/* Writes the number in the largest of the units that divides it. */
static char *number_format(uint64_t number, const struct unit *units, size_t unit_count, char *buf)
{
	size_t unit = 0;
	for (size_t i = 1; i < unit_count; i++) {
		if (number >= UNIT_NUMBER_MIN && number % units[i].factor == 0)
			unit = i;
	}
	snprintf(buf, VALUE_TEXT_BYTES, "%llu%s", (unsigned long long)(number / units[unit].factor), units[unit].name);
	return buf;
}

char *value_format_size(uint64_t bytes, char *buf)
{
	return number_format(bytes, size_units, 4, buf);
}

char *value_format_count(uint64_t count, char *buf)
{
	return number_format(count, count_units, 3, buf);
}

char *value_format_share(uint64_t divisor, char *buf)
{
	char count[VALUE_TEXT_BYTES];
	snprintf(buf, VALUE_TEXT_BYTES, "1/%.40s", value_format_count(divisor, count));
	return buf;
}

char *value_format_rate(const struct config_rate *rate, char *buf)
{
	char amount[VALUE_TEXT_BYTES];
	const char *unit = "s";
	for (size_t i = 0; i < RATE_UNIT_COUNT; i++) {
		if (rate->per_ms == rate_units[i].ms)
			unit = rate_units[i].name;
	}
	snprintf(buf, VALUE_TEXT_BYTES, "%.40s/%s", value_format_count(rate->amount, amount), unit);
	return buf;
}

/* In bits, whatever it was written in. */
char *value_format_bandwidth(uint64_t bits, char *buf)
{
	size_t unit = 0;
	for (size_t i = 1; i < BIT_UNIT_COUNT; i++) {
		if (bits > 0 && bits % bandwidth_units[i].factor == 0)
			unit = i;
	}
	snprintf(buf, VALUE_TEXT_BYTES, "%llu%s", (unsigned long long)(bits / bandwidth_units[unit].factor),
		 bandwidth_units[unit].name);
	return buf;
}
