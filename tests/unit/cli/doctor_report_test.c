/* SPDX-License-Identifier: Apache-2.0 */
/* What is found in a system, and what it has to do with the configuration. */
#include "cli/doctor_report.h"

#include "base/proc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define WEB  "service web { listen *:8080; to web }\npool web { check none; server 10.0.0.1:80 }\n"
#define GAME "service game { listen udp *:8080; to game; limit sessions=50k }\n"
#define MAY_ALL                                                                                                        \
	(UINT64_C(1) << PROC_CAP_NET_ADMIN | UINT64_C(1) << PROC_CAP_NET_BIND_SERVICE | UINT64_C(1) << PROC_CAP_BPF |  \
	 UINT64_C(1) << PROC_CAP_PERFMON)

static const struct ceilings_resources resources = { .descriptor_limit = 1,
						     .memory_bytes = 1 << 30,
						     .worker_count = 2 };

static struct system_facts good_facts(void)
{
	return (struct system_facts){
		.kernel = "6.1.0-13-amd64",
		.kernel_major = 6,
		.kernel_minor = 1,
		.syncookies = 1,
		.somaxconn = 4096,
		.max_syn_backlog = 128,
		.first_port = 32768,
		.last_port = 60999,
		.unprivileged_port = 1024,
		.io_uring_disabled = FACT_UNKNOWN,
		.descriptor_limit = 1048576,
		.capabilities = MAY_ALL,
		.bpf_mount = "/sys/fs/bpf",
		.strict_interface = "eth0",
		.marked_interface = "eth0",
	};
}

/* The names of all findings, with commas. text: a configuration, or NULL. */
static const char *found(const struct system_facts *facts, const char *text)
{
	static char names[512];
	struct doctor_report report;
	struct diagnostics diagnostics;
	struct config *config = NULL;
	size_t count = 0;
	diagnostics_init(&diagnostics);
	if (text != NULL) {
		config = config_load_text("test", span_from_text(text), &diagnostics);
		assert_non_null(config);
	}
	doctor_examine(facts, config, &resources, &report);
	names[0] = '\0';
	for (size_t i = 0; i < report.count; i++) {
		const struct doctor_check *check = &report.checks[i];
		assert_int_equal(check->verdict == DOCTOR_FINDING, check->fix != NULL);
		if (check->verdict != DOCTOR_FINDING)
			continue;
		assert_true(strlen(check->detail) > 0);
		strcat(strcat(names, count++ > 0 ? "," : ""), check->name);
	}
	assert_int_equal(count, report.finding_count);
	config_free(&config);
	diagnostics_done(&diagnostics);
	return names;
}

static void a_good_system_has_no_findings(void **state)
{
	(void)state;
	struct system_facts facts = good_facts();
	assert_string_equal(found(&facts, NULL), "");
	assert_string_equal(found(&facts, WEB), "");
}

static void each_bad_thing_is_found(void **state)
{
	(void)state;
	struct system_facts facts = good_facts();
	facts.kernel_minor = 0;
	assert_string_equal(found(&facts, NULL), "kernel");
	facts = good_facts();
	facts.syncookies = 0;
	assert_string_equal(found(&facts, WEB), "net.ipv4.tcp_syncookies,net.ipv4.tcp_max_syn_backlog");
	facts.max_syn_backlog = 4096;
	assert_string_equal(found(&facts, NULL), "net.ipv4.tcp_syncookies");
	facts = good_facts();
	facts.somaxconn = 128;
	assert_string_equal(found(&facts, NULL), "net.core.somaxconn");
	facts = good_facts();
	facts.descriptor_limit = 1024;
	assert_string_equal(found(&facts, NULL), "descriptors");
	facts = good_facts();
	facts.last_port = 33000;
	assert_string_equal(found(&facts, NULL), "net.ipv4.ip_local_port_range");
	facts = good_facts();
	facts.io_uring_disabled = 2;
	assert_string_equal(found(&facts, NULL), "io_uring");
	facts.io_uring_disabled = 0;
	assert_string_equal(found(&facts, NULL), "");
}

static void a_configuration_says_what_is_needed(void **state)
{
	(void)state;
	static const char udp[] = GAME "pool game { check none; server 10.0.0.1:80; source 10.0.0.8 10.0.0.9 }\n";
	struct system_facts facts = good_facts();
	facts.syncookies = 0;
	facts.somaxconn = 128;
	assert_string_equal(found(&facts, udp), "");
	facts = good_facts();
	facts.io_uring_disabled = 2;
	assert_string_equal(found(&facts, "io-uring off\n" WEB), "");
	facts = good_facts();
	facts.descriptor_limit = 2000;
	assert_string_equal(found(&facts, WEB), "");
	assert_string_equal(found(&facts, "limit connections=1000\n" WEB), "descriptors");
	assert_string_equal(found(&facts, udp), "descriptors");
	facts = good_facts();
	facts.capabilities = 0;
	assert_string_equal(found(&facts, NULL), "");
	assert_string_equal(found(&facts, WEB), "");
	assert_string_equal(found(&facts, "service low { listen *:443; to web }\n" WEB), "CAP_NET_BIND_SERVICE");
	facts.unprivileged_port = 0;
	assert_string_equal(found(&facts, "service low { listen *:443; to web }\n" WEB), "");
}

static void sessions_need_ports(void **state)
{
	(void)state;
	struct system_facts facts = good_facts();
	assert_string_equal(found(&facts, GAME "pool game { check none; server 10.0.0.1:80 }\n"),
			    "net.ipv4.ip_local_port_range");
	assert_string_equal(found(&facts, GAME "pool game { check none; server 10.0.0.1:80; source 10.0.0.9 }\n"),
			    "net.ipv4.ip_local_port_range");
	assert_string_equal(
		found(&facts, GAME "pool game { check none; server 10.0.0.1:80; source 10.0.0.8 10.0.0.9 }\n"), "");
}

static void transparent_pools_need_more(void **state)
{
	(void)state;
	static const char text[] = "service web { listen *:8080; to web }\n"
				   "pool web { check none; server 10.0.0.1:80; source client }\n";
	struct system_facts facts = good_facts();
	assert_string_equal(found(&facts, text), "net.ipv4.conf.*.rp_filter");
	facts.marked_interface[0] = '\0';
	assert_string_equal(found(&facts, text), "");
	facts.capabilities = 0;
	assert_string_equal(found(&facts, text), "CAP_NET_ADMIN");
	facts.capabilities = UINT64_C(1) << PROC_CAP_NET_RAW;
	assert_string_equal(found(&facts, text), "");
}

static void services_in_the_kernel_need_more(void **state)
{
	(void)state;
	static const char text[] = "service fast { listen udp *:5353; path auto; to web }\n" WEB;
	struct system_facts facts = good_facts();
	assert_string_equal(found(&facts, text), "");
	facts.bpf_mount[0] = '\0';
	assert_string_equal(found(&facts, text), "BPF file system");
	assert_string_equal(found(&facts, "kernel-path auto pins=/run/bpf/strait\n" WEB), "");
	assert_string_equal(found(&facts, WEB), "");
	facts = good_facts();
	facts.capabilities = 0;
	assert_string_equal(found(&facts, text), "CAP_NET_ADMIN,CAP_BPF,CAP_PERFMON");
	facts.bpf_mount[0] = '\0';
	static const char off[] = "kernel-path off\nservice fast { listen udp *:5353; path auto; to web }\n" WEB;
	assert_string_equal(found(&facts, off), "");
}

static void what_cannot_be_read_is_no_finding(void **state)
{
	(void)state;
	struct doctor_report report;
	struct system_facts facts = { .syncookies = FACT_UNKNOWN,
				      .somaxconn = FACT_UNKNOWN,
				      .max_syn_backlog = FACT_UNKNOWN,
				      .first_port = FACT_UNKNOWN,
				      .last_port = FACT_UNKNOWN,
				      .unprivileged_port = FACT_UNKNOWN,
				      .io_uring_disabled = FACT_UNKNOWN,
				      .descriptor_limit = FACT_UNKNOWN };
	doctor_examine(&facts, NULL, &resources, &report);
	assert_int_equal(report.finding_count, 0);
	assert_string_equal(doctor_verdict_word(report.checks[0].verdict), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_good_system_has_no_findings),
		cmocka_unit_test(each_bad_thing_is_found),
		cmocka_unit_test(a_configuration_says_what_is_needed),
		cmocka_unit_test(sessions_need_ports),
		cmocka_unit_test(transparent_pools_need_more),
		cmocka_unit_test(services_in_the_kernel_need_more),
		cmocka_unit_test(what_cannot_be_read_is_no_finding),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
