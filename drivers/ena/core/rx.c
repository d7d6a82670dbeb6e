/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Receiving. The binding keeps the ring full: the newest cards choose the part of the ring they
 * fill from by a hash of the packet and drop it where they find no buffer. Buffers may come back
 * in any order.
 */
#include "ena_internal.h"

#define LEAST_PACKET 14 /* an Ethernet header */

unsigned int ena_rx_room(const struct ena_rx *rx)
{
	unsigned int posted = rx->sq.depth - rx->free_count;

	return rx->broken ? 0 : rx->limit - posted;
}

uint16_t ena_rx_next_id(const struct ena_rx *rx)
{
	return rx->free_ids[rx->free_count - 1];
}

bool ena_rx_post(struct ena_rx *rx, uint64_t address, uint32_t length)
{
	struct ena_sq *sq = &rx->sq;
	struct ena_hw_rx_desc *desc =
		(struct ena_hw_rx_desc *)sq->ring.memory + (sq->tail & (sq->depth - 1));
	uint16_t id;

	if (!ena_rx_room(rx))
		return false;
	id = rx->free_ids[rx->free_count - 1];
	ENA_SHOW(rx->free_count, (uint16_t)(rx->free_count - 1));
	rx->lengths[id] = length;
	*desc = (struct ena_hw_rx_desc){
		.length = (uint16_t)length, /* 65,536 is written as 0 */
		.flags = ENA_HW_RX_BUFFER | sq->phase,
		.id = id,
		.address = ena_hw_address(address),
	};
	sq->tail++;
	if ((sq->tail & (sq->depth - 1)) == 0)
		sq->phase ^= 1;
	rx->received.posted++;
	return true;
}

void ena_rx_ring(struct ena_rx *rx)
{
	if (rx->broken || rx->sq.rung == rx->sq.tail)
		return;
	ena_os_write_barrier();
	ena_os_write(rx->device->os, rx->sq.doorbell_offset, rx->sq.tail);
	rx->sq.rung = rx->sq.tail;
	rx->received.doorbells++;
}

static __attribute__((cold)) int broken(struct ena_rx *rx, enum ena_hw_reset_reason reason,
					const char *what, uint32_t value)
{
	rx->received.bad_completions++;
	rx->broken = true;
	ena_want_reset(rx->device, reason);
	return ena_complain(rx->device, what, value);
}

/* The device parsed the packet; its findings stand in the last completion. */
static void note_findings(struct ena_rx *rx, struct ena_rx_packet *packet, const uint32_t *done)
{
	uint32_t status = done[0], l4 = ENA_HW_RX_L4(status);
	bool tcp_or_udp = l4 == ENA_HW_RX_L4_TCP || l4 == ENA_HW_RX_L4_UDP;

	packet->hash = done[2];
	packet->hash_is_l4 = tcp_or_udp && !(status & ENA_HW_RX_FRAGMENT);
	packet->checksum_good = packet->hash_is_l4 && status & ENA_HW_RX_L4_CHECKED &&
				!(status & ENA_HW_RX_L4_ERROR);
	rx->received.packets++;
	rx->received.bytes += packet->length;
	rx->received.multi_buffer += packet->count > 1;
	rx->received.checksum_good += packet->checksum_good;
}

int ena_rx_next(struct ena_rx *rx, struct ena_rx_packet *packet)
{
	struct ena_cq *cq = &rx->cq;
	uint16_t head = cq->head;
	uint8_t phase = cq->phase;
	uint32_t done[ENA_HW_RX_DONE_WORDS];

	if (rx->broken)
		return ENA_E_DOWN;
	packet->count = 0;
	packet->length = 0;
	/* Nothing is taken until the packet's last completion is there. */
	do {
		const uint32_t *entry = (const uint32_t *)cq->ring.memory +
					(head & (cq->depth - 1)) * ENA_HW_RX_DONE_WORDS;
		struct ena_rx_fragment *fragment = &packet->fragment[packet->count];

		if (!!(ena_load32(entry) & ENA_HW_RX_PHASE) != phase)
			return 0;
		if (packet->count == rx->device->rx_descs)
			return broken(rx, ENA_HW_RESET_TOO_MANY_RX, "a packet of too many buffers",
				      packet->count);
		ena_os_read_barrier();
		ena_load(done, entry, ENA_HW_RX_DONE_WORDS);
		if (!!(done[0] & ENA_HW_RX_FIRST) != (packet->count == 0))
			return broken(rx, ENA_HW_RESET_RX_MALFORMED, "FIRST is misplaced",
				      done[0]);
		fragment->id = ENA_HW_RX_DONE_ID(done[1]);
		fragment->length = ENA_HW_RX_DONE_LENGTH(done[1]);
		fragment->offset = packet->count ? 0 : ENA_HW_RX_DONE_OFFSET(done[3]);
		if (fragment->id >= rx->sq.depth || !rx->lengths[fragment->id])
			return broken(rx, ENA_HW_RESET_INVALID_RX_ID, "no such buffer", done[1]);
		if (!fragment->length ||
		    fragment->offset + fragment->length > rx->lengths[fragment->id])
			return broken(rx, ENA_HW_RESET_RX_MALFORMED, "data beyond its buffer",
				      done[1]);
		packet->length += fragment->length;
		packet->count++;
		head++;
		if ((head & (cq->depth - 1)) == 0)
			phase ^= 1;
	} while (!(done[0] & ENA_HW_RX_LAST));

	for (uint8_t i = 0; i < packet->count; i++) {
		uint16_t id = packet->fragment[i].id;

		if (!rx->lengths[id]) /* twice in one packet */
			return broken(rx, ENA_HW_RESET_INVALID_RX_ID, "a buffer comes twice", id);
		rx->lengths[id] = 0;
		rx->free_ids[rx->free_count] = id;
		ENA_SHOW(rx->free_count, (uint16_t)(rx->free_count + 1));
	}
	if (packet->length < LEAST_PACKET)
		return broken(rx, ENA_HW_RESET_RX_MALFORMED, "a packet too short", packet->length);
	cq->head = head;
	cq->phase = phase;
	note_findings(rx, packet, done);
	return 1;
}
