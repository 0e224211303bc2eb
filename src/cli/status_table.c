/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/status_table.h"

#include "cli/document.h"

#include <stdbool.h>
#include <string.h>

/* --- the parts of the document ----------------------------------------------------------------------------------- */

static void print_use(const json_t *limits, const char *name, FILE *out)
{
	char used[TABLE_NUMBER_BYTES];
	char max[TABLE_NUMBER_BYTES];
	const json_t *limit = json_object_get(limits, name);
	fprintf(out, "%s %s of %s   ", name, table_count(document_number(limit, "used"), used),
		table_count(document_number(limit, "max"), max));
}

static void print_head(const json_t *status, FILE *out)
{
	char text[TABLE_NUMBER_BYTES];
	const json_t *limits = json_object_get(status, "limits");
	const json_t *descriptors = json_object_get(limits, "descriptors");
	size_t worker_count = json_array_size(json_object_get(status, "workers"));
	fprintf(out, "strait %s   %s for %s   generation %llu   %zu worker%s\n", document_text(status, "version"),
		document_text(status, "phase"), table_time(document_number(status, "uptime_seconds"), text),
		(unsigned long long)document_number(status, "generation"), worker_count, worker_count == 1 ? "" : "s");
	print_use(limits, "connections", out);
	print_use(limits, "sessions", out);
	fprintf(out, "descriptors %llu of %s", (unsigned long long)document_number(descriptors, "open"),
		table_count(document_number(descriptors, "limit"), text));
	uint64_t dropped = document_number(json_object_get(status, "log"), "dropped");
	if (dropped > 0)
		fprintf(out, "   log records dropped %s", table_count(dropped, text));
	fputc('\n', out);
}

/* "udp 127.0.0.1:53 [::1]:53": as in the configuration, TCP unsaid. */
static void set_listens(struct table_row *row, size_t column, const json_t *listens)
{
	char text[TABLE_CELL_BYTES] = "";
	size_t len = 0;
	size_t index;
	const json_t *listen;
	json_array_foreach(listens, index, listen)
	{
		bool is_udp = strcmp(document_text(listen, "protocol"), "udp") == 0;
		bool is_dual = json_is_true(json_object_get(listen, "is_dual"));
		const char *address = document_text(listen, "address");
		const char *port = strrchr(address, ':');
		int written = snprintf(text + len, sizeof(text) - len, "%s%s%s", index > 0 ? " " : "",
				       is_udp ? "udp " : "", is_dual && port != NULL ? port : address);
		if (written < 0 || (size_t)written >= sizeof(text) - len)
			break;
		len += (size_t)written;
	}
	table_set(row, column, "%s", text);
}

static void add_service(struct table *table, const json_t *service)
{
	char text[TABLE_NUMBER_BYTES];
	struct table_row *row = table_add(table);
	table_set(row, 0, "%s", document_text(service, "name"));
	set_listens(row, 1, json_object_get(service, "listens"));
	table_set(row, 2, "%s", document_text(service, "pool"));
	table_set(row, 3, "%s", table_count(document_number(service, "flows_active"), text));
	table_set(row, 4, "%s", table_count(document_number(service, "flows_total"), text));
	table_set(row, 5, "%s", table_count(document_number(service, "refused_total"), text));
	table_set(row, 6, "%s", table_size(document_number(service, "bytes_in"), text));
	table_set(row, 7, "%s", table_size(document_number(service, "bytes_out"), text));
}

static void print_services(const json_t *status, enum table_colour colour, FILE *out)
{
	static const char *const heads[] = { "SERVICE", "LISTEN", "POOL", "ACTIVE", "TOTAL", "REFUSED", "IN", "OUT" };
	struct table table;
	size_t index;
	const json_t *service;
	table_begin(&table, heads, sizeof(heads) / sizeof(heads[0]));
	json_array_foreach(json_object_get(status, "services"), index, service) add_service(&table, service);
	fputc('\n', out);
	table_print(&table, colour, out);
}

static void set_check(struct table_row *row, size_t column, const json_t *last)
{
	char age[TABLE_NUMBER_BYTES];
	if (!json_is_object(last)) {
		table_set(row, column, "-");
		return;
	}
	table_time(document_number(last, "age_ms") / 1000, age);
	if (json_is_true(json_object_get(last, "good")))
		table_set(row, column, "good, %.1f ms, %s ago", (double)document_number(last, "duration_us") / 1000,
			  age);
	else
		table_set(row, column, "%s, %s ago", document_text(last, "cause"), age);
}

static const char *state_colour(const char *state)
{
	if (strcmp(state, "up") == 0)
		return "\x1b[32m";
	return strcmp(state, "down") == 0 ? "\x1b[1;31m" : "\x1b[33m";
}

static void add_server(struct table *table, const char *pool, const json_t *server)
{
	char text[TABLE_NUMBER_BYTES];
	struct table_row *row = table_add(table);
	const char *state = document_text(server, "state");
	bool is_ejected = json_is_true(json_object_get(server, "is_ejected"));
	bool is_backup = json_is_true(json_object_get(server, "is_backup"));
	table_set(row, 0, "%s", pool);
	table_set(row, 1, "%s", document_text(server, "name"));
	table_set(row, 2, "%s", document_text(server, "address"));
	table_set(row, 3, "%s%s%s", state, is_ejected ? " (ejected)" : "", is_backup ? " (backup)" : "");
	table_set(row, 4, "%llu", (unsigned long long)document_number(server, "weight"));
	table_set(row, 5, "%s", table_count(document_number(server, "flows_active"), text));
	table_set(row, 6, "%s", table_count(document_number(server, "flows_total"), text));
	table_set(row, 7, "%s", table_count(document_number(server, "connect_failures_total"), text));
	set_check(row, 8, json_object_get(server, "last_check"));
	row->colour = state_colour(state);
	row->coloured_column = 3;
}

void status_table_print_pools(const json_t *pools, enum table_colour colour, FILE *out)
{
	static const char *const heads[] = { "POOL",   "SERVER", "ADDRESS", "STATE",     "WEIGHT",
					     "ACTIVE", "TOTAL",  "FAILED",  "LAST CHECK" };
	struct table table;
	size_t index;
	size_t server_index;
	const json_t *pool;
	const json_t *server;
	table_begin(&table, heads, sizeof(heads) / sizeof(heads[0]));
	json_array_foreach(pools, index, pool)
		json_array_foreach(json_object_get(pool, "servers"), server_index, server)
			add_server(&table, document_text(pool, "name"), server);
	table_print(&table, colour, out);
}

/* A name that could not be resolved, or a part of it. */
static void print_troubled_names(const json_t *pool, FILE *out)
{
	char age[TABLE_NUMBER_BYTES];
	char text[TABLE_CELL_BYTES];
	size_t index;
	const json_t *name;
	json_array_foreach(json_object_get(pool, "names"), index, name)
	{
		size_t count = json_array_size(json_object_get(name, "addresses"));
		if (!json_is_string(json_object_get(name, "last_error")))
			continue;
		snprintf(text, sizeof(text), "pool %s, name %s: %s", document_text(pool, "name"),
			 document_text(name, "host"), document_text(name, "last_error"));
		table_clean(text);
		fprintf(out, "%s: %s; %zu address%s known", document_text(name, "state"), text, count,
			count == 1 ? "" : "es");
		if (json_is_integer(json_object_get(name, "age_ms")))
			fprintf(out, ", of %s ago", table_time(document_number(name, "age_ms") / 1000, age));
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
			fprintf(out, "degraded: pool %s has %llu of %zu servers available\n",
				document_text(pool, "name"),
				(unsigned long long)document_number(pool, "available_count"),
				json_array_size(json_object_get(pool, "servers")));
		print_troubled_names(pool, out);
	}
}

void status_table_print(const json_t *status, enum table_colour colour, FILE *out)
{
	print_head(status, out);
	print_services(status, colour, out);
	fputc('\n', out);
	status_table_print_pools(json_object_get(status, "pools"), colour, out);
	print_degraded(status, out);
}
