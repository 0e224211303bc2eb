/* SPDX-License-Identifier: Apache-2.0 */
#include "control/tick.h"

#include "base/clock.h"
#include "base/memory.h"
#include "control/json_bytes.h"

#include <stdlib.h>
#include <string.h>

enum { DOCUMENT_BYTES_MIN = 4096, DIGITS_MAX = 20 };

struct service_counts {
	uint64_t flows_active, flows_total, bytes_in, bytes_out, packets_in, packets_out, refused_total;
};

struct server_counts {
	const char *state; /* a constant of the program */
	uint64_t flows_active, flows_total, bytes_in, bytes_out, connect_failures_total;
};

struct told_service {
	struct service_counts counts;
	bool has_changed; /* since they were taken before */
};

struct told_server {
	struct server_counts counts;
	bool has_changed;
};

struct tick {
	struct tick_head head;
	const struct snapshot *snapshot; /* of what was taken last */
	uint64_t generation;
	uint64_t pool_updates;
	struct told_service *services; /* in the order of the snapshot */
	struct told_server *servers;   /* of all pools, in its order */
	size_t server_count;
};

struct tick *tick_new(void)
{
	return memory_alloc_zeroed(1, sizeof(struct tick));
}

void tick_free(struct tick **tick_pointer)
{
	struct tick *tick = *tick_pointer;
	*tick_pointer = NULL;
	if (tick == NULL)
		return;
	free(tick->services);
	free(tick->servers);
	free(tick);
}

/* --- taking the numbers ------------------------------------------------------------------------------------------ */

static uint64_t sum_array(const counter *counters, size_t count)
{
	uint64_t sum = 0;
	for (size_t i = 0; i < count; i++)
		sum += counter_read(&counters[i]);
	return sum;
}

static struct service_counts read_service(const struct service *service)
{
	struct service_counts sum = { 0 };
	for (uint32_t i = 0; i < service->worker_count; i++) {
		const struct service_counters *counters = &service->counters[i];
		sum.flows_active += sum_array(counters->flows_active, FLOW_PROTOCOL_COUNT);
		sum.flows_total += sum_array(counters->flows, FLOW_PROTOCOL_COUNT);
		sum.bytes_in += counter_read(&counters->bytes_in);
		sum.bytes_out += counter_read(&counters->bytes_out);
		sum.packets_in += counter_read(&counters->packets_in);
		sum.packets_out += counter_read(&counters->packets_out);
		sum.refused_total += sum_array(counters->refused, REASON_COUNT);
	}
	return sum;
}

static struct server_counts read_server(const struct server *server)
{
	struct server_counts sum = {
		.state = server_state_word(atomic_load_explicit(&server->state, memory_order_relaxed)),
		.flows_active = server_active(server),
	};
	for (uint32_t i = 0; i < server->worker_count; i++) {
		const struct server_counters *counters = &server->counters[i];
		sum.flows_total += counter_read(&counters->flows);
		sum.bytes_in += counter_read(&counters->bytes_in);
		sum.bytes_out += counter_read(&counters->bytes_out);
		sum.connect_failures_total += counter_read(&counters->connect_refused) +
					      counter_read(&counters->connect_timeout) +
					      counter_read(&counters->connect_failed);
	}
	return sum;
}

static size_t count_servers(const struct snapshot *snapshot)
{
	size_t count = 0;
	for (size_t i = 0; i < snapshot->pool_count; i++)
		count += snapshot->pools[i]->server_count;
	return count;
}

bool tick_is_of(const struct tick *tick, const struct snapshot *snapshot)
{
	return tick->snapshot == snapshot && tick->generation == snapshot->generation &&
	       tick->pool_updates == snapshot->pool_updates;
}

static void make_room(struct tick *tick, const struct snapshot *snapshot)
{
	tick->snapshot = snapshot;
	tick->generation = snapshot->generation;
	tick->pool_updates = snapshot->pool_updates;
	tick->server_count = count_servers(snapshot);
	free(tick->services);
	free(tick->servers);
	tick->services = memory_alloc_zeroed(snapshot->service_count, sizeof(tick->services[0]));
	tick->servers = memory_alloc_zeroed(tick->server_count, sizeof(tick->servers[0]));
}

static void take_service(struct told_service *told, const struct service *service)
{
	struct service_counts counts = read_service(service);
	told->has_changed = memcmp(&counts, &told->counts, sizeof(counts)) != 0;
	told->counts = counts;
}

static void take_server(struct told_server *told, const struct server *server)
{
	struct server_counts counts = read_server(server);
	told->has_changed = memcmp(&counts, &told->counts, sizeof(counts)) != 0;
	told->counts = counts;
}

bool tick_take(struct tick *tick, const struct snapshot *snapshot, const struct tick_head *head)
{
	bool is_known = tick_is_of(tick, snapshot);
	if (!is_known)
		make_room(tick, snapshot);
	tick->head = *head;
	struct told_server *told = tick->servers;
	for (size_t i = 0; i < snapshot->service_count; i++)
		take_service(&tick->services[i], snapshot->services[i]);
	for (size_t i = 0; i < snapshot->pool_count; i++)
		for (size_t j = 0; j < snapshot->pools[i]->server_count; j++)
			take_server(told++, snapshot->pools[i]->servers[j]);
	return is_known;
}

/* --- writing the document ---------------------------------------------------------------------------------------- */

struct document {
	char *data;
	size_t len;
	size_t capacity;
};

static void put_bytes(struct document *document, const char *bytes, size_t len)
{
	if (len >= document->capacity - document->len) {
		document->capacity = 2 * (document->capacity + len);
		document->data = memory_resize(document->data, document->capacity, 1);
	}
	memcpy(document->data + document->len, bytes, len);
	document->len += len;
}

static void put_text(struct document *document, const char *text)
{
	put_bytes(document, text, strlen(text));
}

static void put_number(struct document *document, const char *key, uint64_t number)
{
	char digits[DIGITS_MAX];
	size_t first = sizeof(digits);
	put_text(document, key);
	do {
		digits[--first] = (char)('0' + number % 10);
		number /= 10;
	} while (number > 0);
	put_bytes(document, digits + first, sizeof(digits) - first);
}

static bool is_plain(const char *text)
{
	for (; *text != '\0'; text++)
		if (*text < ' ' || *text > '~' || *text == '"' || *text == '\\')
			return false;
	return true;
}

static void put_name(struct document *document, const char *key, const char *name)
{
	put_text(document, key);
	if (is_plain(name)) {
		put_text(document, "\"");
		put_text(document, name);
		put_text(document, "\"");
		return;
	}
	json_t *string = json_bytes(name);
	char *text = json_dumps(string, JSON_ENCODE_ANY);
	put_text(document, text);
	free(text);
	json_decref(string);
}

static void put_service(struct document *document, const struct service *service, const struct service_counts *counts)
{
	put_name(document, "{\"name\":", service->name);
	put_number(document, ",\"flows_active\":", counts->flows_active);
	put_number(document, ",\"flows_total\":", counts->flows_total);
	put_number(document, ",\"bytes_in\":", counts->bytes_in);
	put_number(document, ",\"bytes_out\":", counts->bytes_out);
	put_number(document, ",\"packets_in\":", counts->packets_in);
	put_number(document, ",\"packets_out\":", counts->packets_out);
	put_number(document, ",\"refused_total\":", counts->refused_total);
	put_text(document, "},");
}

static void put_server(struct document *document, const struct server *server, const struct server_counts *counts)
{
	put_name(document, "{\"pool\":", server->pool->name);
	put_name(document, ",\"name\":", server->name);
	put_name(document, ",\"state\":", counts->state);
	put_number(document, ",\"flows_active\":", counts->flows_active);
	put_number(document, ",\"flows_total\":", counts->flows_total);
	put_number(document, ",\"bytes_in\":", counts->bytes_in);
	put_number(document, ",\"bytes_out\":", counts->bytes_out);
	put_number(document, ",\"connect_failures_total\":", counts->connect_failures_total);
	put_text(document, "},");
}

static void put_head(struct document *document, const struct tick *tick, enum tick_form form)
{
	char ts[CLOCK_TEXT_BYTES];
	put_text(document, "{\"ts\":\"");
	put_text(document, clock_format_realtime(tick->head.realtime_us, ts, sizeof(ts)));
	put_number(document, "\",\"generation\":", tick->generation);
	put_name(document, ",\"phase\":", tick->head.phase);
	put_text(document, tick->head.is_degraded ? ",\"is_degraded\":true" : ",\"is_degraded\":false");
	put_text(document, form == TICK_FULL ? ",\"is_full\":true" : ",\"is_full\":false");
}

/* The comma behind the last one becomes the bracket. */
static void end_list(struct document *document)
{
	if (document->data[document->len - 1] == ',')
		document->len--;
	put_text(document, "]");
}

char *tick_format(const struct tick *tick, enum tick_form form, size_t *ret_bytes)
{
	struct document document = { .data = memory_alloc(DOCUMENT_BYTES_MIN), .capacity = DOCUMENT_BYTES_MIN };
	const struct snapshot *snapshot = tick->snapshot;
	const struct told_server *told = tick->servers;
	put_head(&document, tick, form);
	put_text(&document, ",\"services\":[");
	for (size_t i = 0; i < snapshot->service_count; i++)
		if (form == TICK_FULL || tick->services[i].has_changed)
			put_service(&document, snapshot->services[i], &tick->services[i].counts);
	end_list(&document);
	put_text(&document, ",\"servers\":[");
	for (size_t i = 0; i < snapshot->pool_count; i++)
		for (size_t j = 0; j < snapshot->pools[i]->server_count; j++, told++)
			if (form == TICK_FULL || told->has_changed)
				put_server(&document, snapshot->pools[i]->servers[j], &told->counts);
	end_list(&document);
	put_text(&document, "}");
	document.data[document.len] = '\0';
	*ret_bytes = document.len;
	return document.data;
}
