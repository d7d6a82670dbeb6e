/* SPDX-License-Identifier: BSD-3-Clause */
/* Creating and destroying queue pairs. */
#include "ena_internal.h"

#define NO_VECTOR 0xffffffffu /* for a card that is polled: some firmware refuses 0 */
#define MIN_CQ_DEPTH 32

static bool ena_is_register(const struct ena_device *device, uint32_t offset)
{
	return offset && offset % 4 == 0 && offset <= device->config.register_bytes - 4;
}

int ena_ring_alloc(struct ena_device *device, size_t size, struct ena_dma *dma)
{
	if (!ena_os_dma_alloc(device->os, size, dma))
		dma->size = 0;
	else if ((dma->address + size - 1) >> device->address_bits)
		ena_ring_free(device, dma);
	return dma->size ? 0 : ENA_E_MEMORY;
}

void ena_ring_free(struct ena_device *device, struct ena_dma *dma)
{
	if (dma->size)
		ena_os_dma_free(device->os, dma);
	dma->size = 0;
}

static int ena_create_cq(struct ena_device *device, struct ena_ring *cq, uint16_t depth,
			 uint8_t words, uint16_t vector)
{
	bool interrupts = device->config.vectors;
	int error = ena_ring_alloc(device, (size_t)depth * words * 4, &cq->dma);
	if (error)
		return error;
	struct ena_hw_command command = { .opcode = ENA_HW_CREATE_CQ, .create_cq = {
		.interrupt = interrupts ? ENA_HW_CQ_INTERRUPT : 0,
		.entry_words = words, .depth = ENA_LE16(depth),
		.vector = ENA_LE32(interrupts ? vector : NO_VECTOR),
		.ring = ena_hw_address(cq->dma.address),
	} };
	struct ena_hw_reply reply;
	error = ena_admin_run(device, &command, &reply);
	if (error)
		return error;
	cq->exists = true;
	cq->index = ENA_U16(reply.cq.index);
	cq->depth = ENA_U16(reply.cq.depth);
	cq->count = 0;
	cq->register_offset = ENA_U32(reply.cq.unmask);
	/* Fewer entries than asked for are fine, more would lie beyond the ring. */
	if (cq->depth != ena_round_down(cq->depth) || cq->depth > depth || cq->depth < MIN_CQ_DEPTH)
		return ena_device_error(device, "a completion queue of unusable depth", cq->depth);
	if (interrupts && !ena_is_register(device, cq->register_offset))
		return ena_device_error(device, "no such unmask register", cq->register_offset);
	return 0;
}

static int ena_create_sq(struct ena_device *device, struct ena_ring *sq, uint16_t depth,
			 uint8_t direction, uint16_t cq_index)
{
	bool llq = device->llq.on && direction == ENA_HW_SQ_TX;
	uint64_t llq_size = (uint64_t)depth * device->llq.entry_bytes;
	int error = llq ? 0 : ena_ring_alloc(device, (size_t)depth * 16, &sq->dma);
	if (error)
		return error;
	struct ena_hw_command command = { .opcode = ENA_HW_CREATE_SQ, .create_sq = {
		.direction = direction, .contiguous = 1,
		.placement = llq ? ENA_HW_SQ_IN_DEVICE : ENA_HW_SQ_IN_HOST,
		.cq_index = ENA_LE16(cq_index), .depth = ENA_LE16(depth),
		.ring = ena_hw_address(llq ? 0 : sq->dma.address),
	} };
	struct ena_hw_reply reply;
	error = ena_admin_run(device, &command, &reply);
	if (error)
		return error;
	sq->exists = true;
	sq->index = ENA_U16(reply.sq.index);
	sq->depth = depth;
	sq->count = sq->rung = 0;
	sq->register_offset = ENA_U32(reply.sq.doorbell);
	sq->llq_offset = ENA_U32(reply.sq.llq_ring);
	if (!ena_is_register(device, sq->register_offset))
		return ena_device_error(device, "no such doorbell", sq->register_offset);
	if (llq && (sq->llq_offset % 8 || sq->llq_offset + llq_size > device->config.llq_bytes))
		return ena_device_error(device, "an LLQ ring beyond BAR 2", sq->llq_offset);
	return 0;
}

static int ena_create_tx(struct ena_device *device, struct ena_tx *tx, uint16_t vector)
{
	uint16_t depth = device->tx_depth;
	int error = ena_create_cq(device, &tx->cq, depth, ENA_HW_TX_DONE_WORDS, vector) ?:
		    ena_create_sq(device, &tx->sq, depth, ENA_HW_SQ_TX, tx->cq.index);
	if (error)
		return error;
	__builtin_memset(tx->slots, 0, sizeof(tx->slots));
	for (uint16_t id = 0; id < depth; id++)
		tx->free_ids[id] = id;
	tx->ids_taken = tx->slots_freed = tx->seen_freed = tx->stuck_ticks = 0;
	tx->ids_given = depth;
	tx->burst_left = device->llq.burst;
	tx->meta.word[0] = 0; /* no meta descriptor looks like this */
	/* One slot stays free to tell a full ring from an empty one. */
	tx->limit = (uint16_t)ena_min(depth, tx->cq.depth) - 1;
	/* The largest packet has a meta descriptor, too. */
	tx->max_slots_per_packet = ena_tx_slots(&device->llq, device->limits.tx_segments + 1);
	tx->broken = false;
	return 0;
}

static int ena_create_rx(struct ena_device *device, struct ena_rx *rx, uint16_t vector)
{
	uint16_t depth = device->rx_depth;
	int error = ena_create_cq(device, &rx->cq, depth, ENA_HW_RX_DONE_WORDS, vector) ?:
		    ena_create_sq(device, &rx->sq, depth, ENA_HW_SQ_RX, rx->cq.index);
	if (error)
		return error;
	__builtin_memset(rx->lengths, 0, sizeof(rx->lengths));
	for (uint16_t id = 0; id < depth; id++)
		rx->free_ids[id] = depth - 1 - id;
	rx->free_count = depth;
	rx->limit = (uint16_t)ena_min(depth, rx->cq.depth) - 1;
	rx->broken = false;
	return 0;
}

/* On failure the caller destroys and releases what there is. */
int ena_pair_create(struct ena_device *device, uint16_t number)
{
	struct ena_pair *pair = &device->pair[number];

	pair->tx.device = pair->rx.device = device;
	pair->tx.broken = pair->rx.broken = true;
	pair->waiting_ticks = pair->rescue_ticks = 0;
	return ena_create_tx(device, &pair->tx, number + 1) ?:
	       ena_create_rx(device, &pair->rx, number + 1);
}

static int ena_ring_destroy(struct ena_device *device, struct ena_ring *ring, uint8_t opcode,
			    uint8_t direction)
{
	struct ena_hw_command command = { .opcode = opcode, .destroy = {
		.index = ENA_LE16(ring->index), .direction = direction } };
	struct ena_hw_reply reply;
	bool existed = ring->exists;

	ring->exists = false;
	return existed ? ena_admin_run(device, &command, &reply) : 0;
}

/* All four are tried; the first error is returned. */
int ena_pair_destroy(struct ena_device *device, struct ena_pair *pair)
{
	int tx_sq = ena_ring_destroy(device, &pair->tx.sq, ENA_HW_DESTROY_SQ, ENA_HW_SQ_TX);
	int rx_sq = ena_ring_destroy(device, &pair->rx.sq, ENA_HW_DESTROY_SQ, ENA_HW_SQ_RX);
	int tx_cq = ena_ring_destroy(device, &pair->tx.cq, ENA_HW_DESTROY_CQ, 0);
	int rx_cq = ena_ring_destroy(device, &pair->rx.cq, ENA_HW_DESTROY_CQ, 0);

	return tx_sq ?: rx_sq ?: tx_cq ?: rx_cq;
}

/* Only when the device no longer knows the rings, or can reach no memory. */
void ena_pair_release(struct ena_device *device, struct ena_pair *pair)
{
	struct ena_ring *ring[] = { &pair->tx.sq, &pair->tx.cq, &pair->rx.sq, &pair->rx.cq };

	pair->tx.broken = pair->rx.broken = true;
	for (int i = 0; i < 4; i++) {
		ring[i]->exists = false;
		ena_ring_free(device, &ring[i]->dma);
	}
}

/* The delays, in microseconds, hold for the next interrupt. */
void ena_unmask(struct ena_device *device, uint16_t pair, uint16_t rx_delay, uint16_t tx_delay)
{
	uint16_t unit = device->limits.delay_unit;
	uint32_t rx = unit ? rx_delay / unit : 0, tx = unit ? tx_delay / unit : 0;

	ena_os_write(device->os, device->pair[pair].tx.cq.register_offset, ENA_HW_UNMASK(rx, tx));
}
