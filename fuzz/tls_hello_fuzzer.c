/* SPDX-License-Identifier: Apache-2.0 */
/* The beginning of a TLS connection, from anybody: what is said of it never changes with more that comes behind it. */
#include "base/check.h"
#include "net/tls_hello.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static struct tls_hello hello, longer;

static void check_name(const struct tls_hello *found)
{
	const uint8_t *name = (const uint8_t *)found->server_name.data;
	if (found->server_name.len == 0)
		return;
	CHECK(found->server_name.len <= TLS_SERVER_NAME_BYTES_MAX);
	CHECK(name >= found->message);
	CHECK(name + found->server_name.len <= found->message + TLS_HELLO_BYTES_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct span bytes = { (const char *)data, len };
	int result = tls_hello_read(bytes, &hello);
	if (result == 1)
		check_name(&hello);
	/* Every beginning says the same, or that it is too short; in steps, so that long inputs take no longer than they are worth. */
	size_t step = len / 64 + 1;
	for (bytes.len = 0; bytes.len < len; bytes.len += step) {
		int earlier = tls_hello_read(bytes, &longer);
		CHECK(earlier == 0 || earlier == result);
		if (earlier != 1)
			continue;
		CHECK(longer.server_name.len == hello.server_name.len);
		CHECK(longer.server_name.len == 0 ||
		      memcmp(longer.server_name.data, hello.server_name.data, hello.server_name.len) == 0);
	}
	return 0;
}
