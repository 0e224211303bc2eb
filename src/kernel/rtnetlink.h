/* SPDX-License-Identifier: Apache-2.0 */
/* Asks the kernel for lists of network objects, and hears of changes (rtnetlink(7)). Needs no privilege. Any thread. */
#ifndef KERNEL_RTNETLINK_H
#define KERNEL_RTNETLINK_H

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stddef.h>

/*
 * Sends the request, whose length and type are set, and hands over each message of the answer, which stays during the
 * call only. Returns 0 or -errno; -EINTR when the list changed meanwhile, so that it may not be whole.
 */
int rtnetlink_dump(struct nlmsghdr *request, void (*on_message)(const struct nlmsghdr *message, void *owner),
		   void *owner);

/* The attribute of a message whose own header is so long; NULL when it has none. */
const struct rtattr *rtnetlink_find(const struct nlmsghdr *message, size_t header_bytes, unsigned short type);
/* The one inside another. */
const struct rtattr *rtnetlink_find_inside(const struct rtattr *attribute, unsigned short type);

enum rtnetlink_subject {
	RTNETLINK_INTERFACES, /* and their addresses */
	RTNETLINK_ROUTES,     /* and interfaces */
};

/* A socket that becomes readable when something about the subject changes. Returns it, or -errno. */
int rtnetlink_watch(enum rtnetlink_subject subject);
/* Takes what is there to be read. */
void rtnetlink_take_changes(int fd);

#endif
