/* SPDX-License-Identifier: BSD-3-Clause */
/* What should have happened by now and has not. Runs once a second. */
#include "ena_internal.h"

#define WAITING_TICKS 2 /* a completion lies unread for so long: its interrupt is lost */
#define MAX_RESCUES 5
#define CALM_TICKS 60 /* without a rescue, and all are forgotten */

static void check_keep_alive(struct ena_device *device)
{
	const struct ena_aenq *aenq = &device->aenq;
	uint64_t last = ENA_SEE(aenq->last_keep_alive);

	if (!aenq->keep_alive_offered || !aenq->keep_alive_timeout ||
	    ena_os_now(device->os) <= last + aenq->keep_alive_timeout)
		return;
	ena_complain(device, "the keep-alive has stopped, seen so far",
		     (uint32_t)device->stats.keep_alives);
	ena_want_reset(device, ENA_HW_RESET_KEEP_ALIVE);
}

/* Packets are on their way and none arrives. */
static void check_tx(struct ena_device *device, struct ena_tx *tx)
{
	uint16_t freed = ENA_SEE(tx->slots_freed);
	bool stuck = ENA_SEE(tx->sq.tail) != freed && freed == tx->seen_freed;

	tx->seen_freed = freed;
	tx->stuck_ticks = stuck ? tx->stuck_ticks + 1 : 0;
	if (!device->missing_tx_ticks || tx->stuck_ticks < device->missing_tx_ticks)
		return;
	ena_complain(device, "packets do not complete on TX queue", tx->sq.index);
	ena_want_reset(device, ENA_HW_RESET_MISSING_TX);
}

static bool has_completion(const struct ena_cq *cq, uint8_t words)
{
	const uint32_t *ring = cq->ring.memory;
	uint16_t head = ENA_SEE(cq->head);
	uint32_t word = ena_load32(ring + (head & (cq->depth - 1)) * words);

	/* TX and RX completions keep the phase in the same bit. */
	return !!(word & ENA_HW_RX_PHASE) == ENA_SEE(cq->phase);
}

/* Completions lie there and nobody comes: poll for the interrupt, and reset if that is the rule. */
static void check_interrupt(struct ena_device *device, uint16_t number)
{
	struct ena_pair *pair = &device->pair[number];
	uint16_t heads[] = { ENA_SEE(pair->tx.cq.head), ENA_SEE(pair->rx.cq.head) };
	bool moved = heads[0] != pair->seen_heads[0] || heads[1] != pair->seen_heads[1];
	bool work = has_completion(&pair->tx.cq, ENA_HW_TX_DONE_WORDS) ||
		    has_completion(&pair->rx.cq, ENA_HW_RX_DONE_WORDS);

	pair->seen_heads[0] = heads[0];
	pair->seen_heads[1] = heads[1];
	if (++pair->calm_ticks >= CALM_TICKS) {
		pair->calm_ticks = 0;
		pair->rescues = 0;
	}
	pair->waiting_ticks = work && !moved ? pair->waiting_ticks + 1 : 0;
	if (pair->waiting_ticks < WAITING_TICKS)
		return;
	pair->waiting_ticks = 0;
	pair->calm_ticks = 0;
	device->stats.lost_interrupts++;
	if (++pair->rescues <= MAX_RESCUES) {
		ena_os_want_poll(device->os, number);
		return;
	}
	ena_complain(device, "no interrupts come for pair", number);
	ena_want_reset(device, ENA_HW_RESET_MISSING_INTERRUPT);
}

void ena_watchdog(struct ena_device *device)
{
	if (!device->started || ENA_SEE(device->reset_wanted))
		return;
	check_keep_alive(device);
	for (uint16_t i = 0; device->up && i < device->pairs; i++) {
		struct ena_rx *rx = &device->pair[i].rx;

		check_tx(device, &device->pair[i].tx);
		check_interrupt(device, i);
		/* No buffer, no packet, no interrupt: memory was short, try again. */
		if (ENA_SEE(rx->free_count) == rx->sq.depth)
			ena_os_want_poll(device->os, i);
	}
}
