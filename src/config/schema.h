/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one table of the language: for each directive where it stands, which values, settings and flags it takes, of what
 * kind, within which bounds, with which default, and what to tell people about it. It drives reading, defaults, error
 * messages, `strait explain` and the reference page. A new directive is a row here; only those that make an object of
 * their own (a listener, a server) need code in apply.c, too.
 *
 * Constant data; any thread.
 */
#ifndef CONFIG_SCHEMA_H
#define CONFIG_SCHEMA_H

#include "base/span.h"

#include <stddef.h>
#include <stdint.h>

/* The block a directive stands in. */
enum schema_where { SCHEMA_TOP, SCHEMA_SERVICE, SCHEMA_POOL };

/* The struct of config.h that the offsets of a directive's values are counted in. */
enum schema_target {
	SCHEMA_INTO_NOTHING,
	SCHEMA_INTO_CONFIG,
	SCHEMA_INTO_SERVICE,
	SCHEMA_INTO_POOL,
	SCHEMA_INTO_ADMIN, /* from here on, the directive makes a new object */
	SCHEMA_INTO_LOG,
	SCHEMA_INTO_LISTEN,
	SCHEMA_INTO_BLOCK,
	SCHEMA_INTO_RULE,
	SCHEMA_INTO_PROXY_NETWORK,
	SCHEMA_INTO_SERVER,
	SCHEMA_TARGET_COUNT,
};

/* What a value is, and with it the type of its field. */
enum schema_kind {
	SCHEMA_TIME,      /* uint64_t, ms */
	SCHEMA_SIZE,      /* uint64_t, bytes */
	SCHEMA_COUNT,     /* uint64_t; or one of the words */
	SCHEMA_PERCENT,   /* uint64_t */
	SCHEMA_SHARE,     /* uint64_t: N of 1/N */
	SCHEMA_RATE,      /* struct config_rate */
	SCHEMA_BANDWIDTH, /* uint64_t, bits per second */
	SCHEMA_WORD,      /* an enum: one of the words */
	SCHEMA_WORDS,     /* uint32_t: some of the words, with commas; bit n for the word of value n */
	SCHEMA_FLAG,      /* bool, or an enum when there are words (then one) */
	SCHEMA_NAME,      /* char[CONFIG_NAME_BYTES] */
	SCHEMA_REFERENCE, /* const char *: a name given elsewhere */
	SCHEMA_BYTES,     /* struct config_bytes */
	SCHEMA_FILE,      /* const char *: the path behind "file:" */
	SCHEMA_SINK,      /* struct config_log */
	SCHEMA_PATTERN,   /* no field: files to include */
	SCHEMA_HTTP_PATH, /* const char *, as the next */
	SCHEMA_HTTP_HOST,
	SCHEMA_STATUSES, /* struct http_statuses */
	SCHEMA_DNS_NAME, /* const char *, as the next */
	SCHEMA_PROGRAM,
	SCHEMA_ADDRESS,        /* struct addr */
	SCHEMA_SERVER_ADDRESS, /* struct config_server: its address or name */
	SCHEMA_NAME_SERVER,    /* struct config_resolver: one more of its addresses */
	SCHEMA_SOURCE,         /* struct config_source: one more of its addresses, or "client" */
	SCHEMA_PATH,           /* const char * */
	SCHEMA_INTERFACES,     /* const char * */
	SCHEMA_PREFIXES,       /* struct config_prefixes */
	SCHEMA_THRESHOLD,      /* struct config_threshold */
	SCHEMA_NETWORK,        /* struct network */
	SCHEMA_NETWORKS,       /* struct config_networks: a network, or a file of them */
};

enum schema_role {
	SCHEMA_POSITIONAL, /* told by its place: listen ADDRESS */
	SCHEMA_KEY,        /* connect=TIME */
	SCHEMA_SWITCH,     /* a word of its own: backup */
};

enum schema_flags {
	SCHEMA_REQUIRED = 1 << 0,
	SCHEMA_MANY = 1 << 1,     /* the last positional may be given several times */
	SCHEMA_REPEATED = 1 << 2, /* the directive may be given several times, and each adds something */
	SCHEMA_MERGED = 1 << 3,   /* it may be given several times, but each of its settings once */
	SCHEMA_BLOCK = 1 << 4,    /* statements in { } follow */
};

struct schema_word {
	const char *word; /* NULL ends the list */
	unsigned int value;
	const char *help;
};

struct schema_value {
	const char *name; /* connect, backup; for a positional its placeholder: ADDRESS */
	const char *noun; /* "balancing algorithm", for messages about words and addresses */
	enum schema_kind kind;
	enum schema_role role;
	unsigned int flags; /* SCHEMA_REQUIRED, SCHEMA_MANY */
	size_t offset;
	size_t given_offset; /* of a bool that tells that it was written; 0 = none */
	uint64_t min;        /* of numbers in their unit, and of the length of bytes; 0 and 0 = any */
	uint64_t max;
	const struct schema_word *words;
	const char *fallback;  /* the default, as one would write it; NULL = the field stays zero */
	const char *absent;    /* for people: what holds when it is not written and there is no fallback */
	const char *examples;  /* instead of those of its kind, or NULL */
	const char *zero_hint; /* for people who write 0 where that is out of bounds, or NULL */
	const char *help;
};

struct schema_directive {
	enum schema_where where;
	const char *name;
	enum schema_target target;
	unsigned int variant; /* tells directives with the same target apart: allow is 1, deny 0 */
	unsigned int flags;   /* SCHEMA_REQUIRED, SCHEMA_REPEATED, SCHEMA_MERGED, SCHEMA_BLOCK */
	const struct schema_value *values;
	size_t value_count;
	const char *help; /* a sentence without its full stop */
	const char *example;
};

extern const struct schema_directive schema_directives[];
extern const size_t schema_directive_count;

/* NULL when there is none of that name there. */
const struct schema_directive *schema_find(enum schema_where where, struct span name);
/* The first of that name anywhere, or NULL. */
const struct schema_directive *schema_find_anywhere(struct span name);
const struct schema_value *schema_find_value(const struct schema_directive *directive, enum schema_role role,
					     struct span name);

/* "service", "pool" or "top level", for messages. */
const char *schema_where_name(enum schema_where where);
/* What the values of a kind look like: "250ms 10s 1h30m 2d"; NULL for words, names and the like. */
const char *schema_kind_examples(enum schema_kind kind);
/* What one value of a kind is called: "a time". */
const char *schema_kind_noun(enum schema_kind kind);

enum { SCHEMA_TEXT_BYTES = 512 };

/* "balance ALGORITHM [slow-start=TIME]". Both return buf, of SCHEMA_TEXT_BYTES. */
char *schema_format_usage(const struct schema_directive *directive, char *buf);
/* "connect=TIME", "backup", "round-robin|random" */
char *schema_format_value(const struct schema_value *value, char *buf);
/* "1ms to 365d", "" for what has no bounds. */
char *schema_format_bounds(const struct schema_value *value, char *buf);

#endif
