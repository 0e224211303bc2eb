/* SPDX-License-Identifier: Apache-2.0 */
#include "config/network_list.h"

#include <errno.h>

static bool is_space(char byte)
{
	return byte == ' ' || byte == '\t' || byte == '\r';
}

/* Takes the next line off the text, without its end. */
static struct span line_take(struct span *text)
{
	const char *end = memchr(text->data, '\n', text->len);
	struct span line = { text->data, end != NULL ? (size_t)(end - text->data) : text->len };
	size_t taken = line.len + (end != NULL);
	*text = (struct span){ text->data + taken, text->len - taken };
	return line;
}

/* Takes the next word off the line: up to a space or a comment. Empty at its end. */
static struct span word_take(struct span *line)
{
	size_t first = 0;
	while (first < line->len && is_space(line->data[first]))
		first++;
	size_t end = first;
	while (end < line->len && !is_space(line->data[end]) && line->data[end] != '#' && line->data[end] != ';')
		end++;
	struct span word = { line->data + first, end - first };
	*line = (struct span){ line->data + end, line->len - end };
	return word;
}

/* Why the line is wrong, or NULL; an empty word means that there is no network in it. */
static const char *line_read(struct span line, struct span *ret_word, struct network *ret_network)
{
	const char *problem = NULL;
	bool had_host_bits;
	*ret_word = word_take(&line);
	if (ret_word->len == 0)
		return NULL;
	if (network_parse(*ret_word, ret_network, &had_host_bits, &problem) < 0)
		return problem;
	struct span second = word_take(&line);
	if (second.len == 0)
		return NULL;
	*ret_word = second;
	return "one network stands in each line; a comment begins with #";
}

static void tell(network_list_problem_fn *on_problem, void *owner, uint32_t number, const char *line_start,
		 struct span word, const char *message)
{
	struct network_list_problem problem = {
		.line = number,
		.column = (uint32_t)(word.data - line_start) + 1,
		.len = (uint32_t)word.len,
		.message = message,
	};
	on_problem(owner, &problem);
}

int network_list_parse(struct span text, struct config_memory *memory, network_list_problem_fn *on_problem, void *owner,
		       struct network_list *ret_list)
{
	struct network_list list = { NULL, 0 };
	int result = 0;
	for (uint32_t number = 1; text.len > 0; number++) {
		struct network network = { 0 };
		struct span line = line_take(&text);
		struct span word;
		const char *message = line_read(line, &word, &network);
		if (message != NULL) {
			tell(on_problem, owner, number, line.data, word, message);
			result = -EINVAL;
		} else if (word.len > 0 && list.count == NETWORK_LIST_MAX) {
			return -E2BIG;
		} else if (word.len > 0) {
			list.networks = config_memory_grow(memory, list.networks, list.count, sizeof(*list.networks));
			list.networks[list.count++] = network;
		}
	}
	if (result == 0)
		*ret_list = list;
	return result;
}
