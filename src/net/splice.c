/* SPDX-License-Identifier: Apache-2.0 */
#include "net/splice.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

int splice_open(struct splice_pipe *pipe)
{
	int fds[2];
	if (pipe2(fds, O_NONBLOCK | O_CLOEXEC) < 0)
		return -errno;
	*pipe = (struct splice_pipe){ .read_fd = fds[0], .write_fd = fds[1] };
	fcntl(pipe->write_fd, F_SETPIPE_SZ, SPLICE_PIPE_BYTES); /* or it stays as small as it is */
	return 0;
}

void splice_close(struct splice_pipe *pipe)
{
	fd_close(&pipe->read_fd);
	fd_close(&pipe->write_fd);
	pipe->held_bytes = 0;
}

static ssize_t move(int from, int to, size_t bytes)
{
	for (;;) {
		ssize_t moved = splice(from, NULL, to, NULL, bytes, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
		if (moved >= 0)
			return moved;
		if (errno != EINTR)
			return -errno;
	}
}

ssize_t splice_fill(struct splice_pipe *pipe, int fd, size_t bytes_max)
{
	ssize_t moved = move(fd, pipe->write_fd, bytes_max);
	if (moved > 0)
		pipe->held_bytes += (uint32_t)moved;
	return moved;
}

ssize_t splice_drain(struct splice_pipe *pipe, int fd)
{
	ssize_t moved = move(pipe->read_fd, fd, pipe->held_bytes);
	if (moved == -EAGAIN)
		return 0;
	if (moved > 0)
		pipe->held_bytes -= (uint32_t)moved;
	return moved;
}
