/* SPDX-License-Identifier: Apache-2.0 */
/* What `strait doctor` looks at: settings of the kernel, and what this process may. Reads files below /proc, nothing else. */
#ifndef CLI_SYSTEM_FACTS_H
#define CLI_SYSTEM_FACTS_H

#include <net/if.h>
#include <stdint.h>

enum {
	FACT_UNKNOWN = -1, /* a number that could not be read */
	FACT_TEXT_BYTES = 64,
};

struct system_facts {
	char kernel[FACT_TEXT_BYTES]; /* "6.1.0-13-amd64"; empty: unknown */
	int kernel_major;
	int kernel_minor;
	int64_t syncookies; /* net.ipv4.tcp_syncookies */
	int64_t somaxconn;
	int64_t max_syn_backlog;
	int64_t first_port; /* net.ipv4.ip_local_port_range */
	int64_t last_port;
	int64_t unprivileged_port;          /* the lowest that anybody may listen on */
	int64_t io_uring_disabled;          /* kernel.io_uring_disabled, Linux 6.6 */
	int64_t descriptor_limit;           /* the hard one, which strait raises its own to */
	uint64_t capabilities;              /* in effect; bit n for capability n */
	char bpf_mount[FACT_TEXT_BYTES];    /* where a BPF file system is mounted; empty: nowhere */
	char strict_interface[IF_NAMESIZE]; /* one with rp_filter=1; empty: none */
	char marked_interface[IF_NAMESIZE]; /* one with src_valid_mark=1; empty: none */
};

/* proc: "/proc", or a folder with such files. */
void system_facts_read(const char *proc, struct system_facts *ret_facts);

#endif
