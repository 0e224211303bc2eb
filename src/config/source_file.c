/* SPDX-License-Identifier: Apache-2.0 */
#include "config/source_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static int refuse(int error, const char *problem, const char **ret_problem)
{
	*ret_problem = problem;
	return error;
}

int source_file_strip_mark(struct span *text, const char **ret_problem)
{
	if (text->len >= 2 && (memcmp(text->data, "\xff\xfe", 2) == 0 || memcmp(text->data, "\xfe\xff", 2) == 0))
		return refuse(-EINVAL, "it is UTF-16; save it as UTF-8", ret_problem);
	if (text->len >= 3 && memcmp(text->data, "\xef\xbb\xbf", 3) == 0)
		*text = (struct span){ text->data + 3, text->len - 3 };
	return 0;
}

char *source_file_path_beside(const char *including, struct span path, struct config_memory *memory)
{
	const char *slash = strrchr(including, '/');
	size_t folder_len =
		slash == NULL || (path.len > 0 && path.data[0] == '/') ? 0 : (size_t)(slash + 1 - including);
	char *joined = config_memory_alloc(memory, folder_len + path.len + 1);
	memcpy(joined, including, folder_len);
	memcpy(joined + folder_len, path.data, path.len);
	return joined;
}

/* Reads to the end of the file, which may change its size meanwhile. */
static int all_read(int fd, size_t expected_bytes, size_t bytes_max, struct config_memory *memory,
		    struct span *ret_text)
{
	size_t capacity = expected_bytes + 1;
	char *buf = config_memory_alloc(memory, capacity);
	size_t len = 0;
	for (;;) {
		ssize_t count = read(fd, buf + len, capacity - len);
		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0)
			return -errno;
		if (count == 0)
			break;
		len += (size_t)count;
		if (len > bytes_max)
			return -EFBIG;
		if (len == capacity) {
			char *larger = config_memory_alloc(memory, 2 * capacity);
			memcpy(larger, buf, len);
			buf = larger;
			capacity *= 2;
		}
	}
	*ret_text = (struct span){ buf, len };
	return 0;
}

static int open_read(int fd, size_t bytes_max, struct config_memory *memory, struct source_file *ret_file,
		     const char **ret_problem)
{
	struct stat status;
	if (fstat(fd, &status) != 0)
		return refuse(-errno, strerror(errno), ret_problem);
	if (S_ISDIR(status.st_mode))
		return refuse(-EISDIR, "it is a directory", ret_problem);
	size_t expected_bytes = S_ISREG(status.st_mode) && status.st_size > 0 ? (size_t)status.st_size : 4096;
	int error = expected_bytes > bytes_max ? -EFBIG : 0;
	struct span text = { NULL, 0 };
	if (error == 0)
		error = all_read(fd, expected_bytes, bytes_max, memory, &text);
	if (error == -EFBIG)
		return refuse(error, "it is too large for a configuration", ret_problem);
	if (error != 0)
		return refuse(error, strerror(-error), ret_problem);
	error = source_file_strip_mark(&text, ret_problem);
	if (error == 0)
		*ret_file = (struct source_file){ text, (uint64_t)status.st_dev, (uint64_t)status.st_ino };
	return error;
}

int source_file_read(const char *path, size_t bytes_max, struct config_memory *memory, struct source_file *ret_file,
		     const char **ret_problem)
{
	/* Opening a named pipe must not wait for somebody to write to it; reading from one may. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return refuse(-errno, strerror(errno), ret_problem);
	int flags = fcntl(fd, F_GETFL);
	if (flags >= 0)
		fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
	int error = open_read(fd, bytes_max, memory, ret_file, ret_problem);
	close(fd);
	return error;
}
