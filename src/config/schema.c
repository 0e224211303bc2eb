/* SPDX-License-Identifier: Apache-2.0 */
#include "config/schema.h"

#include "config/values.h"

#include <stdarg.h>
#include <stdio.h>

const struct schema_directive *schema_find(enum schema_where where, struct span name)
{
	for (size_t i = 0; i < schema_directive_count; i++) {
		const struct schema_directive *directive = &schema_directives[i];
		if (directive->where == where && span_equals(name, directive->name))
			return directive;
	}
	return NULL;
}

const struct schema_directive *schema_find_anywhere(struct span name)
{
	for (size_t i = 0; i < schema_directive_count; i++) {
		if (span_equals(name, schema_directives[i].name))
			return &schema_directives[i];
	}
	return NULL;
}

const struct schema_value *schema_find_value(const struct schema_directive *directive, enum schema_role role,
					     struct span name)
{
	for (size_t i = 0; i < directive->value_count; i++) {
		if (directive->values[i].role == role && span_equals(name, directive->values[i].name))
			return &directive->values[i];
	}
	return NULL;
}

const char *schema_where_name(enum schema_where where)
{
	static const char *const names[] = {
		[SCHEMA_TOP] = "top level",
		[SCHEMA_SERVICE] = "service",
		[SCHEMA_POOL] = "pool",
	};
	return names[where];
}

/* What is said of each kind: what one is called, what it looks like, and its placeholder behind a key. */
static const struct kind_text {
	const char *noun;
	const char *examples;
	const char *placeholder;
} kind_texts[] = {
	[SCHEMA_TIME] = { "a time", "250ms 10s 1h30m 2d", "TIME" },
	[SCHEMA_SIZE] = { "a size", "64k 16m 1g 16MiB 16MB", "SIZE" },
	[SCHEMA_COUNT] = { "a count", "200 50k 2M", "N" },
	[SCHEMA_PERCENT] = { "a percentage", "0% 30% 100%", "PERCENT" },
	[SCHEMA_SHARE] = { "a share", "1/10 1/1000", "1/N" },
	[SCHEMA_RATE] = { "a rate", "20/s 2k/s 100/m", "RATE" },
	[SCHEMA_BANDWIDTH] = { "a bandwidth", "1Gbit/s 500Mbit/s 10MB/s", "BITRATE" },
	[SCHEMA_WORD] = { "one of the words", NULL, "WORD" },
	[SCHEMA_WORDS] = { "a list of the words", NULL, "WORDS" },
	[SCHEMA_FLAG] = { "a word of its own", NULL, "" },
	[SCHEMA_NAME] = { "a name", NULL, "NAME" },
	[SCHEMA_REFERENCE] = { "a name", NULL, "NAME" },
	[SCHEMA_BYTES] = { "text", NULL, "TEXT" },
	[SCHEMA_FILE] = { "a file", "file:/etc/strait/token", "file:PATH" },
	[SCHEMA_SINK] = { "a log sink",
			  "stderr file:PATH syslog:unix:PATH syslog:udp:ADDRESS syslog:tcp:ADDRESS journald", "SINK" },
	[SCHEMA_PATTERN] = { "a file or pattern", NULL, "PATTERN" },
	[SCHEMA_HTTP_PATH] = { "a path", "/ /health?full=1", "PATH" },
	[SCHEMA_HTTP_HOST] = { "a host", "www.example.com www.example.com:8080 [fd00::1]:8080", "HOST" },
	[SCHEMA_STATUSES] = { "a list of status codes", "200 200-399 200,204,301-302", "CODES" },
	[SCHEMA_DNS_NAME] = { "a name of the DNS", "example.com . _dns.example.com", "NAME" },
	[SCHEMA_PROGRAM] = { "the path of a program", "/usr/local/bin/check-web", "PATH" },
	[SCHEMA_ADDRESS] = { "an address", "10.0.0.1:80 [fd00::1]:53 unix:/run/x.sock", "ADDRESS" },
	[SCHEMA_SERVER_ADDRESS] = { "an address or name",
				    "10.0.0.1:80 [fd00::1]:53 unix:/run/x.sock db.example.com:5432 "
				    "srv:_http._tcp.example.com",
				    "ADDRESS" },
	[SCHEMA_NAME_SERVER] = { "a name server", "10.0.0.53 10.0.0.53:5353 [fd00::53] [fd00::53]:5353", "ADDRESS" },
	[SCHEMA_SOURCE] = { "an IP address", "client 10.0.0.9 fd00::9", "ADDRESS|client" },
	[SCHEMA_PATH] = { "the path of a file", "/var/lib/strait/trends", "PATH" },
	[SCHEMA_INTERFACES] = { "names of network interfaces", "eth0 eth0,eth1", "NAME,..." },
	[SCHEMA_PREFIXES] = { "two prefix lengths, of IPv4 and of IPv6", "/32,/64 /24,/56", "/BITS,/BITS" },
	[SCHEMA_THRESHOLD] = { "a size or a time, or both", "64k 50ms 64k|50ms", "SIZE|TIME" },
	[SCHEMA_NETWORK] = { "a network", "10.0.0.0/8 2001:db8::/32 192.0.2.7 unix:", "NETWORK" },
	[SCHEMA_NETWORKS] = { "a network", "10.0.0.0/8 2001:db8::/32 192.0.2.7 unix: @file:PATH", "NETWORK" },
};

const char *schema_kind_examples(enum schema_kind kind)
{
	return kind_texts[kind].examples;
}

const char *schema_kind_noun(enum schema_kind kind)
{
	return kind_texts[kind].noun;
}

/* Appends to text of SCHEMA_TEXT_BYTES; what does not fit is cut. */
static void __attribute__((format(printf, 2, 3))) text_append(char *text, const char *format, ...)
{
	size_t len = strlen(text);
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(text + len, SCHEMA_TEXT_BYTES - len, format, arguments);
	va_end(arguments);
}

static void words_append(const struct schema_value *value, char *text)
{
	for (const struct schema_word *word = value->words; word->word != NULL; word++)
		text_append(text, "%s%s", word == value->words ? "" : "|", word->word);
}

char *schema_format_value(const struct schema_value *value, char *buf)
{
	buf[0] = '\0';
	if (value->role == SCHEMA_SWITCH) {
		text_append(buf, "%s", value->name);
	} else if (value->role == SCHEMA_KEY) {
		text_append(buf, "%s=", value->name);
		if (value->words != NULL)
			words_append(value, buf);
		else
			text_append(buf, "%s", kind_texts[value->kind].placeholder);
		if (value->kind == SCHEMA_WORDS)
			text_append(buf, ",...");
	} else if (value->words != NULL) {
		if (value->kind != SCHEMA_WORD)
			text_append(buf, "%s|", value->name);
		words_append(value, buf);
	} else {
		text_append(buf, "%s%s", value->name, (value->flags & SCHEMA_MANY) != 0 ? "..." : "");
	}
	return buf;
}

char *schema_format_usage(const struct schema_directive *directive, char *buf)
{
	char text[SCHEMA_TEXT_BYTES];
	buf[0] = '\0';
	text_append(buf, "%s", directive->name);
	for (size_t i = 0; i < directive->value_count; i++) {
		const struct schema_value *value = &directive->values[i];
		bool is_required = (value->flags & SCHEMA_REQUIRED) != 0;
		text_append(buf, is_required ? " %s" : " [%s]", schema_format_value(value, text));
	}
	if ((directive->flags & SCHEMA_BLOCK) != 0)
		text_append(buf, " { ... }");
	return buf;
}

char *schema_format_bounds(const struct schema_value *value, char *buf)
{
	char min[VALUE_TEXT_BYTES] = "";
	char max[VALUE_TEXT_BYTES] = "";
	buf[0] = '\0';
	if (value->min == 0 && value->max == 0)
		return buf;
	switch (value->kind) {
	case SCHEMA_TIME:
		value_format_time(value->min, min);
		value_format_time(value->max, max);
		break;
	case SCHEMA_SIZE:
		value_format_size(value->min, min);
		value_format_size(value->max, max);
		break;
	case SCHEMA_COUNT:
		value_format_count(value->min, min);
		value_format_count(value->max, max);
		break;
	case SCHEMA_PERCENT:
		snprintf(min, sizeof(min), "%llu%%", (unsigned long long)value->min);
		snprintf(max, sizeof(max), "%llu%%", (unsigned long long)value->max);
		break;
	case SCHEMA_SHARE:
		value_format_share(value->max, min);
		value_format_share(value->min, max);
		break;
	case SCHEMA_RATE:
		snprintf(min, sizeof(min), "%llu/h", (unsigned long long)value->min);
		snprintf(max, sizeof(max), "%llu/s", (unsigned long long)value->max);
		break;
	case SCHEMA_BANDWIDTH:
		value_format_bandwidth(value->min, min);
		value_format_bandwidth(value->max, max);
		break;
	case SCHEMA_BYTES:
	case SCHEMA_HTTP_PATH:
	case SCHEMA_HTTP_HOST:
	case SCHEMA_DNS_NAME:
	case SCHEMA_PROGRAM:
	case SCHEMA_PATH:
		snprintf(min, sizeof(min), "%llu", (unsigned long long)value->min);
		snprintf(max, sizeof(max), "%llu bytes", (unsigned long long)value->max);
		break;
	default:
		return buf;
	}
	text_append(buf, "%s to %s", min, max);
	return buf;
}
