/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sends small UDP datagrams with forged IPv4 sources, each from another one: addresses that follow each other, and ports.
 *
 *   forge DESTINATION PORT FIRST-SOURCE SOURCES RATE SECONDS
 *
 * RATE is in datagrams a second, as far as the machine can. Prints "sent N" at its end. Needs CAP_NET_RAW.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

struct packet {
	struct iphdr ip;
	struct udphdr udp;
	char payload[8];
};

static double now(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	if (argc != 7) {
		fprintf(stderr, "usage: forge DESTINATION PORT FIRST-SOURCE SOURCES RATE SECONDS\n");
		return 2;
	}
	struct sockaddr_in to = { .sin_family = AF_INET };
	inet_pton(AF_INET, argv[1], &to.sin_addr);
	uint32_t first = ntohl(inet_addr(argv[3]));
	uint64_t sources = strtoull(argv[4], NULL, 10);
	double rate = atof(argv[5]);
	double seconds = atof(argv[6]);
	int fd = socket(AF_INET, SOCK_RAW, IPPROTO_RAW);
	if (fd < 0) {
		perror("socket");
		return 1;
	}
	struct packet packet = {
		.ip = { .version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_UDP, .daddr = to.sin_addr.s_addr },
		.udp = { .dest = htons((uint16_t)atoi(argv[2])), .len = htons(sizeof packet - sizeof packet.ip) },
		.payload = "forged!",
	};
	packet.ip.tot_len = htons(sizeof packet);
	uint64_t sent = 0;
	double begin = now();
	for (double passed = 0; passed < seconds; passed = now() - begin) {
		for (; (double)sent < passed * rate; sent++) {
			packet.ip.saddr = htonl(first + (uint32_t)(sent % sources));
			packet.udp.source = htons((uint16_t)(20000 + sent / sources % 40000));
			sendto(fd, &packet, sizeof packet, 0, (struct sockaddr *)&to, sizeof to);
		}
		usleep(500);
	}
	printf("sent %llu\n", (unsigned long long)sent);
	return 0;
}
