/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A wire between two network namespaces that takes time, loses frames and changes their order.
 *
 * usage: wire NAMESPACE DEVICE NAMESPACE DEVICE DELAY_US JITTER_US LOST_PER_1000
 *
 * Makes a TAP device in each namespace (a path as of `ip netns`) and carries frames between them, each after DELAY_US and a
 * random part of JITTER_US, so that frames overtake each other. Says "ready" when both devices are there; ends with its
 * standard input or on a signal, and the devices with it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum { FRAME_BYTES = 2048, FRAMES_MAX = 8192 };

struct frame {
	uint64_t due_us;
	uint16_t bytes;
	uint8_t data[FRAME_BYTES];
};

/* Frames on their way to an end, the one that is due first on top (a binary heap). */
struct end {
	int fd;
	struct frame *heap[FRAMES_MAX];
	size_t count;
};

static struct end ends[2];
static uint64_t delay_us, jitter_us, lost_per_1000;
static struct frame *spare[2 * FRAMES_MAX];
static size_t spare_count;

static void fail(const char *what)
{
	fprintf(stderr, "wire: %s: %s\n", what, strerror(errno));
	exit(2);
}

static uint64_t now_us(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static int open_tap(const char *namespace, const char *device)
{
	struct ifreq request = { .ifr_flags = IFF_TAP | IFF_NO_PI };
	int namespace_fd = open(namespace, O_RDONLY | O_CLOEXEC);
	if (namespace_fd < 0 || setns(namespace_fd, CLONE_NEWNET) < 0)
		fail(namespace);
	close(namespace_fd);
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", device);
	if (fd < 0 || ioctl(fd, TUNSETIFF, &request) < 0)
		fail(device);
	return fd;
}

static void swap(struct end *end, size_t a, size_t b)
{
	struct frame *frame = end->heap[a];
	end->heap[a] = end->heap[b];
	end->heap[b] = frame;
}

static void push(struct end *end, struct frame *frame)
{
	size_t at = end->count++;
	end->heap[at] = frame;
	for (; at > 0 && end->heap[(at - 1) / 2]->due_us > end->heap[at]->due_us; at = (at - 1) / 2)
		swap(end, at, (at - 1) / 2);
}

static struct frame *pop(struct end *end)
{
	struct frame *top = end->heap[0];
	end->heap[0] = end->heap[--end->count];
	for (size_t at = 0;;) {
		size_t least = at;
		for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < end->count; child++) {
			if (end->heap[child]->due_us < end->heap[least]->due_us)
				least = child;
		}
		if (least == at)
			return top;
		swap(end, at, least);
		at = least;
	}
}

static struct frame *take_frame(void)
{
	return spare_count > 0 ? spare[--spare_count] : malloc(sizeof(struct frame));
}

static void give_frame(struct frame *frame)
{
	spare[spare_count++] = frame;
}

static void receive_all(struct end *from, struct end *to)
{
	for (;;) {
		struct frame *frame = take_frame();
		ssize_t count = read(from->fd, frame->data, sizeof(frame->data));
		bool is_lost = (uint64_t)rand() % 1000 < lost_per_1000;
		if (count <= 0 || is_lost || to->count == FRAMES_MAX) {
			give_frame(frame);
			if (count <= 0)
				return;
			continue;
		}
		frame->bytes = (uint16_t)count;
		frame->due_us = now_us() + delay_us + (jitter_us > 0 ? (uint64_t)rand() % jitter_us : 0);
		push(to, frame);
	}
}

static void deliver_due(struct end *end)
{
	while (end->count > 0 && end->heap[0]->due_us <= now_us()) {
		struct frame *frame = pop(end);
		if (write(end->fd, frame->data, frame->bytes) < 0 && errno != EIO && errno != EAGAIN)
			fail("write");
		give_frame(frame);
	}
}

static struct timespec time_to_wait(void)
{
	uint64_t now = now_us();
	uint64_t due = now + 1000000;
	for (int i = 0; i < 2; i++) {
		if (ends[i].count > 0 && ends[i].heap[0]->due_us < due)
			due = ends[i].heap[0]->due_us;
	}
	uint64_t left = due > now ? due - now : 0;
	return (struct timespec){ .tv_sec = (time_t)(left / 1000000), .tv_nsec = (long)(left % 1000000 * 1000) };
}

int main(int argc, char **argv)
{
	if (argc != 8) {
		fprintf(stderr, "usage: wire NAMESPACE DEVICE NAMESPACE DEVICE DELAY_US JITTER_US LOST_PER_1000\n");
		return 2;
	}
	delay_us = strtoull(argv[5], NULL, 10);
	jitter_us = strtoull(argv[6], NULL, 10);
	lost_per_1000 = strtoull(argv[7], NULL, 10);
	ends[0].fd = open_tap(argv[1], argv[2]);
	ends[1].fd = open_tap(argv[3], argv[4]);
	puts("ready");
	fflush(stdout);
	for (;;) {
		struct pollfd pollers[3] = { { .fd = ends[0].fd, .events = POLLIN },
					     { .fd = ends[1].fd, .events = POLLIN },
					     { .fd = STDIN_FILENO, .events = POLLIN } };
		struct timespec wait = time_to_wait();
		ppoll(pollers, 3, &wait, NULL);
		if (pollers[2].revents != 0)
			return 0;
		receive_all(&ends[0], &ends[1]);
		receive_all(&ends[1], &ends[0]);
		deliver_due(&ends[0]);
		deliver_due(&ends[1]);
	}
}
