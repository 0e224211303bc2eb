/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How c-ares is tied in. It tells which descriptors it wants watched, and how long it wants to sleep; both are asked for
 * again after each call of it. It calls back also from within the call that asks, so outcomes are noted and handed out
 * at the end of the turn.
 *
 * A channel (what c-ares calls one) reads resolv.conf when it is made. When that has changed, a new channel is made for
 * what is asked from then on, and the old one is kept until what it was asked has ended.
 *
 * c-ares cannot cancel a single question. So it holds a struct dns_call, which forgets its question when that is done
 * with, and lives until c-ares calls back.
 */
#include "control/dns_client.h"

#include "base/check.h"
#include "base/list.h"
#include "base/memory.h"

#include <ares.h>
#include <arpa/nameser.h>
#include <resolv.h>
#include <stdlib.h>
#include <sys/stat.h>

#define RESOLV_CONF "/etc/resolv.conf"

enum {
	TRIES = 2,
	LOOK_INTERVAL_MS = 1000, /* at resolv.conf, at most */
};

/* What tells whether a file has been replaced or rewritten. */
struct file_mark {
	uint64_t device;
	uint64_t inode;
	uint64_t bytes;
	struct timespec modified;
};

struct channel {
	struct list link; /* in client->channels */
	struct dns_client *client;
	ares_channel ares;
	struct timer timer;
	struct list sockets; /* struct watched_socket */
	uint32_t call_count;
};

struct watched_socket {
	struct list link; /* in channel->sockets, or at the end in client->closed */
	struct loop_source source;
	struct channel *channel;
	uint32_t events;
};

struct dns_call {
	struct channel *channel;
	struct dns_question *question; /* NULL: nobody waits for it any more */
	bool is_starting;
};

struct dns_client {
	struct loop *loop;
	struct timer_wheel *wheel;
	struct addr *servers;
	size_t server_count;
	uint64_t timeout_ms;
	struct list channels;
	struct channel *current;    /* NULL: none yet, or it could not be made */
	struct list closed;         /* sockets to be freed at the end of the turn */
	struct loop_deferred sweep; /* frees those, and channels that are used no more */
	uint64_t looked_ms;         /* at resolv.conf */
	struct file_mark resolv_conf;
};

/* --- the loop and the wheel -------------------------------------------------------------------------------------- */

static void sweep(struct loop_deferred *deferred);

static void arm_timer(struct channel *channel)
{
	struct dns_client *client = channel->client;
	struct timeval wait;
	if (ares_timeout(channel->ares, NULL, &wait) == NULL) {
		timer_disarm(client->wheel, &channel->timer);
		return;
	}
	uint64_t wait_ms = (uint64_t)wait.tv_sec * 1000 + (uint64_t)wait.tv_usec / 1000 + 1;
	timer_arm(client->wheel, &channel->timer, client->loop->now_ms + wait_ms);
}

/* After each call of c-ares. */
static void after_call(struct channel *channel)
{
	arm_timer(channel);
	if (channel->call_count == 0 && channel != channel->client->current)
		loop_defer(channel->client->loop, &channel->client->sweep, sweep);
}

static void on_timer(struct timer *timer, uint64_t now_ms)
{
	(void)now_ms;
	struct channel *channel = LIST_OWNER(timer, struct channel, timer);
	ares_process_fd(channel->ares, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	after_call(channel);
}

static void on_socket(struct loop_source *source, uint32_t events)
{
	struct watched_socket *watched = LIST_OWNER(source, struct watched_socket, source);
	struct channel *channel = watched->channel;
	bool has_failed = (events & (EPOLLERR | EPOLLHUP)) != 0;
	bool is_readable = has_failed || (events & EPOLLIN) != 0;
	bool is_writable = has_failed || (events & EPOLLOUT) != 0;
	/* Closed earlier in this turn. */
	if (source->fd < 0)
		return;
	ares_process_fd(channel->ares, is_readable ? source->fd : ARES_SOCKET_BAD,
			is_writable ? source->fd : ARES_SOCKET_BAD);
	after_call(channel);
}

static struct watched_socket *find_socket(struct channel *channel, int fd)
{
	for (struct list *link = channel->sockets.next; link != &channel->sockets; link = link->next) {
		struct watched_socket *watched = LIST_OWNER(link, struct watched_socket, link);
		if (watched->source.fd == fd)
			return watched;
	}
	return NULL;
}

static void forget_socket(struct watched_socket *watched)
{
	struct dns_client *client = watched->channel->client;
	loop_remove(client->loop, &watched->source);
	watched->source.fd = -1;
	list_remove(&watched->link);
	list_add_last(&client->closed, &watched->link);
	loop_defer(client->loop, &client->sweep, sweep);
}

/* c-ares wants a socket watched for other events; for none before it closes it. */
static void on_socket_state(void *owner, ares_socket_t fd, int wants_read, int wants_write)
{
	struct channel *channel = owner;
	struct loop *loop = channel->client->loop;
	struct watched_socket *watched = find_socket(channel, fd);
	uint32_t events = (wants_read ? (uint32_t)EPOLLIN : 0) | (wants_write ? (uint32_t)EPOLLOUT : 0);
	if (events == 0) {
		if (watched != NULL)
			forget_socket(watched);
		return;
	}
	if (watched != NULL) {
		if (watched->events != events)
			loop_change(loop, &watched->source, events);
		watched->events = events;
		return;
	}
	watched = memory_alloc_zeroed(1, sizeof(*watched));
	watched->source = (struct loop_source){ .on_event = on_socket, .fd = fd };
	watched->channel = channel;
	watched->events = events;
	list_add_last(&channel->sockets, &watched->link);
	/* If this fails, the question ends by its time-out. */
	loop_add(loop, &watched->source, events);
}

/* --- channels ---------------------------------------------------------------------------------------------------- */

static int set_servers(const struct dns_client *client, ares_channel ares)
{
	struct ares_addr_port_node *nodes = memory_alloc_zeroed(client->server_count, sizeof(*nodes));
	for (size_t i = 0; i < client->server_count; i++) {
		const struct addr *addr = &client->servers[i];
		struct ares_addr_port_node *node = &nodes[i];
		node->next = i + 1 < client->server_count ? &nodes[i + 1] : NULL;
		node->family = addr->sa.sa_family;
		node->udp_port = node->tcp_port = addr_port(addr);
		if (node->family == AF_INET)
			node->addr.addr4 = addr->in.sin_addr;
		else
			memcpy(&node->addr.addr6, &addr->in6.sin6_addr, sizeof(node->addr.addr6));
	}
	int status = ares_set_servers_ports(ares, nodes);
	free(nodes);
	return status;
}

static int open_ares(struct dns_client *client, struct channel *channel)
{
	bool is_system = client->server_count == 0;
	char files_then_servers[] = "fb";
	char servers_only[] = "b";
	struct ares_options options = {
		.timeout = (int)client->timeout_ms,
		.tries = TRIES,
		.lookups = is_system ? files_then_servers : servers_only,
		.ndomains = 0,
		.sock_state_cb = on_socket_state,
		.sock_state_cb_data = channel,
	};
	int mask = ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_LOOKUPS | ARES_OPT_SOCK_STATE_CB;
	int status = ares_init_options(&channel->ares, &options, is_system ? mask : mask | ARES_OPT_DOMAINS);
	if (status != ARES_SUCCESS || is_system)
		return status;
	status = set_servers(client, channel->ares);
	if (status != ARES_SUCCESS)
		ares_destroy(channel->ares);
	return status;
}

/* Returns NULL when it cannot be made. */
static struct channel *channel_new(struct dns_client *client)
{
	struct channel *channel = memory_alloc_zeroed(1, sizeof(*channel));
	channel->client = client;
	channel->timer.on_expiry = on_timer;
	list_init(&channel->sockets);
	if (open_ares(client, channel) != ARES_SUCCESS) {
		free(channel);
		return NULL;
	}
	list_add_last(&client->channels, &channel->link);
	return channel;
}

static void channel_free(struct channel *channel)
{
	/* Calls back for whatever still runs, and closes the sockets. */
	ares_destroy(channel->ares);
	CHECK(channel->call_count == 0);
	timer_disarm(channel->client->wheel, &channel->timer);
	while (!list_is_empty(&channel->sockets))
		forget_socket(LIST_OWNER(channel->sockets.next, struct watched_socket, link));
	list_remove(&channel->link);
	free(channel);
}

static void free_closed(struct dns_client *client)
{
	struct list *link;
	while ((link = list_take_first(&client->closed)) != NULL)
		free(LIST_OWNER(link, struct watched_socket, link));
}

static void sweep(struct loop_deferred *deferred)
{
	struct dns_client *client = LIST_OWNER(deferred, struct dns_client, sweep);
	for (struct list *link = client->channels.next, *next; link != &client->channels; link = next) {
		struct channel *channel = LIST_OWNER(link, struct channel, link);
		next = link->next;
		if (channel != client->current && channel->call_count == 0)
			channel_free(channel);
	}
	free_closed(client);
}

static struct file_mark read_mark(const char *path)
{
	struct stat status;
	struct file_mark mark = { 0 };
	if (stat(path, &status) == 0) {
		mark.device = status.st_dev;
		mark.inode = status.st_ino;
		mark.bytes = (uint64_t)status.st_size;
		mark.modified = status.st_mtim;
	}
	return mark;
}

static bool is_same_mark(const struct file_mark *a, const struct file_mark *b)
{
	return a->device == b->device && a->inode == b->inode && a->bytes == b->bytes &&
	       a->modified.tv_sec == b->modified.tv_sec && a->modified.tv_nsec == b->modified.tv_nsec;
}

/* Gives up the current channel when resolv.conf is another one than it has read. */
static void look_at_resolv_conf(struct dns_client *client)
{
	uint64_t now_ms = client->loop->now_ms;
	if (client->server_count > 0 || (client->current != NULL && now_ms < client->looked_ms + LOOK_INTERVAL_MS))
		return;
	struct file_mark mark = read_mark(RESOLV_CONF);
	client->looked_ms = now_ms;
	if (client->current != NULL && !is_same_mark(&mark, &client->resolv_conf)) {
		client->current = NULL;
		loop_defer(client->loop, &client->sweep, sweep);
	}
	client->resolv_conf = mark;
}

static struct channel *current_channel(struct dns_client *client)
{
	look_at_resolv_conf(client);
	if (client->current == NULL)
		client->current = channel_new(client);
	return client->current;
}

struct dns_client *dns_client_new(struct loop *loop, struct timer_wheel *wheel, const struct addr *servers,
				  size_t server_count, uint64_t timeout_ms)
{
	struct dns_client *client = memory_alloc_zeroed(1, sizeof(*client));
	client->loop = loop;
	client->wheel = wheel;
	client->servers = memory_alloc_zeroed(server_count, sizeof(servers[0]));
	for (size_t i = 0; i < server_count; i++)
		client->servers[i] = servers[i];
	client->server_count = server_count;
	client->timeout_ms = timeout_ms;
	list_init(&client->channels);
	list_init(&client->closed);
	return client;
}

void dns_client_free(struct dns_client **client)
{
	struct dns_client *doomed = *client;
	if (doomed == NULL)
		return;
	while (!list_is_empty(&doomed->channels))
		channel_free(LIST_OWNER(doomed->channels.next, struct channel, link));
	list_remove(&doomed->sweep.link);
	free_closed(doomed);
	free(doomed->servers);
	free(doomed);
	*client = NULL;
}

/* --- questions --------------------------------------------------------------------------------------------------- */

static void tell_end(struct loop_deferred *deferred)
{
	struct dns_question *question = LIST_OWNER(deferred, struct dns_question, ended);
	question->on_end(question);
}

static void fail(struct dns_question *question, const char *error)
{
	question->result = DNS_FAILED;
	question->error = error;
}

static void deny(struct dns_question *question, const char *error)
{
	question->result = DNS_NEGATIVE;
	question->error = error;
}

static void note_status(struct dns_question *question, int status)
{
	switch (status) {
	case ARES_ENOTFOUND:
		deny(question, "there is no such name");
		break;
	case ARES_ENODATA:
		deny(question, "the name has no such records");
		break;
	case ARES_ETIMEOUT:
		fail(question, "no answer in time");
		break;
	case ARES_ECONNREFUSED:
		fail(question, "no name server is able to answer");
		break;
	default:
		fail(question, ares_strerror(status));
		break;
	}
}

static void note_ttl(struct dns_question *question, uint32_t ttl_s)
{
	/* RFC 2181, 8: with the highest bit set it is 0. */
	uint32_t meant = ttl_s <= INT32_MAX ? ttl_s : 0;
	if (meant < question->ttl_s)
		question->ttl_s = meant;
}

static void note_addrs(struct dns_question *question, const struct ares_addrinfo *found)
{
	question->result = DNS_FOUND;
	question->ttl_s = UINT32_MAX;
	question->addrs = memory_alloc_zeroed(DNS_RECORDS_MAX, sizeof(question->addrs[0]));
	for (const struct ares_addrinfo_cname *alias = found->cnames; alias != NULL; alias = alias->next)
		note_ttl(question, (uint32_t)alias->ttl);
	for (const struct ares_addrinfo_node *node = found->nodes; node != NULL; node = node->ai_next) {
		bool is_asked = node->ai_family == (question->kind == DNS_A ? AF_INET : AF_INET6);
		if (!is_asked || question->count == DNS_RECORDS_MAX)
			continue;
		/* Not the port: c-ares leaves it 0. */
		struct endpoint endpoint = endpoint_from_sockaddr(node->ai_addr);
		endpoint_to_addr(&endpoint, &question->addrs[question->count++]);
		note_ttl(question, (uint32_t)node->ai_ttl);
	}
	if (question->count == 0)
		deny(question, "the name has no such records");
}

static void end_call(struct dns_call *call)
{
	struct dns_question *question = call->question;
	call->channel->call_count--;
	if (question != NULL) {
		question->call = NULL;
		question->is_local = call->is_starting;
		loop_defer(call->channel->client->loop, &question->ended, tell_end);
	}
	if (!call->is_starting)
		free(call);
	else
		call->channel = NULL;
}

static void on_addresses(void *owner, int status, int timeouts, struct ares_addrinfo *found)
{
	struct dns_call *call = owner;
	(void)timeouts;
	if (call->question != NULL && status == ARES_SUCCESS)
		note_addrs(call->question, found);
	else if (call->question != NULL)
		note_status(call->question, status);
	if (found != NULL)
		ares_freeaddrinfo(found);
	end_call(call);
}

static void on_srv(void *owner, int status, int timeouts, unsigned char *message, int message_bytes)
{
	struct dns_call *call = owner;
	(void)timeouts;
	if (call->question != NULL && status == ARES_SUCCESS)
		dns_question_read_srv(call->question, message, (size_t)message_bytes);
	else if (call->question != NULL)
		note_status(call->question, status);
	end_call(call);
}

static void ask_ares(struct dns_call *call, enum dns_kind kind, const char *name)
{
	const struct ares_addrinfo_hints hints = {
		/* Sorting would open sockets, and the order is ours to make. */
		.ai_flags = ARES_AI_NOSORT,
		.ai_family = kind == DNS_A ? AF_INET : AF_INET6,
		.ai_socktype = SOCK_STREAM,
	};
	if (kind == DNS_SRV)
		ares_query(call->channel->ares, name, ns_c_in, ns_t_srv, on_srv, call);
	else
		ares_getaddrinfo(call->channel->ares, name, NULL, &hints, on_addresses, call);
}

/* RFC 6761, 6.3: these names are this machine, and nobody is asked for them. c-ares 1.18 would lose memory over them. */
static bool is_localhost(const char *name)
{
	static const char localhost[] = "localhost";
	size_t len = strlen(name);
	size_t label_len = sizeof(localhost) - 1;
	return len >= label_len && strcmp(name + len - label_len, localhost) == 0 &&
	       (len == label_len || name[len - label_len - 1] == '.');
}

static void answer_localhost(struct dns_question *question)
{
	question->result = DNS_FOUND;
	question->is_local = true;
	question->addrs = memory_alloc_zeroed(1, sizeof(question->addrs[0]));
	question->count = 1;
	struct addr *addr = &question->addrs[0];
	if (question->kind == DNS_A) {
		addr->len = sizeof(addr->in);
		addr->in.sin_family = AF_INET;
		addr->in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	} else {
		addr->len = sizeof(addr->in6);
		addr->in6.sin6_family = AF_INET6;
		addr->in6.sin6_addr = in6addr_loopback;
	}
}

static struct dns_call *call_new(struct channel *channel, struct dns_question *question)
{
	struct dns_call *call = memory_alloc_zeroed(1, sizeof(*call));
	*call = (struct dns_call){ .channel = channel, .question = question, .is_starting = true };
	question->call = call;
	channel->call_count++;
	return call;
}

void dns_question_ask(struct dns_question *question, struct dns_client *client, enum dns_kind kind, const char *name,
		      void (*on_end)(struct dns_question *question))
{
	*question = (struct dns_question){ .on_end = on_end, .kind = kind };
	if (kind != DNS_SRV && is_localhost(name)) {
		answer_localhost(question);
		loop_defer(client->loop, &question->ended, tell_end);
		return;
	}
	struct channel *channel = current_channel(client);
	if (channel == NULL) {
		fail(question, "name servers cannot be asked: " RESOLV_CONF " cannot be read, or memory is short");
		loop_defer(client->loop, &question->ended, tell_end);
		return;
	}
	struct dns_call *call = call_new(channel, question);
	ask_ares(call, kind, name);
	call->is_starting = false;
	if (call->channel == NULL)
		free(call);
	after_call(channel);
}

void dns_question_done(struct dns_question *question)
{
	if (question->call != NULL)
		question->call->question = NULL;
	list_remove(&question->ended.link);
	free(question->addrs);
	free(question->srvs);
	*question = (struct dns_question){ 0 };
}

/* --- SRV records: c-ares would drop their TTL -------------------------------------------------------------------- */

static void read_srv(struct dns_question *question, const ns_msg *message, const ns_rr *record)
{
	struct dns_srv *srv = &question->srvs[question->count];
	const uint8_t *data = ns_rr_rdata(*record);
	char target[NS_MAXDNAME];
	const char *problem;
	if (ns_rr_rdlen(*record) < 7 ||
	    ns_name_uncompress(ns_msg_base(*message), ns_msg_end(*message), data + 6, target, sizeof(target)) < 0)
		return;
	*srv = (struct dns_srv){
		.priority = (uint16_t)ns_get16(data),
		.weight = (uint16_t)ns_get16(data + 2),
		.port = (uint16_t)ns_get16(data + 4),
	};
	bool is_root = strcmp(target, ".") == 0 || target[0] == '\0';
	if (is_root || host_name_parse(span_from_text(target), srv->target, &problem) == 0)
		question->count++;
}

void dns_question_read_srv(struct dns_question *question, const uint8_t *message, size_t message_bytes)
{
	ns_msg parsed;
	ns_rr record;
	if (message_bytes > NS_MAXMSG || ns_initparse(message, (int)message_bytes, &parsed) < 0) {
		fail(question, "the answer is malformed");
		return;
	}
	question->result = DNS_FOUND;
	question->ttl_s = UINT32_MAX;
	question->srvs = memory_alloc_zeroed(DNS_RECORDS_MAX, sizeof(question->srvs[0]));
	for (int i = 0; i < ns_msg_count(parsed, ns_s_an) && question->count < DNS_RECORDS_MAX; i++) {
		if (ns_parserr(&parsed, ns_s_an, i, &record) < 0) {
			fail(question, "the answer is malformed");
			return;
		}
		bool is_srv = ns_rr_type(record) == ns_t_srv && ns_rr_class(record) == ns_c_in;
		if (is_srv || ns_rr_type(record) == ns_t_cname)
			note_ttl(question, ns_rr_ttl(record));
		if (is_srv)
			read_srv(question, &parsed, &record);
	}
	if (question->count == 0)
		deny(question, "the name has no such records");
}
