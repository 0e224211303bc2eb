/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/readiness.h"

#include "base/addr.h"
#include "base/fd.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { NOTICE_BYTES_MAX = 4096 };

int readiness_open(void)
{
	char name[ADDR_TEXT_BYTES];
	struct addr addr;
	memset(&addr, 0, sizeof(addr));
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	/* Bound without a name, it is given a free abstract one: unix(7), autobind. */
	addr.un.sun_family = AF_UNIX;
	addr.len = sizeof(addr.un.sun_family);
	bool is_bound = fd >= 0 && bind(fd, &addr.sa, addr.len) == 0;
	addr.len = sizeof(addr.un);
	if (!is_bound || getsockname(fd, &addr.sa, &addr.len) < 0) {
		int error = -errno;
		fd_close(&fd);
		return error;
	}
	addr_format(&addr, name, sizeof(name));
	setenv("NOTIFY_SOCKET", name + strlen("unix:"), 1);
	return fd;
}

bool readiness_await(int fd)
{
	char notice[NOTICE_BYTES_MAX + 1];
	for (;;) {
		ssize_t bytes = recv(fd, notice, NOTICE_BYTES_MAX, 0);
		if (bytes < 0 && errno == EINTR)
			continue;
		if (bytes < 0)
			return false;
		notice[bytes] = '\0';
		if (strstr(notice, "READY=1") != NULL)
			return true;
	}
}
