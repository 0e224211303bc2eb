/* SPDX-License-Identifier: Apache-2.0 */
#include "control/admin_connection.h"

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static struct admin_connection *connection_of(struct list *link)
{
	return LIST_OWNER(link, struct admin_connection, link);
}

void admin_connections_init(struct admin_connections *connections)
{
	list_init(&connections->all);
}

/* --- who it is --------------------------------------------------------------------------------------------------- */

static struct admin_peer read_peer(const struct addr *client, int fd)
{
	struct admin_peer peer = { .text = "unix" };
	struct ucred credentials;
	socklen_t len = sizeof(credentials);
	if (!addr_is_unix(client)) {
		addr_format(client, peer.text, sizeof(peer.text));
	} else if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &len) == 0) {
		peer.has_credentials = true;
		peer.uid = credentials.uid;
		peer.pid = (uint32_t)credentials.pid;
	}
	return peer;
}

static struct admin_source read_source(const struct addr *client, const struct admin_peer *peer)
{
	struct endpoint endpoint = endpoint_from_addr(client);
	struct admin_source source = { .family = endpoint.family };
	memcpy(source.ip, endpoint.ip, sizeof(source.ip));
	if (endpoint.family == AF_INET6)
		memset(source.ip + 8, 0, 8);
	if (endpoint.family == AF_UNIX)
		memcpy(source.ip, &peer->uid, sizeof(peer->uid));
	return source;
}

/* --- who has to go ----------------------------------------------------------------------------------------------- */

static size_t count_from(const struct admin_connections *connections, const struct admin_source *source)
{
	size_t count = 0;
	for (struct list *link = connections->all.next; link != &connections->all; link = link->next)
		count += source == NULL || memcmp(&connection_of(link)->source, source, sizeof(*source)) == 0;
	return count;
}

/* The oldest that waits, from there (NULL: from the peer that has most); or NULL. */
static struct admin_connection *find_victim(const struct admin_connections *connections,
					    const struct admin_source *source)
{
	struct admin_connection *victim = NULL;
	size_t most = 0;
	for (struct list *link = connections->all.next; link != &connections->all; link = link->next) {
		struct admin_connection *connection = connection_of(link);
		size_t count = count_from(connections, &connection->source);
		bool fits = source == NULL || memcmp(&connection->source, source, sizeof(*source)) == 0;
		if (fits && !connection->is_busy && count > most) {
			victim = connection;
			most = count;
		}
	}
	return victim;
}

/* The library finds out and closes it. */
static void send_away(struct admin_connection *connection)
{
	list_remove(&connection->link);
	shutdown(connection->fd, SHUT_RDWR);
}

bool admin_connections_make_room(struct admin_connections *connections, const struct addr *client, int fd)
{
	struct admin_peer peer = read_peer(client, fd);
	struct admin_source source = read_source(client, &peer);
	struct admin_connection *victim;
	if (count_from(connections, &source) >= ADMIN_PEER_CONNECTIONS_MAX)
		victim = find_victim(connections, &source);
	else if (count_from(connections, NULL) >= ADMIN_CONNECTIONS_MAX)
		victim = find_victim(connections, NULL);
	else
		return true;
	if (victim != NULL)
		send_away(victim);
	return victim != NULL;
}

/* --- one connection ---------------------------------------------------------------------------------------------- */

static void on_deadline(struct timer *timer, uint64_t now_ms)
{
	(void)now_ms;
	send_away(LIST_OWNER(timer, struct admin_connection, deadline));
}

struct admin_connection *admin_connection_begin(struct admin_connections *connections, struct timer_wheel *wheel,
						const struct addr *client, int fd)
{
	struct admin_connection *connection = memory_alloc_zeroed(1, sizeof(*connection));
	connection->deadline.on_expiry = on_deadline;
	connection->wheel = wheel;
	connection->fd = fd;
	connection->peer = read_peer(client, fd);
	list_init(&connection->postponed_link);
	connection->source = read_source(client, &connection->peer);
	list_add_last(&connections->all, &connection->link);
	return connection;
}

void admin_connection_end(struct admin_connection *connection)
{
	timer_disarm(connection->wheel, &connection->deadline);
	list_remove(&connection->link);
	free(connection);
}

void admin_connection_set_deadline(struct admin_connection *connection, bool is_busy, uint64_t deadline_ms)
{
	connection->is_busy = is_busy;
	timer_arm(connection->wheel, &connection->deadline, deadline_ms);
}

void admin_connection_clear_deadline(struct admin_connection *connection)
{
	timer_disarm(connection->wheel, &connection->deadline);
}
