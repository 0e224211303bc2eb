/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/status_screen.h"

#include "base/memory.h"
#include "cli/canvas.h"
#include "cli/document.h"
#include "cli/list.h"
#include "cli/status_attention.h"
#include "cli/status_words.h"
#include "cli/table.h"

#include <stdlib.h>
#include <string.h>

enum {
	LIST_LINES_MIN = 4, /* a head, two rows and the number of the others */
	CANVAS_LINES = 400,
	INDENT = 2,
	BANDWIDTH_LINES_MAX = 3, /* GET /v1/services tells of the others */
};

/* One screen in the making. */
struct page {
	const struct status_screen *screen;
	struct canvas canvas;
	int row;
	struct status_attention attention;
};

/* Something in a list, and its place there: what fails first, then what is busiest. */
struct entry {
	const json_t *pool; /* of a server */
	const json_t *item;
	double rank;
};

struct entries {
	struct entry *entries; /* heap */
	size_t count;
};

static struct canvas_place line(struct page *page)
{
	return canvas_rest(&page->canvas, page->row++, 0);
}

/* --- head -------------------------------------------------------------------------------------------------------- */

static void put_verdict(struct page *page)
{
	static const char *const ups[] = { "server_up", "server_returned", NULL };
	char age[TABLE_NUMBER_BYTES];
	const json_t *status = page->screen->status;
	const struct status_attention *attention = &page->attention;
	uint64_t seconds;
	bool is_since_known = status_attention_find_since(status, &seconds);
	const json_t *up = status_attention_last_event(page->screen->history, ups);
	if (json_is_true(json_object_get(status, "is_degraded")))
		canvas_format(&page->canvas, line(page), LOOK_BAD, "DEGRADED%s%s", is_since_known ? " for " : "",
			      is_since_known ? table_time(seconds, age) : "");
	else if (attention->count > 0)
		canvas_format(&page->canvas, line(page), LOOK_CAUTION, "Well, but see below");
	else if (up != NULL)
		canvas_format(&page->canvas, line(page), LOOK_GOOD, "All is well, since %.19s UTC",
			      document_text(up, "ts"));
	else
		canvas_format(&page->canvas, line(page), LOOK_GOOD, "All is well, since the start");
}

static void put_identity(struct page *page)
{
	static const char *const reloads[] = { "reloaded", "reload_failed", NULL };
	char age[TABLE_NUMBER_BYTES];
	const json_t *status = page->screen->status;
	const json_t *reload = status_attention_last_event(page->screen->history, reloads);
	size_t worker_count = json_array_size(json_object_get(status, "workers"));
	int used = canvas_format(
		&page->canvas, line(page), LOOK_PLAIN, "strait %s, %s for %s, %zu worker%s, generation %llu",
		document_text(status, "version"), document_text(status, "phase"),
		table_time(document_number(status, "uptime_seconds"), age), worker_count, worker_count == 1 ? "" : "s",
		(unsigned long long)document_number(status, "generation"));
	if (reload == NULL)
		return;
	char text[128];
	snprintf(text, sizeof(text), "%s %.19s UTC",
		 strcmp(document_text(reload, "event"), "reloaded") == 0 ? "reloaded" : "reload failed",
		 document_text(reload, "ts"));
	if (used + 2 + (int)shown_text_width(text) <= page->canvas.width)
		canvas_format(&page->canvas, canvas_rest(&page->canvas, page->row - 1, used), LOOK_PLAIN, ", %s", text);
	else
		canvas_put(&page->canvas, line(page), LOOK_PLAIN, text);
}

static void put_limits(struct page *page)
{
	char numbers[6][TABLE_NUMBER_BYTES];
	const json_t *limits = json_object_get(page->screen->status, "limits");
	const json_t *connections = json_object_get(limits, "connections");
	const json_t *sessions = json_object_get(limits, "sessions");
	const json_t *descriptors = json_object_get(limits, "descriptors");
	canvas_format(&page->canvas, line(page), LOOK_PLAIN,
		      "connections %s of %s, UDP sessions %s of %s, descriptors %s of %s",
		      table_count(document_number(connections, "used"), numbers[0]),
		      table_count(document_number(connections, "max"), numbers[1]),
		      table_count(document_number(sessions, "used"), numbers[2]),
		      table_count(document_number(sessions, "max"), numbers[3]),
		      table_count(document_number(descriptors, "open"), numbers[4]),
		      table_count(document_number(descriptors, "limit"), numbers[5]));
}

/* "web: 12.0M/s each way, 1.0M/s up and 4.0M/s down for each flow" */
static void put_bandwidth(struct page *page, const json_t *service)
{
	char text[TABLE_NUMBER_BYTES];
	uint64_t of_all = document_number(service, "bandwidth_max");
	uint64_t up = document_number(service, "upload_max");
	uint64_t down = document_number(service, "download_max");
	int row = page->row;
	int used = canvas_format(&page->canvas, line(page), LOOK_PLAIN,
				 "bandwidth of %s:", document_text(service, "name"));
	if (of_all > 0)
		used += canvas_format(&page->canvas, canvas_rest(&page->canvas, row, used), LOOK_PLAIN,
				      " %s/s each way", table_size_short(of_all, text));
	if (up > 0)
		used += canvas_format(&page->canvas, canvas_rest(&page->canvas, row, used), LOOK_PLAIN,
				      " %s/s up a flow", table_size_short(up, text));
	if (down > 0)
		used += canvas_format(&page->canvas, canvas_rest(&page->canvas, row, used), LOOK_PLAIN,
				      " %s/s down a flow", table_size_short(down, text));
	canvas_format(&page->canvas, canvas_rest(&page->canvas, row, used), LOOK_PLAIN, "; waited for %s times",
		      table_count(document_number(service, "throttled_in_total") +
					  document_number(service, "throttled_out_total"),
				  text));
}

static bool is_bandwidth_limited(const json_t *service)
{
	return document_number(service, "bandwidth_max") + document_number(service, "upload_max") +
		       document_number(service, "download_max") >
	       0;
}

static void put_bandwidths(struct page *page)
{
	int left = BANDWIDTH_LINES_MAX;
	size_t index;
	const json_t *service;
	json_array_foreach(json_object_get(page->screen->status, "services"), index, service)
	{
		if (is_bandwidth_limited(service) && left-- > 0)
			put_bandwidth(page, service);
	}
}

static json_t *sum_refused(const json_t *status)
{
	json_t *sums = json_object();
	size_t index;
	const json_t *service;
	json_array_foreach(json_object_get(status, "services"), index, service)
	{
		const char *reason;
		json_t *count;
		json_object_foreach(json_object_get(service, "refused"), reason, count)
		{
			json_int_t sum = json_integer_value(json_object_get(sums, reason));
			json_object_set_new(sums, reason, json_integer(sum + json_integer_value(count)));
		}
	}
	return sums;
}

static void put_refused(struct page *page)
{
	char text[STATUS_WORDS_BYTES];
	json_t *sums = sum_refused(page->screen->status);
	status_words_refused(sums, text);
	if (text[0] != '\0')
		canvas_format(&page->canvas, line(page), LOOK_PLAIN, "refused since the start: %s", text);
	json_decref(sums);
}

static void put_blocks(struct page *page)
{
	char numbers[3][TABLE_NUMBER_BYTES];
	const json_t *blocks = json_object_get(page->screen->status, "blocks");
	uint64_t by_api = document_number(blocks, "api");
	uint64_t by_service = document_number(blocks, "service");
	uint64_t configured = document_number(blocks, "configuration");
	if (by_api + by_service + configured > 0)
		canvas_format(&page->canvas, line(page), LOOK_PLAIN,
			      "blocked networks: %s by command, %s by services, %s configured",
			      table_count(by_api, numbers[0]), table_count(by_service, numbers[1]),
			      table_count(configured, numbers[2]));
}

/* Where the packet guard is and what it has dropped; or why it is not there, and what is weaker then. */
static void put_packet_guard(struct page *page)
{
	char places[STATUS_WORDS_BYTES];
	char dropped[STATUS_WORDS_BYTES];
	const json_t *guard = json_object_get(page->screen->status, "packet_guard");
	const char *state = document_text(guard, "state");
	const char *why = document_find_text(guard, "why");
	if (strcmp(state, "unavailable") == 0) {
		canvas_format(&page->canvas, line(page), LOOK_PLAIN, "packet guard unavailable: %s",
			      why != NULL ? why : "");
		canvas_put(&page->canvas, line(page), LOOK_PLAIN,
			   "  malformed packets are left to the kernel's own checks, and blocks are");
		canvas_put(&page->canvas, line(page), LOOK_PLAIN,
			   "  enforced when a connection is accepted or a first datagram has come");
	}
	if (strcmp(state, "active") != 0)
		return;
	status_words_guarded(guard, places);
	status_words_refused(json_object_get(guard, "dropped"), dropped);
	canvas_format(&page->canvas, line(page), LOOK_PLAIN, "packet guard at %s; dropped: %s",
		      places[0] != '\0' ? places : "no interface", dropped[0] != '\0' ? dropped : "nothing");
}

/* Where flows can go into the kernel and how many are there; or why they cannot. */
static void put_kernel_path(struct page *page)
{
	char places[STATUS_WORDS_BYTES];
	char numbers[2][TABLE_NUMBER_BYTES];
	const json_t *path = json_object_get(page->screen->status, "kernel_path");
	const json_t *flows = json_object_get(path, "flows");
	const char *state = document_text(path, "state");
	const char *why = document_find_text(path, "why");
	if (strcmp(state, "unavailable") == 0)
		canvas_format(&page->canvas, line(page), LOOK_PLAIN,
			      "kernel path unavailable, all flows are in user space: %s", why != NULL ? why : "");
	if (strcmp(state, "active") != 0)
		return;
	status_words_guarded(path, places);
	canvas_format(&page->canvas, line(page), LOOK_PLAIN, "kernel path at %s; flows there: %s of %s",
		      places[0] != '\0' ? places : "no interface",
		      table_count(document_number(flows, "used"), numbers[0]),
		      table_count(document_number(flows, "max"), numbers[1]));
}

/* Where a line of so many columns has to end: behind a space if there is one. */
static size_t find_break(const char *text, int width)
{
	const char *at = text;
	size_t at_space = 0;
	while (*at != '\0' && width > 0) {
		struct shown_character character;
		at = shown_text_next(at, &character);
		width -= character.width;
		if (at[-1] == ' ')
			at_space = (size_t)(at - text);
	}
	return *at == '\0' || at_space == 0 ? (size_t)(at - text) : at_space;
}

/* On one line, or two. */
static void put_item(struct page *page, enum look look, const char *text)
{
	size_t len = find_break(text, page->canvas.width - INDENT);
	canvas_format(&page->canvas, line(page), look, "! %.*s", (int)len, text);
	if (text[len] != '\0')
		canvas_put(&page->canvas, canvas_rest(&page->canvas, page->row++, 2 * INDENT), look, text + len);
}

/* Whole items, as long as there is a line for the number of the others. */
static void put_attention(struct page *page, int lines)
{
	const struct status_attention *attention = &page->attention;
	size_t shown = 0;
	int end = page->row + 1 + lines;
	if (attention->count == 0)
		return;
	page->row++;
	while (shown < attention->count && shown < STATUS_ATTENTION_MAX &&
	       page->row + (shown + 1 < attention->count) < end) {
		put_item(page, attention->items[shown].look, attention->items[shown].text);
		shown++;
	}
	if (attention->count > shown)
		canvas_format(&page->canvas, line(page), LOOK_PLAIN, "  ... and %zu more: strait pools",
			      attention->count - shown);
}

/* --- lists ------------------------------------------------------------------------------------------------------- */

static int compare_entries(const void *a_pointer, const void *b_pointer)
{
	const struct entry *a = a_pointer;
	const struct entry *b = b_pointer;
	if (a->rank != b->rank)
		return a->rank < b->rank ? 1 : -1;
	return (a->item > b->item) - (a->item < b->item);
}

static void sort_entries(struct entries *entries)
{
	if (entries->count > 1)
		qsort(entries->entries, entries->count, sizeof(*entries->entries), compare_entries);
}

static void add_entry(struct entries *entries, const json_t *pool, const json_t *item, double rank)
{
	entries->entries = memory_resize(entries->entries, entries->count + 1, sizeof(*entries->entries));
	entries->entries[entries->count++] = (struct entry){ pool, item, rank };
}

static double busyness(const json_t *item)
{
	return 1e6 * (double)document_number(item, "flows_active") + (double)document_number(item, "flows_total");
}

/* What a window of trends tells, as rates of the part of it that is known: a young service has not had all of it yet. */
static void put_trend(struct list_row *row, const json_t *trend)
{
	char text[TABLE_NUMBER_BYTES];
	double covered = (double)document_number(trend, "covered_seconds");
	double seconds = covered > 0 ? covered : 1;
	list_set_number(row, 4, 0, table_rate((double)document_number(trend, "flows") / seconds, text));
	list_set_number(row, 5, 0,
			table_size_short((uint64_t)((double)document_number(trend, "bytes_in") / seconds), text));
	list_set_number(row, 6, 0,
			table_size_short((uint64_t)((double)document_number(trend, "bytes_out") / seconds), text));
}

static void put_totals(struct list_row *row, const json_t *service)
{
	char text[TABLE_NUMBER_BYTES];
	list_set_number(row, 4, 0, table_count(document_number(service, "flows_total"), text));
	list_set_number(row, 5, 0, table_size_short(document_number(service, "bytes_in"), text));
	list_set_number(row, 6, 0, table_size_short(document_number(service, "bytes_out"), text));
}

static void add_service(struct list *list, const json_t *service, const json_t *trend, bool has_rates)
{
	char number[TABLE_NUMBER_BYTES];
	char text[STATUS_WORDS_BYTES];
	struct list_row *row = list_add(list);
	list_set(row, 0, "%s", document_text(service, "name"));
	list_set(row, 1, "%s", status_words_listens(service, text));
	list_set(row, 2, "%s", document_text(service, "pool"));
	list_set_number(row, 3, 0, table_count(document_number(service, "flows_active"), number));
	if (has_rates)
		put_trend(row, trend);
	else
		put_totals(row, service);
	list_set_number(row, 7, 0, table_count(document_number(service, "refused_total"), number));
}

static void add_server(struct list *list, const json_t *pool, const json_t *server)
{
	char number[TABLE_NUMBER_BYTES];
	char text[STATUS_WORDS_BYTES];
	struct list_row *row = list_add(list);
	list_set(row, 0, "%s/%s", document_text(pool, "name"), document_text(server, "name"));
	list_set(row, 1, "%s", document_text(server, "address"));
	list_set(row, 2, "%s", status_words_state(server, text));
	list_set(row, 3, "%s", table_time(document_number(server, "state_age_ms") / 1000, number));
	list_set_number(row, 4, 0, table_count(document_number(server, "flows_active"), number));
	list_set_number(row, 5, 0, table_count(document_number(server, "flows_total"), number));
	list_set_number(row, 6, 0, table_count(document_number(server, "connect_failures_total"), number));
	list_set_look(row, 2, status_words_state_look(server));
}

/* lines: with the head and the line that counts what is left. */
static size_t rows_shown(size_t count, int lines)
{
	return count <= (size_t)lines - 1 ? count : (size_t)lines - 2;
}

static void draw(struct page *page, struct list *list, size_t left_count, const char *command)
{
	struct list_window window = { page->row, (int)list->row_count + 1, 0, list->column_count };
	list_draw(list, &page->canvas, window);
	page->row += window.height;
	if (left_count > 0)
		canvas_format(&page->canvas, line(page), LOOK_PLAIN, "... and %zu more: %s", left_count, command);
	list_done(list);
}

static void put_services(struct page *page, const struct entries *entries, int lines)
{
	static const struct list_column totals[] = {
		{ "SERVICE", LIST_TEXT, 12, 0 }, { "LISTEN", LIST_TEXT, 14, 2 },   { "POOL", LIST_TEXT, 8, 4 },
		{ "ACTIVE", LIST_NUMBER, 6, 0 }, { "FLOWS", LIST_NUMBER, 6, 1 },   { "IN", LIST_NUMBER, 6, 1 },
		{ "OUT", LIST_NUMBER, 6, 1 },    { "REFUSED", LIST_NUMBER, 6, 1 },
	};
	static const struct list_column rates[] = {
		{ "SERVICE", LIST_TEXT, 12, 0 }, { "LISTEN", LIST_TEXT, 14, 2 },   { "POOL", LIST_TEXT, 8, 4 },
		{ "ACTIVE", LIST_NUMBER, 6, 0 }, { "FLOWS/S", LIST_NUMBER, 6, 1 }, { "IN/S", LIST_NUMBER, 6, 1 },
		{ "OUT/S", LIST_NUMBER, 6, 1 },  { "REFUSED", LIST_NUMBER, 6, 1 },
	};
	struct list list;
	const json_t *trends = page->screen->trends;
	bool has_rates = json_is_array(json_object_get(trends, "services"));
	json_t *trend_by_name = document_index_by_name(json_object_get(trends, "services"));
	size_t shown = rows_shown(entries->count, lines);
	list_init(&list, has_rates ? rates : totals, sizeof(totals) / sizeof(totals[0]));
	for (size_t i = 0; i < shown; i++) {
		const json_t *service = entries->entries[i].item;
		add_service(&list, service, json_object_get(trend_by_name, document_text(service, "name")), has_rates);
	}
	draw(page, &list, entries->count - shown, "strait top --once");
	json_decref(trend_by_name);
}

static void put_servers(struct page *page, const struct entries *entries, int lines)
{
	static const struct list_column columns[] = {
		{ "SERVER", LIST_TEXT, 16, 0 },  { "ADDRESS", LIST_TEXT, 14, 2 }, { "STATE", LIST_TEXT, 6, 0 },
		{ "SINCE", LIST_TEXT, 6, 1 },    { "ACTIVE", LIST_NUMBER, 6, 1 }, { "FLOWS", LIST_NUMBER, 6, 1 },
		{ "FAILED", LIST_NUMBER, 6, 3 },
	};
	struct list list;
	size_t shown = rows_shown(entries->count, lines);
	list_init(&list, columns, sizeof(columns) / sizeof(columns[0]));
	for (size_t i = 0; i < shown; i++)
		add_server(&list, entries->entries[i].pool, entries->entries[i].item);
	draw(page, &list, entries->count - shown, "strait pools");
}

static struct entries find_services(const json_t *status)
{
	struct entries entries = { 0 };
	json_t *ills = json_object();
	size_t index;
	const json_t *item;
	json_array_foreach(json_object_get(status, "pools"), index,
			   item) if (json_is_true(json_object_get(item, "is_degraded")))
		json_object_set_new(ills, document_text(item, "name"), json_true());
	json_array_foreach(json_object_get(status, "services"), index, item)
	{
		bool is_ill = json_object_get(ills, document_text(item, "pool")) != NULL;
		add_entry(&entries, NULL, item, busyness(item) + (is_ill ? 1e30 : 0));
	}
	sort_entries(&entries);
	json_decref(ills);
	return entries;
}

static struct entries find_servers(const json_t *status)
{
	struct entries entries = { 0 };
	size_t index;
	size_t server_index;
	const json_t *pool;
	const json_t *server;
	json_array_foreach(json_object_get(status, "pools"), index, pool)
	{
		json_array_foreach(json_object_get(pool, "servers"), server_index, server)
		{
			enum look look = status_words_state_look(server);
			double trouble = look == LOOK_BAD ? 2e30 : look == LOOK_CAUTION ? 1e30 : 0;
			add_entry(&entries, pool, server, busyness(server) + trouble);
		}
	}
	sort_entries(&entries);
	return entries;
}

/* --- all of it --------------------------------------------------------------------------------------------------- */

static int smaller(int a, int b)
{
	return a < b ? a : b;
}

static int larger(int a, int b)
{
	return a > b ? a : b;
}

/* Both lists share what is left, and one that is short leaves its part to the other. */
static void put_lists(struct page *page, int lines)
{
	struct entries services = find_services(page->screen->status);
	struct entries servers = find_servers(page->screen->status);
	int server_lines = larger(smaller((int)servers.count + 1, lines / 2), LIST_LINES_MIN);
	int service_lines = larger(smaller((int)services.count + 1, lines - server_lines), LIST_LINES_MIN);
	server_lines = larger(lines - service_lines, LIST_LINES_MIN);
	page->row++;
	put_services(page, &services, service_lines);
	page->row++;
	put_servers(page, &servers, server_lines);
	free(services.entries);
	free(servers.entries);
}

void status_screen_print(const struct status_screen *screen, FILE *out)
{
	struct page page = { .screen = screen };
	canvas_init(&page.canvas, screen->width, CANVAS_LINES);
	status_attention_find(screen->status, screen->history, screen->trends, &page.attention);
	put_verdict(&page);
	put_identity(&page);
	put_limits(&page);
	put_bandwidths(&page);
	put_refused(&page);
	put_blocks(&page);
	put_packet_guard(&page);
	put_kernel_path(&page);
	put_attention(&page, larger(screen->height - page.row - 3 - 2 * LIST_LINES_MIN, 2));
	put_lists(&page, smaller(screen->height, CANVAS_LINES / 2) - page.row - 2 - 1);
	page.canvas.height = page.row;
	canvas_print(&page.canvas, screen->colour, out);
	canvas_done(&page.canvas);
}
