/* SPDX-License-Identifier: BSD-3-Clause */
/* What should have happened by now and has not. Runs once a second. */
#include "ena_internal.h"

#define WAITING_TICKS 2 /* a completion lies unread for so long: its interrupt is lost */
#define RESCUE_TICKS 12 /* until a rescue is forgotten */
#define MOST_TICKS 60   /* to forget: more rescues than that, and the device is reset */
#define STARVED_TICKS 8 /* a completion lies unread for so long though a poll was asked for */

static void ena_check_keep_alive(struct ena_device *device)
{
	uint64_t last = ENA_LOAD_ACQUIRE(device->aenq.last_keep_alive);
	uint32_t timeout = device->aenq.keep_alive_timeout;

	if (!device->aenq.keep_alive_offered || !timeout ||
	    ena_os_now(device->os) <= last + timeout)
		return;
	ena_device_error(device, "the keep-alive has stopped", (uint32_t)device->stats.keep_alives);
	ena_want_reset(device, ENA_HW_RESET_KEEP_ALIVE);
}

/* Whether the device has written a completion that nobody has taken yet. */
static bool ena_has_unread(const struct ena_ring *cq, uint8_t words)
{
	const uint32_t *entries = cq->dma.memory;
	uint16_t count = ENA_LOAD_ACQUIRE(cq->count);
	uint32_t entry = ENA_READ_ONCE(entries[(count & (cq->depth - 1)) * words]);

	return !!(entry & ENA_HW_DONE_PHASE) == ena_phase(count, cq->depth);
}

/* Packets are on their way and the device completes none. Completions that nobody takes are not
 * its fault: ena_check_interrupt looks after them. */
static void ena_check_tx(struct ena_device *device, struct ena_tx *tx)
{
	uint16_t freed = ENA_LOAD_ACQUIRE(tx->slots_freed);
	bool stuck = ENA_LOAD_ACQUIRE(tx->sq.count) != freed && freed == tx->seen_freed &&
		     !ena_has_unread(&tx->cq, ENA_HW_TX_DONE_WORDS);

	tx->seen_freed = freed;
	tx->stuck_ticks = stuck ? tx->stuck_ticks + 1 : 0;
	if (!device->missing_tx_ticks || tx->stuck_ticks < device->missing_tx_ticks)
		return;
	ena_device_error(device, "packets do not complete on TX queue", tx->sq.index);
	ena_want_reset(device, ENA_HW_RESET_MISSING_TX);
}

/* Whether a completion lies unread, and nothing was taken since the last look. */
static bool ena_is_waiting(const struct ena_ring *cq, uint8_t words, uint16_t *seen_count)
{
	uint16_t count = ENA_LOAD_ACQUIRE(cq->count);
	bool moved = count != *seen_count;

	*seen_count = count;
	return !moved && ena_has_unread(cq, words);
}

/* Completions lie there and nobody comes: poll in the interrupt's place. A reset follows when
 * that is needed all the time, or when the system does not poll either. */
static void ena_check_interrupt(struct ena_device *device, uint16_t number)
{
	struct ena_pair *pair = &device->pair[number];
	bool tx = ena_is_waiting(&pair->tx.cq, ENA_HW_TX_DONE_WORDS, &pair->seen_counts[0]);
	bool rx = ena_is_waiting(&pair->rx.cq, ENA_HW_RX_DONE_WORDS, &pair->seen_counts[1]);

	pair->rescue_ticks -= pair->rescue_ticks > 0;
	pair->waiting_ticks = tx || rx ? pair->waiting_ticks + 1 : 0;
	if (pair->waiting_ticks >= STARVED_TICKS) {
		ena_device_error(device, "the system does not poll pair", number);
		ena_want_reset(device, ENA_HW_RESET_POLL_STARVATION);
		return;
	}
	if (!pair->waiting_ticks || pair->waiting_ticks % WAITING_TICKS)
		return;
	pair->rescue_ticks += RESCUE_TICKS;
	device->stats.lost_interrupts++;
	if (pair->rescue_ticks <= MOST_TICKS) {
		ena_os_want_poll(device->os, number);
		return;
	}
	ena_device_error(device, "no interrupts come for pair", number);
	ena_want_reset(device, ENA_HW_RESET_MISSING_INTERRUPT);
}

void ena_watchdog(struct ena_device *device)
{
	if (!device->started || ENA_LOAD_ACQUIRE(device->reset_wanted))
		return;
	ena_aenq_rescue(device);
	ena_check_keep_alive(device);
	for (uint16_t i = 0; device->up && i < device->pairs; i++) {
		ena_check_tx(device, &device->pair[i].tx);
		ena_check_interrupt(device, i);
		/* No buffer, no packet, no interrupt: memory was short, try again. */
		if (ENA_LOAD_ACQUIRE(device->pair[i].rx.free_count) == device->rx_depth)
			ena_os_want_poll(device->os, i);
	}
}
