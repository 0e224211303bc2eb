/* SPDX-License-Identifier: Apache-2.0 */
#include "control/kernel_path.h"

#include "base/list.h"
#include "base/memory.h"
#include "config/flow_path.h"
#include "control/adopted_flows.h"
#include "control/interface_watch.h"
#include "control/listen_interfaces.h"
#include "control/log_writer.h"
#include "control/nat_services.h"
#include "kernel/own_ports.h"
#include "kernel/route.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

enum {
	CAUSE_BYTES = 256,
	PATH_BYTES = 128,
	/* Each change of routes makes workers look for the way of all their flows. */
	ROUTES_PAUSE_MS = 2000,
};

#define DEFAULT_PINS "/sys/fs/bpf/strait"

struct kernel_path {
	struct loop *loop;
	struct timer_wheel *wheel;
	struct log_writer *log;
	struct kernel_path_carriers carriers;
	const struct config *config;
	const struct snapshot *snapshot;
	struct flow_table *table;
	struct own_ports *own_ports; /* once the table was open */
	struct nat_services *nat;    /* NULL: no flow begins in the kernel */
	struct interface_watch watch;
	struct route_finder routes;
	enum kernel_path_state state;
	char pins[PATH_BYTES];        /* empty: none */
	char pins_cause[CAUSE_BYTES]; /* empty: they are there */
	char cause[CAUSE_BYTES];      /* empty: none */
};

const char *kernel_path_state_word(enum kernel_path_state state)
{
	static const char *const words[] = {
		[KERNEL_PATH_OFF] = "off",
		[KERNEL_PATH_ACTIVE] = "active",
		[KERNEL_PATH_UNAVAILABLE] = "unavailable",
	};
	return words[state];
}

/* --- where flows are pinned -------------------------------------------------------------------------------------- */

static bool is_bpf_file_system(const char *directory)
{
	struct statfs info;
	return statfs(directory, &info) == 0 && info.f_type == BPF_FS_MAGIC;
}

/* What tells this network namespace from all others since the machine has started; 0 when the kernel does not say. */
static uint64_t namespace_cookie(void)
{
#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71 /* Linux 5.14 */
#endif
	uint64_t cookie = 0;
	socklen_t cookie_bytes = sizeof(cookie);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return 0;
	if (getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &cookie_bytes) < 0)
		cookie = 0;
	close(fd);
	return cookie;
}

static bool make_directory(struct kernel_path *path, const char *directory)
{
	if (mkdir(directory, 0700) == 0 || errno == EEXIST)
		return true;
	snprintf(path->pins_cause, sizeof(path->pins_cause), "%s cannot be made: %s", directory, strerror(errno));
	return false;
}

/* Below the directory that the file names, one for each version of what is in it. */
static void find_pins(struct kernel_path *path)
{
	const char *named = path->config->kernel_path.pins;
	char directory[PATH_BYTES];
	path->pins[0] = path->pins_cause[0] = '\0';
	if (named != NULL)
		snprintf(directory, sizeof(directory), "%s", named);
	else
		snprintf(directory, sizeof(directory), DEFAULT_PINS "/%" PRIu64, namespace_cookie());
	if (named == NULL && is_bpf_file_system("/sys/fs/bpf"))
		make_directory(path, DEFAULT_PINS);
	if (named == NULL ? !is_bpf_file_system(DEFAULT_PINS) : false) {
		snprintf(path->pins_cause, sizeof(path->pins_cause), "no BPF file system is mounted at /sys/fs/bpf");
		return;
	}
	if (!make_directory(path, directory))
		return;
	if (!is_bpf_file_system(directory)) {
		snprintf(path->pins_cause, sizeof(path->pins_cause), "%s is not in a BPF file system", directory);
		return;
	}
	char versioned[PATH_BYTES + 16];
	snprintf(versioned, sizeof(versioned), "%s/v%d", directory, FLOW_ABI_VERSION);
	if (make_directory(path, versioned))
		memcpy(path->pins, versioned, sizeof(path->pins));
	path->pins[sizeof(path->pins) - 1] = '\0';
}

static void remove_pins_directory(struct kernel_path *path)
{
	if (path->pins[0] == '\0')
		return;
	rmdir(path->pins);
	char *version = strrchr(path->pins, '/');
	*version = '\0';
	if (path->config->kernel_path.pins == NULL)
		rmdir(path->pins);
}

/* --- where it is wanted ------------------------------------------------------------------------------------------ */

static bool wants_kernel(const struct config_service *service)
{
	return service->path != CONFIG_PATH_RELAY;
}

static bool has_nat_service(const struct config *config)
{
	for (size_t i = 0; i < config->service_count; i++)
		if (config->services[i].path == CONFIG_PATH_NAT)
			return true;
	return false;
}

static bool offloads_tcp(const struct config *config)
{
	for (size_t i = 0; i < config->service_count; i++) {
		const struct config_service *service = &config->services[i];
		if ((service->path == CONFIG_PATH_OFFLOAD || service->path == CONFIG_PATH_AUTO) &&
		    flow_path_obstacles(config, service, CONFIG_TCP) == 0)
			return true;
	}
	return false;
}

static bool is_wanted(const struct config *config)
{
	for (size_t i = 0; i < config->service_count; i++)
		if (wants_kernel(&config->services[i]))
			return config->kernel_path.mode == CONFIG_KERNEL_PATH_AUTO;
	return false;
}

static void want_way_to(struct kernel_path *path, const struct server *server, const struct interface_list *list,
			bool *wanted)
{
	struct route_answer route;
	if (addr_is_unix(&server->addr) || route_find(&path->routes, &server->endpoint, NULL, &route) < 0 ||
	    route.is_local)
		return;
	for (size_t i = 0; i < list->count; i++)
		if (list->interfaces[i].index == route.interface_index)
			wanted[i] = true;
}

static void want_for_service(struct kernel_path *path, size_t number, const struct interface_list *list, bool *wanted)
{
	const struct config_service *service = &path->config->services[number];
	const struct pool *pool = path->snapshot->pools[service->pool_index];
	for (size_t i = 0; i < service->listen_count; i++)
		listen_interfaces_add(&service->listens[i].addr, list, wanted);
	for (size_t i = 0; i < pool->server_count; i++)
		want_way_to(path, pool->servers[i], list, wanted);
}

/* wanted: one for each interface of the list. Pools of several services are looked at several times. */
static void find_wanted(struct kernel_path *path, const struct interface_list *list, bool *wanted)
{
	for (size_t i = 0; i < path->config->service_count; i++)
		if (wants_kernel(&path->config->services[i]))
			want_for_service(path, i, list, wanted);
	listen_interfaces_clear_useless(list, wanted);
}

/* --- attaching --------------------------------------------------------------------------------------------------- */

static void detach(struct kernel_path *path, size_t number)
{
	const struct ingress_place place = flow_table_places(path->table)->all[number];
	flow_table_detach(path->table, number);
	log_event(path->log, CONFIG_LEVEL_INFO, "kernel_path_detached", record_text("interface", place.interface));
}

/* Without the program a flow that lives in the kernel only is lost. */
static bool has_bare_flows(const struct kernel_path *path)
{
	struct worker_usage usage = workers_sum_usage(path->carriers.workers, path->carriers.worker_count);
	uint64_t count = 0;
	for (int way = 0; way < FLOW_PATH_COUNT; way++)
		count += usage.bare_flows[way];
	return count > 0;
}

static void detach_all(struct kernel_path *path)
{
	while (path->table != NULL && flow_table_places(path->table)->count > 0)
		detach(path, flow_table_places(path->table)->count - 1);
}

/* Writes why not into the cause, when that is empty. */
static void attach(struct kernel_path *path, const struct interface *interface)
{
	size_t count = flow_table_places(path->table)->count;
	int result = flow_table_attach(path->table, interface);
	/* One that has vanished meanwhile is no failure. */
	if (result < 0 && result != -ENODEV && path->cause[0] == '\0')
		snprintf(path->cause, sizeof(path->cause), "%s: %s", interface->name, ingress_problem(result));
	if (flow_table_places(path->table)->count > count)
		log_event(path->log, CONFIG_LEVEL_INFO, "kernel_path_attached",
			  record_text("interface", interface->name),
			  record_text("mode",
				      ingress_mode_word(flow_table_places(path->table)->all[count].ingress.mode)));
}

static void attach_wanted(struct kernel_path *path, const struct interface_list *list, const bool *wanted)
{
	bool is_needed = has_bare_flows(path);
	for (size_t i = flow_table_places(path->table)->count; i > 0; i--) {
		if (ingress_place_is_wanted(&flow_table_places(path->table)->all[i - 1], list, wanted))
			continue;
		if (is_needed)
			interface_watch_look_again(&path->watch);
		else
			detach(path, i - 1);
	}
	for (size_t i = 0; i < list->count; i++)
		if (wanted[i])
			attach(path, &list->interfaces[i]);
}

/* Puts it where it is wanted now. When the interfaces change too fast to be listed it stays where it is. */
static void place(struct kernel_path *path)
{
	struct interface_list list;
	int result = interfaces_read(&list);
	if (result < 0) {
		snprintf(path->cause, sizeof(path->cause), "the interfaces cannot be listed: %s", strerror(-result));
		interface_watch_look_again(&path->watch);
		return;
	}
	bool *wanted = memory_alloc_zeroed(list.count, sizeof(*wanted));
	find_wanted(path, &list, wanted);
	attach_wanted(path, &list, wanted);
	free(wanted);
	if (path->nat != NULL)
		nat_services_apply(path->nat, path->config, path->snapshot, &list);
	interfaces_done(&list);
	uint32_t epoch = 1 + atomic_fetch_add_explicit(&path->carriers.settings->routes_epoch, 1, memory_order_release);
	if (path->nat != NULL)
		nat_table_set_routes_epoch(nat_services_directory(path->nat)->table, epoch);
}

/* --- the state --------------------------------------------------------------------------------------------------- */

static void take_cause(struct kernel_path *path, char *ret_former_cause)
{
	memcpy(ret_former_cause, path->cause, CAUSE_BYTES);
	path->cause[0] = '\0';
}

static const char *open_problem(int error)
{
	switch (error) {
	case -EPERM:
	case -EACCES:
		return "CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON are needed";
	case -EADDRINUSE:
		return "another strait has its flows there (kernel-path pins=)";
	default:
		return strerror(-error);
	}
}

static void reserve_ports(struct kernel_path *path)
{
	struct relay_settings *settings = path->carriers.settings;
	if (path->own_ports == NULL)
		path->own_ports = own_ports_new(atomic_load(&settings->ephemeral_ports), OWN_PORTS_OF_CONNECTIONS);
	atomic_store_explicit(&settings->own_ports, path->own_ports, memory_order_release);
}

/* Workers may still look at the list, so it stays. */
static void release_ports(struct kernel_path *path)
{
	atomic_store_explicit(&path->carriers.settings->own_ports, NULL, memory_order_release);
}

/* Opens the table when it is not there. Returns false when that fails, with the cause. */
static bool open_table(struct kernel_path *path)
{
	if (path->table != NULL)
		return true;
	const struct flow_table_settings settings = {
		.flows_max = (uint32_t)path->config->kernel_path.flows,
		.pins = path->pins[0] != '\0' ? path->pins : NULL,
		.nat = nat_services_sizes(path->config),
	};
	int result = flow_table_open(&settings, &path->table);
	if (result < 0)
		snprintf(path->cause, sizeof(path->cause), "the eBPF program: %s", open_problem(result));
	return result == 0;
}

/* Makes flows begin in the kernel, when somebody wants that. */
static void open_nat(struct kernel_path *path)
{
	uint32_t ephemeral_ports = atomic_load(&path->carriers.settings->ephemeral_ports);
	if (path->nat != NULL || !has_nat_service(path->config))
		return;
	int result = nat_services_new(path->table, path->loop, path->wheel, ephemeral_ports, &path->nat);
	if (result < 0) {
		snprintf(path->cause, sizeof(path->cause), "path nat: %s", strerror(-result));
		return;
	}
	const struct nat_directory *directory = nat_services_directory(path->nat);
	/* The first of them here, so that flows can begin as soon as the program is somewhere; after that it is the worker's task. */
	nat_table_fill_slots(directory->table);
	worker_begin_nat(path->carriers.workers[0], directory);
}

static void close_table(struct kernel_path *path)
{
	nat_services_free(&path->nat);
	if (path->table == NULL)
		return;
	flow_table_close(&path->table);
	remove_pins_directory(path);
}

static void adopt(struct kernel_path *path)
{
	if (flow_table_flows(path->table) == 0)
		return;
	struct adopted_counts counts = adopted_flows_hand_out(path->table, path->snapshot, path->carriers.workers,
							      path->carriers.worker_count);
	log_event(path->log, CONFIG_LEVEL_INFO, "flows_adopted", record_number("count", counts.adopted),
		  record_number("ended", counts.ended));
}

/* Nobody wants what a daemon before this one has left. */
static void drop_leftovers(struct kernel_path *path)
{
	if (path->table != NULL || !flow_table_is_pinned(path->pins) || !open_table(path))
		return;
	log_event(path->log, CONFIG_LEVEL_WARNING, "flows_dropped",
		  record_number("count", flow_table_flows(path->table)));
	close_table(path);
}

/* After it was placed, or could not be. former_cause: of the time before. */
static void conclude(struct kernel_path *path, const char *former_cause)
{
	bool is_somewhere = path->table != NULL && flow_table_places(path->table)->count > 0;
	if (path->cause[0] == '\0' && path->nat != NULL && nat_services_cause(path->nat) != NULL)
		snprintf(path->cause, sizeof(path->cause), "path nat: %s", nat_services_cause(path->nat));
	bool has_ports = path->own_ports != NULL && path->own_ports->count >= path->carriers.worker_count;
	if (path->cause[0] == '\0' && offloads_tcp(path->config) && !has_ports)
		snprintf(path->cause, sizeof(path->cause), "path offload: " OWN_PORTS_TOO_FEW);
	path->state = path->cause[0] == '\0' || is_somewhere ? KERNEL_PATH_ACTIVE : KERNEL_PATH_UNAVAILABLE;
	if (path->cause[0] != '\0' && strcmp(path->cause, former_cause) != 0)
		log_event(path->log, CONFIG_LEVEL_INFO, "kernel_path_unavailable", record_text("cause", path->cause));
}

static void tell_workers(struct kernel_path *path, struct flow_table *table)
{
	atomic_store_explicit(&path->carriers.settings->flow_table, table, memory_order_release);
}

void kernel_path_review(struct kernel_path *path)
{
	if (path->table != NULL && path->state != KERNEL_PATH_OFF)
		interface_watch_look_again(&path->watch);
}

void kernel_path_publish_pool(struct kernel_path *path, struct pool *pool)
{
	if (path != NULL && path->nat != NULL)
		nat_services_publish_pool(path->nat, pool);
}

void kernel_path_update_rules(struct kernel_path *path)
{
	if (path != NULL && path->nat != NULL)
		nat_services_update_rules(path->nat);
}

void kernel_path_stop(struct kernel_path *path)
{
	if (path != NULL && path->nat != NULL)
		nat_services_stop(path->nat);
}

/* Flows that live in the kernel only end there first. */
static void turn_off(struct kernel_path *path)
{
	static const struct interface_list none;
	tell_workers(path, NULL);
	release_ports(path);
	path->state = KERNEL_PATH_OFF;
	if (path->nat != NULL)
		nat_services_apply(path->nat, path->config, path->snapshot, &none);
	if (path->table != NULL && has_bare_flows(path)) {
		interface_watch_look_again(&path->watch);
		return;
	}
	interface_watch_stop(&path->watch);
	detach_all(path);
	path->cause[0] = '\0';
}

static void on_change(struct interface_watch *watch)
{
	char former_cause[CAUSE_BYTES];
	struct kernel_path *path = LIST_OWNER(watch, struct kernel_path, watch);
	if (!is_wanted(path->config)) {
		turn_off(path);
		return;
	}
	take_cause(path, former_cause);
	place(path);
	conclude(path, former_cause);
}

/* --- life -------------------------------------------------------------------------------------------------------- */

struct kernel_path *kernel_path_new(struct loop *loop, struct timer_wheel *wheel, struct log_writer *log,
				    const struct kernel_path_carriers *carriers)
{
	struct kernel_path *path = memory_alloc_zeroed(1, sizeof(*path));
	path->loop = loop;
	path->wheel = wheel;
	path->log = log;
	path->carriers = *carriers;
	interface_watch_init(&path->watch, loop, wheel, on_change);
	path->watch.pause_ms = ROUTES_PAUSE_MS;
	return path;
}

void kernel_path_free(struct kernel_path **path)
{
	struct kernel_path *doomed = *path;
	if (doomed == NULL)
		return;
	interface_watch_stop(&doomed->watch);
	tell_workers(doomed, NULL);
	close_table(doomed);
	route_finder_close(&doomed->routes);
	free(doomed->own_ports);
	free(doomed);
	*path = NULL;
}

void kernel_path_reserve_ports(struct kernel_path *path, const struct config *config)
{
	if (is_wanted(config))
		reserve_ports(path);
}

void kernel_path_apply(struct kernel_path *path, const struct config *config, const struct snapshot *snapshot)
{
	char former_cause[CAUSE_BYTES];
	path->config = config;
	path->snapshot = snapshot;
	bool is_first = path->table == NULL;
	if (is_first)
		find_pins(path);
	if (!is_wanted(config)) {
		turn_off(path);
		drop_leftovers(path);
		return;
	}
	take_cause(path, former_cause);
	reserve_ports(path);
	if (open_table(path)) {
		/* Before anybody has a new flow: those that are there are taken for what another daemon has left. */
		if (is_first)
			adopt(path);
		/* Before the list is read, so that no change falls between both. */
		int result = interface_watch_start(&path->watch, RTNETLINK_ROUTES);
		if (result < 0)
			snprintf(path->cause, sizeof(path->cause), "changes of interfaces are not seen: %s",
				 strerror(-result));
		open_nat(path);
		place(path);
		tell_workers(path, path->table);
		flow_table_detach_strays(path->table);
	} else {
		release_ports(path);
	}
	conclude(path, former_cause);
}

enum kernel_path_state kernel_path_state(const struct kernel_path *path)
{
	return path->state;
}

const char *kernel_path_cause(const struct kernel_path *path)
{
	return path->cause[0] != '\0' ? path->cause : NULL;
}

const char *kernel_path_pins_cause(const struct kernel_path *path)
{
	return path->pins_cause[0] != '\0' ? path->pins_cause : NULL;
}

const struct flow_table *kernel_path_table(const struct kernel_path *path)
{
	return path->table;
}

struct nat_services *kernel_path_nat(const struct kernel_path *path)
{
	return path->nat;
}
