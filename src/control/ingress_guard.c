/* SPDX-License-Identifier: Apache-2.0 */
#include "control/ingress_guard.h"

#include "base/memory.h"
#include "control/interface_watch.h"
#include "control/listen_interfaces.h"
#include "control/log_writer.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CAUSE_BYTES = 160 };

struct ingress_guard {
	struct log_writer *log;
	const struct config *config;
	const struct snapshot *snapshot;
	struct packet_guard *packets;
	struct interface_watch watch;
	enum ingress_guard_state state;
	char cause[CAUSE_BYTES]; /* empty: none */
};

const char *ingress_guard_state_word(enum ingress_guard_state state)
{
	static const char *const words[] = {
		[INGRESS_GUARD_OFF] = "off",
		[INGRESS_GUARD_ACTIVE] = "active",
		[INGRESS_GUARD_UNAVAILABLE] = "unavailable",
	};
	return words[state];
}

/* --- where it is wanted ------------------------------------------------------------------------------------------ */

static bool is_named(const char *names, const char *name)
{
	size_t len = strlen(name);
	for (const char *at = names; at != NULL; at = strchr(at, ','), at += at != NULL)
		if (strncmp(at, name, len) == 0 && (at[len] == ',' || at[len] == '\0'))
			return true;
	return false;
}

/* wanted: one for each interface of the list. */
static void find_wanted(const struct ingress_guard *guard, const struct interface_list *list, bool *wanted)
{
	const char *names = guard->config->packet_guard.interfaces;
	for (size_t i = 0; i < guard->snapshot->listen_count && names == NULL; i++)
		listen_interfaces_add(&guard->snapshot->listens[i].addr, list, wanted);
	if (names == NULL)
		listen_interfaces_clear_useless(list, wanted);
	for (size_t i = 0; i < list->count && names != NULL; i++)
		wanted[i] = is_named(names, list->interfaces[i].name) && !list->interfaces[i].is_loopback;
}

/* --- attaching --------------------------------------------------------------------------------------------------- */

static void detach(struct ingress_guard *guard, size_t number)
{
	const struct ingress_place place = packet_guard_places(guard->packets)->all[number];
	packet_guard_detach(guard->packets, number);
	log_event(guard->log, CONFIG_LEVEL_INFO, "packet_guard_detached", record_text("interface", place.interface));
}

static void detach_all(struct ingress_guard *guard)
{
	while (guard->packets != NULL && packet_guard_places(guard->packets)->count > 0)
		detach(guard, packet_guard_places(guard->packets)->count - 1);
}

/* Writes why not into the cause, when that is empty. */
static void attach(struct ingress_guard *guard, const struct interface *interface)
{
	size_t count = packet_guard_places(guard->packets)->count;
	int result = packet_guard_attach(guard->packets, interface);
	/* One that has vanished meanwhile is no failure. */
	if (result < 0 && result != -ENODEV && guard->cause[0] == '\0')
		snprintf(guard->cause, sizeof(guard->cause), "%s: %s", interface->name, ingress_problem(result));
	if (packet_guard_places(guard->packets)->count > count)
		log_event(guard->log, CONFIG_LEVEL_INFO, "packet_guard_attached",
			  record_text("interface", interface->name),
			  record_text("mode",
				      ingress_mode_word(packet_guard_places(guard->packets)->all[count].ingress.mode)));
}

static void attach_wanted(struct ingress_guard *guard, const struct interface_list *list, const bool *wanted)
{
	for (size_t i = packet_guard_places(guard->packets)->count; i > 0; i--)
		if (!ingress_place_is_wanted(&packet_guard_places(guard->packets)->all[i - 1], list, wanted))
			detach(guard, i - 1);
	for (size_t i = 0; i < list->count; i++)
		if (wanted[i])
			attach(guard, &list->interfaces[i]);
}

/* --- the state --------------------------------------------------------------------------------------------------- */

static void fail(struct ingress_guard *guard, const char *what, const char *problem)
{
	detach_all(guard);
	snprintf(guard->cause, sizeof(guard->cause), "%s: %s", what, problem);
}

/* Puts it where it is wanted now. When the interfaces change too fast to be listed it stays where it is. */
static void place(struct ingress_guard *guard)
{
	struct interface_list list;
	int result = interfaces_read(&list);
	if (result < 0) {
		snprintf(guard->cause, sizeof(guard->cause), "the interfaces cannot be listed: %s", strerror(-result));
		interface_watch_look_again(&guard->watch);
		return;
	}
	bool *wanted = memory_alloc_zeroed(list.count, sizeof(*wanted));
	find_wanted(guard, &list, wanted);
	attach_wanted(guard, &list, wanted);
	free(wanted);
	interfaces_done(&list);
}

static void add_listen(struct packet_guard_listen *listens, size_t *count, const struct snapshot_listen *listen)
{
	uint8_t protocol = listen->protocol == FLOW_UDP ? IPPROTO_UDP : IPPROTO_TCP;
	if (addr_is_unix(&listen->addr))
		return;
	listens[*count] = (struct packet_guard_listen){ .addr = listen->addr, .protocol = protocol };
	(*count)++;
	if (!listen->is_dual)
		return;
	struct addr all = { .len = sizeof(struct sockaddr_in), .in.sin_family = AF_INET };
	addr_set_port(&all, addr_port(&listen->addr));
	listens[*count] = (struct packet_guard_listen){ .addr = all, .protocol = protocol };
	(*count)++;
}

static int set_listens(struct ingress_guard *guard)
{
	size_t count = 0;
	struct packet_guard_listen *listens = memory_alloc_zeroed(2 * guard->snapshot->listen_count, sizeof(*listens));
	for (size_t i = 0; i < guard->snapshot->listen_count; i++)
		add_listen(listens, &count, &guard->snapshot->listens[i]);
	int result = packet_guard_set_listens(guard->packets, listens, count);
	free(listens);
	return result;
}

/* Says what is to be judged. Without the listen addresses, sources are blocked in user space only. */
static bool set_scope(struct ingress_guard *guard)
{
	bool has_only_listen = guard->config->packet_guard.has_only_listen;
	int result = set_listens(guard);
	const char *problem = result == -ENOSPC ? "there are too many listen addresses" : strerror(-result);
	if (result < 0 && has_only_listen) {
		fail(guard, "only-listen", problem);
		return false;
	}
	if (result < 0)
		snprintf(guard->cause, sizeof(guard->cause), "blocks: %s", problem);
	packet_guard_set_scope(guard->packets, has_only_listen ? PACKET_GUARD_LISTENS : PACKET_GUARD_EVERYTHING);
	return true;
}

/* Loads it when it is not there, and says what is to be judged. Returns false when one of them fails, with the cause. */
static bool prepare(struct ingress_guard *guard)
{
	int result = guard->packets != NULL ? 0 : packet_guard_new(&guard->packets);
	if (result < 0) {
		fail(guard, "the eBPF program",
		     result == -EPERM ? "CAP_BPF and CAP_NET_ADMIN are needed" : strerror(-result));
		return false;
	}
	return set_scope(guard);
}

/* After it was placed, or could not be. former_cause: of the time before. */
static void conclude(struct ingress_guard *guard, const char *former_cause)
{
	bool is_somewhere = guard->packets != NULL && packet_guard_places(guard->packets)->count > 0;
	guard->state = guard->cause[0] == '\0' || is_somewhere ? INGRESS_GUARD_ACTIVE : INGRESS_GUARD_UNAVAILABLE;
	if (guard->cause[0] != '\0' && strcmp(guard->cause, former_cause) != 0)
		log_event(guard->log, CONFIG_LEVEL_INFO, "packet_guard_unavailable",
			  record_text("cause", guard->cause));
}

static void take_cause(struct ingress_guard *guard, char *ret_former_cause)
{
	memcpy(ret_former_cause, guard->cause, CAUSE_BYTES);
	guard->cause[0] = '\0';
}

/* --- changes of interfaces --------------------------------------------------------------------------------------- */

static void on_change(struct interface_watch *watch)
{
	char former_cause[CAUSE_BYTES];
	struct ingress_guard *guard = LIST_OWNER(watch, struct ingress_guard, watch);
	take_cause(guard, former_cause);
	place(guard);
	conclude(guard, former_cause);
}

static void watch(struct ingress_guard *guard)
{
	int result = interface_watch_start(&guard->watch, RTNETLINK_INTERFACES);
	if (result < 0)
		snprintf(guard->cause, sizeof(guard->cause), "changes of interfaces are not seen: %s",
			 strerror(-result));
}

/* --- life -------------------------------------------------------------------------------------------------------- */

struct ingress_guard *ingress_guard_new(struct loop *loop, struct timer_wheel *wheel, struct log_writer *log)
{
	struct ingress_guard *guard = memory_alloc_zeroed(1, sizeof(*guard));
	guard->log = log;
	interface_watch_init(&guard->watch, loop, wheel, on_change);
	return guard;
}

void ingress_guard_free(struct ingress_guard **guard)
{
	if (*guard == NULL)
		return;
	interface_watch_stop(&(*guard)->watch);
	packet_guard_free(&(*guard)->packets);
	free(*guard);
	*guard = NULL;
}

static void turn_off(struct ingress_guard *guard)
{
	interface_watch_stop(&guard->watch);
	detach_all(guard);
	guard->cause[0] = '\0';
	guard->state = INGRESS_GUARD_OFF;
}

void ingress_guard_apply(struct ingress_guard *guard, const struct config *config, const struct snapshot *snapshot)
{
	char former_cause[CAUSE_BYTES];
	guard->config = config;
	guard->snapshot = snapshot;
	if (config->packet_guard.mode == CONFIG_PACKET_GUARD_OFF) {
		turn_off(guard);
		return;
	}
	take_cause(guard, former_cause);
	if (prepare(guard)) {
		/* Before the list is read, so that no change falls between both. */
		watch(guard);
		place(guard);
	} else {
		interface_watch_stop(&guard->watch);
	}
	conclude(guard, former_cause);
}

enum ingress_guard_state ingress_guard_state(const struct ingress_guard *guard)
{
	return guard->state;
}

const char *ingress_guard_cause(const struct ingress_guard *guard)
{
	return guard->cause[0] != '\0' ? guard->cause : NULL;
}

struct packet_guard *ingress_guard_packets(const struct ingress_guard *guard)
{
	return guard->packets;
}

void ingress_guard_read_counts(const struct ingress_guard *guard, struct packet_guard_counts *ret_counts)
{
	*ret_counts = (struct packet_guard_counts){ { 0 } };
	if (guard->packets != NULL)
		packet_guard_read_counts(guard->packets, ret_counts);
}
