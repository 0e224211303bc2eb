/* SPDX-License-Identifier: Apache-2.0 */
#include "relay/introduction.h"

#include "base/check.h"
#include "net/tlv.h"

#include <inttypes.h>
#include <stdio.h>

bool introduction_wants_authority(const struct pool_policy *policy, const struct proxy_header *came)
{
	struct tlv tlv;
	if (policy->proxy_version != 2 || !policy->has_proxy_authority)
		return false;
	struct tlv_reader reader = tlv_read(came != NULL ? came->tlvs : (struct span){ NULL, 0 });
	while (tlv_next(&reader, &tlv))
		if (tlv.type == PROXY_TLV_AUTHORITY)
			return false;
	return true;
}

size_t introduction_write(const struct pool_policy *policy, const struct introduction *introduction, uint8_t *buf,
			  size_t buf_bytes)
{
	const struct proxy_header *came = introduction->came;
	bool has_addresses = came != NULL && came->has_addresses;
	struct proxy_content content = {
		.source = introduction->client,
		.destination = has_addresses ? &came->destination : introduction->asked,
		.transport = introduction->transport,
		.authority = introduction->authority,
	};
	char id[sizeof("0123456789abcdef")];
	if (policy->has_proxy_unique_id) {
		int len = snprintf(id, sizeof(id), "%016" PRIx64, introduction->flow_id);
		content.unique_id = (struct span){ id, (size_t)len };
	}
	if (policy->proxy_version == 1)
		return proxy_header_write_v1(&content, buf, buf_bytes);
	if (has_addresses)
		content.tlvs = came->tlvs;
	size_t len = proxy_header_write_v2(&content, buf, buf_bytes);
	if (len > 0)
		return len;
	content.tlvs = (struct span){ NULL, 0 };
	len = proxy_header_write_v2(&content, buf, buf_bytes);
	CHECK(len > 0);
	return len;
}
