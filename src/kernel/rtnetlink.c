/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel/rtnetlink.h"

#include "base/fd.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/time.h>

/* --- lists ------------------------------------------------------------------------------------------------------- */

static int open_socket(int flags)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | flags, NETLINK_ROUTE);
	return fd >= 0 ? fd : -errno;
}

/* Returns 1 when it was the last message, 0 when more follow, or -errno. */
static int take_message(const struct nlmsghdr *message, bool *was_interrupted,
			void (*on_message)(const struct nlmsghdr *message, void *owner), void *owner)
{
	*was_interrupted = *was_interrupted || (message->nlmsg_flags & NLM_F_DUMP_INTR) != 0;
	if (message->nlmsg_type == NLMSG_DONE)
		return *was_interrupted ? -EINTR : 1;
	if (message->nlmsg_type == NLMSG_ERROR) {
		const struct nlmsgerr *error = NLMSG_DATA(message);
		return error->error < 0 ? error->error : -EPROTO;
	}
	on_message(message, owner);
	return 0;
}

static int read_answer(int fd, void (*on_message)(const struct nlmsghdr *message, void *owner), void *owner)
{
	_Alignas(struct nlmsghdr) char buf[32768];
	bool was_interrupted = false;
	int result = 0;
	while (result == 0) {
		ssize_t received = recv(fd, buf, sizeof(buf), 0);
		if (received < 0)
			return -errno;
		size_t len = (size_t)received;
		for (const struct nlmsghdr *message = (const void *)buf; result == 0 && NLMSG_OK(message, len);
		     message = NLMSG_NEXT(message, len))
			result = take_message(message, &was_interrupted, on_message, owner);
	}
	return result < 0 ? result : 0;
}

int rtnetlink_dump(struct nlmsghdr *request, void (*on_message)(const struct nlmsghdr *message, void *owner),
		   void *owner)
{
	/* The kernel answers at once; nobody waits for ever if it does not. */
	const struct timeval patience = { .tv_sec = 1 };
	int fd = open_socket(0);
	if (fd < 0)
		return fd;
	request->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	int result = send(fd, request, request->nlmsg_len, 0) < 0 ? -errno : read_answer(fd, on_message, owner);
	fd_close(&fd);
	return result;
}

/* --- attributes -------------------------------------------------------------------------------------------------- */

static const struct rtattr *find(const struct rtattr *attribute, size_t len, unsigned short type)
{
	for (; RTA_OK(attribute, len); attribute = RTA_NEXT(attribute, len))
		if ((attribute->rta_type & NLA_TYPE_MASK) == type)
			return attribute;
	return NULL;
}

const struct rtattr *rtnetlink_find(const struct nlmsghdr *message, size_t header_bytes, unsigned short type)
{
	size_t skipped = NLMSG_LENGTH(NLMSG_ALIGN(header_bytes));
	if (message->nlmsg_len < skipped)
		return NULL;
	return find((const void *)((const char *)message + skipped), message->nlmsg_len - skipped, type);
}

const struct rtattr *rtnetlink_find_inside(const struct rtattr *attribute, unsigned short type)
{
	return find(RTA_DATA(attribute), RTA_PAYLOAD(attribute), type);
}

/* --- changes ----------------------------------------------------------------------------------------------------- */

int rtnetlink_watch(enum rtnetlink_subject subject)
{
	struct sockaddr_nl groups = {
		.nl_family = AF_NETLINK,
		.nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR,
	};
	if (subject == RTNETLINK_ROUTES)
		groups.nl_groups |= RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE;
	int fd = open_socket(SOCK_NONBLOCK);
	if (fd < 0 || bind(fd, (const struct sockaddr *)&groups, sizeof(groups)) == 0)
		return fd;
	int error = errno;
	fd_close(&fd);
	return -error;
}

/* An overflow (ENOBUFS) is a change, too; it is told once. */
void rtnetlink_take_changes(int fd)
{
	enum { MESSAGES_MAX = 256 };
	char message[8192];
	for (int i = 0; i < MESSAGES_MAX; i++)
		if (recv(fd, message, sizeof(message), 0) < 0 && errno != ENOBUFS)
			return;
}
