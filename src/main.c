/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/command.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

/* A standard stream that is closed would be the number of the next socket, and messages would go to a client. */
static void open_standard_streams(void)
{
	int fd;
	do {
		fd = open("/dev/null", O_RDWR);
		if (fd < 0)
			abort();
	} while (fd <= STDERR_FILENO);
	close(fd);
}

int main(int argc, char **argv)
{
	open_standard_streams();
	return command_main(argc, argv);
}
