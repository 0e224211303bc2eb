/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pipe through which bytes go from one stream socket to another without being copied to user space and back:
 * splice(2). The pipe holds references to the kernel's own buffers; SPLICE_PIPE_BYTES of them when the system grants that
 * size (pipe(7): /proc/sys/fs/pipe-max-size, pipe-user-pages-soft), less otherwise. Belongs to one thread.
 */
#ifndef NET_SPLICE_H
#define NET_SPLICE_H

#include <stdint.h>
#include <sys/types.h>

/* The default of 64 KiB gains next to nothing over copying (docs/performance.md). */
enum { SPLICE_PIPE_BYTES = 1 << 20 };

struct splice_pipe {
	int read_fd;
	int write_fd;
	uint32_t held_bytes; /* in the pipe */
};

/* Returns 0 or -errno. */
int splice_open(struct splice_pipe *pipe);
/* Drops what it holds. */
void splice_close(struct splice_pipe *pipe);

/*
 * Takes what the socket has, bytes_max (of SPLICE_PIPE_BYTES) at most, into a pipe that is empty. Returns the number of bytes, 0 at the
 * end of the stream, -errno: -EAGAIN when there is nothing now, -EINVAL when such sockets cannot be spliced. That it
 * returns less than it may does not mean that the socket is empty: a pipe is full of pieces before it is full of bytes.
 */
ssize_t splice_fill(struct splice_pipe *pipe, int fd, size_t bytes_max);

/* Sends what the pipe holds. Returns how much the socket has taken, 0 when it is full, or -errno. */
ssize_t splice_drain(struct splice_pipe *pipe, int fd);

#endif
