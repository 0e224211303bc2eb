/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packets with invented sources, as many as asked, out of one interface.
 *
 *   flood INTERFACE SOURCE-MAC TARGET-MAC TARGET PORT RATE SECONDS KIND...
 *
 * KIND: syn, ack, udp, fragment, malformed; they take turns. Sources are taken from 198.18.0.0/15 (RFC 2544), a new one for
 * each packet. Prints "ready" when it begins, and in the end one JSON line with the number of packets sent. IPv4 only.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 64, KINDS_MAX = 8, PACKET_BYTES = 128 };

struct packet {
	uint8_t bytes[PACKET_BYTES];
	size_t len;
};

static uint8_t source_mac[ETH_ALEN], target_mac[ETH_ALEN];
static struct in_addr target;
static uint16_t port;
static uint64_t state = 88172645463325252u;

static uint32_t random32(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)(state >> 16);
}

static uint64_t now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static uint32_t sum_words(const void *data, size_t len, uint32_t sum)
{
	const uint8_t *bytes = data;
	for (size_t i = 0; i + 1 < len; i += 2)
		sum += (uint32_t)bytes[i] << 8 | bytes[i + 1];
	return len % 2 == 1 ? sum + ((uint32_t)bytes[len - 1] << 8) : sum;
}

static uint16_t fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons((uint16_t)~sum);
}

/* Puts Ethernet and IP in front of len bytes of content, which stand where they belong. */
static void finish(struct packet *packet, uint8_t protocol, size_t len, uint16_t fragment)
{
	struct ether_header *ether = (void *)packet->bytes;
	struct iphdr *ip = (void *)(packet->bytes + sizeof(*ether));
	memcpy(ether->ether_shost, source_mac, ETH_ALEN);
	memcpy(ether->ether_dhost, target_mac, ETH_ALEN);
	ether->ether_type = htons(ETHERTYPE_IP);
	*ip = (struct iphdr){
		.version = 4,
		.ihl = 5,
		.tot_len = htons((uint16_t)(sizeof(*ip) + len)),
		.id = htons((uint16_t)random32()),
		.frag_off = htons(fragment),
		.ttl = 64,
		.protocol = protocol,
		.saddr = htonl(0xc6120000 | (random32() & 0x1ffff)),
		.daddr = target.s_addr,
	};
	ip->check = fold(sum_words(ip, sizeof(*ip), 0));
	packet->len = sizeof(*ether) + sizeof(*ip) + len;
}

static void *content_of(struct packet *packet)
{
	return packet->bytes + sizeof(struct ether_header) + sizeof(struct iphdr);
}

/* Of TCP and UDP: over the pseudo-header, too. */
static uint16_t transport_sum(const struct packet *packet, uint8_t protocol, size_t len)
{
	const struct iphdr *ip = (const void *)(packet->bytes + sizeof(struct ether_header));
	uint32_t sum = sum_words(&ip->saddr, 8, protocol + (uint32_t)len);
	return fold(sum_words(ip + 1, len, sum));
}

static void make_tcp(struct packet *packet, uint8_t flags)
{
	struct tcphdr *tcp = content_of(packet);
	*tcp = (struct tcphdr){
		.source = htons((uint16_t)(1024 + random32() % 60000)),
		.dest = htons(port),
		.seq = random32(),
		.ack_seq = flags & TH_ACK ? random32() : 0,
		.doff = 5,
		.window = htons(65000),
	};
	tcp->th_flags = flags;
	finish(packet, IPPROTO_TCP, sizeof(*tcp), 0);
	tcp->check = transport_sum(packet, IPPROTO_TCP, sizeof(*tcp));
}

static void make_udp(struct packet *packet)
{
	struct udphdr *udp = content_of(packet);
	*udp = (struct udphdr){ .source = htons((uint16_t)(1024 + random32() % 60000)),
				.dest = htons(port),
				.len = htons(sizeof(*udp) + 8) };
	memset(udp + 1, 'x', 8);
	finish(packet, IPPROTO_UDP, sizeof(*udp) + 8, 0);
	udp->check = transport_sum(packet, IPPROTO_UDP, sizeof(*udp) + 8);
}

static void make(struct packet *packet, const char *kind)
{
	memset(packet->bytes, 0, sizeof(packet->bytes));
	if (strcmp(kind, "syn") == 0)
		make_tcp(packet, TH_SYN);
	else if (strcmp(kind, "ack") == 0)
		make_tcp(packet, TH_ACK);
	else if (strcmp(kind, "udp") == 0)
		make_udp(packet);
	else if (strcmp(kind, "fragment") == 0) /* the first of a datagram whose rest never comes */
		finish(packet, IPPROTO_UDP, 64, IP_MF);
	else if (random32() % 2 == 0)
		make_tcp(packet, TH_SYN | TH_FIN);
	else
		make_tcp(packet, 0);
}

static void read_mac(const char *text, uint8_t mac[ETH_ALEN])
{
	unsigned int parts[ETH_ALEN];
	if (sscanf(text, "%x:%x:%x:%x:%x:%x", &parts[0], &parts[1], &parts[2], &parts[3], &parts[4], &parts[5]) != 6)
		exit(2);
	for (int i = 0; i < ETH_ALEN; i++)
		mac[i] = (uint8_t)parts[i];
}

static uint64_t send_batch(int fd, struct packet *packets, unsigned int count)
{
	struct mmsghdr messages[BATCH] = { 0 };
	struct iovec parts[BATCH];
	for (unsigned int i = 0; i < count; i++) {
		parts[i] = (struct iovec){ packets[i].bytes, packets[i].len };
		messages[i].msg_hdr = (struct msghdr){ .msg_iov = &parts[i], .msg_iovlen = 1 };
	}
	int sent = sendmmsg(fd, messages, count, 0);
	return sent > 0 ? (uint64_t)sent : 0;
}

int main(int argc, char **argv)
{
	static struct packet packets[BATCH];
	if (argc < 9 || inet_pton(AF_INET, argv[4], &target) != 1)
		return 2;
	struct sockaddr_ll where = { .sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex(argv[1]) };
	read_mac(argv[2], source_mac);
	read_mac(argv[3], target_mac);
	port = (uint16_t)atoi(argv[5]);
	double rate = atof(argv[6]), seconds = atof(argv[7]);
	int fd = socket(AF_PACKET, SOCK_RAW, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&where, sizeof(where)) < 0) {
		perror("socket");
		return 1;
	}
	puts("ready");
	fflush(stdout);
	uint64_t start_ns = now_ns(), end_ns = start_ns + (uint64_t)(seconds * 1e9), sent = 0, made = 0, now;
	while ((now = now_ns()) < end_ns) {
		uint64_t due = (uint64_t)((double)(now - start_ns) / 1e9 * rate);
		if (made >= due) {
			struct timespec pause = { 0, 100000 };
			nanosleep(&pause, NULL);
			continue;
		}
		unsigned int count = due - made < BATCH ? (unsigned int)(due - made) : BATCH;
		for (unsigned int i = 0; i < count; i++, made++)
			make(&packets[i], argv[8 + made % (uint64_t)(argc - 8)]);
		sent += send_batch(fd, packets, count);
	}
	printf("{\"sent\":%llu,\"rate\":%.0f}\n", (unsigned long long)sent, (double)sent / seconds);
	return 0;
}
