/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads and writes the kinds of value that stand in a configuration: times, sizes, counts, rates, bandwidths, percentages,
 * names.
 * Pure: no state, no allocation; any thread. Addresses and networks are read by base/addr.h.
 */
#ifndef CONFIG_VALUES_H
#define CONFIG_VALUES_H

#include "base/span.h"
#include "config/config.h"

#include <stdint.h>

enum {
	VALUE_HINT_BYTES = 96,
	VALUE_TEXT_BYTES = 48, /* of what the value_format_ functions write */
};

/* What was probably meant; "" when nothing comes to mind. */
struct value_hint {
	char text[VALUE_HINT_BYTES];
};

/*
 * All return 0; -EINVAL when the text is not of the kind; -ERANGE when it is, but does not fit into the result. The
 * hint is written on failure only.
 */
int value_parse_time(struct span text, uint64_t *ret_ms, struct value_hint *ret_hint);     /* 250ms 10s 1h30m 2d */
int value_parse_size(struct span text, uint64_t *ret_bytes, struct value_hint *ret_hint);  /* 4096 64k 16MiB 1GB */
int value_parse_count(struct span text, uint64_t *ret_count, struct value_hint *ret_hint); /* 200 50k 2M */
int value_parse_rate(struct span text, struct config_rate *ret_rate, struct value_hint *ret_hint); /* 20/s 100/m */
int value_parse_bandwidth(struct span text, uint64_t *ret_bits,
			  struct value_hint *ret_hint); /* 10Mbit/s 2MB/s: bits/s */
int value_parse_percent(struct span text, uint64_t *ret_percent, struct value_hint *ret_hint); /* 50% 50 */

int value_parse_share(struct span text, uint64_t *ret_divisor, struct value_hint *ret_hint); /* 1/100 */
/* /32,/64: the lengths of prefixes of IPv4 and of IPv6 */
int value_parse_prefixes(struct span text, struct config_prefixes *ret_prefixes, struct value_hint *ret_hint);

/* 64k, 50ms, 64k|50ms: at least one of both, each more than 0 */
int value_parse_threshold(struct span text, struct config_threshold *ret_threshold, struct value_hint *ret_hint);

/* eth0,wg0: names of network interfaces; whether they are there is another question */
int value_accept_interfaces(struct span text, struct value_hint *ret_hint);

/* A name of a service, pool or server: copies it into buf of CONFIG_NAME_BYTES. -ERANGE: too long. */
int value_parse_name(struct span text, char *buf, struct value_hint *ret_hint);

/* A short text that reads back as the value. buf: VALUE_TEXT_BYTES. All return buf. */
char *value_format_time(uint64_t ms, char *buf);
char *value_format_size(uint64_t bytes, char *buf);
char *value_format_count(uint64_t count, char *buf);
char *value_format_share(uint64_t divisor, char *buf);
char *value_format_rate(const struct config_rate *rate, char *buf);
char *value_format_bandwidth(uint64_t bits, char *buf);

#endif
