/* SPDX-License-Identifier: Apache-2.0 */
#include "control/admin.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/memory.h"
#include "control/admin_answer.h"
#include "control/admin_audit.h"
#include "control/admin_connection.h"
#include "control/admin_headers.h"
#include "control/admin_page.h"
#include "control/admin_path.h"
#include "control/admin_policy.h"
#include "control/admin_routes.h"
#include "control/admin_socket.h"
#include "control/admin_stream.h"
#include "control/server_states.h"
#include "net/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/*
 * Connections are accepted here and handed to the library: so running out of descriptors pauses one listener instead
 * of making the loop spin, and who has to go when there are too many is ours to choose (admin_connection.h). The library
 * closes connections on which nothing moves; a client that sends or reads a byte now and then would escape that, so each
 * connection also has a deadline of its own for each request, its body and its answer.
 *
 * Large documents take milliseconds to make, and a client may ask for hundreds at once. So when TURN_MS of a turn are
 * spent, further requests wait for the next turn, and health checks, signals and other listeners have theirs before.
 */

enum {
	ACCEPTS_PER_TURN = 16,
	RUNS_PER_EVENT = 8, /* of the library, which may want to be run again at once */
	TURN_MS = 20,
	INACTIVITY_SECONDS = ADMIN_REQUEST_MS / 1000,
	LIBRARY_CONNECTIONS_MAX = 2 * ADMIN_CONNECTIONS_MAX, /* those that were sent away may still be there */
};

struct admin_listener {
	struct list link; /* in admin->open or ->leaving, or in a change */
	struct daemon *daemon;
	struct admin_socket socket;
	char *token; /* NULL: none */
	struct loop_source accept_source;
	struct loop_source http_source;
	struct MHD_Daemon *http;
	struct timer http_timer;  /* when the library wants to be run without an event */
	struct timer pause_timer; /* armed: accepting has paused */
	struct admin_connections connections;
	struct list postponed; /* connections with a request that waits for the next turn; the library lets them rest */
	bool is_ending;
	uint32_t turn;        /* the loop's, in which the library ran last */
	uint64_t turn_end_ms; /* when that has taken long enough */
	struct admin_streams streams;
	size_t body_bytes; /* of all bodies that are there */
	uint64_t leave_ms; /* of one that leaves: when it is closed at the latest; monotonic */
};

struct admin {
	struct daemon *daemon;
	struct list open;
	struct list leaving; /* no longer configured; answers that are under way are still sent */
	struct timer leave_timer;
	struct admin_audit audit;
};

/* What the configuration wants of a listener that is there. */
struct kept_listener {
	struct admin_listener *listener;
	char *token; /* as its file is now */
};

struct admin_change {
	struct list added; /* listening, not accepting yet */
	struct kept_listener *kept;
	size_t kept_count;
};

/* --- running the library ----------------------------------------------------------------------------------------- */

static bool is_turn_over(const struct admin_listener *listener)
{
	return clock_monotonic_ms() >= listener->turn_end_ms;
}

static void begin_turn(struct admin_listener *listener)
{
	uint32_t turn = listener->daemon->loop.turn;
	if (listener->turn == turn)
		return;
	listener->turn = turn;
	listener->turn_end_ms = clock_monotonic_ms() + TURN_MS;
}

static void resume_postponed(struct admin_listener *listener)
{
	for (struct list *link; (link = list_take_first(&listener->postponed)) != NULL;)
		MHD_resume_connection(LIST_OWNER(link, struct admin_connection, postponed_link)->http_connection);
}

static void run_http(struct admin_listener *listener)
{
	struct daemon *daemon = listener->daemon;
	MHD_UNSIGNED_LONG_LONG wait_ms = 0;
	bool is_waiting = true;
	begin_turn(listener);
	/* Who is told that a server is up finds it in use: a verdict of this turn would be published only at its end. */
	server_states_publish(daemon);
	resume_postponed(listener);
	for (int i = 0; i < RUNS_PER_EVENT && is_waiting && wait_ms == 0 && (i == 0 || !is_turn_over(listener)); i++) {
		MHD_run(listener->http);
		is_waiting = MHD_get_timeout(listener->http, &wait_ms) == MHD_YES;
	}
	if (!list_is_empty(&listener->postponed)) {
		is_waiting = true;
		wait_ms = 0;
	}
	if (is_waiting)
		timer_arm(&daemon->wheel, &listener->http_timer, daemon->loop.now_ms + wait_ms);
	else
		timer_disarm(&daemon->wheel, &listener->http_timer);
}

static void on_http_event(struct loop_source *source, uint32_t events)
{
	(void)events;
	run_http(LIST_OWNER(source, struct admin_listener, http_source));
}

static void on_http_timer(struct timer *timer, uint64_t now_ms)
{
	(void)now_ms;
	run_http(LIST_OWNER(timer, struct admin_listener, http_timer));
}

static void on_streams_woken(struct loop_deferred *woken)
{
	run_http(LIST_OWNER(woken, struct admin_listener, streams.woken));
}

/* --- connections and their deadlines ----------------------------------------------------------------------------- */

static void set_deadline(struct admin_connection *connection, bool is_busy, uint64_t after_ms)
{
	struct admin_listener *listener = connection->listener;
	admin_connection_set_deadline(connection, is_busy, listener->daemon->loop.now_ms + after_ms);
}

static struct addr read_client(const struct sockaddr *client)
{
	struct addr addr = { 0 };
	addr.len = client->sa_family == AF_INET6  ? sizeof(addr.in6)
		   : client->sa_family == AF_INET ? sizeof(addr.in)
						  : sizeof(addr.un.sun_family);
	memcpy(&addr.sa, client, addr.len);
	return addr;
}

static void on_connection(void *listener_pointer, struct MHD_Connection *http_connection, void **context,
			  enum MHD_ConnectionNotificationCode what)
{
	struct admin_listener *listener = listener_pointer;
	if (what != MHD_CONNECTION_NOTIFY_STARTED) {
		admin_connection_end(*context);
		*context = NULL;
		return;
	}
	int fd = MHD_get_connection_info(http_connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
	struct addr client =
		read_client(MHD_get_connection_info(http_connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr);
	struct admin_connection *connection =
		admin_connection_begin(&listener->connections, &listener->daemon->wheel, &client, fd);
	connection->listener = listener;
	connection->http_connection = http_connection;
	*context = connection;
	set_deadline(connection, false, ADMIN_REQUEST_MS);
}

struct exchange;
static void free_exchange(struct admin_listener *listener, struct exchange *exchange);

static struct admin_connection *find_connection(struct MHD_Connection *http_connection)
{
	return MHD_get_connection_info(http_connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
}

static void on_answered(void *listener, struct MHD_Connection *http_connection, void **request_state,
			enum MHD_RequestTerminationCode why)
{
	free_exchange(listener, *request_state);
	*request_state = NULL;
	if (why == MHD_REQUEST_TERMINATED_COMPLETED_OK)
		set_deadline(find_connection(http_connection), false, ADMIN_REQUEST_MS);
}

/* --- requests ---------------------------------------------------------------------------------------------------- */

/* One request while it arrives. */
struct exchange {
	struct admin_request request;
	struct admin_headers headers;
	bool is_begun;                  /* the headers have been seen */
	enum admin_status body_refusal; /* why the body is not kept; 0: it is */
	struct admin_stream *stream;    /* the answer, where it is one */
	char *body;
	size_t body_bytes;
	size_t body_capacity;
	size_t body_max;
	char target[]; /* as it was sent */
};

/* The library decodes the path before it tells; but a name in it may hold a slash, so it is wanted as it came. */
static void *on_target(void *listener, const char *target, struct MHD_Connection *http_connection)
{
	(void)listener;
	(void)http_connection;
	size_t len = strlen(target);
	struct exchange *exchange = memory_alloc_zeroed(1, sizeof(*exchange) + len + 1);
	memcpy(exchange->target, target, len);
	return exchange;
}

static void free_exchange(struct admin_listener *listener, struct exchange *exchange)
{
	if (exchange == NULL)
		return;
	listener->body_bytes -= exchange->body_bytes;
	admin_stream_end(exchange->stream);
	free(exchange->body);
	free(exchange);
}

static enum MHD_Result add_header(void *headers, enum MHD_ValueKind kind, const char *name, const char *value)
{
	(void)kind;
	admin_headers_add(headers, name, value != NULL ? value : "");
	return MHD_YES;
}

static void fill_request(struct admin_listener *listener, struct MHD_Connection *http_connection, const char *method,
			 struct exchange *exchange)
{
	char *query = strchr(exchange->target, '?');
	if (query != NULL)
		*query++ = '\0';
	MHD_get_connection_values(http_connection, MHD_HEADER_KIND, add_header, &exchange->headers);
	exchange->request = (struct admin_request){
		.daemon = listener->daemon,
		.method = method,
		.path = exchange->target,
		.content_type = exchange->headers.values[ADMIN_HEADER_CONTENT_TYPE],
		.last_event_id = exchange->headers.values[ADMIN_HEADER_LAST_EVENT_ID],
		.peer = &find_connection(http_connection)->peer,
		.accept_encoding =
			MHD_lookup_connection_value(http_connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_ACCEPT_ENCODING),
		.if_none_match =
			MHD_lookup_connection_value(http_connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_IF_NONE_MATCH),
		.has_body = admin_headers_have_body(&exchange->headers),
	};
	admin_path_read_arguments(query, &exchange->request);
}

/* Returns false, and refuses, when the client may not ask. */
static bool check_policy(const struct admin_listener *listener, const struct exchange *exchange,
			 struct admin_answer *answer)
{
	const char *const *values = exchange->headers.values;
	bool is_public = admin_page_is_public(exchange->request.path);
	if (!admin_policy_accepts_host(values[ADMIN_HEADER_HOST], &listener->socket.addr))
		admin_refuse(answer, ADMIN_FORBIDDEN, "the Host header names another host than this listener");
	else if (!admin_policy_accepts_origin(values[ADMIN_HEADER_ORIGIN], values[ADMIN_HEADER_HOST]) ||
		 !admin_policy_accepts_fetch(values[ADMIN_HEADER_FETCH_SITE], values[ADMIN_HEADER_FETCH_MODE],
					     values[ADMIN_HEADER_FETCH_DEST]))
		admin_refuse(answer, ADMIN_FORBIDDEN, "requests from other web pages are refused");
	else if (!is_public && !admin_policy_accepts_token(values[ADMIN_HEADER_AUTHORIZATION], listener->token))
		admin_refuse(answer, ADMIN_UNAUTHORIZED, "this listener wants its token: Authorization: Bearer TOKEN");
	else
		return true;
	return false;
}

/* --- answers ----------------------------------------------------------------------------------------------------- */

static void add_headers(struct MHD_Response *response, const struct admin_answer *answer)
{
	const char *policy = answer->content_security_policy;
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, answer->type);
	MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL,
				answer->cache_control != NULL ? answer->cache_control : "no-store");
	if (answer->etag != NULL) {
		MHD_add_response_header(response, MHD_HTTP_HEADER_ETAG, answer->etag);
		MHD_add_response_header(response, MHD_HTTP_HEADER_VARY, "Accept-Encoding");
	}
	if (answer->content_encoding != NULL)
		MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_ENCODING, answer->content_encoding);
	MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
	MHD_add_response_header(response, "X-Frame-Options", "DENY");
	MHD_add_response_header(response, "Content-Security-Policy",
				policy != NULL ? policy : "default-src 'none'; frame-ancestors 'none'");
	MHD_add_response_header(response, "Cross-Origin-Resource-Policy", "same-origin");
	MHD_add_response_header(response, "Referrer-Policy", "no-referrer");
	if (answer->allow != NULL)
		MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, answer->allow);
	if (answer->status == ADMIN_UNAUTHORIZED)
		MHD_add_response_header(response, MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Bearer");
}

/* Takes the body, or the stream, which the exchange keeps. */
static struct MHD_Response *make_response(struct admin_listener *listener, struct MHD_Connection *http_connection,
					  struct exchange *exchange, const struct admin_answer *answer)
{
	struct admin_connection *connection = find_connection(http_connection);
	if (answer->stream != NULL) {
		exchange->stream = answer->stream;
		return admin_stream_begin(&listener->streams, answer->stream, connection, http_connection);
	}
	struct MHD_Response *response =
		MHD_create_response_from_buffer(answer->body_bytes, answer->body, MHD_RESPMEM_MUST_FREE);
	if (response == NULL)
		free(answer->body);
	set_deadline(connection, true, ADMIN_ANSWER_MS);
	return response;
}

/* Takes the answer's body or stream. */
static enum MHD_Result send_answer(struct admin_listener *listener, struct MHD_Connection *http_connection,
				   struct exchange *exchange, const struct admin_answer *answer, bool is_last)
{
	admin_audit_write(&listener->daemon->admin->audit, &exchange->request, answer);
	struct MHD_Response *response = make_response(listener, http_connection, exchange, answer);
	if (response == NULL)
		return MHD_NO;
	add_headers(response, answer);
	if (is_last || answer->stream != NULL)
		MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
	enum MHD_Result result = MHD_queue_response(http_connection, answer->status, response);
	MHD_destroy_response(response);
	return result;
}

/* --- bodies ------------------------------------------------------------------------------------------------------ */

/* What is too much is read and dropped: the library lets us answer only before a body or after it. */
static void take_body(struct admin_listener *listener, struct exchange *exchange, const char *body, size_t bytes)
{
	if (bytes > exchange->body_max - exchange->body_bytes)
		exchange->body_refusal = ADMIN_CONTENT_TOO_LARGE;
	else if (bytes > ADMIN_BODIES_BYTES_MAX - listener->body_bytes)
		exchange->body_refusal = ADMIN_UNAVAILABLE;
	if (exchange->body_refusal != 0)
		return;
	if (exchange->body_bytes + bytes > exchange->body_capacity) {
		exchange->body_capacity = 2 * (exchange->body_bytes + bytes);
		exchange->body = memory_resize(exchange->body, exchange->body_capacity, 1);
	}
	memcpy(exchange->body + exchange->body_bytes, body, bytes);
	exchange->body_bytes += bytes;
	listener->body_bytes += bytes;
}

static void refuse_body(enum admin_status status, struct admin_answer *answer)
{
	admin_refuse(answer, status,
		     status == ADMIN_UNAVAILABLE ? "too many large requests are under way"
						 : "the body is larger than this endpoint takes");
}

/* Returns true, and answers, when the body is not to be read. */
static bool answers_before_body(const struct admin_listener *listener, struct exchange *exchange,
				struct admin_answer *answer)
{
	if (!check_policy(listener, exchange, answer))
		return true;
	if (exchange->body_max == 0 || !admin_routes_accept_type(&exchange->request))
		admin_routes_answer(&exchange->request, answer);
	else if (admin_headers_body_bytes(&exchange->headers) > exchange->body_max)
		refuse_body(ADMIN_CONTENT_TOO_LARGE, answer);
	else
		return false;
	return true;
}

/* --- the course of a request ------------------------------------------------------------------------------------- */

/* The headers are there. */
static enum MHD_Result begin(struct admin_listener *listener, struct MHD_Connection *http_connection,
			     struct exchange *exchange, const char *version)
{
	struct admin_answer answer;
	exchange->is_begun = true;
	exchange->body_max = admin_routes_body_max(&exchange->request);
	if (!admin_headers_check(&exchange->headers, exchange->target, version, &answer) ||
	    (exchange->request.has_body && answers_before_body(listener, exchange, &answer)))
		return send_answer(listener, http_connection, exchange, &answer, true);
	set_deadline(find_connection(http_connection), false, ADMIN_BODY_MS);
	return MHD_YES;
}

/* All is there. */
static enum MHD_Result finish(struct admin_listener *listener, struct MHD_Connection *http_connection,
			      struct exchange *exchange)
{
	struct admin_answer answer;
	exchange->request.body = (struct span){ exchange->body, exchange->body_bytes };
	if (exchange->body_refusal != 0)
		refuse_body(exchange->body_refusal, &answer);
	else if (check_policy(listener, exchange, &answer))
		admin_routes_answer(&exchange->request, &answer);
	return send_answer(listener, http_connection, exchange, &answer, exchange->body_refusal != 0);
}

/* The library asks again when the connection is resumed. */
static enum MHD_Result postpone(struct admin_listener *listener, struct MHD_Connection *http_connection)
{
	struct admin_connection *connection = find_connection(http_connection);
	list_add_last(&listener->postponed, &connection->postponed_link);
	set_deadline(connection, true, ADMIN_ANSWER_MS);
	MHD_suspend_connection(http_connection);
	return MHD_YES;
}

/* The library calls it first when the headers are there, then for each piece of a body, then once more. */
static enum MHD_Result on_request(void *listener_pointer, struct MHD_Connection *http_connection, const char *path,
				  const char *method, const char *version, const char *body, size_t *body_bytes,
				  void **request_state)
{
	struct admin_listener *listener = listener_pointer;
	struct exchange *exchange = *request_state;
	(void)path;
	if (!exchange->is_begun) {
		if (listener->is_ending)
			return MHD_NO;
		if (is_turn_over(listener))
			return postpone(listener, http_connection);
		fill_request(listener, http_connection, method, exchange);
		return begin(listener, http_connection, exchange, version);
	}
	if (*body_bytes == 0)
		return finish(listener, http_connection, exchange);
	take_body(listener, exchange, body, *body_bytes);
	*body_bytes = 0;
	return MHD_YES;
}

/* --- accepting --------------------------------------------------------------------------------------------------- */

static void on_pause_over(struct timer *timer, uint64_t now_ms)
{
	(void)now_ms;
	struct admin_listener *listener = LIST_OWNER(timer, struct admin_listener, pause_timer);
	loop_add(&listener->daemon->loop, &listener->accept_source, EPOLLIN);
}

static void pause_accepting(struct admin_listener *listener)
{
	struct daemon *daemon = listener->daemon;
	loop_remove(&daemon->loop, &listener->accept_source);
	timer_arm(&daemon->wheel, &listener->pause_timer, daemon->loop.now_ms + ADMIN_PAUSE_MS);
}

static void on_accept(struct loop_source *source, uint32_t events)
{
	(void)events;
	struct admin_listener *listener = LIST_OWNER(source, struct admin_listener, accept_source);
	for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
		struct addr client = { .len = sizeof(client) - offsetof(struct addr, sa) };
		int fd = accept4(source->fd, &client.sa, &client.len, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0) {
			if (socket_is_shortage(errno))
				pause_accepting(listener);
			break;
		}
		if (admin_connections_make_room(&listener->connections, &client, fd))
			MHD_add_connection(listener->http, fd, &client.sa, client.len);
		else
			close(fd);
		run_http(listener); /* so that it is counted, and one that had to go is gone */
	}
}

/* --- start and stop ---------------------------------------------------------------------------------------------- */

/* The token is the file's first line. Returns 0 or -errno. */
static int read_token(const char *path, char **ret_token)
{
	char buf[ADMIN_TOKEN_BYTES_MAX + 1];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ssize_t bytes = read(fd, buf, sizeof(buf));
	int error = bytes < 0 ? -errno : 0;
	fd_close(&fd);
	if (error < 0)
		return error;
	size_t len = 0;
	while (len < (size_t)bytes && buf[len] > ' ' && buf[len] < 0x7f)
		len++;
	if (len == 0 || len > ADMIN_TOKEN_BYTES_MAX || (len < (size_t)bytes && strchr("\r\n", buf[len]) == NULL))
		return -EINVAL;
	*ret_token = memory_copy_span((struct span){ buf, len });
	return 0;
}

static int start_http(struct admin_listener *listener)
{
	listener->http = MHD_start_daemon(
		MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, on_request,
		listener, MHD_OPTION_CONNECTION_LIMIT, (unsigned int)LIBRARY_CONNECTIONS_MAX,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)ADMIN_REQUEST_BYTES_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
		(unsigned int)INACTIVITY_SECONDS, MHD_OPTION_NOTIFY_CONNECTION, on_connection, listener,
		MHD_OPTION_NOTIFY_COMPLETED, on_answered, listener, MHD_OPTION_URI_LOG_CALLBACK, on_target, listener,
		MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_END);
	if (listener->http == NULL)
		return errno != 0 ? -errno : -ENOMEM;
	listener->http_source.fd = MHD_get_daemon_info(listener->http, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
	listener->accept_source.fd = listener->socket.fd;
	return loop_add(&listener->daemon->loop, &listener->http_source, EPOLLIN);
}

/* Clients that come now are refused by the kernel. */
static void stop_accepting(struct admin_listener *listener)
{
	struct daemon *daemon = listener->daemon;
	timer_disarm(&daemon->wheel, &listener->pause_timer);
	if (listener->accept_source.fd >= 0)
		loop_remove(&daemon->loop, &listener->accept_source);
	listener->accept_source.fd = -1;
	admin_socket_close(&listener->socket);
}

static void free_listener(struct admin_listener *listener)
{
	struct daemon *daemon = listener->daemon;
	stop_accepting(listener);
	if (listener->http != NULL) {
		/* Streams get their end, and the library wants to be stopped with no connection at rest. */
		listener->is_ending = true;
		admin_streams_end(&listener->streams);
		run_http(listener);
		loop_remove(&daemon->loop, &listener->http_source);
		MHD_stop_daemon(listener->http);
	}
	admin_streams_done(&listener->streams);
	timer_disarm(&daemon->wheel, &listener->http_timer);
	list_remove(&listener->link);
	free(listener->token);
	free(listener);
}

/* Validation has refused an open address without a token already; this is the last line before the network. */
static bool is_protected(const struct admin_listener *listener, const struct addr *addr)
{
	return addr_is_unix(addr) || addr_is_loopback(addr) || listener->token != NULL;
}

static int read_listener_token(const struct config_admin *config, char **ret_token)
{
	*ret_token = NULL;
	return config->token_file != NULL ? read_token(config->token_file, ret_token) : 0;
}

static int start_listener(struct admin_listener *listener, const struct config_admin *config, struct admin_error *error)
{
	*error = (struct admin_error){ config, "read the token file" };
	int result = read_listener_token(config, &listener->token);
	if (result < 0)
		return result;
	error->what = "listen";
	if (!is_protected(listener, &config->addr))
		return -EACCES;
	result = admin_socket_open(&listener->socket, &config->addr);
	return result < 0 ? result : start_http(listener);
}

static int add_listener(struct admin *admin, const struct config_admin *config, struct admin_change *change,
			struct admin_error *error)
{
	struct admin_listener *listener = memory_alloc_zeroed(1, sizeof(*listener));
	listener->daemon = admin->daemon;
	admin_connections_init(&listener->connections);
	list_init(&listener->postponed);
	admin_streams_init(&listener->streams, &admin->daemon->loop, on_streams_woken);
	listener->socket.fd = listener->accept_source.fd = -1;
	listener->accept_source.on_event = on_accept;
	listener->http_source.on_event = on_http_event;
	listener->http_timer.on_expiry = on_http_timer;
	listener->pause_timer.on_expiry = on_pause_over;
	list_add_last(&change->added, &listener->link);
	return start_listener(listener, config, error);
}

/* --- changing the listeners -------------------------------------------------------------------------------------- */

static struct admin_listener *listener_of(struct list *link)
{
	return LIST_OWNER(link, struct admin_listener, link);
}

static struct admin_listener *find_open(const struct admin *admin, const struct addr *addr)
{
	for (struct list *link = admin->open.next; link != &admin->open; link = link->next)
		if (addr_equal(&listener_of(link)->socket.addr, addr))
			return listener_of(link);
	return NULL;
}

static int keep_listener(struct admin_listener *listener, const struct config_admin *config,
			 struct admin_change *change, struct admin_error *error)
{
	struct kept_listener *kept = &change->kept[change->kept_count];
	*error = (struct admin_error){ config, "read the token file" };
	int result = read_listener_token(config, &kept->token);
	if (result < 0)
		return result;
	kept->listener = listener;
	change->kept_count++;
	return 0;
}

int admin_prepare(struct admin *admin, const struct config *config, struct admin_change **ret_change,
		  struct admin_error *ret_error)
{
	struct admin_change *change = memory_alloc_zeroed(1, sizeof(*change));
	list_init(&change->added);
	change->kept = memory_alloc_zeroed(config->admin_count, sizeof(change->kept[0]));
	for (size_t i = 0; i < config->admin_count; i++) {
		const struct config_admin *wanted = &config->admins[i];
		struct admin_listener *open = find_open(admin, &wanted->addr);
		int result = open != NULL ? keep_listener(open, wanted, change, ret_error)
					  : add_listener(admin, wanted, change, ret_error);
		if (result < 0) {
			admin_abandon(change);
			return result;
		}
	}
	*ret_change = change;
	return 0;
}

static void free_change(struct admin_change *change)
{
	for (size_t i = 0; i < change->kept_count; i++)
		free(change->kept[i].token);
	free(change->kept);
	free(change);
}

void admin_abandon(struct admin_change *change)
{
	while (!list_is_empty(&change->added))
		free_listener(listener_of(change->added.next));
	free_change(change);
}

static bool has_connections(const struct admin_listener *listener)
{
	return MHD_get_daemon_info(listener->http, MHD_DAEMON_INFO_CURRENT_CONNECTIONS)->num_connections > 0;
}

static void on_leave(struct timer *timer, uint64_t now_ms)
{
	struct admin *admin = LIST_OWNER(timer, struct admin, leave_timer);
	for (struct list *link = admin->leaving.next, *next; link != &admin->leaving; link = next) {
		next = link->next;
		if (!has_connections(listener_of(link)) || now_ms >= listener_of(link)->leave_ms)
			free_listener(listener_of(link));
	}
	if (!list_is_empty(&admin->leaving))
		timer_arm(&admin->daemon->wheel, timer, now_ms + ADMIN_LEAVE_LOOK_MS);
}

/* The request that changes the listeners may have come through this one: it lives until its answer is sent. */
static void leave(struct admin *admin, struct admin_listener *listener)
{
	stop_accepting(listener);
	admin_streams_end(&listener->streams);
	listener->leave_ms = admin->daemon->loop.now_ms + ADMIN_LEAVE_MS;
	list_remove(&listener->link);
	list_add_last(&admin->leaving, &listener->link);
	timer_arm(&admin->daemon->wheel, &admin->leave_timer, admin->daemon->loop.now_ms + ADMIN_LEAVE_LOOK_MS);
}

void admin_commit(struct admin *admin, struct admin_change *change)
{
	struct list stay;
	list_init(&stay);
	for (size_t i = 0; i < change->kept_count; i++) {
		struct kept_listener *kept = &change->kept[i];
		free(kept->listener->token);
		kept->listener->token = kept->token;
		kept->token = NULL;
		list_remove(&kept->listener->link);
		list_add_last(&stay, &kept->listener->link);
	}
	while (!list_is_empty(&admin->open))
		leave(admin, listener_of(admin->open.next));
	for (struct list *link; (link = list_take_first(&change->added)) != NULL;) {
		int result = loop_add(&admin->daemon->loop, &listener_of(link)->accept_source, EPOLLIN);
		CHECK(result == 0); /* epoll takes any socket; only a system without memory says no */
		list_add_last(&stay, link);
	}
	for (struct list *link; (link = list_take_first(&stay)) != NULL;)
		list_add_last(&admin->open, link);
	free_change(change);
}

/* --- life -------------------------------------------------------------------------------------------------------- */

struct admin *admin_new(struct daemon *daemon)
{
	struct admin *admin = memory_alloc_zeroed(1, sizeof(*admin));
	admin->daemon = daemon;
	admin->leave_timer.on_expiry = on_leave;
	admin_audit_init(&admin->audit, daemon);
	list_init(&admin->open);
	list_init(&admin->leaving);
	return admin;
}

void admin_free(struct admin **admin_pointer)
{
	struct admin *admin = *admin_pointer;
	if (admin == NULL)
		return;
	timer_disarm(&admin->daemon->wheel, &admin->leave_timer);
	while (!list_is_empty(&admin->open))
		free_listener(listener_of(admin->open.next));
	while (!list_is_empty(&admin->leaving))
		free_listener(listener_of(admin->leaving.next));
	admin_audit_done(&admin->audit);
	free(admin);
	*admin_pointer = NULL;
}
