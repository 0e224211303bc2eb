/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel/route.h"

#include "base/fd.h"
#include "kernel/rtnetlink.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

struct route_question {
	struct nlmsghdr header;
	struct rtmsg route;
	char attributes[64];
};

static void add_address(struct route_question *question, unsigned short type, const struct endpoint *address)
{
	size_t bytes = question->route.rtm_family == AF_INET ? 4 : 16;
	struct rtattr *attribute = (void *)((char *)question + NLMSG_ALIGN(question->header.nlmsg_len));
	attribute->rta_type = type;
	attribute->rta_len = (unsigned short)RTA_LENGTH(bytes);
	memcpy(RTA_DATA(attribute), address->ip + 16 - bytes, bytes);
	question->header.nlmsg_len = NLMSG_ALIGN(question->header.nlmsg_len) + RTA_ALIGN(attribute->rta_len);
}

static struct route_question question_of(const struct endpoint *dest, const struct endpoint *source)
{
	struct route_question question = {
		.header = {
			.nlmsg_len = NLMSG_LENGTH(sizeof(struct rtmsg)),
			.nlmsg_type = RTM_GETROUTE,
			.nlmsg_flags = NLM_F_REQUEST,
		},
		.route = { .rtm_family = endpoint_is_ipv4(dest) ? AF_INET : AF_INET6 },
	};
	add_address(&question, RTA_DST, dest);
	question.route.rtm_dst_len = question.route.rtm_family == AF_INET ? 32 : 128;
	if (source != NULL) {
		add_address(&question, RTA_SRC, source);
		question.route.rtm_src_len = question.route.rtm_dst_len;
	}
	return question;
}

static void read_source(const struct nlmsghdr *message, const struct rtmsg *answer, struct route_answer *ret_answer)
{
	const struct rtattr *source = rtnetlink_find(message, sizeof(*answer), RTA_PREFSRC);
	bool is_ipv4 = answer->rtm_family == AF_INET;
	size_t bytes = is_ipv4 ? 4 : 16;
	ret_answer->has_source = source != NULL && RTA_PAYLOAD(source) >= bytes;
	if (!ret_answer->has_source)
		return;
	ret_answer->source = (struct endpoint){ .family = answer->rtm_family };
	if (is_ipv4)
		memset(ret_answer->source.ip + 10, 0xff, 2);
	memcpy(ret_answer->source.ip + 16 - bytes, RTA_DATA(source), bytes);
}

static int read_answer(const struct nlmsghdr *message, struct route_answer *ret_answer)
{
	if (message->nlmsg_type == NLMSG_ERROR) {
		const struct nlmsgerr *error = NLMSG_DATA(message);
		return error->error < 0 ? error->error : -EPROTO;
	}
	if (message->nlmsg_type != RTM_NEWROUTE)
		return -EPROTO;
	const struct rtmsg *answer = NLMSG_DATA(message);
	const struct rtattr *interface = rtnetlink_find(message, sizeof(*answer), RTA_OIF);
	if (interface == NULL || RTA_PAYLOAD(interface) < sizeof(ret_answer->interface_index))
		return -ENETUNREACH;
	if (answer->rtm_type != RTN_UNICAST && answer->rtm_type != RTN_LOCAL)
		return -ENETUNREACH;
	ret_answer->is_local = answer->rtm_type == RTN_LOCAL;
	memcpy(&ret_answer->interface_index, RTA_DATA(interface), sizeof(ret_answer->interface_index));
	ret_answer->is_on_link = rtnetlink_find(message, sizeof(*answer), RTA_GATEWAY) == NULL &&
				 rtnetlink_find(message, sizeof(*answer), RTA_VIA) == NULL &&
				 rtnetlink_find(message, sizeof(*answer), RTA_ENCAP) == NULL;
	read_source(message, answer, ret_answer);
	return 0;
}

static int open_finder(struct route_finder *finder)
{
	/* The kernel answers at once; nobody waits for ever if it does not. */
	const struct timeval patience = { .tv_sec = 1 };
	if (finder->fd > 0)
		return 0;
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	finder->fd = fd;
	return 0;
}

int route_find(struct route_finder *finder, const struct endpoint *dest, const struct endpoint *source,
	       struct route_answer *ret_answer)
{
	_Alignas(struct nlmsghdr) char answer[4096];
	struct route_question question = question_of(dest, source);
	int result = open_finder(finder);
	if (result < 0)
		return result;
	ssize_t received = -1;
	if (send(finder->fd, &question, question.header.nlmsg_len, 0) >= 0)
		received = recv(finder->fd, answer, sizeof(answer), 0);
	if (received >= 0 && NLMSG_OK((const struct nlmsghdr *)(const void *)answer, (size_t)received))
		return read_answer((const void *)answer, ret_answer);
	result = received < 0 ? -errno : -EPROTO;
	/* A late answer would be taken for that of the next question. */
	route_finder_close(finder);
	return result;
}

void route_finder_close(struct route_finder *finder)
{
	if (finder->fd > 0)
		fd_close(&finder->fd);
	finder->fd = 0;
}
