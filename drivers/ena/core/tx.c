/* SPDX-License-Identifier: BSD-3-Clause */
/* Sending. A packet is an optional meta descriptor and data descriptors. With host placement each
 * takes a slot of a ring in memory. With LLQ a slot is an entry of 128 or 256 bytes in the
 * device: the first holds two descriptors (meta and data) and the packet's header, each further
 * one descriptors alone; a packet begins a new entry. */
#include "ena_internal.h"

#define MAX_MSS 0x3fff

void ena_tx_ring(struct ena_tx *tx)
{
	if (tx->broken || tx->sq.rung == tx->sq.count)
		return;
	if (tx->device->llq.on)
		ena_os_llq_barrier();
	ena_os_write_barrier();
	ena_os_write(tx->device->os, tx->sq.register_offset, tx->sq.count);
	tx->sq.rung = tx->sq.count;
	tx->burst_left = tx->device->llq.burst;
	tx->stats.doorbells++;
}

/* Put descriptors, and a header behind the first ones, into slots. */
static void ena_tx_write_slots(struct ena_tx *tx, struct ena_hw_tx_desc *desc, uint8_t count,
			       const void *header, uint16_t header_bytes)
{
	const struct ena_llq *llq = &tx->device->llq;
	struct ena_hw_tx_desc *ring = tx->sq.dma.memory;
	struct ena_hw_tx_desc *entry = tx->entry;
	uint8_t room = llq->first_descs;

	for (uint8_t done = 0; done < count; room = llq->more_descs, tx->sq.count++) {
		uint32_t slot = tx->sq.count & (tx->sq.depth - 1u);
		uint32_t phase = ENA_HW_TX_PHASE * ena_phase(tx->sq.count, tx->sq.depth);

		if (!llq->on) {
			desc[done].word[0] |= phase;
			ring[slot] = desc[done++];
			continue;
		}
		__builtin_memset(entry, 0, llq->entry_bytes);
		if (!done && header_bytes)
			__builtin_memcpy(&entry[room], header, header_bytes);
		for (uint8_t i = 0; i < room && done < count; i++) {
			entry[i] = desc[done++];
			entry[i].word[0] |= phase;
		}
		ena_os_write_llq(tx->device->os, tx->sq.llq_offset + slot * llq->entry_bytes,
				 (const void *)entry, llq->entry_bytes / 8u);
		tx->burst_left--;
		tx->stats.llq_entries++;
	}
}

static struct ena_hw_tx_desc ena_tx_meta(const struct ena_tx_packet *packet)
{
	uint16_t mss = packet->offloads & ENA_TX_TSO ? packet->mss : 0;

	return (struct ena_hw_tx_desc){ .word = {
		ENA_HW_TX_META | ENA_HW_META_EXTENDED | ENA_HW_META_VALID | ENA_HW_META_STORE |
		ENA_HW_META_MSS_HIGH(mss), 0,
		ENA_HW_META_L3_LENGTH(packet->l3_bytes) |
		ENA_HW_META_L3_OFFSET(packet->l3_offset) |
		ENA_HW_META_L4_WORDS(packet->l4_bytes / 4) | ENA_HW_META_MSS_LOW(mss) } };
}

/* Which offloads the device is to do, in word 1 of the first data descriptor. */
static uint32_t ena_tx_offload_bits(const struct ena_tx_packet *packet)
{
	bool ip4 = packet->offloads & (ENA_TX_CSUM_IP4 | ENA_TX_TSO_IP4);
	uint32_t bits = (ip4 ? ENA_HW_TX_L3_IP4 : ENA_HW_TX_L3_IP6) | ENA_HW_TX_L4_CSUM |
			(packet->udp ? ENA_HW_TX_L4_UDP : ENA_HW_TX_L4_TCP) |
			(packet->dont_fragment ? ENA_HW_TX_DONT_FRAGMENT : 0);

	if (!packet->offloads)
		return 0;
	/* Partial: the checksum field holds the sum of the pseudo header already. */
	if (packet->offloads & ENA_TX_CSUM)
		return bits | ENA_HW_TX_L4_CSUM_PARTIAL;
	return bits | ENA_HW_TX_TSO | (ip4 ? ENA_HW_TX_L3_CSUM : 0);
}

static bool ena_is_sendable(const struct ena_limits *limits, const struct ena_tx_packet *packet)
{
	uint32_t offload = packet->offloads;

	if (packet->header_bytes > limits->push_bytes ||
	    packet->segment_count > limits->tx_segments ||
	    (!packet->segment_count && !packet->header_bytes))
		return false;
	for (uint8_t i = 0; i < packet->segment_count; i++)
		if (!packet->segments[i].length || packet->segments[i].length > 0xffff)
			return false;
	if (offload & ENA_TX_TSO && (!packet->mss || packet->mss > MAX_MSS))
		return false;
	return !offload || (offload == ena_round_down(offload) &&
			    offload & limits->offloads & (ENA_TX_CSUM | ENA_TX_TSO));
}

uint8_t ena_tx_slots(const struct ena_llq *llq, uint8_t descs)
{
	if (descs <= llq->first_descs)
		return 1;
	return (uint8_t)(1 + (descs - llq->first_descs + llq->more_descs - 1) / llq->more_descs);
}

int ena_tx_send(struct ena_tx *tx, const struct ena_tx_packet *packet)
{
	/* With LLQ a short packet is all header: its one data descriptor is empty. */
	static const struct ena_segment empty = { 0, 0 };
	const struct ena_segment *segment = packet->segment_count ? packet->segments : &empty;
	uint8_t segments = packet->segment_count ? packet->segment_count : 1, count = 0;
	const struct ena_device *device = tx->device;
	struct ena_hw_tx_desc *desc = tx->desc;

	if (tx->broken)
		return ENA_E_DOWN;
	if (!ena_is_sendable(&device->limits, packet))
		return ENA_E_ARGUMENT;
	if (!ena_tx_has_room(tx))
		return ENA_E_FULL;
	/* In host memory the device remembers the last headers that it was told of; with LLQ some
	 * cards do not, and the newest want a meta descriptor in every packet. */
	desc[0] = ena_tx_meta(packet);
	if (device->llq.on || (packet->offloads &&
			       __builtin_memcmp(&tx->meta, &desc[0], sizeof(tx->meta)))) {
		tx->meta = desc[0];
		tx->stats.meta_descs++;
		count = 1;
	}
	uint16_t id = ena_tx_next_id(tx);
	uint32_t header = device->llq.on ? packet->header_bytes :
					   ena_min(segment->length, device->header_size);
	struct ena_hw_tx_desc *first = &desc[count];
	tx->stats.bytes += packet->header_bytes;
	for (; segments; segments--, segment++, count++) {
		desc[count] = (struct ena_hw_tx_desc){ .word = {
			segment->length, 0, (uint32_t)segment->address,
			(uint32_t)(segment->address >> 32) & 0xffff } };
		tx->stats.bytes += segment->length;
	}
	first->word[0] |= ENA_HW_TX_ID_HIGH(id) | ENA_HW_TX_COMPLETE;
	first->word[1] = ENA_HW_TX_ID_LOW(id) | ena_tx_offload_bits(packet);
	first->word[3] |= ENA_HW_TX_HEADER(header);
	desc[0].word[0] |= ENA_HW_TX_FIRST;
	desc[count - 1].word[0] |= ENA_HW_TX_LAST;

	uint8_t slots = ena_tx_slots(&device->llq, count);
	if (slots > tx->burst_left)
		ena_tx_ring(tx);
	ena_tx_write_slots(tx, desc, count, packet->header, packet->header_bytes);
	tx->ids_taken++;
	tx->stats.packets++;
	/* From here on a completion may take the packet away. */
	ENA_STORE_RELEASE(tx->slots[id], slots);
	return 0;
}

int ena_tx_done(struct ena_tx *tx, uint16_t *id)
{
	struct ena_ring *cq = &tx->cq;
	const uint32_t *entry = cq->dma.memory;

	if (tx->broken)
		return ENA_E_DOWN;
	uint32_t done = ENA_READ_ONCE(entry[(cq->count & (cq->depth - 1)) * ENA_HW_TX_DONE_WORDS]);
	if (!!(done & ENA_HW_DONE_PHASE) != ena_phase(cq->count, cq->depth))
		return 0;
	*id = ENA_HW_TX_DONE_ID(done);
	uint8_t slots = *id < tx->sq.depth ? ENA_LOAD_ACQUIRE(tx->slots[*id]) : 0;
	if (!slots) {
		tx->stats.bad_completions++;
		tx->broken = true;
		ena_want_reset(tx->device, ENA_HW_RESET_INVALID_TX_ID);
		return ena_device_error(tx->device, "completion of a packet it does not have", *id);
	}
	tx->slots[*id] = 0;
	tx->free_ids[tx->ids_given++ & (tx->sq.depth - 1)] = *id;
	tx->stats.completions++;
	/* The sender may use slots and id again. */
	ENA_STORE_RELEASE(tx->slots_freed, (uint16_t)(tx->slots_freed + slots));
	ENA_STORE_RELEASE(cq->count, (uint16_t)(cq->count + 1));
	return 1;
}
