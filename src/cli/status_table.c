/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/status_table.h"

#include "base/check.h"
#include "base/memory.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum {
	COLUMNS_MAX = 9,
	CELL_BYTES = 160,
	GAP = 2, /* spaces between columns */
};

/* --- reading the document ---------------------------------------------------------------------------------------- */

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));
	return text != NULL ? text : "-";
}

static uint64_t number_of(const json_t *object, const char *key)
{
	json_int_t number = json_integer_value(json_object_get(object, key));
	return number > 0 ? (uint64_t)number : 0;
}

/* --- numbers ----------------------------------------------------------------------------------------------------- */

char *status_table_count(uint64_t number, char *buf)
{
	static const char units[] = "kMGTPE";
	double scaled = (double)number;
	int unit = -1;
	while (scaled >= 999.95 && units[unit + 1] != '\0') {
		scaled /= 1000;
		unit++;
	}
	if (unit < 0)
		snprintf(buf, STATUS_NUMBER_BYTES, "%llu", (unsigned long long)number);
	else
		snprintf(buf, STATUS_NUMBER_BYTES, "%.1f%c", scaled, units[unit]);
	return buf;
}

char *status_table_size(uint64_t bytes, char *buf)
{
	static const char units[] = "KMGTPE";
	double scaled = (double)bytes;
	int unit = -1;
	while (scaled >= 1023.95 && units[unit + 1] != '\0') {
		scaled /= 1024;
		unit++;
	}
	if (unit < 0)
		snprintf(buf, STATUS_NUMBER_BYTES, "%llu B", (unsigned long long)bytes);
	else
		snprintf(buf, STATUS_NUMBER_BYTES, "%.1f %ciB", scaled, units[unit]);
	return buf;
}

char *status_table_time(uint64_t seconds, char *buf)
{
	unsigned long long s = seconds;
	if (s < 60)
		snprintf(buf, STATUS_NUMBER_BYTES, "%llus", s);
	else if (s < 3600)
		snprintf(buf, STATUS_NUMBER_BYTES, "%llum%llus", s / 60, s % 60);
	else if (s < 86400)
		snprintf(buf, STATUS_NUMBER_BYTES, "%lluh%llum", s / 3600, s / 60 % 60);
	else
		snprintf(buf, STATUS_NUMBER_BYTES, "%llud%lluh", s / 86400, s / 3600 % 24);
	return buf;
}

/* --- tables ------------------------------------------------------------------------------------------------------ */

struct row {
	const char *colour; /* of one cell, NULL: none */
	size_t coloured_column;
	char cells[COLUMNS_MAX][CELL_BYTES];
};

struct table {
	size_t column_count;
	size_t row_count;
	struct row *rows; /* the first is the head */
};

static void table_begin(struct table *table, const char *const *heads, size_t column_count)
{
	CHECK(column_count <= COLUMNS_MAX);
	*table = (struct table){ .column_count = column_count, .row_count = 1 };
	table->rows = memory_alloc_zeroed(1, sizeof(*table->rows));
	for (size_t i = 0; i < column_count; i++)
		snprintf(table->rows[0].cells[i], CELL_BYTES, "%s", heads[i]);
}

static struct row *table_add(struct table *table)
{
	table->rows = memory_resize(table->rows, table->row_count + 1, sizeof(*table->rows));
	struct row *row = &table->rows[table->row_count++];
	memset(row, 0, sizeof(*row));
	return row;
}

/* What comes from the daemon may not steer the terminal. */
static void clean_text(char *text)
{
	for (char *at = text; *at != '\0'; at++)
		*at = (unsigned char)*at < 0x20 || *at == 0x7f ? '?' : *at;
}

static void __attribute__((format(printf, 3, 4))) set_cell(struct row *row, size_t column, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(row->cells[column], CELL_BYTES, format, arguments);
	va_end(arguments);
	clean_text(row->cells[column]);
}

static int column_width(const struct table *table, size_t column)
{
	size_t width = 0;
	for (size_t i = 0; i < table->row_count; i++) {
		size_t len = strlen(table->rows[i].cells[column]);
		width = len > width ? len : width;
	}
	return (int)width;
}

static void print_row(const struct table *table, const struct row *row, enum status_colour colour, FILE *out)
{
	for (size_t i = 0; i < table->column_count; i++) {
		bool is_last = i + 1 == table->column_count;
		bool is_coloured = colour == STATUS_COLOURED && row->colour != NULL && row->coloured_column == i;
		int width = is_last ? 0 : column_width(table, i) + GAP;
		fprintf(out, "%s%-*s%s", is_coloured ? row->colour : "", width, row->cells[i],
			is_coloured ? "\x1b[0m" : "");
	}
	fputc('\n', out);
}

static void table_print(struct table *table, enum status_colour colour, FILE *out)
{
	fputc('\n', out);
	for (size_t i = 0; i < table->row_count; i++)
		print_row(table, &table->rows[i], colour, out);
	free(table->rows);
}

/* --- the parts of the document ----------------------------------------------------------------------------------- */

static void print_use(const json_t *limits, const char *name, FILE *out)
{
	char used[STATUS_NUMBER_BYTES];
	char max[STATUS_NUMBER_BYTES];
	const json_t *limit = json_object_get(limits, name);
	fprintf(out, "%s %s of %s   ", name, status_table_count(number_of(limit, "used"), used),
		status_table_count(number_of(limit, "max"), max));
}

static void print_head(const json_t *status, FILE *out)
{
	char text[STATUS_NUMBER_BYTES];
	const json_t *limits = json_object_get(status, "limits");
	const json_t *descriptors = json_object_get(limits, "descriptors");
	size_t worker_count = json_array_size(json_object_get(status, "workers"));
	fprintf(out, "strait %s   %s for %s   generation %llu   %zu worker%s\n", text_of(status, "version"),
		text_of(status, "phase"), status_table_time(number_of(status, "uptime_seconds"), text),
		(unsigned long long)number_of(status, "generation"), worker_count, worker_count == 1 ? "" : "s");
	print_use(limits, "connections", out);
	print_use(limits, "sessions", out);
	fprintf(out, "descriptors %llu of %s", (unsigned long long)number_of(descriptors, "open"),
		status_table_count(number_of(descriptors, "limit"), text));
	uint64_t dropped = number_of(json_object_get(status, "log"), "dropped");
	if (dropped > 0)
		fprintf(out, "   log records dropped %s", status_table_count(dropped, text));
	fputc('\n', out);
}

/* "udp 127.0.0.1:53 [::1]:53": as in the configuration, TCP unsaid. */
static void set_listens(struct row *row, size_t column, const json_t *listens)
{
	char text[CELL_BYTES] = "";
	size_t len = 0;
	size_t index;
	const json_t *listen;
	json_array_foreach(listens, index, listen)
	{
		bool is_udp = strcmp(text_of(listen, "protocol"), "udp") == 0;
		bool is_dual = json_is_true(json_object_get(listen, "is_dual"));
		const char *address = text_of(listen, "address");
		const char *port = strrchr(address, ':');
		int written = snprintf(text + len, sizeof(text) - len, "%s%s%s", index > 0 ? " " : "",
				       is_udp ? "udp " : "", is_dual && port != NULL ? port : address);
		if (written < 0 || (size_t)written >= sizeof(text) - len)
			break;
		len += (size_t)written;
	}
	set_cell(row, column, "%s", text);
}

static void add_service(struct table *table, const json_t *service)
{
	char text[STATUS_NUMBER_BYTES];
	struct row *row = table_add(table);
	set_cell(row, 0, "%s", text_of(service, "name"));
	set_listens(row, 1, json_object_get(service, "listens"));
	set_cell(row, 2, "%s", text_of(service, "pool"));
	set_cell(row, 3, "%s", status_table_count(number_of(service, "flows_active"), text));
	set_cell(row, 4, "%s", status_table_count(number_of(service, "flows_total"), text));
	set_cell(row, 5, "%s", status_table_count(number_of(service, "refused_total"), text));
	set_cell(row, 6, "%s", status_table_size(number_of(service, "bytes_in"), text));
	set_cell(row, 7, "%s", status_table_size(number_of(service, "bytes_out"), text));
}

static void print_services(const json_t *status, enum status_colour colour, FILE *out)
{
	static const char *const heads[] = { "SERVICE", "LISTEN", "POOL", "ACTIVE", "TOTAL", "REFUSED", "IN", "OUT" };
	struct table table;
	size_t index;
	const json_t *service;
	table_begin(&table, heads, sizeof(heads) / sizeof(heads[0]));
	json_array_foreach(json_object_get(status, "services"), index, service) add_service(&table, service);
	table_print(&table, colour, out);
}

static void set_check(struct row *row, size_t column, const json_t *last)
{
	char age[STATUS_NUMBER_BYTES];
	if (!json_is_object(last)) {
		set_cell(row, column, "-");
		return;
	}
	status_table_time(number_of(last, "age_ms") / 1000, age);
	if (json_is_true(json_object_get(last, "good")))
		set_cell(row, column, "good, %.1f ms, %s ago", (double)number_of(last, "duration_us") / 1000, age);
	else
		set_cell(row, column, "%s, %s ago", text_of(last, "cause"), age);
}

static const char *state_colour(const char *state)
{
	if (strcmp(state, "up") == 0)
		return "\x1b[32m";
	return strcmp(state, "down") == 0 ? "\x1b[1;31m" : "\x1b[33m";
}

static void add_server(struct table *table, const char *pool, const json_t *server)
{
	char text[STATUS_NUMBER_BYTES];
	struct row *row = table_add(table);
	const char *state = text_of(server, "state");
	bool is_ejected = json_is_true(json_object_get(server, "is_ejected"));
	bool is_backup = json_is_true(json_object_get(server, "is_backup"));
	set_cell(row, 0, "%s", pool);
	set_cell(row, 1, "%s", text_of(server, "name"));
	set_cell(row, 2, "%s", text_of(server, "address"));
	set_cell(row, 3, "%s%s%s", state, is_ejected ? " (ejected)" : "", is_backup ? " (backup)" : "");
	set_cell(row, 4, "%llu", (unsigned long long)number_of(server, "weight"));
	set_cell(row, 5, "%s", status_table_count(number_of(server, "flows_active"), text));
	set_cell(row, 6, "%s", status_table_count(number_of(server, "flows_total"), text));
	set_cell(row, 7, "%s", status_table_count(number_of(server, "connect_failures_total"), text));
	set_check(row, 8, json_object_get(server, "last_check"));
	row->colour = state_colour(state);
	row->coloured_column = 3;
}

static void print_servers(const json_t *status, enum status_colour colour, FILE *out)
{
	static const char *const heads[] = { "POOL",   "SERVER", "ADDRESS", "STATE",     "WEIGHT",
					     "ACTIVE", "TOTAL",  "FAILED",  "LAST CHECK" };
	struct table table;
	size_t index;
	size_t server_index;
	const json_t *pool;
	const json_t *server;
	table_begin(&table, heads, sizeof(heads) / sizeof(heads[0]));
	json_array_foreach(json_object_get(status, "pools"), index, pool)
		json_array_foreach(json_object_get(pool, "servers"), server_index, server)
			add_server(&table, text_of(pool, "name"), server);
	table_print(&table, colour, out);
}

/* A name that could not be resolved, or a part of it. */
static void print_troubled_names(const json_t *pool, FILE *out)
{
	char age[STATUS_NUMBER_BYTES];
	char text[CELL_BYTES];
	size_t index;
	const json_t *name;
	json_array_foreach(json_object_get(pool, "names"), index, name)
	{
		size_t count = json_array_size(json_object_get(name, "addresses"));
		if (!json_is_string(json_object_get(name, "last_error")))
			continue;
		snprintf(text, sizeof(text), "pool %s, name %s: %s", text_of(pool, "name"), text_of(name, "host"),
			 text_of(name, "last_error"));
		clean_text(text);
		fprintf(out, "%s: %s; %zu address%s known", text_of(name, "state"), text, count,
			count == 1 ? "" : "es");
		if (json_is_integer(json_object_get(name, "age_ms")))
			fprintf(out, ", of %s ago", status_table_time(number_of(name, "age_ms") / 1000, age));
		fputc('\n', out);
	}
}

static void print_degraded(const json_t *status, FILE *out)
{
	size_t index;
	const json_t *pool;
	if (json_is_true(json_object_get(status, "is_degraded")))
		fputc('\n', out);
	json_array_foreach(json_object_get(status, "pools"), index, pool)
	{
		if (json_is_true(json_object_get(pool, "is_degraded")))
			fprintf(out, "degraded: pool %s has %llu of %zu servers available\n", text_of(pool, "name"),
				(unsigned long long)number_of(pool, "available_count"),
				json_array_size(json_object_get(pool, "servers")));
		print_troubled_names(pool, out);
	}
}

void status_table_print(const json_t *status, enum status_colour colour, FILE *out)
{
	print_head(status, out);
	print_services(status, colour, out);
	print_servers(status, colour, out);
	print_degraded(status, out);
}
