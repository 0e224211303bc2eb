/* SPDX-License-Identifier: Apache-2.0 */
#include "relay/flow_loss.h"

#include "balance/view.h"
#include "pool/pool.h"

enum reason flow_loss_of_connection(const struct server *server)
{
	uint32_t state = atomic_load_explicit(&server->state, memory_order_relaxed);
	if ((state & (SERVER_DOWN | SERVER_REMOVED)) == 0 || !pool_policy(server->pool)->closes_tcp_on_down)
		return REASON_NONE;
	return state & SERVER_REMOVED ? REASON_DRAINED : REASON_SERVER_DOWN;
}

enum reason flow_loss_of_session(const struct server *server)
{
	uint32_t state = atomic_load_explicit(&server->state, memory_order_relaxed);
	if (state == 0)
		return REASON_NONE;
	if ((state & SERVER_MAINT) ||
	    ((state & (SERVER_DRAIN | SERVER_REMOVED)) && pool_policy(server->pool)->closes_tcp_on_down))
		return REASON_DRAINED;
	/* A pool that panics uses its primaries whatever their health says. */
	const struct balance_view *view = published_read(server->pool->view);
	uint32_t ignored = server->is_backup || view == NULL ? 0 : view->ignored_bits;
	if (pool_policy(server->pool)->keeps_sessions_on_down ||
	    (state & ~(ignored | SERVER_DRAIN | SERVER_REMOVED)) == 0)
		return REASON_NONE;
	return REASON_SERVER_DOWN;
}
