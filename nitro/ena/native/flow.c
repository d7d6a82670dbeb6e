/* SPDX-License-Identifier: BSD-3-Clause */
/* Flows that the model has classified: TCP and UDP over IPv4 and IPv6, whatever else is IPv4. */
#include "flow.h"

#define TCP 6
#define UDP 17
#define IPV4_BYTES 42 /* of the frame, up to the end of a UDP header */
#define IPV6_BYTES 62

/* The bytes that tell a flow from others; false for a frame of which none is remembered. */
static bool loop_key(const uint8_t *head, size_t bytes, uint64_t key[5])
{
	uint8_t *place = (uint8_t *)key;

	memset(key, 0, 5 * sizeof(*key));
	if (bytes >= IPV4_BYTES && head[12] == 0x08 && head[13] == 0x00 && head[14] == 0x45) {
		if (head[20] & 0x3f || head[21])
			return false; /* a fragment */
		place[0] = 4;
		place[1] = head[23];
		memcpy(place + 2, head + 26, head[23] == TCP || head[23] == UDP ? 12 : 8);
		return true;
	}
	if (bytes >= IPV6_BYTES && head[12] == 0x86 && head[13] == 0xdd && head[14] >> 4 == 6 &&
	    (head[20] == TCP || head[20] == UDP)) {
		place[0] = 6;
		place[1] = head[20];
		memcpy(place + 2, head + 22, 36);
		return true;
	}
	return false;
}

static struct loop_flow *loop_place(struct loop_flow *flows, const uint64_t key[5])
{
	uint64_t mixed = 0;

	for (int i = 0; i < 5; i++)
		mixed = (mixed ^ key[i]) * 0x9e3779b97f4a7c15;
	return &flows[(mixed >> 32) % LOOP_FLOWS];
}

const struct loop_flow *loop_flow(struct loop_flow *flows, const uint8_t *head, size_t bytes)
{
	uint64_t key[5];
	struct loop_flow *flow;

	if (!loop_key(head, bytes, key))
		return NULL;
	flow = loop_place(flows, key);
	return memcmp(flow->key, key, sizeof(key)) ? NULL : flow;
}

/* Remember what the model found of a frame that begins with `head`, and where it went. */
LOOP_API void loop_remember(struct loop_receiver *receiver, const uint8_t *head, uint64_t bytes,
			    uint32_t status, uint32_t hash, uint64_t queue)
{
	uint64_t key[5];
	struct loop_flow *flow;

	if (!loop_key(head, bytes, key))
		return;
	flow = loop_place(receiver->flows, key);
	memcpy(flow->key, key, sizeof(key));
	flow->status = status;
	flow->hash = hash;
	flow->queue = queue;
}
