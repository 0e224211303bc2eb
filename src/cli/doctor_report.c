/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/doctor_report.h"

#include "base/check.h"
#include "base/proc.h"
#include "control/listeners.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

/* Below these a machine of ordinary size has been made smaller than it came. */
enum { DESCRIPTORS_MIN = 4096, PORTS_MIN = 16384 };

/* What is looked at, and with what in mind. */
struct examination {
	const struct system_facts *facts;
	const struct config *config; /* NULL: none */
	const struct ceilings_resources *resources;
	struct doctor_report *report;
};

const char *doctor_verdict_word(enum doctor_verdict verdict)
{
	static const char *const words[] = {
		[DOCTOR_OK] = "ok",
		[DOCTOR_FINDING] = "finding",
		[DOCTOR_UNKNOWN] = "unknown",
	};
	static_assert(sizeof(words) / sizeof(words[0]) == DOCTOR_VERDICT_COUNT, "one word each");
	return words[verdict];
}

static struct doctor_check *add(struct examination *examination, const char *name)
{
	struct doctor_report *report = examination->report;
	CHECK(report->count < DOCTOR_CHECKS_MAX);
	struct doctor_check *check = &report->checks[report->count++];
	*check = (struct doctor_check){ .name = name };
	return check;
}

/* A number as its state; false, and the check is done, when it is not known. */
static bool set_number(struct doctor_check *check, int64_t number)
{
	if (number == FACT_UNKNOWN) {
		check->verdict = DOCTOR_UNKNOWN;
		return false;
	}
	snprintf(check->state, sizeof(check->state), "%" PRId64, number);
	return true;
}

__attribute__((format(printf, 2, 3))) static void explain(struct doctor_check *check, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(check->detail, sizeof(check->detail), format, arguments);
	va_end(arguments);
}

static void find(struct examination *examination, struct doctor_check *check, const char *fix)
{
	check->verdict = DOCTOR_FINDING;
	check->fix = fix;
	examination->report->finding_count++;
}

static bool may(const struct examination *examination, unsigned int capability)
{
	return (examination->facts->capabilities >> capability & 1) != 0;
}

/* --- what the configuration has ---------------------------------------------------------------------------------- */

static bool listens(const struct config *config, enum config_protocol protocol)
{
	for (size_t i = 0; config != NULL && i < config->service_count; i++)
		for (size_t j = 0; j < config->services[i].listen_count; j++)
			if (config->services[i].listens[j].protocol == protocol)
				return true;
	return false;
}

/* Without a configuration any may come. */
static bool may_listen(const struct config *config, enum config_protocol protocol)
{
	return config == NULL || listens(config, protocol);
}

/* The lowest port that is listened on, or UINT16_MAX. */
static uint16_t lowest_port(const struct config *config)
{
	uint16_t lowest = UINT16_MAX;
	for (size_t i = 0; config != NULL && i < config->service_count; i++)
		for (size_t j = 0; j < config->services[i].listen_count; j++) {
			uint16_t port = addr_port(&config->services[i].listens[j].addr);
			if (port != 0 && port < lowest)
				lowest = port;
		}
	return lowest;
}

static const struct config_pool *find_transparent(const struct config *config)
{
	for (size_t i = 0; config != NULL && i < config->pool_count; i++)
		if (config->pools[i].source.is_client)
			return &config->pools[i];
	return NULL;
}

/* One whose flows may go into the kernel, or NULL. */
static const struct config_service *find_kernel_service(const struct config *config)
{
	bool is_off = config == NULL || config->kernel_path.mode == CONFIG_KERNEL_PATH_OFF;
	for (size_t i = 0; !is_off && i < config->service_count; i++)
		if (config->services[i].path != CONFIG_PATH_RELAY)
			return &config->services[i];
	return NULL;
}

static uint64_t greater(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* As many as the limits of one service, or of the daemon, allow to be needed. */
static uint64_t wanted_descriptors(const struct config *config)
{
	uint64_t wanted =
		config != NULL ? ceilings_descriptors_of(config->limit.connections, config->limit.sessions) : 0;
	for (size_t i = 0; config != NULL && i < config->service_count; i++)
		wanted = greater(wanted, ceilings_descriptors_of(config->services[i].limit.connections,
								 config->services[i].limit.sessions));
	return wanted;
}

/* --- the kernel -------------------------------------------------------------------------------------------------- */

static bool is_older(const struct system_facts *facts, int major, int minor)
{
	return facts->kernel_major < major || (facts->kernel_major == major && facts->kernel_minor < minor);
}

static void examine_kernel(struct examination *examination)
{
	const struct system_facts *facts = examination->facts;
	struct doctor_check *check = add(examination, "kernel");
	if (facts->kernel[0] == '\0') {
		check->verdict = DOCTOR_UNKNOWN;
		return;
	}
	snprintf(check->state, sizeof(check->state), "%s", facts->kernel);
	if (is_older(facts, 6, 1)) {
		explain(check, "strait is tested with Linux 6.1 and later");
		find(examination, check, "use Linux 6.1 or later");
	} else if (is_older(facts, 6, 3) && find_transparent(examination->config) != NULL) {
		explain(check,
			"before Linux 6.3 the ports of clients (source client) are taken away from other connections");
	}
}

static void examine_syncookies(struct examination *examination)
{
	struct doctor_check *check = add(examination, "net.ipv4.tcp_syncookies");
	if (!set_number(check, examination->facts->syncookies) || examination->facts->syncookies != 0 ||
	    !may_listen(examination->config, CONFIG_TCP))
		return;
	explain(check, "a SYN flood fills the queue of half-open connections, and real clients are dropped with it");
	find(examination, check, "sysctl -w net.ipv4.tcp_syncookies=1");
}

static void examine_somaxconn(struct examination *examination)
{
	struct doctor_check *check = add(examination, "net.core.somaxconn");
	if (!set_number(check, examination->facts->somaxconn) || examination->facts->somaxconn >= LISTENERS_BACKLOG ||
	    !may_listen(examination->config, CONFIG_TCP))
		return;
	explain(check, "fewer than the %d connections that strait lets wait for being accepted", LISTENERS_BACKLOG);
	find(examination, check, "sysctl -w net.core.somaxconn=4096");
}

/* With cookies what does not fit is answered all the same. */
static void examine_syn_backlog(struct examination *examination)
{
	const struct system_facts *facts = examination->facts;
	struct doctor_check *check = add(examination, "net.ipv4.tcp_max_syn_backlog");
	if (!set_number(check, facts->max_syn_backlog) || !may_listen(examination->config, CONFIG_TCP))
		return;
	if (facts->syncookies != 0) {
		explain(check, "half-open connections beyond that are answered with SYN cookies");
	} else if (facts->max_syn_backlog < LISTENERS_BACKLOG) {
		explain(check, "half-open connections beyond that are dropped, without SYN cookies");
		find(examination, check, "sysctl -w net.ipv4.tcp_max_syn_backlog=4096");
	}
}

static void examine_io_uring(struct examination *examination)
{
	const struct config *config = examination->config;
	int64_t disabled = examination->facts->io_uring_disabled;
	struct doctor_check *check = add(examination, "io_uring");
	bool is_unwanted = config != NULL && config->io_uring == CONFIG_IO_URING_OFF;
	if (is_unwanted) {
		snprintf(check->state, sizeof(check->state), "not wanted");
		return;
	}
	/* Linux before 6.6 cannot disable it. */
	if (disabled == FACT_UNKNOWN || disabled == 0) {
		snprintf(check->state, sizeof(check->state), "available");
		explain(check, "unless a container or seccomp forbids it: then an event io_uring_refused says so");
		return;
	}
	snprintf(check->state, sizeof(check->state), "kernel.io_uring_disabled=%" PRId64, disabled);
	explain(check, "all works without, but many small requests cost more");
	find(examination, check, "sysctl -w kernel.io_uring_disabled=0, or io-uring off in the configuration");
}

/* --- descriptors and ports --------------------------------------------------------------------------------------- */

static void examine_descriptors(struct examination *examination)
{
	const struct config *config = examination->config;
	static const char fix[] = "raise it (LimitNOFILE=, ulimit -Hn), or lower limit connections= and sessions=";
	int64_t limit = examination->facts->descriptor_limit;
	struct doctor_check *check = add(examination, "descriptors");
	if (!set_number(check, limit))
		return;
	if (config == NULL) {
		explain(check, "enough for some %" PRId64 " connections, or %" PRId64 " UDP sessions", limit / 2,
			limit);
		if (limit < DESCRIPTORS_MIN)
			find(examination, check, fix);
		return;
	}
	struct ceilings_resources resources = *examination->resources;
	resources.descriptor_limit = (uint64_t)limit;
	struct ceilings ceilings = ceilings_compute(config, &resources);
	explain(check, "enough for %" PRIu64 " connections, or %" PRIu64 " UDP sessions", ceilings.connections,
		ceilings.sessions);
	if (wanted_descriptors(config) > ceilings.descriptors) {
		explain(check,
			"the limits of the configuration allow flows that need %" PRIu64 ", but %" PRIu64 " can be had",
			wanted_descriptors(config), ceilings.descriptors);
		find(examination, check, fix);
	}
}

/* A service whose UDP sessions need more ports than the source addresses of its pool have, or NULL. */
static const struct config_service *find_short_of_ports(const struct config *config, uint64_t ports)
{
	for (size_t i = 0; config != NULL && i < config->service_count; i++) {
		const struct config_service *service = &config->services[i];
		const struct config_source *source = &config->pools[service->pool_index].source;
		uint64_t addresses = source->addr_count > 0 ? source->addr_count : 1;
		uint64_t sessions = service->limit.sessions > 0 ? service->limit.sessions : config->limit.sessions;
		if (!source->is_client && sessions > addresses * ports)
			return service;
	}
	return NULL;
}

static void examine_ports(struct examination *examination)
{
	const struct system_facts *facts = examination->facts;
	struct doctor_check *check = add(examination, "net.ipv4.ip_local_port_range");
	if (!set_number(check, facts->first_port))
		return;
	int64_t ports = facts->last_port - facts->first_port + 1;
	snprintf(check->state, sizeof(check->state), "%" PRId64 "-%" PRId64, facts->first_port, facts->last_port);
	explain(check, "%" PRId64 " connections to each server, or UDP sessions in all, from one address", ports);
	const struct config_service *service = find_short_of_ports(examination->config, (uint64_t)ports);
	if (ports < PORTS_MIN) {
		find(examination, check,
		     "sysctl -w net.ipv4.ip_local_port_range='32768 60999', or source with more addresses");
	} else if (service != NULL) {
		explain(check,
			"service \"%.64s\" may have more UDP sessions than there are ports for its source addresses",
			service->name);
		find(examination, check, "source with more addresses in its pool, or a larger range");
	}
}

/* --- what the process may ---------------------------------------------------------------------------------------- */

static struct doctor_check *add_capability(struct examination *examination, const char *name, unsigned int capability)
{
	struct doctor_check *check = add(examination, name);
	snprintf(check->state, sizeof(check->state), "%s", may(examination, capability) ? "yes" : "no");
	return check;
}

/* Without the capability no flow goes into the kernel. */
static void examine_for_kernel(struct examination *examination, struct doctor_check *check, unsigned int capability)
{
	const struct config_service *kernel = find_kernel_service(examination->config);
	if (kernel == NULL || may(examination, capability))
		return;
	explain(check, "without it flows of service \"%.64s\" stay in user space", kernel->name);
	find(examination, check, "AmbientCapabilities=CAP_NET_ADMIN CAP_BPF CAP_PERFMON (docs/kernel-path.md)");
}

static void examine_capabilities(struct examination *examination)
{
	const struct system_facts *facts = examination->facts;
	const struct config_pool *transparent = find_transparent(examination->config);
	uint16_t port = lowest_port(examination->config);
	int64_t unprivileged = facts->unprivileged_port != FACT_UNKNOWN ? facts->unprivileged_port : 1024;
	struct doctor_check *check = add_capability(examination, "CAP_NET_BIND_SERVICE", PROC_CAP_NET_BIND_SERVICE);
	explain(check, "for ports below %" PRId64, unprivileged);
	if (!may(examination, PROC_CAP_NET_BIND_SERVICE) && port < unprivileged) {
		explain(check, "the configuration listens on port %u, below %" PRId64, port, unprivileged);
		find(examination, check, "AmbientCapabilities=CAP_NET_BIND_SERVICE");
	}
	check = add_capability(examination, "CAP_NET_ADMIN", PROC_CAP_NET_ADMIN);
	explain(check, "for source client, the packet guard, the kernel path, and larger buffers of UDP listeners");
	examine_for_kernel(examination, check, PROC_CAP_NET_ADMIN);
	if (check->verdict != DOCTOR_FINDING && transparent != NULL && !proc_may_be_transparent(facts->capabilities)) {
		explain(check, "source client of pool \"%.64s\" needs it", transparent->name);
		find(examination, check, "AmbientCapabilities=CAP_NET_ADMIN (docs/source.md)");
	}
	check = add_capability(examination, "CAP_BPF", PROC_CAP_BPF);
	explain(check, "for the packet guard and the kernel path, with CAP_NET_ADMIN");
	examine_for_kernel(examination, check, PROC_CAP_BPF);
	check = add_capability(examination, "CAP_PERFMON", PROC_CAP_PERFMON);
	explain(check, "for the kernel path, with both of them (docs/kernel-path.md)");
	examine_for_kernel(examination, check, PROC_CAP_PERFMON);
}

/* --- the kernel path --------------------------------------------------------------------------------------------- */

static void examine_bpf_mount(struct examination *examination)
{
	const struct system_facts *facts = examination->facts;
	const struct config *config = examination->config;
	struct doctor_check *check = add(examination, "BPF file system");
	snprintf(check->state, sizeof(check->state), "%s", facts->bpf_mount[0] != '\0' ? facts->bpf_mount : "none");
	explain(check, "by it flows in the kernel outlive a daemon that is killed (docs/kernel-path.md)");
	if (facts->bpf_mount[0] == '\0' && find_kernel_service(config) != NULL && config->kernel_path.pins == NULL)
		find(examination, check, "mount -t bpf bpf /sys/fs/bpf");
}

/* --- transparent sources ----------------------------------------------------------------------------------------- */

/* What comes back from servers is marked; a filter that goes by the mark takes it for packets of this machine. */
static void examine_reverse_path(struct examination *examination)
{
	const struct system_facts *facts = examination->facts;
	struct doctor_check *check = add(examination, "net.ipv4.conf.*.rp_filter");
	if (facts->strict_interface[0] != '\0')
		snprintf(check->state, sizeof(check->state), "strict (%s)", facts->strict_interface);
	else
		snprintf(check->state, sizeof(check->state), "loose or off");
	if (find_transparent(examination->config) == NULL)
		return;
	explain(check, "good for source client, as long as servers answer over the way they are reached by");
	if (facts->marked_interface[0] != '\0') {
		explain(check, "src_valid_mark=1 (%s): answers of servers to clients are dropped",
			facts->marked_interface);
		find(examination, check,
		     "sysctl -w net.ipv4.conf.all.src_valid_mark=0, and the same of the interfaces");
	}
}

void doctor_examine(const struct system_facts *facts, const struct config *config,
		    const struct ceilings_resources *resources, struct doctor_report *ret_report)
{
	struct examination examination = { facts, config, resources, ret_report };
	*ret_report = (struct doctor_report){ .count = 0 };
	examine_kernel(&examination);
	examine_syncookies(&examination);
	examine_somaxconn(&examination);
	examine_syn_backlog(&examination);
	examine_descriptors(&examination);
	examine_ports(&examination);
	examine_io_uring(&examination);
	examine_capabilities(&examination);
	examine_bpf_mount(&examination);
	examine_reverse_path(&examination);
}
