/* SPDX-License-Identifier: Apache-2.0 */
#include "relay/tcp_offload_outcome.h"

const char *tcp_offload_outcome_word(enum tcp_offload_outcome outcome)
{
	static const char *const words[TCP_OFFLOAD_OBSTACLES] = {
#define TCP_OFFLOAD_OUTCOME_WORD(name, word, meaning) [TCP_OFFLOAD_##name] = word,
		TCP_OFFLOAD_OUTCOME_LIST(TCP_OFFLOAD_OUTCOME_WORD)
#undef TCP_OFFLOAD_OUTCOME_WORD
	};
	if (outcome < TCP_OFFLOAD_OBSTACLES)
		return words[outcome];
	return tcp_obstacle_word((enum tcp_obstacle)(outcome - TCP_OFFLOAD_OBSTACLES + 1));
}
