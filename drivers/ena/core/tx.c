/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sending. A packet is an optional meta descriptor and data descriptors. With host placement each
 * takes a slot of a ring in memory. With LLQ a slot is an entry of 128 or 256 bytes in the
 * device: the first holds two descriptors (meta and data) and the packet's header, each further
 * one descriptors alone; a packet begins a new entry.
 */
#include "ena_internal.h"

#define MAX_ENTRY 256
#define L4_CHECKSUMS (ENA_TX_CSUM_IP4 | ENA_TX_CSUM_IP6)
#define SEGMENTATION (ENA_TX_TSO_IP4 | ENA_TX_TSO_IP6)
#define MAX_MSS 0x3fff

/* The LLQ entry being filled. */
struct entry {
	struct ena_hw_tx_desc desc[MAX_ENTRY / sizeof(struct ena_hw_tx_desc)];
	uint8_t used, room; /* descriptors */
} __attribute__((aligned(8)));

static uint16_t slots_in_use(const struct ena_tx *tx)
{
	return (uint16_t)(tx->sq.tail - ENA_SEE(tx->slots_freed));
}

bool ena_tx_has_room(const struct ena_tx *tx)
{
	return tx->limit - slots_in_use(tx) >= tx->worst;
}

uint16_t ena_tx_next_id(const struct ena_tx *tx)
{
	return tx->free_ids[tx->ids_taken & (tx->sq.depth - 1)];
}

void ena_tx_ring(struct ena_tx *tx)
{
	if (tx->broken || tx->sq.rung == tx->sq.tail)
		return;
	if (tx->device->llq.on)
		ena_os_llq_barrier();
	ena_os_write_barrier();
	ena_os_write(tx->device->os, tx->sq.doorbell_offset, tx->sq.tail);
	tx->sq.rung = tx->sq.tail;
	tx->burst_left = tx->device->llq.burst;
	tx->sent.doorbells++;
}

/* The phase of a slot is the ring's turn it belongs to. */
static void advance(struct ena_sq *sq)
{
	sq->tail++;
	if ((sq->tail & (sq->depth - 1)) == 0)
		sq->phase ^= 1;
}

static void write_entry(struct ena_tx *tx, struct entry *entry)
{
	const struct ena_llq *llq = &tx->device->llq;
	uint32_t slot = tx->sq.tail & (tx->sq.depth - 1u);

	ena_os_write_llq(tx->device->os, tx->sq.llq_offset + slot * llq->entry_bytes,
			 (const void *)entry, llq->entry_bytes / 8u);
	advance(&tx->sq);
	tx->burst_left--;
	tx->sent.llq_entries++;
	ena_clear(entry, llq->entry_bytes);
	entry->used = 0;
	entry->room = llq->more_descs;
}

static void put(struct ena_tx *tx, struct entry *entry, struct ena_hw_tx_desc desc)
{
	struct ena_hw_tx_desc *to = tx->sq.ring.memory;

	if (tx->device->llq.on && entry->used == entry->room)
		write_entry(tx, entry);
	desc.word[0] |= tx->sq.phase ? ENA_HW_TX_PHASE : 0;
	if (tx->device->llq.on) {
		entry->desc[entry->used++] = desc;
	} else {
		to[tx->sq.tail & (tx->sq.depth - 1)] = desc;
		advance(&tx->sq);
	}
}

static struct ena_hw_tx_desc meta_descriptor(const struct ena_tx_packet *packet)
{
	struct ena_hw_tx_desc desc = { .word[0] = ENA_HW_TX_META | ENA_HW_META_EXTENDED |
						  ENA_HW_META_VALID | ENA_HW_META_STORE };
	uint16_t mss = packet->offloads & SEGMENTATION ? packet->mss : 0;

	if (!packet->offloads)
		return desc;
	desc.word[0] |= ENA_HW_META_MSS_HIGH(mss);
	desc.word[2] = ENA_HW_META_L3_LENGTH(packet->l3_bytes) |
		       ENA_HW_META_L3_OFFSET(packet->l3_offset) |
		       ENA_HW_META_L4_WORDS(packet->l4_bytes / 4) | ENA_HW_META_MSS_LOW(mss);
	return desc;
}

/* Which offloads the device is to do, in word 1 of the first data descriptor. */
static uint32_t offload_bits(const struct ena_tx_packet *packet)
{
	bool ip4 = packet->offloads & (ENA_TX_CSUM_IP4 | ENA_TX_TSO_IP4);
	uint32_t bits = (ip4 ? ENA_HW_TX_L3_IP4 : ENA_HW_TX_L3_IP6) | ENA_HW_TX_L4_CSUM |
			(packet->udp ? ENA_HW_TX_L4_UDP : ENA_HW_TX_L4_TCP) |
			(packet->dont_fragment ? ENA_HW_TX_DONT_FRAGMENT : 0);

	if (!packet->offloads)
		return 0;
	/* Partial: the checksum field holds the sum of the pseudo header already. */
	if (packet->offloads & L4_CHECKSUMS)
		return bits | ENA_HW_TX_L4_CSUM_PARTIAL;
	return bits | ENA_HW_TX_TSO | (ip4 ? ENA_HW_TX_L3_CSUM : 0);
}

static bool is_sendable(const struct ena_tx *tx, const struct ena_tx_packet *packet)
{
	const struct ena_limits *limits = &tx->device->limits;
	uint32_t offload = packet->offloads;

	if (packet->header_bytes > limits->push_bytes ||
	    packet->segment_count > limits->tx_segments ||
	    (!packet->segment_count && !packet->header_bytes))
		return false;
	for (uint8_t i = 0; i < packet->segment_count; i++)
		if (!packet->segments[i].length || packet->segments[i].length > 0xffff)
			return false;
	if (offload & SEGMENTATION && (!packet->mss || packet->mss > MAX_MSS))
		return false;
	return !offload || (ena_is_power_of_two(offload) && offload & limits->offloads &&
			    offload & (L4_CHECKSUMS | SEGMENTATION));
}

/* Whether the device needs to be told of these headers: in host memory it remembers the last;
 * with LLQ some cards do not, and the newest want a meta descriptor in every packet. */
static bool needs_meta(struct ena_tx *tx, const struct ena_tx_packet *packet,
		       const struct ena_hw_tx_desc *meta)
{
	if (tx->device->llq.on)
		return true;
	if (!packet->offloads || (meta->word[0] == tx->meta[0] && meta->word[2] == tx->meta[1]))
		return false;
	tx->meta[0] = meta->word[0];
	tx->meta[1] = meta->word[2];
	return true;
}

/* Ring slots that so many descriptors take. */
uint8_t ena_tx_slots(const struct ena_llq *llq, uint8_t descs)
{
	if (!llq->on)
		return descs;
	if (descs <= llq->first_descs)
		return 1;
	return (uint8_t)(1 + (descs - llq->first_descs + llq->more_descs - 1) / llq->more_descs);
}

int ena_tx_send(struct ena_tx *tx, const struct ena_tx_packet *packet)
{
	const struct ena_device *device = tx->device;
	struct ena_hw_tx_desc desc, meta = meta_descriptor(packet);
	uint8_t data_descs = packet->segment_count ? packet->segment_count : 1;
	uint16_t id, header = packet->header_bytes;
	uint64_t bytes = header;
	struct entry entry;
	uint8_t slots;
	bool with_meta;

	if (tx->broken)
		return ENA_E_DOWN;
	if (!is_sendable(tx, packet)) {
		tx->sent.refused++;
		return ENA_E_ARGUMENT;
	}
	if (!ena_tx_has_room(tx)) {
		tx->sent.full++;
		return ENA_E_FULL;
	}
	with_meta = needs_meta(tx, packet, &meta);
	slots = ena_tx_slots(&device->llq, data_descs + with_meta);
	if (device->llq.burst_limited && slots > tx->burst_left)
		ena_tx_ring(tx);

	if (device->llq.on) {
		ena_clear(&entry, device->llq.entry_bytes);
		entry.used = 0;
		entry.room = device->llq.first_descs;
		if (header)
			ena_copy(&entry.desc[entry.room], packet->header, header);
	} else {
		header = (uint16_t)ena_min(packet->segments[0].length, device->header_size);
	}
	id = ena_tx_next_id(tx);

	if (with_meta) {
		meta.word[0] |= ENA_HW_TX_FIRST;
		put(tx, &entry, meta);
		tx->sent.meta_descs++;
	}
	/* With LLQ a short packet is all header: its one data descriptor is empty. */
	for (uint8_t i = 0; i < data_descs; i++) {
		struct ena_segment segment = { 0, 0 };

		if (packet->segment_count)
			segment = packet->segments[i];
		desc = (struct ena_hw_tx_desc){ .word = {
			segment.length, 0, (uint32_t)segment.address,
			(uint32_t)(segment.address >> 32) & 0xffff } };
		if (i == 0) {
			desc.word[0] |= ENA_HW_TX_ID_HIGH(id) | ENA_HW_TX_COMPLETE |
					(with_meta ? 0 : ENA_HW_TX_FIRST);
			desc.word[1] = ENA_HW_TX_ID_LOW(id) | offload_bits(packet);
			desc.word[3] |= ENA_HW_TX_HEADER(header);
		}
		if (i + 1 == data_descs)
			desc.word[0] |= ENA_HW_TX_LAST;
		put(tx, &entry, desc);
		bytes += segment.length;
	}
	if (device->llq.on)
		write_entry(tx, &entry);

	tx->ids_taken++;
	tx->sent.packets++;
	tx->sent.bytes += bytes;
	/* From here on a completion may take the packet away. */
	ENA_SHOW(tx->slots[id], slots);
	return 0;
}

int ena_tx_done(struct ena_tx *tx, uint16_t *id)
{
	struct ena_cq *cq = &tx->cq;
	uint16_t slot = cq->head & (cq->depth - 1);
	uint8_t slots = 0;
	uint32_t done;

	if (tx->broken)
		return ENA_E_DOWN;
	done = ena_load32((const uint32_t *)cq->ring.memory + slot * ENA_HW_TX_DONE_WORDS);
	if (ENA_HW_TX_DONE_PHASE(done) != cq->phase)
		return 0;
	*id = ENA_HW_TX_DONE_ID(done);
	if (*id < tx->sq.depth)
		slots = ENA_SEE(tx->slots[*id]);
	if (!slots) {
		tx->sent.bad_completions++;
		tx->broken = true;
		ena_want_reset(tx->device, ENA_HW_RESET_INVALID_TX_ID);
		return ena_complain(tx->device, "completion of a packet it does not have", *id);
	}
	tx->slots[*id] = 0;
	tx->free_ids[tx->ids_given++ & (tx->sq.depth - 1)] = *id;
	tx->sent.completions++;
	/* The sender may use slots and id again. */
	ENA_SHOW(tx->slots_freed, (uint16_t)(tx->slots_freed + slots));
	cq->head++;
	if ((cq->head & (cq->depth - 1)) == 0)
		cq->phase ^= 1;
	return 1;
}
