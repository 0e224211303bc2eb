/* SPDX-License-Identifier: Apache-2.0 */
/* Reading a folder that looks like /proc. */
#include "cli/system_facts.h"

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char proc[] = "/tmp/system_facts_test.XXXXXX";

/* With all folders on the way. */
static void write_file(const char *name, const char *text)
{
	char path[256];
	snprintf(path, sizeof(path), "%s/%s", proc, name);
	for (char *slash = strchr(path + sizeof(proc), '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		mkdir(path, 0700);
		*slash = '/';
	}
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static void reads_what_is_there(void **state)
{
	(void)state;
	struct system_facts facts;
	write_file("sys/kernel/osrelease", "6.18.4-fc\n");
	write_file("sys/kernel/io_uring_disabled", "1\n");
	write_file("sys/net/core/somaxconn", "512\n");
	write_file("sys/net/ipv4/tcp_syncookies", "0\n");
	write_file("sys/net/ipv4/tcp_max_syn_backlog", "1024\n");
	write_file("sys/net/ipv4/ip_local_port_range", "1024\t65535\n");
	write_file("sys/net/ipv4/ip_unprivileged_port_start", "80\n");
	write_file("sys/net/ipv4/conf/default/rp_filter", "1\n");
	write_file("sys/net/ipv4/conf/lo/rp_filter", "0\n");
	write_file("sys/net/ipv4/conf/wire/rp_filter", "1\n");
	write_file("sys/net/ipv4/conf/default/src_valid_mark", "1\n");
	write_file("self/status", "Name:\tstrait\nCapEff:\t0000000000001000\n");
	write_file("self/limits", "Limit                     Soft Limit           Hard Limit           Units     \n"
				  "Max processes             100                  200                  processes \n"
				  "Max open files            1024                 20000                files     \n");
	write_file("self/mounts", "proc /proc proc rw 0 0\nbpf /sys/fs/bpf bpf rw,mode=700 0 0\nx /bpf tmpfs rw 0 0\n");
	system_facts_read(proc, &facts);
	assert_string_equal(facts.bpf_mount, "/sys/fs/bpf");
	assert_string_equal(facts.kernel, "6.18.4-fc");
	assert_int_equal(facts.kernel_major, 6);
	assert_int_equal(facts.kernel_minor, 18);
	assert_int_equal(facts.io_uring_disabled, 1);
	assert_int_equal(facts.somaxconn, 512);
	assert_int_equal(facts.syncookies, 0);
	assert_int_equal(facts.max_syn_backlog, 1024);
	assert_int_equal(facts.first_port, 1024);
	assert_int_equal(facts.last_port, 65535);
	assert_int_equal(facts.unprivileged_port, 80);
	assert_int_equal(facts.descriptor_limit, 20000);
	assert_int_equal(facts.capabilities, 1 << 12);
	assert_string_equal(facts.strict_interface, "wire");
	assert_string_equal(facts.marked_interface, "");
}

static void does_without_what_is_not(void **state)
{
	(void)state;
	struct system_facts facts;
	system_facts_read("/nowhere/at/all", &facts);
	assert_string_equal(facts.kernel, "");
	assert_int_equal(facts.syncookies, FACT_UNKNOWN);
	assert_int_equal(facts.first_port, FACT_UNKNOWN);
	assert_int_equal(facts.descriptor_limit, FACT_UNKNOWN);
	assert_int_equal(facts.capabilities, 0);
	assert_string_equal(facts.strict_interface, "");
}

static void reads_the_real_one(void **state)
{
	(void)state;
	struct system_facts facts;
	system_facts_read("/proc", &facts);
	assert_true(facts.kernel_major >= 4);
	assert_true(facts.descriptor_limit > 0);
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *ftw)
{
	(void)status;
	(void)type;
	(void)ftw;
	return remove(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_what_is_there),
		cmocka_unit_test(does_without_what_is_not),
		cmocka_unit_test(reads_the_real_one),
	};
	if (mkdtemp(proc) == NULL)
		return 1;
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	nftw(proc, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	return failed;
}
