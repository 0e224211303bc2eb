/* SPDX-License-Identifier: Apache-2.0 */
#include "config/log_target.h"

#include <errno.h>
#include <stdio.h>

#define SYSLOG_SOCKET  "/dev/log"
#define JOURNAL_SOCKET "/run/systemd/journal/socket"

/* The longest prefix first where one begins with another. */
static const struct target_kind {
	const char *prefix;
	enum config_log_sink sink;
} kinds[] = {
	{ "file:", CONFIG_LOG_FILE },
	{ "syslog:unix:", CONFIG_LOG_SYSLOG_UNIX },
	{ "syslog:udp:", CONFIG_LOG_SYSLOG_UDP },
	{ "syslog:tcp:", CONFIG_LOG_SYSLOG_TCP },
	{ "syslog:", CONFIG_LOG_SYSLOG_UDP },
	{ "journald:", CONFIG_LOG_JOURNALD },
};

/* Alone, these stand for a kind and its usual place. */
static const struct target_word {
	const char *word;
	const char *text;
} words[] = {
	{ "syslog", "syslog:unix:" SYSLOG_SOCKET },
	{ "journald", "journald:" JOURNAL_SOCKET },
};

static int refuse(const char *hint, char *ret_hint)
{
	snprintf(ret_hint, LOG_TARGET_HINT_BYTES, "%s", hint);
	return -EINVAL;
}

static bool begins_with(struct span text, const char *prefix)
{
	return text.len >= strlen(prefix) && memcmp(text.data, prefix, strlen(prefix)) == 0;
}

static struct span behind(struct span text, const char *prefix)
{
	return (struct span){ text.data + strlen(prefix), text.len - strlen(prefix) };
}

static const struct target_kind *find_kind(struct span text)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (begins_with(text, kinds[i].prefix))
			return &kinds[i];
	return NULL;
}

static int path_check(struct span path, const char *prefix, char *ret_hint)
{
	if (path.len == 0) {
		snprintf(ret_hint, LOG_TARGET_HINT_BYTES, "a path follows %s", prefix);
		return -EINVAL;
	}
	for (size_t i = 0; i < path.len; i++) {
		if ((unsigned char)path.data[i] < 0x20 || path.data[i] == 0x7f)
			return refuse("a path cannot hold control characters", ret_hint);
	}
	return 0;
}

static int socket_path_parse(struct span path, const char *prefix, struct config_log *log, char *ret_hint)
{
	char text[ADDR_TEXT_BYTES + 1];
	const char *problem = "";
	int error = path_check(path, prefix, ret_hint);
	if (error != 0)
		return error;
	if (path.len >= sizeof(log->addr.un.sun_path))
		return refuse("the path of a socket is at most 107 bytes long", ret_hint);
	snprintf(text, sizeof(text), "unix:%.*s", (int)path.len, path.data);
	return addr_parse(span_from_text(text), &log->addr, &problem) != 0 ? refuse(problem, ret_hint) : 0;
}

static bool has_letter(struct span text)
{
	for (size_t i = 0; i < text.len; i++)
		if ((text.data[i] >= 'g' && text.data[i] <= 'z') || (text.data[i] >= 'A' && text.data[i] <= 'Z'))
			return true;
	return false;
}

/* What is wrong with an address of a log server that addr_parse does not take. */
static int address_refuse(struct span text, const char *problem, char *ret_hint)
{
	bool has_port = text.len > 0 && memchr(text.data, ':', text.len) != NULL;
	if (text.len > 0 && text.data[0] == '/')
		snprintf(ret_hint, LOG_TARGET_HINT_BYTES, "write syslog:unix:%.*s",
			 (int)(text.len < 60 ? text.len : 60), text.data);
	else if (text.len > 0 && has_letter(text) && text.data[0] != '[')
		return refuse("write the IP address: names are not looked up for logs", ret_hint);
	else if (text.len > 0 && !has_port)
		snprintf(ret_hint, LOG_TARGET_HINT_BYTES, "write the port, too: %.*s:514",
			 (int)(text.len < 45 ? text.len : 45), text.data);
	else
		return refuse(text.len > 0 ? problem : "an address follows it: syslog:udp:10.0.0.1:514", ret_hint);
	return -EINVAL;
}

static int address_parse(struct span text, struct config_log *log, char *ret_hint)
{
	const char *problem = "";
	if (addr_parse(text, &log->addr, &problem) != 0 || addr_is_unix(&log->addr))
		return address_refuse(text, problem, ret_hint);
	if (addr_is_any(&log->addr))
		return refuse("write the address of the log server: one is sent to, not listened on", ret_hint);
	return 0;
}

static int target_parse(struct span text, const struct target_kind *kind, struct config_log *log, char *ret_hint)
{
	struct span rest = behind(text, kind->prefix);
	log->sink = kind->sink;
	log->addr = (struct addr){ 0 };
	switch (kind->sink) {
	case CONFIG_LOG_FILE:
		return path_check(rest, kind->prefix, ret_hint);
	case CONFIG_LOG_SYSLOG_UNIX:
	case CONFIG_LOG_JOURNALD:
		return socket_path_parse(rest, kind->prefix, log, ret_hint);
	case CONFIG_LOG_SYSLOG_UDP:
	case CONFIG_LOG_SYSLOG_TCP:
		return address_parse(rest, log, ret_hint);
	case CONFIG_LOG_STDERR:
		break;
	}
	return -ENOENT;
}

/* The path, or the address as everybody writes it. */
static const char *copy_path(struct config_memory *memory, const struct config_log *log, struct span rest)
{
	char text[ADDR_TEXT_BYTES];
	if (log->sink != CONFIG_LOG_SYSLOG_UDP && log->sink != CONFIG_LOG_SYSLOG_TCP)
		return config_memory_text(memory, rest);
	return config_memory_text(memory, span_from_text(addr_format(&log->addr, text, sizeof(text))));
}

int log_target_parse(struct span text, struct config_memory *memory, struct config_log *ret_log, char *ret_hint)
{
	struct config_log log = *ret_log;
	ret_hint[0] = '\0';
	if (span_equals(text, "stderr")) {
		ret_log->sink = CONFIG_LOG_STDERR;
		ret_log->path = NULL;
		return 0;
	}
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (span_equals(text, words[i].word))
			text = span_from_text(words[i].text);
	const struct target_kind *kind = find_kind(text);
	if (kind == NULL)
		return -ENOENT;
	int error = target_parse(text, kind, &log, ret_hint);
	if (error != 0)
		return error;
	log.path = copy_path(memory, &log, behind(text, kind->prefix));
	*ret_log = log;
	return 0;
}

static const char *prefix_of(enum config_log_sink sink)
{
	const struct target_kind *kind = kinds;
	while (kind->sink != sink)
		kind++;
	return kind->prefix;
}

const char *log_target_text(const struct config_log *log, struct config_memory *memory)
{
	if (log->sink == CONFIG_LOG_STDERR)
		return "stderr";
	const char *text = config_memory_format(memory, "%s%s", prefix_of(log->sink), log->path);
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(text, words[i].text) == 0)
			return words[i].word;
	return text;
}

char *log_target_name(const struct config_log *log, char *buf)
{
	bool is_path = log->sink == CONFIG_LOG_FILE;
	if (log->sink == CONFIG_LOG_STDERR)
		snprintf(buf, LOG_TARGET_NAME_BYTES, "stderr");
	else
		snprintf(buf, LOG_TARGET_NAME_BYTES, "%s%s", is_path ? "" : prefix_of(log->sink), log->path);
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(buf, words[i].text) == 0)
			snprintf(buf, LOG_TARGET_NAME_BYTES, "%s", words[i].word);
	return buf;
}

bool log_target_equal(const struct config_log *a, const struct config_log *b)
{
	if (a->sink != b->sink || a->path == NULL || b->path == NULL)
		return a->sink == b->sink && a->path == b->path;
	return strcmp(a->path, b->path) == 0;
}
