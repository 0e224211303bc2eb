/* SPDX-License-Identifier: Apache-2.0 */
#include "relay/tcp_pipes.h"

#include "base/check.h"

void tcp_pipes_init(struct tcp_pipes *pipes, struct flow_ceiling *descriptors)
{
	*pipes = (struct tcp_pipes){ .descriptors = descriptors };
	list_init(&pipes->idle);
	list_init(&pipes->closed);
	for (size_t i = 0; i < TCP_PIPES_MAX; i++)
		list_add_last(&pipes->closed, &pipes->pipes[i].link);
}

void tcp_pipes_done(struct tcp_pipes *pipes)
{
	tcp_pipes_trim(pipes);
	CHECK(pipes->open_count == 0);
}

static struct tcp_pipe *pipe_of(struct list *link)
{
	return LIST_OWNER(link, struct tcp_pipe, link);
}

/* All but the first are counted among the descriptors of flows. */
static bool take_descriptors(struct tcp_pipes *pipes)
{
	uint64_t max = atomic_load_explicit(&pipes->descriptors->max, memory_order_relaxed);
	return pipes->open_count == 0 || (pipes->open_count * TCP_PIPES_DESCRIPTORS <= max / TCP_PIPES_SHARE &&
					  flow_ceiling_take(pipes->descriptors, TCP_PIPES_DESCRIPTORS));
}

static void give_descriptors(struct tcp_pipes *pipes)
{
	if (pipes->open_count > 0)
		flow_ceiling_give(pipes->descriptors, TCP_PIPES_DESCRIPTORS);
}

static struct tcp_pipe *open_one(struct tcp_pipes *pipes)
{
	if (list_is_empty(&pipes->closed) || !take_descriptors(pipes))
		return NULL;
	struct tcp_pipe *pipe = pipe_of(pipes->closed.next);
	if (splice_open(&pipe->splice) < 0) {
		give_descriptors(pipes);
		return NULL;
	}
	list_remove(&pipe->link);
	pipes->open_count++;
	return pipe;
}

static void close_one(struct tcp_pipes *pipes, struct tcp_pipe *pipe)
{
	splice_close(&pipe->splice);
	pipes->open_count--;
	give_descriptors(pipes);
	list_add_last(&pipes->closed, &pipe->link);
}

struct tcp_pipe *tcp_pipes_take(struct tcp_pipes *pipes)
{
	struct list *link = list_take_first(&pipes->idle);
	return link != NULL ? pipe_of(link) : open_one(pipes);
}

void tcp_pipes_give(struct tcp_pipes *pipes, struct tcp_pipe *pipe)
{
	if (pipe->splice.held_bytes > 0)
		close_one(pipes, pipe);
	else
		list_add_first(&pipes->idle, &pipe->link);
}

bool tcp_pipes_trim(struct tcp_pipes *pipes)
{
	bool is_any = !list_is_empty(&pipes->idle);
	for (struct list *link; (link = list_take_first(&pipes->idle)) != NULL;)
		close_one(pipes, pipe_of(link));
	return is_any;
}
