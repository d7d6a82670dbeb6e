/* SPDX-License-Identifier: BSD-3-Clause */
/* Creating and destroying queue pairs. */
#include "ena_internal.h"

#define NO_VECTOR 0xffffffffu /* for a card that is polled: some firmware refuses 0 */
#define MIN_CQ_DEPTH 32

static bool is_register(const struct ena_device *device, uint32_t offset)
{
	return offset && offset % 4 == 0 && offset <= device->config.register_bytes - 4;
}

int ena_ring_alloc(struct ena_device *device, size_t size, struct ena_dma *dma)
{
	if (!ena_os_dma_alloc(device->os, size, dma)) {
		dma->size = 0;
		return ENA_E_MEMORY;
	}
	if (!((dma->address + size - 1) >> device->address_bits))
		return 0;
	ena_ring_free(device, dma);
	return ENA_E_MEMORY;
}

void ena_ring_free(struct ena_device *device, struct ena_dma *dma)
{
	if (dma->size)
		ena_os_dma_free(device->os, dma);
	dma->size = 0;
}

static int create_cq(struct ena_device *device, struct ena_cq *cq, uint16_t depth, uint8_t words,
		     uint16_t vector)
{
	struct ena_hw_create_cq command = {
		.opcode = ENA_HW_CREATE_CQ,
		.interrupt = device->config.vectors ? ENA_HW_CQ_INTERRUPT : 0,
		.entry_words = words,
		.depth = depth,
		.vector = device->config.vectors ? vector : NO_VECTOR,
	};
	struct ena_hw_create_cq_reply created;
	struct ena_hw_reply reply;
	int error = ena_ring_alloc(device, (size_t)depth * words * 4, &cq->ring);

	if (error)
		return error;
	command.ring = ena_hw_address(cq->ring.address);
	error = ena_admin_run(device, &command, &reply);
	if (error)
		return error;
	ena_copy(&created, reply.payload, sizeof(created));
	cq->exists = true;
	cq->index = created.cq_index;
	cq->depth = created.depth;
	cq->head = 0;
	cq->phase = 1;
	cq->unmask_offset = created.unmask_offset;
	/* Fewer entries than asked for are fine, more would lie beyond the ring. */
	if (!ena_is_power_of_two(cq->depth) || cq->depth > depth || cq->depth < MIN_CQ_DEPTH)
		return ena_complain(device, "a completion queue of unusable depth", cq->depth);
	if (device->config.vectors && !is_register(device, cq->unmask_offset))
		return ena_complain(device, "no such unmask register", cq->unmask_offset);
	return 0;
}

static int create_sq(struct ena_device *device, struct ena_sq *sq, uint16_t depth,
		     uint8_t direction, uint16_t cq_index)
{
	bool llq = device->llq.on && direction == ENA_HW_SQ_TX;
	struct ena_hw_create_sq command = {
		.opcode = ENA_HW_CREATE_SQ,
		.direction = direction,
		.placement = llq ? ENA_HW_SQ_IN_DEVICE : ENA_HW_SQ_IN_HOST,
		.contiguous = 1,
		.cq_index = cq_index,
		.depth = depth,
	};
	uint64_t llq_size = (uint64_t)depth * device->llq.entry_bytes;
	struct ena_hw_create_sq_reply created;
	struct ena_hw_reply reply;
	int error = 0;

	if (!llq)
		error = ena_ring_alloc(device, (size_t)depth * 16, &sq->ring);
	if (error)
		return error;
	command.ring = ena_hw_address(llq ? 0 : sq->ring.address);
	error = ena_admin_run(device, &command, &reply);
	if (error)
		return error;
	ena_copy(&created, reply.payload, sizeof(created));
	sq->exists = true;
	sq->index = created.sq_index;
	sq->depth = depth;
	sq->tail = sq->rung = 0;
	sq->phase = 1;
	sq->doorbell_offset = created.doorbell_offset;
	sq->llq_offset = created.llq_offset;
	if (!is_register(device, sq->doorbell_offset))
		return ena_complain(device, "no such doorbell", sq->doorbell_offset);
	if (llq && (sq->llq_offset % 8 || sq->llq_offset + llq_size > device->config.llq_bytes))
		return ena_complain(device, "an LLQ ring beyond BAR 2", sq->llq_offset);
	return 0;
}

static int create_tx(struct ena_device *device, struct ena_tx *tx, uint16_t vector)
{
	const struct ena_llq *llq = &device->llq;
	uint16_t depth = device->tx_depth;
	int error;

	tx->device = device;
	tx->free_ids = ena_os_alloc(device->os, depth * sizeof(*tx->free_ids));
	tx->slots = ena_os_alloc(device->os, depth * sizeof(*tx->slots));
	if (!tx->free_ids || !tx->slots)
		return ENA_E_MEMORY;
	error = create_cq(device, &tx->cq, depth, ENA_HW_TX_DONE_WORDS, vector);
	if (!error)
		error = create_sq(device, &tx->sq, depth, ENA_HW_SQ_TX, tx->cq.index);
	if (error)
		return error;
	for (uint16_t id = 0; id < depth; id++)
		tx->free_ids[id] = id;
	tx->ids_taken = tx->slots_freed = tx->seen_freed = tx->stuck_ticks = 0;
	tx->ids_given = depth;
	tx->burst_left = llq->burst;
	tx->meta[0] = 0; /* no meta descriptor looks like this */
	/* One slot stays free to tell a full ring from an empty one. */
	tx->limit = (uint16_t)ena_min(depth, tx->cq.depth) - 1;
	tx->worst = ena_tx_slots(llq, device->limits.tx_segments + 1); /* and a meta descriptor */
	tx->broken = false;
	return 0;
}

static int create_rx(struct ena_device *device, struct ena_rx *rx, uint16_t vector)
{
	uint16_t depth = device->rx_depth;
	int error;

	rx->device = device;
	rx->free_ids = ena_os_alloc(device->os, depth * sizeof(*rx->free_ids));
	rx->lengths = ena_os_alloc(device->os, depth * sizeof(*rx->lengths));
	if (!rx->free_ids || !rx->lengths)
		return ENA_E_MEMORY;
	error = create_cq(device, &rx->cq, depth, ENA_HW_RX_DONE_WORDS, vector);
	if (!error)
		error = create_sq(device, &rx->sq, depth, ENA_HW_SQ_RX, rx->cq.index);
	if (error)
		return error;
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
	uint16_t vector = number + 1;
	int error;

	pair->tx.broken = pair->rx.broken = true;
	pair->waiting_ticks = pair->rescues = pair->calm_ticks = 0;
	error = create_tx(device, &pair->tx, vector);
	return error ? error : create_rx(device, &pair->rx, vector);
}

static int destroy_sq(struct ena_device *device, struct ena_sq *sq, uint8_t direction)
{
	struct ena_hw_destroy_sq command = { .opcode = ENA_HW_DESTROY_SQ,
					     .sq_index = sq->index, .direction = direction };
	struct ena_hw_reply reply;
	bool exists = sq->exists;

	sq->exists = false;
	return exists ? ena_admin_run(device, &command, &reply) : 0;
}

static int destroy_cq(struct ena_device *device, struct ena_cq *cq)
{
	struct ena_hw_destroy_cq command = { .opcode = ENA_HW_DESTROY_CQ, .cq_index = cq->index };
	struct ena_hw_reply reply;
	bool exists = cq->exists;

	cq->exists = false;
	return exists ? ena_admin_run(device, &command, &reply) : 0;
}

/* All four are tried; the first error is returned. */
int ena_pair_destroy(struct ena_device *device, struct ena_pair *pair)
{
	int tx_sq = destroy_sq(device, &pair->tx.sq, ENA_HW_SQ_TX);
	int rx_sq = destroy_sq(device, &pair->rx.sq, ENA_HW_SQ_RX);
	int tx_cq = destroy_cq(device, &pair->tx.cq);
	int rx_cq = destroy_cq(device, &pair->rx.cq);

	return tx_sq ? tx_sq : rx_sq ? rx_sq : tx_cq ? tx_cq : rx_cq;
}

/* Only when the device no longer knows the rings, or can reach no memory. */
void ena_pair_release(struct ena_device *device, struct ena_pair *pair)
{
	struct ena_tx *tx = &pair->tx;
	struct ena_rx *rx = &pair->rx;

	tx->broken = rx->broken = true;
	tx->sq.exists = tx->cq.exists = rx->sq.exists = rx->cq.exists = false;
	ena_ring_free(device, &tx->sq.ring);
	ena_ring_free(device, &tx->cq.ring);
	ena_ring_free(device, &rx->sq.ring);
	ena_ring_free(device, &rx->cq.ring);
	ena_os_free(device->os, tx->free_ids);
	ena_os_free(device->os, tx->slots);
	ena_os_free(device->os, rx->free_ids);
	ena_os_free(device->os, rx->lengths);
	tx->free_ids = rx->free_ids = NULL;
	tx->slots = NULL;
	rx->lengths = NULL;
}

void ena_unmask(struct ena_device *device, uint16_t pair, uint16_t rx_delay_us,
		uint16_t tx_delay_us)
{
	uint16_t unit = device->limits.delay_unit;

	ena_os_write(device->os, device->pair[pair].tx.cq.unmask_offset,
		     unit ? ENA_HW_UNMASK(rx_delay_us / unit, tx_delay_us / unit) :
			    ENA_HW_UNMASK(0, 0));
}
