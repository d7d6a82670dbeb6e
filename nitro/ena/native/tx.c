/* SPDX-License-Identifier: BSD-3-Clause */
/* Sending: tx.py and tx_reader.py for packets with which nothing is wrong. */
#include <errno.h>

#include "loop.h"

#define DESC_META (1u << 23)
#define DESC_PHASE (1u << 24)
#define DESC_FIRST (1u << 26)
#define DESC_LAST (1u << 27)
#define DESC_COMPLETION (1u << 28)
#define DESC_RESERVED (1u << 22 | 1u << 25 | 7u << 29)
#define META_W0 (0xfu << 16)
#define ANY_OFFLOAD (1u << 7 | 1u << 13 | 1u << 14)
#define MIN_FRAME 14
#define MAX_FRAME (65535 + 18)

/* Take the descriptor `number` into the packet; false if it is not as it should be. */
static bool loop_take_descriptor(const struct loop_tx *tx, struct loop_packet *packet,
				 uint32_t number, uint64_t low, uint64_t high)
{
	uint32_t w0 = (uint32_t)low, w1 = (uint32_t)(low >> 32), length = w0 & 0xffff;
	uint8_t *data;

	if (!(w0 & DESC_FIRST) != !!number)
		return false;
	if (w0 & DESC_META) {
		if (number || w0 & DESC_LAST)
			return false;
		packet->has_meta = true;
		packet->meta0 = w0 & META_W0;
		packet->meta2 = (uint32_t)high;
		return true;
	}
	if (w0 & DESC_RESERVED)
		return false;
	if (number == packet->has_meta) { /* the first with data */
		packet->w1 = w1;
		packet->inlined = (uint32_t)(high >> 56);
		packet->id = (uint16_t)((w0 >> 16 & 0x3f) << 10 | w1 >> 22);
		packet->completes = w0 & DESC_COMPLETION;
	}
	if (!length)
		return true;
	data = loop_find(tx->memory, high & 0xffffffffffff, length);
	if (!data || packet->parts == LOOP_PARTS)
		return false;
	packet->part[packet->parts++] = (struct iovec){ data, length };
	packet->length += length;
	return true;
}

/* Read the descriptors of the next packet, each word once; false for the model to look. */
static bool loop_take(const struct loop_tx *tx, const uint8_t *ring, struct loop_packet *packet)
{
	uint64_t head = tx->head, slots = tx->first;
	uint32_t number = 0;

	packet->parts = LOOP_DATA;
	packet->length = 0;
	packet->has_meta = false;
	packet->meta0 = tx->meta0;
	packet->meta2 = tx->meta2;
	while (head != tx->tail) {
		const volatile uint64_t *from = (const volatile uint64_t *)
			(ring + head % tx->depth * tx->stride);
		uint32_t phase = loop_phase(head, tx->depth) ? DESC_PHASE : 0;

		head = (head + 1) & 0xffff;
		for (uint64_t i = 0; i < slots; i++, from += 2) {
			uint64_t low = from[0], high = from[1];

			if ((low & DESC_PHASE) != phase ||
			    !loop_take_descriptor(tx, packet, number++, low, high))
				return false;
			if (low & DESC_LAST) {
				packet->head = head;
				return number <= tx->max_descriptors;
			}
		}
		slots = tx->more;
	}
	return false;
}

/* Put the header that lies in the packet's first LLQ entry in front of it. */
static bool loop_push(const struct loop_tx *tx, const uint8_t *ring, struct loop_packet *packet)
{
	if (!tx->entries)
		packet->inlined = 0;
	if (packet->inlined > tx->stride - tx->header_offset)
		return false;
	loop_copy(packet->front, ring + tx->head % tx->depth * tx->stride + tx->header_offset,
		  packet->inlined);
	packet->part[LOOP_FRONT] = (struct iovec){ packet->front, packet->inlined };
	packet->length += packet->inlined;
	return true;
}

static bool loop_is_sendable(const struct loop_tx *tx, struct loop_packet *packet)
{
	if (packet->length < MIN_FRAME || packet->length > MAX_FRAME ||
	    (tx->meta_required && !packet->has_meta))
		return false;
	memset(packet->header, 0, sizeof(packet->header));
	if (packet->w1 & ANY_OFFLOAD && !loop_describe(tx, packet))
		return false;
	return packet->length <= tx->max_frame || packet->header[1];
}

static bool loop_write(int port, struct loop_packet *packet)
{
	ssize_t sent;

	packet->part[0] = (struct iovec){ packet->header, LOOP_HEADER };
	do
		sent = writev(port, packet->part, (int)packet->parts);
	while (sent < 0 && errno == EINTR);
	return sent >= 0;
}

static void loop_complete(struct loop_tx *tx, volatile uint64_t *completions,
			  const struct loop_packet *packet)
{
	struct loop_cq *cq = tx->cq;

	__atomic_thread_fence(__ATOMIC_RELEASE);
	completions[cq->head % cq->depth] = packet->id | loop_phase(cq->head, cq->depth) << 24 |
					    tx->index << 32 | packet->head << 48;
	cq->head++;
	tx->completed++;
}

/* Send packets from the head of the queue to its tail, or up to one that is for the model: also
 * where the port takes none. */
LOOP_API void loop_transmit(struct loop_tx *tx, int port)
{
	volatile uint64_t *completions =
		loop_find_words(tx->memory, tx->cq->address, tx->cq->depth * 8);
	const uint8_t *ring = tx->entries;
	struct loop_packet packet;

	tx->packets = tx->bytes = tx->completed = 0;
	if (!ring)
		ring = loop_find(tx->memory, tx->ring, tx->depth * tx->stride);
	if (!ring || !completions || (uintptr_t)ring & 7 || !tx->cq->plain)
		return;
	while (tx->head != tx->tail) {
		if (!loop_take(tx, ring, &packet) || !loop_push(tx, ring, &packet) ||
		    !loop_is_sendable(tx, &packet) || !loop_write(port, &packet))
			return;
		tx->packets++;
		tx->bytes += packet.length;
		tx->head = packet.head;
		tx->meta0 = packet.meta0;
		tx->meta2 = packet.meta2;
		if (packet.completes)
			loop_complete(tx, completions, &packet);
		loop_answer(tx->client);
	}
}
