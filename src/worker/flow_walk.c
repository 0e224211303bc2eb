/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/flow_walk.h"

static const struct slab *slab_of(const struct relay *relay, enum flow_kind kind)
{
	switch (kind) {
	case FLOW_KIND_CONNECTION:
		return &relay->connections;
	case FLOW_KIND_SESSION:
		return &relay->sessions;
	case FLOW_KIND_BARE:
		return &relay->bare_flows;
	case FLOW_KIND_COUNT:
		break;
	}
	return NULL;
}

bool flow_walk_next(struct flow_walk *walk, const struct relay *relay, struct flow_met *ret_flow)
{
	void *flow = NULL;
	while (walk->kind < FLOW_KIND_COUNT) {
		flow = slab_next(slab_of(relay, walk->kind), &walk->index);
		if (flow != NULL)
			break;
		walk->kind++;
		walk->index = 0;
	}
	if (flow == NULL)
		return false;
	walk->index++;
	*ret_flow = (struct flow_met){
		.connection = walk->kind == FLOW_KIND_CONNECTION ? flow : NULL,
		.session = walk->kind == FLOW_KIND_SESSION ? flow : NULL,
		.bare = walk->kind == FLOW_KIND_BARE ? flow : NULL,
	};
	return true;
}
