/* SPDX-License-Identifier: Apache-2.0 */
#include "control/listeners.h"

#include "base/fd.h"
#include "base/list.h"
#include "base/memory.h"
#include "net/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A socket file as it was when we made it: somebody else's new one of the same name is not removed. */
struct socket_file {
	bool is_there;
	dev_t device;
	ino_t inode;
};

/* One listen address, open in all workers. */
struct listener {
	struct list link;
	uint32_t id;
	struct snapshot_listen listen;
	struct socket_file file;
	int *fds; /* until they are handed over: fd_count of them, in the order of workers, perhaps twice over */
	size_t fd_count;
};

struct listeners {
	struct worker *const *workers;
	uint32_t worker_count;
	uint32_t last_id;
	struct list open;
	uint64_t *removals_given; /* by worker: the orders given when a listener was last removed */
};

/* What a snapshot wants of one open listener. */
struct assignment {
	struct listener *listener;
	struct service *service;
};

struct listeners_change {
	struct list added; /* opened, not handed over */
	struct assignment *kept;
	size_t kept_count;
};

struct listeners *listeners_new(struct worker *const *workers, uint32_t worker_count)
{
	struct listeners *listeners = memory_alloc_zeroed(1, sizeof(*listeners));
	listeners->workers = workers;
	listeners->worker_count = worker_count;
	listeners->removals_given = memory_alloc_zeroed(worker_count, sizeof(listeners->removals_given[0]));
	list_init(&listeners->open);
	return listeners;
}

static struct listener *listener_of(struct list *link)
{
	return LIST_OWNER(link, struct listener, link);
}

/* --- opening ----------------------------------------------------------------------------------------------------- */

/* Both families have the same port, so a wildcard of both is two sockets; IPv6 may be missing from the system. */
static bool is_family_missing(int error)
{
	return error == -EAFNOSUPPORT || error == -EADDRNOTAVAIL;
}

/* Does a listener of ours have this port already? Then the kernel's objection to another socket is to our own. */
static bool has_port(const struct listeners *listeners, const struct snapshot_listen *listen)
{
	for (struct list *link = listeners->open.next; link != &listeners->open; link = link->next) {
		const struct snapshot_listen *open = &listener_of(link)->listen;
		if (!addr_is_unix(&open->addr) && open->protocol == listen->protocol &&
		    addr_port(&open->addr) == addr_port(&listen->addr))
			return true;
	}
	return false;
}

/* A listener that was removed a moment ago may still be open in a worker that is busy with its turn. */
static void wait_for_removals(const struct listeners *listeners)
{
	enum { WAIT_US = 200, WAITS_MAX = 5000 };
	for (uint32_t i = 0, waits = 0; i < listeners->worker_count && waits < WAITS_MAX; waits++) {
		if (worker_orders_done(listeners->workers[i]) >= listeners->removals_given[i])
			i++;
		else
			usleep(WAIT_US);
	}
}

static int probe(const struct listeners *listeners, const struct snapshot_listen *listen, const struct addr *addr)
{
	int type = listen->protocol == FLOW_TCP ? SOCK_STREAM : SOCK_DGRAM;
	int result = socket_probe_address(addr, type);
	if (result != -EADDRINUSE)
		return result;
	if (has_port(listeners, listen))
		return 0;
	wait_for_removals(listeners);
	return socket_probe_address(addr, type);
}

static void keep_fd(struct listener *listener, int fd)
{
	listener->fds = memory_resize(listener->fds, listener->fd_count + 1, sizeof(listener->fds[0]));
	listener->fds[listener->fd_count++] = fd;
}

static int open_ip_socket(const struct snapshot_listen *listen, const struct addr *addr)
{
	if (listen->protocol == FLOW_UDP)
		return socket_listen_udp(addr);
	struct socket_keepalive keepalive = { .user_timeout_ms = listen->service->policy->idle_ms };
	return socket_listen_tcp(addr, &keepalive);
}

static int open_ip(const struct listeners *listeners, struct listener *listener, const struct addr *addr)
{
	const struct snapshot_listen *listen = &listener->listen;
	int result = probe(listeners, listen, addr);
	for (uint32_t i = 0; i < listeners->worker_count && result == 0; i++) {
		int fd = open_ip_socket(listen, addr);
		if (fd >= 0)
			keep_fd(listener, fd);
		result = fd < 0 ? fd : 0;
	}
	return result;
}

static int open_both_families(const struct listeners *listeners, struct listener *listener)
{
	struct addr ipv4 = { .len = sizeof(struct sockaddr_in) };
	ipv4.in.sin_family = AF_INET;
	addr_set_port(&ipv4, addr_port(&listener->listen.addr));
	int result = open_ip(listeners, listener, &listener->listen.addr);
	if (result < 0 && !is_family_missing(result))
		return result;
	return open_ip(listeners, listener, &ipv4);
}

static struct socket_file read_file(const struct addr *addr)
{
	struct stat status;
	if (addr->un.sun_path[0] == '\0' || lstat(addr->un.sun_path, &status) < 0)
		return (struct socket_file){ .is_there = false };
	return (struct socket_file){ .is_there = true, .device = status.st_dev, .inode = status.st_ino };
}

static int open_unix(const struct listeners *listeners, struct listener *listener)
{
	int first = socket_listen_unix(&listener->listen.addr);
	if (first < 0)
		return first;
	listener->file = read_file(&listener->listen.addr);
	keep_fd(listener, first);
	for (uint32_t i = 1; i < listeners->worker_count; i++) {
		int fd = fcntl(first, F_DUPFD_CLOEXEC, 0);
		if (fd < 0)
			return -errno;
		keep_fd(listener, fd);
	}
	return 0;
}

static int open_listener(const struct listeners *listeners, struct listener *listener)
{
	if (addr_is_unix(&listener->listen.addr))
		return open_unix(listeners, listener);
	if (listener->listen.is_dual)
		return open_both_families(listeners, listener);
	return open_ip(listeners, listener, &listener->listen.addr);
}

/* --- going ------------------------------------------------------------------------------------------------------- */

static void remove_file(const struct listener *listener)
{
	struct socket_file now = read_file(&listener->listen.addr);
	if (listener->file.is_there && now.is_there && now.device == listener->file.device &&
	    now.inode == listener->file.inode)
		unlink(listener->listen.addr.un.sun_path);
}

static void free_listener(struct listener *listener)
{
	for (size_t i = 0; i < listener->fd_count; i++)
		fd_close(&listener->fds[i]);
	if (addr_is_unix(&listener->listen.addr))
		remove_file(listener);
	free(listener->fds);
	free(listener);
}

/* --- the change -------------------------------------------------------------------------------------------------- */

static bool is_same_address(const struct snapshot_listen *a, const struct snapshot_listen *b)
{
	return a->protocol == b->protocol && a->is_dual == b->is_dual && addr_equal(&a->addr, &b->addr);
}

static struct listener *find_open(const struct listeners *listeners, const struct snapshot_listen *listen)
{
	for (struct list *link = listeners->open.next; link != &listeners->open; link = link->next)
		if (is_same_address(&listener_of(link)->listen, listen))
			return listener_of(link);
	return NULL;
}

static int add(struct listeners *listeners, struct listeners_change *change, const struct snapshot_listen *listen)
{
	struct listener *listener = memory_alloc_zeroed(1, sizeof(*listener));
	listener->id = ++listeners->last_id;
	listener->listen = *listen;
	list_add_last(&change->added, &listener->link);
	return open_listener(listeners, listener);
}

struct listeners_change *listeners_prepare(struct listeners *listeners, const struct snapshot *snapshot,
					   struct listeners_error *ret_error)
{
	struct listeners_change *change = memory_alloc_zeroed(1, sizeof(*change));
	list_init(&change->added);
	change->kept = memory_alloc_zeroed(snapshot->listen_count, sizeof(change->kept[0]));
	for (size_t i = 0; i < snapshot->listen_count; i++) {
		const struct snapshot_listen *listen = &snapshot->listens[i];
		struct listener *open = find_open(listeners, listen);
		int result = 0;
		if (open != NULL)
			change->kept[change->kept_count++] = (struct assignment){ open, listen->service };
		else
			result = add(listeners, change, listen);
		if (result < 0) {
			*ret_error = (struct listeners_error){ .listen = listen, .error = result };
			listeners_abandon(change);
			return NULL;
		}
	}
	return change;
}

static void hand_over(const struct listeners *listeners, struct listener *listener)
{
	for (size_t i = 0; i < listener->fd_count; i++) {
		struct worker_socket socket = {
			.id = listener->id,
			.protocol = listener->listen.protocol,
			.service = listener->listen.service,
			.fd = listener->fds[i],
		};
		worker_add_listener(listeners->workers[i % listeners->worker_count], &socket);
	}
	listener->fd_count = 0;
}

static void assign(const struct listeners *listeners, const struct assignment *assignment)
{
	struct listener *listener = assignment->listener;
	if (listener->listen.service == assignment->service)
		return;
	listener->listen.service = assignment->service;
	for (uint32_t i = 0; i < listeners->worker_count; i++)
		worker_assign_listener(listeners->workers[i], listener->id, assignment->service);
}

static void close_all(struct listeners *listeners, struct list *doomed)
{
	for (struct list *link; (link = list_take_first(doomed)) != NULL;) {
		struct listener *listener = listener_of(link);
		for (uint32_t i = 0; i < listeners->worker_count; i++) {
			worker_remove_listener(listeners->workers[i], listener->id);
			listeners->removals_given[i] = worker_orders_given(listeners->workers[i]);
		}
		free_listener(listener);
	}
}

void listeners_commit(struct listeners *listeners, struct listeners_change *change)
{
	struct list stay;
	list_init(&stay);
	for (size_t i = 0; i < change->kept_count; i++) {
		assign(listeners, &change->kept[i]);
		list_remove(&change->kept[i].listener->link);
		list_add_last(&stay, &change->kept[i].listener->link);
	}
	/* New ones first: where an address moves from one listener to another, somebody listens all the time. */
	for (struct list *link; (link = list_take_first(&change->added)) != NULL;) {
		hand_over(listeners, listener_of(link));
		list_add_last(&stay, link);
	}
	close_all(listeners, &listeners->open);
	for (struct list *link; (link = list_take_first(&stay)) != NULL;)
		list_add_last(&listeners->open, link);
	free(change->kept);
	free(change);
}

void listeners_abandon(struct listeners_change *change)
{
	for (struct list *link; (link = list_take_first(&change->added)) != NULL;)
		free_listener(listener_of(link));
	free(change->kept);
	free(change);
}

void listeners_free(struct listeners **listeners)
{
	if (*listeners == NULL)
		return;
	for (struct list *link; (link = list_take_first(&(*listeners)->open)) != NULL;)
		free_listener(listener_of(link));
	free((*listeners)->removals_given);
	free(*listeners);
	*listeners = NULL;
}
