/* SPDX-License-Identifier: BSD-3-Clause */
/* Receiving. The binding keeps the ring full: the newest cards choose the part of the ring they
 * fill from by a hash of the packet and drop it where they find no buffer. Buffers may come back
 * in any order. */
#include "ena_internal.h"

#define LEAST_PACKET 14 /* an Ethernet header */

bool ena_rx_post(struct ena_rx *rx, uint64_t address, uint32_t length)
{
	struct ena_ring *sq = &rx->sq;
	struct ena_hw_rx_desc *ring = sq->dma.memory;

	if (!ena_rx_room(rx))
		return false;
	uint16_t id = ena_rx_next_id(rx);
	ENA_STORE_RELEASE(rx->free_count, (uint16_t)(rx->free_count - 1));
	rx->lengths[id] = length;
	ring[sq->count & (sq->depth - 1)] = (struct ena_hw_rx_desc){
		.length = ENA_LE16(length), /* 65,536 is written as 0 */
		.flags = ENA_HW_RX_BUFFER | ena_phase(sq->count, sq->depth),
		.id = ENA_LE16(id), .address = ena_hw_address(address),
	};
	sq->count++;
	rx->stats.posted++;
	return true;
}

void ena_rx_ring(struct ena_rx *rx)
{
	if (rx->broken || rx->sq.rung == rx->sq.count)
		return;
	ena_os_write_barrier();
	ena_os_write(rx->device->os, rx->sq.register_offset, rx->sq.count);
	rx->sq.rung = rx->sq.count;
	rx->stats.doorbells++;
}

static __attribute__((cold)) int ena_rx_fail(struct ena_rx *rx, enum ena_hw_reset_reason reason,
					     const char *what, uint32_t value)
{
	rx->stats.bad_completions++;
	rx->broken = true;
	ena_want_reset(rx->device, reason);
	return ena_device_error(rx->device, what, value);
}

/* The device parsed the packet; its findings stand in the last completion. */
static void ena_rx_note_findings(struct ena_rx *rx, struct ena_rx_packet *packet, uint32_t status)
{
	uint32_t l4 = ENA_HW_RX_L4(status);
	bool tcp_or_udp = l4 == ENA_HW_RX_L4_TCP || l4 == ENA_HW_RX_L4_UDP;

	packet->hash_is_l4 = tcp_or_udp && !(status & ENA_HW_RX_FRAGMENT);
	packet->checksum_good = packet->hash_is_l4 && status & ENA_HW_RX_L4_CHECKED &&
				!(status & ENA_HW_RX_L4_ERROR);
	rx->stats.packets++;
	rx->stats.bytes += packet->length;
	rx->stats.multi_buffer += packet->count > 1;
	rx->stats.checksum_good += packet->checksum_good;
}

int ena_rx_next(struct ena_rx *rx, struct ena_rx_packet *packet)
{
	const struct ena_hw_rx_done *ring = rx->cq.dma.memory;
	uint16_t count = rx->cq.count, depth = rx->cq.depth;
	struct ena_hw_rx_done done;
	uint32_t status;

	if (rx->broken)
		return ENA_E_DOWN;
	packet->count = 0;
	packet->length = 0;
	/* Nothing is taken until the packet's last completion is there. */
	do {
		const struct ena_hw_rx_done *slot = &ring[count & (depth - 1)];
		struct ena_rx_fragment *fragment = &packet->fragment[packet->count];

		status = ENA_U32(ENA_READ_ONCE(slot->status));
		if (!!(status & ENA_HW_DONE_PHASE) != ena_phase(count, depth))
			return 0;
		if (packet->count == rx->device->rx_descs)
			return ena_rx_fail(rx, ENA_HW_RESET_TOO_MANY_RX, "too many buffers", count);
		ena_os_read_barrier();
		done = ENA_READ_ONCE(*slot);
		status = ENA_U32(done.status);
		if (!!(status & ENA_HW_RX_FIRST) != (packet->count == 0))
			return ena_rx_fail(rx, ENA_HW_RESET_RX_MALFORMED,
					   "FIRST is misplaced", count);
		uint16_t id = ENA_U16(done.id), length = ENA_U16(done.length);
		fragment->id = id;
		fragment->length = length;
		fragment->offset = packet->count ? 0 : done.offset;
		if (id >= rx->sq.depth || !rx->lengths[id])
			return ena_rx_fail(rx, ENA_HW_RESET_INVALID_RX_ID,
					   "no such buffer", id);
		if (!length || fragment->offset + length > rx->lengths[id])
			return ena_rx_fail(rx, ENA_HW_RESET_RX_MALFORMED,
					   "data beyond buffer", id);
		packet->length += length;
		packet->count++;
		count++;
	} while (!(status & ENA_HW_RX_LAST));

	for (uint8_t i = 0; i < packet->count; i++) {
		uint16_t id = packet->fragment[i].id;

		if (!rx->lengths[id]) /* twice in one packet */
			return ena_rx_fail(rx, ENA_HW_RESET_INVALID_RX_ID,
					   "a buffer comes twice", id);
		rx->lengths[id] = 0;
		rx->free_ids[rx->free_count] = id;
		ENA_STORE_RELEASE(rx->free_count, (uint16_t)(rx->free_count + 1));
	}
	if (packet->length < LEAST_PACKET)
		return ena_rx_fail(rx, ENA_HW_RESET_RX_MALFORMED,
				   "a packet too short", packet->length);
	ENA_STORE_RELEASE(rx->cq.count, count);
	packet->hash = ENA_U32(done.hash);
	ena_rx_note_findings(rx, packet, status);
	return 1;
}
