/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The configuration as an immutable tree of plain structs: what the file says, after defaults and validation, before
 * anything is built from it. config_load reads text into it; pool/build.c turns it into what workers use and is the
 * last to see these types.
 *
 * Owns every string and array it points to: one config_free releases all. Made and read by the control thread and by
 * the command line; never by workers. Loading opens files and reads environment variables; it opens no socket and
 * needs no privilege.
 */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include "base/addr.h"
#include "base/host_name.h"
#include "base/http_statuses.h"
#include "config/diagnostics.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	CONFIG_NAME_BYTES = 64, /* longest name of a service, pool or server with its zero: letters digits . _ - */
	CONFIG_WEIGHT_MAX = 1000,
	CONFIG_MAGLEV_SERVERS_MAX = 65535, /* in a pool */
	CONFIG_RETRIES_MAX = 10,
	CONFIG_WORKERS_MAX = 64,
	CONFIG_CHECK_BYTES_MAX = 1024, /* of send= and expect= */
	CONFIG_NAME_SERVERS_MAX = 8,   /* of one resolver */
	CONFIG_SOURCES_MAX = 32,       /* addresses of one `source` */
};

/* Where a thing was written; line and column count from 1, columns in bytes. file: index into config.files. */
struct config_place {
	uint32_t file;
	uint32_t line;
	uint32_t column;
	uint32_t len; /* bytes to underline, at least 1 */
};

enum config_protocol { CONFIG_TCP, CONFIG_UDP };

struct config_listen {
	enum config_protocol protocol;
	struct addr addr;
	bool is_dual; /* written ":8080": all addresses of both families; addr is then [::]:8080 */
	struct config_place place;
};

/* A network, or all that stand in a file. */
struct config_networks {
	struct network network; /* when list_path is NULL */
	const char *list_path;  /* relative to the working directory, as everything the daemon opens */
	size_t list;            /* of list_path in config.lists, found by validation */
};

struct config_access_rule {
	bool is_allow;
	struct config_networks from;
	struct config_place place;
};

/* Networks that no service takes anything from. */
struct config_block {
	struct config_networks from;
	struct config_place place;
};

/* A file of networks. What it holds may change while the tree is in force: control then puts what is new here. */
struct config_list {
	const char *path;
	const struct network *networks;
	size_t count;
	struct config_memory *memory; /* of what control has put here, released with the tree; NULL: the tree's */
};

/* Clients whose connections and datagrams begin with a PROXY header. */
struct config_proxy_network {
	struct network network;
	struct config_place place;
};

/* How many bits of an address tell sources apart. */
struct config_prefixes {
	uint8_t ipv4_bits;
	uint8_t ipv6_bits;
};

/* A rate: `amount` per `per_ms` milliseconds; amount 0 = no limit was written. */
struct config_rate {
	uint64_t amount;
	uint64_t per_ms;
};

/* When a TCP connection has proved long: the first of both that it reaches; 0 = does not count. */
struct config_threshold {
	uint64_t bytes; /* of payload, both ways together */
	uint64_t ms;    /* since it was accepted */
};

enum config_path { CONFIG_PATH_RELAY, CONFIG_PATH_AUTO, CONFIG_PATH_OFFLOAD, CONFIG_PATH_NAT };

enum config_guard { CONFIG_GUARD_ENFORCE, CONFIG_GUARD_DRY_RUN };

struct config_service {
	char name[CONFIG_NAME_BYTES];
	struct config_place place;
	struct config_listen *listens;
	size_t listen_count;
	struct config_access_rule *rules; /* allow and deny in the order written */
	size_t rule_count;
	struct config_proxy_network *proxy_networks;
	size_t proxy_network_count;
	const char *to; /* name of the pool */
	struct config_place to_place;
	size_t pool_index; /* of `to` in config.pools, found by validation */
	struct {
		uint64_t connections; /* 0 = no limit of its own */
		uint64_t sessions;    /* likewise */
		struct config_rate rate;
		uint64_t per_source; /* 0 = none */
		struct config_rate per_source_rate;
		struct config_rate per_source_packets;
		struct config_prefixes source_prefixes;
		uint64_t queue; /* connections that wait for a place at a server, when timeout.queue_ms is not 0 */
		/* Bits per second; 0 = no limit. */
		uint64_t bandwidth; /* of all flows together, in each direction */
		uint64_t upload;    /* of each flow, from its client */
		uint64_t download;  /* of each flow, to its client */
	} limit;
	struct {
		uint64_t connect_ms;
		uint64_t idle_ms;
		uint64_t half_closed_ms;
		uint64_t proxy_header_ms;
		uint64_t hello_ms;
		uint64_t queue_ms; /* 0 = no queue */
	} timeout;
	enum config_guard guard;
	enum config_path path;
	struct config_threshold offload_after;
	struct {
		uint64_t count; /* of refusals; 0 = nobody is blocked */
		uint64_t window_ms;
		uint64_t for_ms;
	} block;
	uint64_t retries;
	struct {
		uint64_t idle_ms;
		uint64_t new_ms;
		uint64_t replies;
		bool has_replies;       /* replies= was written; 0 is a value of its own */
		uint64_t requests;      /* 0 = not written */
		uint64_t amplification; /* likewise */
	} session;
};

enum config_balance {
	CONFIG_BALANCE_ROUND_ROBIN,
	CONFIG_BALANCE_LEAST_CONNECTIONS,
	CONFIG_BALANCE_SOURCE_HASH,
	CONFIG_BALANCE_RANDOM,
	CONFIG_BALANCE_MAGLEV,
	CONFIG_BALANCE_FIRST,
};

enum config_check {
	CONFIG_CHECK_NONE,
	CONFIG_CHECK_TCP,
	CONFIG_CHECK_UDP,
	CONFIG_CHECK_HTTP,
	CONFIG_CHECK_DNS,
	CONFIG_CHECK_EXEC,
};

enum config_http_method { CONFIG_HTTP_GET, CONFIG_HTTP_HEAD, CONFIG_HTTP_OPTIONS, CONFIG_HTTP_POST };

/* Values are those of the wire (RFC 1035, section 3.2.2; RFC 3596; RFC 2782). */
enum config_dns_type {
	CONFIG_DNS_A = 1,
	CONFIG_DNS_NS = 2,
	CONFIG_DNS_CNAME = 5,
	CONFIG_DNS_SOA = 6,
	CONFIG_DNS_PTR = 12,
	CONFIG_DNS_MX = 15,
	CONFIG_DNS_TXT = 16,
	CONFIG_DNS_AAAA = 28,
	CONFIG_DNS_SRV = 33,
};

enum config_send_proxy { CONFIG_SEND_PROXY_NONE, CONFIG_SEND_PROXY_V1, CONFIG_SEND_PROXY_V2 };
enum config_on_down { CONFIG_ON_DOWN_DEFAULT, CONFIG_ON_DOWN_KEEP, CONFIG_ON_DOWN_CLOSE };

enum config_server_state { CONFIG_SERVER_UP, CONFIG_SERVER_DRAIN, CONFIG_SERVER_MAINT };

/* Bytes to send or expect; may hold zeros, so the length counts. len 0 and data NULL = not written. */
struct config_bytes {
	const char *data;
	size_t len;
};

/* One address that a name stands for at the moment. */
struct config_resolved {
	struct addr addr; /* of a host name without a port: the server's is used; of SRV records with it */
	uint32_t weight;  /* of the SRV record, 1..CONFIG_WEIGHT_MAX; 0: that of the directive */
	bool is_backup;   /* an SRV record that has not the lowest priority */
};

struct config_server {
	struct addr addr;           /* when host is empty */
	char host[HOST_NAME_BYTES]; /* a name to be resolved, in lower case; empty: addr is the address */
	uint16_t port;              /* of a host that is not SRV */
	bool is_srv;                /* host has SRV records, which tell targets and ports */
	bool has_name;              /* name= was written */
	/*
	 * What the host stands for now; the one part of a tree that changes. Not the tree's: control puts its own answers
	 * here before servers are built of them. A name without an answer has none, and so no servers.
	 */
	const struct config_resolved *resolved;
	size_t resolved_count;
	char name[CONFIG_NAME_BYTES]; /* name=, else what server_address.h makes of the address */
	uint64_t weight;              /* 1..CONFIG_WEIGHT_MAX */
	uint64_t max_connections;     /* 0 = no limit */
	bool is_backup;
	enum config_server_state state;
	struct config_place place;
};

/* Whom to ask for names. */
struct config_resolver {
	struct addr *addrs;
	size_t addr_count;   /* at most CONFIG_NAME_SERVERS_MAX; 0 = not written: what the system asks */
	uint64_t ttl_ms;     /* 0 = that of the answer, within bounds */
	uint64_t timeout_ms; /* of each try */
};

/* Where connections to servers come from. */
struct config_source {
	bool is_client;     /* the client's own address and port; then there are no addresses */
	struct addr *addrs; /* with port 0 */
	size_t addr_count;  /* at most CONFIG_SOURCES_MAX; 0 and not is_client = not written: the kernel chooses */
};

struct config_pool {
	char name[CONFIG_NAME_BYTES];
	struct config_place place;
	struct config_resolver resolver; /* see config_pool_resolver */
	enum config_balance balance;
	uint64_t slow_start_ms; /* 0 = none */
	uint64_t load_percent;  /* 0 = none */
	struct {
		enum config_check kind;
		bool is_written; /* check none was asked for, and not forgotten */
		uint64_t every_ms;
		uint64_t timeout_ms;
		uint64_t rise;
		uint64_t fall;
		uint64_t port; /* 0 = the server's own */
		struct config_bytes send;
		struct config_bytes expect;
		struct {
			const char *path;
			const char *host; /* NULL = the server's address */
			enum config_http_method method;
			struct http_statuses statuses; /* that are good */
		} http;
		struct {
			const char *name;
			enum config_dns_type type;
			uint32_t rcodes; /* that are good: bit n for RCODE n */
		} dns;
		const char *program; /* of CONFIG_CHECK_EXEC, else NULL */
	} check;
	struct {
		uint64_t failures; /* 0 = no passive ejection */
		uint64_t for_ms;
	} eject;
	uint64_t panic_percent;
	enum config_on_down on_down;
	struct {
		enum config_send_proxy version;
		bool is_first; /* UDP: only before the first datagram of a session */
		bool has_authority;
		bool has_unique_id;
	} send_proxy;
	struct config_source source;
	struct config_server *servers;
	size_t server_count;
	size_t server_capacity; /* private to config/: room in servers; 0 = as reading left it */
};

struct config_admin {
	struct addr addr;
	const char *token_file; /* NULL = none */
	struct config_place place;
};

enum config_log_sink {
	CONFIG_LOG_STDERR,
	CONFIG_LOG_FILE,
	CONFIG_LOG_SYSLOG_UNIX,
	CONFIG_LOG_SYSLOG_UDP,
	CONFIG_LOG_SYSLOG_TCP,
	CONFIG_LOG_JOURNALD,
};
enum config_log_format { CONFIG_LOG_TEXT, CONFIG_LOG_JSON };
enum config_log_level { CONFIG_LEVEL_ERROR, CONFIG_LEVEL_WARNING, CONFIG_LEVEL_INFO, CONFIG_LEVEL_DEBUG };

struct config_log {
	enum config_log_sink sink;
	const char *path; /* of a file or socket; of UDP and TCP the text of the address; NULL: stderr */
	enum config_log_format format;
	enum config_log_level level;
	uint64_t sample;   /* of so many flows one is written; 0 = all, as 1 */
	uint64_t every_ms; /* a record of each flow so often while it goes on; 0 = none */
	struct addr addr;  /* of sockets */
	struct config_place place;
};

enum config_io_uring { CONFIG_IO_URING_ON, CONFIG_IO_URING_OFF };

enum config_kernel_path { CONFIG_KERNEL_PATH_AUTO, CONFIG_KERNEL_PATH_OFF };

enum config_packet_guard { CONFIG_PACKET_GUARD_AUTO, CONFIG_PACKET_GUARD_OFF };

struct config {
	const char **files; /* names as the user wrote them, for messages; [0] is the main file */
	size_t file_count;
	struct config_admin *admins;
	size_t admin_count;
	struct config_log *logs; /* at least one after validation: the default is stderr, text */
	size_t log_count;
	uint64_t workers; /* 0 = auto: one per CPU */
	enum config_io_uring io_uring;
	struct {
		enum config_packet_guard mode;
		bool has_only_listen;
		const char *interfaces; /* names with commas; NULL = those that the listen addresses need */
	} packet_guard;
	struct {
		enum config_kernel_path mode;
		uint64_t flows;   /* that the table holds */
		const char *pins; /* a directory; NULL = that of all programs in this network namespace */
	} kernel_path;
	struct {
		uint64_t connections;  /* ceiling for the daemon; 0 = what descriptors allow */
		uint64_t sessions;     /* likewise */
		uint64_t memory_bytes; /* 0 = no ceiling of its own */
	} limit;
	uint64_t drain_ms; /* timeout drain= */
	struct {
		const char *file; /* that the trends are kept in; NULL = not written */
		uint64_t memory_bytes;
		struct config_prefixes prefixes;
	} trends;
	struct config_block *blocks;
	size_t block_count;
	struct config_list *lists; /* each file once */
	size_t list_count;
	struct config_resolver resolver;
	struct config_service *services;
	size_t service_count;
	struct config_pool *pools;
	size_t pool_count;
	struct config_memory *memory; /* private to config/: what config_free releases */
};

/*
 * Reads the file and what it includes, checks everything, and reports every error and warning into diagnostics.
 * Returns the tree, to be released with config_free; or NULL when there was an error (a file that cannot be read is an
 * error like others, with the place of the include where there is one).
 */
struct config *config_load(const char *path, struct diagnostics *diagnostics);

/* The same for text in memory, which messages call `name`; includes are relative to the working directory. */
struct config *config_load_text(const char *name, struct span text, struct diagnostics *diagnostics);

/*
 * The same for a JSON document in the form of docs/configuration-json.md. Messages name the place of a value by its JSON
 * pointer (RFC 6901); of text that is no JSON, by line and column. Opens no file but lists of networks and reads no
 * environment variable. What is in the tree has no place (line 0).
 */
struct config *config_load_json(const char *name, struct span text, struct diagnostics *diagnostics);

/* The pool's own resolver, or that of the top level. */
static inline const struct config_resolver *config_pool_resolver(const struct config *config,
								 const struct config_pool *pool)
{
	return pool->resolver.addr_count > 0 ? &pool->resolver : &config->resolver;
}

/* Accepts NULL; clears the pointer. */
void config_free(struct config **config);

#endif
