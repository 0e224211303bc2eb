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
#include "config/diagnostics.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	CONFIG_NAME_BYTES = 64, /* longest name of a service, pool or server with its zero: letters digits . _ - */
	CONFIG_WEIGHT_MAX = 1000,
	CONFIG_RETRIES_MAX = 10,
	CONFIG_WORKERS_MAX = 64,
	CONFIG_CHECK_BYTES_MAX = 1024, /* of send= and expect= */
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

struct config_access_rule {
	bool is_allow;
	struct network network;
	struct config_place place;
};

/* A rate: `amount` per `per_ms` milliseconds; amount 0 = no limit was written. */
struct config_rate {
	uint64_t amount;
	uint64_t per_ms;
};

struct config_service {
	char name[CONFIG_NAME_BYTES];
	struct config_place place;
	struct config_listen *listens;
	size_t listen_count;
	struct config_access_rule *rules; /* allow and deny in the order written */
	size_t rule_count;
	const char *to; /* name of the pool */
	struct config_place to_place;
	size_t pool_index; /* of `to` in config.pools, found by validation */
	struct {
		uint64_t connections; /* 0 = no limit of its own */
		uint64_t sessions;    /* likewise */
		struct config_rate rate;
		uint64_t per_source; /* 0 = none */
		struct config_rate per_source_rate;
		uint64_t queue; /* connections that wait for a place at a server, when timeout.queue_ms is not 0 */
	} limit;
	struct {
		uint64_t connect_ms;
		uint64_t idle_ms;
		uint64_t half_closed_ms;
		uint64_t queue_ms; /* 0 = no queue */
	} timeout;
	uint64_t retries;
	struct {
		uint64_t idle_ms;
		uint64_t new_ms;
		uint64_t replies;
		bool has_replies;  /* replies= was written; 0 is a value of its own */
		uint64_t requests; /* 0 = not written */
	} session;
};

enum config_balance {
	CONFIG_BALANCE_ROUND_ROBIN,
	CONFIG_BALANCE_LEAST_CONNECTIONS,
	CONFIG_BALANCE_SOURCE_HASH,
	CONFIG_BALANCE_RANDOM,
	CONFIG_BALANCE_FIRST,
};

enum config_check { CONFIG_CHECK_NONE, CONFIG_CHECK_TCP, CONFIG_CHECK_UDP };

enum config_on_down { CONFIG_ON_DOWN_DEFAULT, CONFIG_ON_DOWN_KEEP, CONFIG_ON_DOWN_CLOSE };

enum config_server_state { CONFIG_SERVER_UP, CONFIG_SERVER_DRAIN, CONFIG_SERVER_MAINT };

/* Bytes to send or expect; may hold zeros, so the length counts. len 0 and data NULL = not written. */
struct config_bytes {
	const char *data;
	size_t len;
};

struct config_server {
	struct addr addr;
	char name[CONFIG_NAME_BYTES]; /* name=, else the text of the address (of a long unix path, its end) */
	uint64_t weight;              /* 1..CONFIG_WEIGHT_MAX */
	uint64_t max_connections;     /* 0 = no limit */
	bool is_backup;
	enum config_server_state state;
	struct config_place place;
};

struct config_pool {
	char name[CONFIG_NAME_BYTES];
	struct config_place place;
	enum config_balance balance;
	uint64_t slow_start_ms; /* 0 = none */
	struct {
		enum config_check kind;
		uint64_t every_ms;
		uint64_t timeout_ms;
		uint64_t rise;
		uint64_t fall;
		uint64_t port; /* 0 = the server's own */
		struct config_bytes send;
		struct config_bytes expect;
	} check;
	struct {
		uint64_t failures; /* 0 = no passive ejection */
		uint64_t for_ms;
	} eject;
	uint64_t panic_percent;
	enum config_on_down on_down;
	struct config_server *servers;
	size_t server_count;
};

struct config_admin {
	struct addr addr;
	const char *token_file; /* NULL = none */
	struct config_place place;
};

enum config_log_sink { CONFIG_LOG_STDERR, CONFIG_LOG_FILE };
enum config_log_format { CONFIG_LOG_TEXT, CONFIG_LOG_JSON };
enum config_log_level { CONFIG_LEVEL_ERROR, CONFIG_LEVEL_WARNING, CONFIG_LEVEL_INFO, CONFIG_LEVEL_DEBUG };

struct config_log {
	enum config_log_sink sink;
	const char *path; /* CONFIG_LOG_FILE only */
	enum config_log_format format;
	enum config_log_level level;
	struct config_place place;
};

struct config {
	const char **files; /* names as the user wrote them, for messages; [0] is the main file */
	size_t file_count;
	struct config_admin *admins;
	size_t admin_count;
	struct config_log *logs; /* at least one after validation: the default is stderr, text */
	size_t log_count;
	uint64_t workers; /* 0 = auto: one per CPU */
	struct {
		uint64_t connections;  /* ceiling for the daemon; 0 = what descriptors allow */
		uint64_t sessions;     /* likewise */
		uint64_t memory_bytes; /* 0 = no ceiling of its own */
	} limit;
	uint64_t drain_ms; /* timeout drain= */
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

/* Accepts NULL; clears the pointer. */
void config_free(struct config **config);

#endif
