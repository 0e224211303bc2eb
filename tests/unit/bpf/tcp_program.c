/* SPDX-License-Identifier: Apache-2.0 */
#include "bpf/tcp_program.h"

#include "base/check.h"
#include "tcp_translate_test.skel.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <string.h>

static struct tcp_translate_test *skeleton;

int tcp_program_load(void)
{
	/* The library says a lot, and only then the test knows that it may not load anything. */
	libbpf_print_fn_t print = libbpf_set_print(NULL);
	skeleton = tcp_translate_test__open_and_load();
	int result = skeleton == NULL ? -errno : 0;
	libbpf_set_print(print);
	return result;
}

void tcp_program_unload(void)
{
	tcp_translate_test__destroy(skeleton);
	skeleton = NULL;
}

int tcp_program_run(const struct tcp_translation *translation, uint8_t *header, uint32_t header_bytes)
{
	uint8_t frame[ETH_HLEN + sizeof(*translation) + TCP_HEADER_BYTES_MAX] = { 0 };
	uint8_t result[sizeof(frame)];
	uint32_t header_at = ETH_HLEN + sizeof(*translation);
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = frame, .data_size_in = header_at + header_bytes,
		    .data_out = result, .data_size_out = sizeof(result), .repeat = 1);
	memcpy(frame + ETH_HLEN, translation, sizeof(*translation));
	memcpy(frame + header_at, header, header_bytes);
	CHECK(bpf_prog_test_run_opts(bpf_program__fd(skeleton->progs.translate_header), &run) == 0);
	CHECK(run.data_size_out == header_at + header_bytes);
	memcpy(header, result + header_at, header_bytes);
	return (int)run.retval;
}
