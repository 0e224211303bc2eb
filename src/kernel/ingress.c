/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel/ingress.h"

#include "base/fd.h"
#include "kernel/rtnetlink.h"

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

	FILTER_PRIORITY = 1,
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

static int create_link(int program_fd, uint32_t interface_index)
{
	struct tcx_link_create attributes = {
		.program_fd = (uint32_t)program_fd,
		.interface_index = interface_index,
		.attach_type = ATTACH_TCX_INGRESS,
		.flags = FLAG_BEFORE,
	};
	long fd = syscall(SYS_bpf, BPF_LINK_CREATE, &attributes, sizeof(attributes));
	return fd >= 0 ? (int)fd : -errno;
}

/* --- filters: whose is which ------------------------------------------------------------------------------------- */

/* A name in the abstract namespace of unix sockets, which each network namespace has for itself, is held by one process. */
static int lock_number(uint32_t number)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	int len = snprintf(name.sun_path + 1, sizeof(name.sun_path) - 1, "strait/packet-guard/%u", number);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (bind(fd, (const struct sockaddr *)&name, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + len)) ==
	    0)
		return fd;
	int error = errno;
	fd_close(&fd);
	return -error;
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

static struct bpf_tc_opts filter_of(uint32_t handle)
{
	return (struct bpf_tc_opts){
		.sz = sizeof(struct bpf_tc_opts),
		.handle = handle,
		.priority = FILTER_PRIORITY,
	};
}

static bool has_filter(uint32_t interface_index, uint32_t handle)
{
	struct bpf_tc_hook hook = hook_of(interface_index);
	struct bpf_tc_opts filter = filter_of(handle);
	return bpf_tc_query(&hook, &filter) == 0;
}

static void remove_filter(uint32_t interface_index, uint32_t handle)
{
	struct bpf_tc_hook hook = hook_of(interface_index);
	struct bpf_tc_opts filter = filter_of(handle);
	bpf_tc_detach(&hook, &filter);
}

/* Takes away the filters of processes that are gone, ours of before included. Returns whether there were any. */
static bool remove_leftovers(uint32_t interface_index, const struct ingress_number *number)
{
	bool was_there = false;
	for (uint32_t i = 0; i < NUMBER_COUNT; i++) {
		if (!has_filter(interface_index, FILTER_HANDLE + i))
			continue;
		int fd = i == number->number ? number->lock_fd : lock_number(i);
		if (fd < 0)
			continue;
		remove_filter(interface_index, FILTER_HANDLE + i);
		was_there = true;
		if (i != number->number)
			fd_close(&fd);
	}
	return was_there;
}

static int attach_filter(int program_fd, uint32_t interface_index, struct ingress_number *number,
			 struct ingress *ret_ingress)
{
	struct bpf_tc_hook hook = hook_of(interface_index);
	int result = take_number(number);
	if (result < 0)
		return result;
	result = bpf_tc_hook_create(&hook);
	if (result < 0 && result != -EEXIST)
		return result;
	bool is_ours = result == 0;
	if (!is_ours && remove_leftovers(interface_index, number))
		is_ours = true;
	struct bpf_tc_opts filter = filter_of(FILTER_HANDLE + number->number);
	filter.prog_fd = program_fd;
	result = bpf_tc_attach(&hook, &filter);
	*ret_ingress = (struct ingress){
		.interface_index = interface_index,
		.mode = INGRESS_TC,
		.link_fd = -1,
		.filter_handle = FILTER_HANDLE + number->number,
		.owns_clsact = is_ours,
	};
	if (result < 0)
		ingress_detach(ret_ingress);
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

int ingress_attach(int program_fd, uint32_t interface_index, struct ingress_number *number, struct ingress *ret_ingress)
{
	int fd = create_link(program_fd, interface_index);
	if (fd == -EINVAL || fd == -EOPNOTSUPP)
		return attach_filter(program_fd, interface_index, number, ret_ingress);
	if (fd < 0)
		return fd;
	*ret_ingress = (struct ingress){ .interface_index = interface_index, .mode = INGRESS_TCX, .link_fd = fd };
	return 0;
}

void ingress_detach(struct ingress *ingress)
{
	if (ingress->mode == INGRESS_TCX) {
		fd_close(&ingress->link_fd);
		return;
	}
	remove_filter(ingress->interface_index, ingress->filter_handle);
	if (ingress->owns_clsact)
		remove_clsact(ingress->interface_index);
}
