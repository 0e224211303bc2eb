/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel/ingress.h"

#include "base/fd.h"
#include "kernel/rtnetlink.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/pkt_sched.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

enum {
	/* linux/bpf.h, as of Linux 6.6 */
	ATTACH_TCX_INGRESS = 46,
	FLAG_BEFORE = 1 << 3, /* and nothing it is relative to: before all others */

	PRIORITY_FIRST = 1,
	PRIORITY_LAST = 2,
	FILTER_HANDLE = 0x73740000, /* and the number: nobody else's */
	NUMBER_COUNT = 16,
};

const char *ingress_mode_word(enum ingress_mode mode)
{
	return mode == INGRESS_TCX ? "tcx" : "tc";
}

/* --- links ------------------------------------------------------------------------------------------------------- */

/* Of union bpf_attr, what BPF_LINK_CREATE reads; Debian 12's headers are older than this kind of link. */
struct tcx_link_create {
	uint32_t program_fd;
	uint32_t interface_index;
	uint32_t attach_type;
	uint32_t flags;
	uint32_t relative_fd;
	uint32_t reserved;
	uint64_t expected_revision;
};

static int create_link(const struct ingress_program *program, uint32_t interface_index)
{
	struct tcx_link_create attributes = {
		.program_fd = (uint32_t)program->fd,
		.interface_index = interface_index,
		.attach_type = ATTACH_TCX_INGRESS,
		.flags = program->order == INGRESS_FIRST ? FLAG_BEFORE : 0,
	};
	long fd = syscall(SYS_bpf, BPF_LINK_CREATE, &attributes, sizeof(attributes));
	return fd >= 0 ? (int)fd : -errno;
}

/* What the kernel says of a link of this kind, as far as it is of interest. */
struct tcx_link_info {
	uint32_t type;
	uint32_t id;
	uint32_t program_id;
	uint32_t reserved;
	uint32_t interface_index;
	uint32_t attach_type;
	uint8_t later[128];
};

/* A pinned link of the interface, of a process before; -ENOENT when there is none, or only one whose interface is gone. */
static int open_pinned(const char *pin, uint32_t interface_index)
{
	struct tcx_link_info info = { 0 };
	uint32_t info_bytes = sizeof(info);
	int fd = bpf_obj_get(pin);
	if (fd < 0)
		return -ENOENT;
	if (bpf_obj_get_info_by_fd(fd, &info, &info_bytes) == 0 && info.interface_index == interface_index)
		return fd;
	unlink(pin);
	fd_close(&fd);
	return -ENOENT;
}

/* The program of a process before is replaced without a packet passing between both. */
static int attach_link(const struct ingress_program *program, uint32_t interface_index, struct ingress *ingress)
{
	if (program->stay == INGRESS_STAYS && program->pins != NULL)
		snprintf(ingress->pin, sizeof(ingress->pin), "%s/link-%u", program->pins, interface_index);
	int fd = ingress->pin[0] != '\0' ? open_pinned(ingress->pin, interface_index) : -ENOENT;
	if (fd >= 0 && bpf_link_update(fd, program->fd, NULL) == 0)
		return fd;
	if (fd >= 0) {
		unlink(ingress->pin);
		fd_close(&fd);
	}
	fd = create_link(program, interface_index);
	if (fd >= 0 && ingress->pin[0] != '\0' && bpf_obj_pin(fd, ingress->pin) < 0)
		ingress->pin[0] = '\0';
	return fd;
}

/* --- filters: whose is which ------------------------------------------------------------------------------------- */

/* Names in the abstract namespace of unix sockets belong to a network namespace, and to one process each. */
int ingress_lock(const char *name)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	size_t len = strnlen(name, sizeof(address.sun_path) - 1);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	memcpy(address.sun_path + 1, name, len);
	if (bind(fd, (const struct sockaddr *)&address,
		 (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + len)) == 0)
		return fd;
	int error = errno;
	fd_close(&fd);
	return -error;
}

static int lock_number(uint32_t number)
{
	char name[48];
	snprintf(name, sizeof(name), "strait/packet-guard/%u", number);
	return ingress_lock(name);
}

static int take_number(struct ingress_number *number)
{
	int fd = -EUSERS;
	if (number->lock_fd > 0)
		return 0;
	for (uint32_t i = 0; i < NUMBER_COUNT; i++) {
		fd = lock_number(i);
		if (fd >= 0) {
			*number = (struct ingress_number){ .lock_fd = fd, .number = i };
			return 0;
		}
	}
	return fd == -EADDRINUSE ? -EUSERS : fd;
}

void ingress_number_release(struct ingress_number *number)
{
	if (number->lock_fd > 0)
		fd_close(&number->lock_fd);
	*number = (struct ingress_number){ 0 };
}

/* --- filters ----------------------------------------------------------------------------------------------------- */

static struct bpf_tc_hook hook_of(uint32_t interface_index)
{
	return (struct bpf_tc_hook){
		.sz = sizeof(struct bpf_tc_hook),
		.ifindex = (int)interface_index,
		.attach_point = BPF_TC_INGRESS,
	};
}

static struct bpf_tc_opts filter_of(uint32_t handle, uint32_t priority)
{
	return (struct bpf_tc_opts){
		.sz = sizeof(struct bpf_tc_opts),
		.handle = handle,
		.priority = priority,
	};
}

static bool has_filter(uint32_t interface_index, uint32_t handle, uint32_t priority)
{
	struct bpf_tc_hook hook = hook_of(interface_index);
	struct bpf_tc_opts filter = filter_of(handle, priority);
	return bpf_tc_query(&hook, &filter) == 0;
}

static void remove_filter(uint32_t interface_index, uint32_t handle, uint32_t priority)
{
	struct bpf_tc_hook hook = hook_of(interface_index);
	struct bpf_tc_opts filter = filter_of(handle, priority);
	bpf_tc_detach(&hook, &filter);
}

/* Takes away the filters of processes that are gone, ours of before included. Returns whether there were any. */
static bool remove_leftovers(uint32_t interface_index, const struct ingress_number *number)
{
	bool was_there = false;
	for (uint32_t i = 0; i < NUMBER_COUNT; i++) {
		if (!has_filter(interface_index, FILTER_HANDLE + i, PRIORITY_FIRST))
			continue;
		int fd = i == number->number ? number->lock_fd : lock_number(i);
		if (fd < 0)
			continue;
		remove_filter(interface_index, FILTER_HANDLE + i, PRIORITY_FIRST);
		was_there = true;
		if (i != number->number)
			fd_close(&fd);
	}
	return was_there;
}

/* Returns 1 when there was one in our place, or one of a process that is gone; 0, or -errno. */
static int clear_place(const struct ingress_program *program, uint32_t interface_index, struct ingress *ingress)
{
	if (program->stay == INGRESS_STAYS) {
		ingress->filter_handle = program->filter_handle;
		return has_filter(interface_index, ingress->filter_handle, ingress->filter_priority);
	}
	int result = take_number(program->number);
	if (result < 0)
		return result;
	ingress->filter_handle = FILTER_HANDLE + program->number->number;
	return remove_leftovers(interface_index, program->number);
}

static int attach_filter(const struct ingress_program *program, uint32_t interface_index, struct ingress *ingress)
{
	struct bpf_tc_hook hook = hook_of(interface_index);
	ingress->mode = INGRESS_TC;
	ingress->pin[0] = '\0';
	ingress->filter_priority = program->order == INGRESS_FIRST ? PRIORITY_FIRST : PRIORITY_LAST;
	int result = bpf_tc_hook_create(&hook);
	if (result < 0 && result != -EEXIST)
		return result;
	ingress->owns_clsact = result == 0;
	result = clear_place(program, interface_index, ingress);
	if (result > 0)
		ingress->owns_clsact = true;
	if (result >= 0) {
		struct bpf_tc_opts filter = filter_of(ingress->filter_handle, ingress->filter_priority);
		filter.prog_fd = program->fd;
		filter.flags = BPF_TC_F_REPLACE;
		result = bpf_tc_attach(&hook, &filter);
	}
	if (result < 0)
		ingress_detach(ingress);
	return result;
}

static void count_filter(const struct nlmsghdr *message, void *count)
{
	if (message->nlmsg_type == RTM_NEWTFILTER)
		(*(int *)count)++;
}

/* Of anybody; true as well when the kernel does not tell. */
static bool has_any_filter(uint32_t interface_index, uint32_t side)
{
	struct {
		struct nlmsghdr header;
		struct tcmsg filter;
	} request = {
		.header = { .nlmsg_len = sizeof(request), .nlmsg_type = RTM_GETTFILTER },
		.filter = { .tcm_ifindex = (int)interface_index, .tcm_parent = TC_H_MAKE(TC_H_CLSACT, side) },
	};
	int count = 0;
	return rtnetlink_dump(&request.header, count_filter, &count) < 0 || count > 0;
}

/* The queueing discipline goes with what we put there, unless others have put something there, too. */
static void remove_clsact(uint32_t interface_index)
{
	struct bpf_tc_hook hook = hook_of(interface_index);
	hook.attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS;
	if (!has_any_filter(interface_index, TC_H_MIN_INGRESS) && !has_any_filter(interface_index, TC_H_MIN_EGRESS))
		bpf_tc_hook_destroy(&hook);
}

/* --- both -------------------------------------------------------------------------------------------------------- */

int ingress_attach(const struct ingress_program *program, uint32_t interface_index, struct ingress *ret_ingress)
{
	struct ingress ingress = { .interface_index = interface_index, .mode = INGRESS_TCX, .link_fd = -1 };
	int result = attach_link(program, interface_index, &ingress);
	if (result >= 0)
		ingress.link_fd = result;
	else if (result == -EINVAL || result == -EOPNOTSUPP)
		result = attach_filter(program, interface_index, &ingress);
	if (result < 0)
		return result;
	*ret_ingress = ingress;
	return 0;
}

void ingress_detach(struct ingress *ingress)
{
	if (ingress->mode == INGRESS_TCX) {
		if (ingress->pin[0] != '\0')
			unlink(ingress->pin);
		fd_close(&ingress->link_fd);
		return;
	}
	if (ingress->filter_handle != 0)
		remove_filter(ingress->interface_index, ingress->filter_handle, ingress->filter_priority);
	if (ingress->owns_clsact)
		remove_clsact(ingress->interface_index);
}
