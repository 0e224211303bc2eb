/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel/interfaces.h"

#include "base/memory.h"
#include "kernel/rtnetlink.h"

#include <errno.h>
#include <linux/if_link.h>
#include <net/if_arp.h>
#include <stdlib.h>
#include <string.h>

/* linux/if_arp.h, which does not go together with net/if_arp.h */
enum { ARPHRD_RAW_IP = 519 };

static enum interface_link link_of(unsigned short hardware_type)
{
	switch (hardware_type) {
	case ARPHRD_ETHER:
		return INTERFACE_ETHERNET;
	case ARPHRD_NONE:
	case ARPHRD_PPP:
	case ARPHRD_RAW_IP:
		return INTERFACE_IP;
	default:
		return INTERFACE_OTHER;
	}
}

/* Copies a text that may lack its zero. */
static void copy_text(const struct rtattr *attribute, char *buf, size_t buf_bytes)
{
	size_t len = RTA_PAYLOAD(attribute) < buf_bytes ? RTA_PAYLOAD(attribute) : buf_bytes - 1;
	memcpy(buf, RTA_DATA(attribute), len);
	buf[len] = '\0';
}

static bool is_port(const struct nlmsghdr *message)
{
	char kind[16] = "";
	const struct rtattr *info = rtnetlink_find(message, sizeof(struct ifinfomsg), IFLA_LINKINFO);
	const struct rtattr *slave = info != NULL ? rtnetlink_find_inside(info, IFLA_INFO_SLAVE_KIND) : NULL;
	if (slave != NULL)
		copy_text(slave, kind, sizeof(kind));
	return strcmp(kind, "bridge") == 0 || strcmp(kind, "bond") == 0 || strcmp(kind, "team") == 0;
}

static void add_interface(const struct nlmsghdr *message, void *list_pointer)
{
	struct interface_list *list = list_pointer;
	const struct ifinfomsg *info = NLMSG_DATA(message);
	const struct rtattr *name = rtnetlink_find(message, sizeof(*info), IFLA_IFNAME);
	if (message->nlmsg_type != RTM_NEWLINK || name == NULL)
		return;
	list->interfaces = memory_resize(list->interfaces, list->count + 1, sizeof(*list->interfaces));
	struct interface *interface = &list->interfaces[list->count++];
	*interface = (struct interface){
		.index = (uint32_t)info->ifi_index,
		.link = link_of(info->ifi_type),
		.is_loopback = (info->ifi_flags & IFF_LOOPBACK) != 0,
		.is_port = is_port(message),
	};
	copy_text(name, interface->name, sizeof(interface->name));
}

static struct interface *find_interface(const struct interface_list *list, uint32_t index)
{
	for (size_t i = 0; i < list->count; i++)
		if (list->interfaces[i].index == index)
			return &list->interfaces[i];
	return NULL;
}

/* Returns false when it is an address of another family. */
static bool read_address(const struct rtattr *attribute, unsigned char family, struct endpoint *ret_address)
{
	struct addr addr = { .sa.sa_family = family };
	if (family == AF_INET && RTA_PAYLOAD(attribute) == sizeof(addr.in.sin_addr))
		memcpy(&addr.in.sin_addr, RTA_DATA(attribute), sizeof(addr.in.sin_addr));
	else if (family == AF_INET6 && RTA_PAYLOAD(attribute) == sizeof(addr.in6.sin6_addr))
		memcpy(&addr.in6.sin6_addr, RTA_DATA(attribute), sizeof(addr.in6.sin6_addr));
	else
		return false;
	*ret_address = endpoint_from_addr(&addr);
	return true;
}

static void add_address(const struct nlmsghdr *message, void *list_pointer)
{
	const struct ifaddrmsg *info = NLMSG_DATA(message);
	/* Of a link with two ends IFA_ADDRESS is the other one. */
	const struct rtattr *attribute = rtnetlink_find(message, sizeof(*info), IFA_LOCAL);
	struct interface *interface = find_interface(list_pointer, info->ifa_index);
	struct endpoint address;
	if (attribute == NULL)
		attribute = rtnetlink_find(message, sizeof(*info), IFA_ADDRESS);
	if (message->nlmsg_type != RTM_NEWADDR || interface == NULL || attribute == NULL ||
	    !read_address(attribute, info->ifa_family, &address))
		return;
	interface->addresses =
		memory_resize(interface->addresses, interface->address_count + 1, sizeof(*interface->addresses));
	interface->addresses[interface->address_count++] = address;
}

static int read_once(struct interface_list *ret_list)
{
	struct {
		struct nlmsghdr header;
		struct ifinfomsg info;
	} links = { .header = { .nlmsg_len = sizeof(links), .nlmsg_type = RTM_GETLINK } };
	struct {
		struct nlmsghdr header;
		struct ifaddrmsg info;
	} addresses = { .header = { .nlmsg_len = sizeof(addresses), .nlmsg_type = RTM_GETADDR } };
	*ret_list = (struct interface_list){ 0 };
	int result = rtnetlink_dump(&links.header, add_interface, ret_list);
	if (result == 0)
		result = rtnetlink_dump(&addresses.header, add_address, ret_list);
	if (result < 0)
		interfaces_done(ret_list);
	return result;
}

int interfaces_read(struct interface_list *ret_list)
{
	enum { TRIES = 5 };
	int result = -EINTR;
	for (int i = 0; i < TRIES && result == -EINTR; i++)
		result = read_once(ret_list);
	return result;
}

void interfaces_done(struct interface_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->interfaces[i].addresses);
	free(list->interfaces);
	*list = (struct interface_list){ 0 };
}
