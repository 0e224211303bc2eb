/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/system_facts.h"

#include "base/proc.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { PATH_BYTES = 512 };

static const char *path_of(const char *proc, const char *name, char *buf)
{
	snprintf(buf, PATH_BYTES, "%s/%s", proc, name);
	return buf;
}

static int64_t read_number(const char *proc, const char *name)
{
	char path[PATH_BYTES];
	uint64_t number;
	return proc_read_numbers(path_of(proc, name, path), &number, 1) == 1 ? (int64_t)number : FACT_UNKNOWN;
}

static void read_ports(const char *proc, struct system_facts *facts)
{
	char path[PATH_BYTES];
	uint64_t ports[2];
	facts->first_port = facts->last_port = FACT_UNKNOWN;
	if (proc_read_numbers(path_of(proc, "sys/net/ipv4/ip_local_port_range", path), ports, 2) < 2)
		return;
	facts->first_port = (int64_t)ports[0];
	facts->last_port = (int64_t)ports[1];
}

static void read_kernel(const char *proc, struct system_facts *facts)
{
	char path[PATH_BYTES];
	FILE *file = fopen(path_of(proc, "sys/kernel/osrelease", path), "re");
	if (file == NULL)
		return;
	if (fgets(facts->kernel, sizeof(facts->kernel), file) == NULL ||
	    sscanf(facts->kernel, "%d.%d", &facts->kernel_major, &facts->kernel_minor) != 2)
		facts->kernel[0] = '\0';
	facts->kernel[strcspn(facts->kernel, "\n")] = '\0';
	fclose(file);
}

/* "Max open files            1024                 1048576              files" */
static int64_t read_descriptor_limit(const char *proc)
{
	char path[PATH_BYTES];
	char line[256];
	long long hard = FACT_UNKNOWN;
	FILE *file = fopen(path_of(proc, "self/limits", path), "re");
	if (file == NULL)
		return FACT_UNKNOWN;
	while (fgets(line, sizeof(line), file) != NULL)
		if (sscanf(line, "Max open files %*s %lld", &hard) == 1)
			break;
	fclose(file);
	return hard;
}

/* The first of them: "bpf /sys/fs/bpf bpf rw,nosuid 0 0" */
static void read_bpf_mount(const char *proc, struct system_facts *facts)
{
	char path[PATH_BYTES];
	char line[1024];
	char type[16] = "";
	FILE *file = fopen(path_of(proc, "self/mounts", path), "re");
	if (file == NULL)
		return;
	while (fgets(line, sizeof(line), file) != NULL && strcmp(type, "bpf") != 0)
		if (sscanf(line, "%*s %63s %15s", facts->bpf_mount, type) < 2)
			type[0] = '\0';
	if (strcmp(type, "bpf") != 0)
		facts->bpf_mount[0] = '\0';
	fclose(file);
}

static bool has_value(const char *proc, const char *interface, const char *setting, int64_t value)
{
	char name[64 + IF_NAMESIZE];
	snprintf(name, sizeof(name), "sys/net/ipv4/conf/%.*s/%s", IF_NAMESIZE - 1, interface, setting);
	return read_number(proc, name) == value;
}

/* What is set for all holds for each; "default" is for interfaces that are yet to come. */
static void read_interfaces(const char *proc, struct system_facts *facts)
{
	char path[PATH_BYTES];
	DIR *directory = opendir(path_of(proc, "sys/net/ipv4/conf", path));
	const struct dirent *entry;
	while (directory != NULL && (entry = readdir(directory)) != NULL) {
		if (entry->d_name[0] == '.' || strcmp(entry->d_name, "default") == 0)
			continue;
		if (has_value(proc, entry->d_name, "rp_filter", 1))
			snprintf(facts->strict_interface, IF_NAMESIZE, "%.*s", IF_NAMESIZE - 1, entry->d_name);
		if (has_value(proc, entry->d_name, "src_valid_mark", 1))
			snprintf(facts->marked_interface, IF_NAMESIZE, "%.*s", IF_NAMESIZE - 1, entry->d_name);
	}
	if (directory != NULL)
		closedir(directory);
}

void system_facts_read(const char *proc, struct system_facts *ret_facts)
{
	char path[PATH_BYTES];
	*ret_facts = (struct system_facts){
		.syncookies = read_number(proc, "sys/net/ipv4/tcp_syncookies"),
		.somaxconn = read_number(proc, "sys/net/core/somaxconn"),
		.max_syn_backlog = read_number(proc, "sys/net/ipv4/tcp_max_syn_backlog"),
		.unprivileged_port = read_number(proc, "sys/net/ipv4/ip_unprivileged_port_start"),
		.io_uring_disabled = read_number(proc, "sys/kernel/io_uring_disabled"),
		.descriptor_limit = read_descriptor_limit(proc),
		.capabilities = proc_read_capabilities(path_of(proc, "self/status", path)),
	};
	read_kernel(proc, ret_facts);
	read_ports(proc, ret_facts);
	read_interfaces(proc, ret_facts);
	read_bpf_mount(proc, ret_facts);
}
