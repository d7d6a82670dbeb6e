/* SPDX-License-Identifier: BSD-3-Clause */
/* Events that the device sends by itself: link, keep-alive, hints, its end. */
#include "ena_internal.h"

#define DEPTH ENA_AENQ_DEPTH
#define KEEP_ALIVE_TIMEOUT_US 6000000
#define WANTED_GROUPS 0x9fu /* all that handle_event knows */

/* Tell the device where the ring is: before the first admin command, for some firmware fails all
 * commands without it. No event comes before ena_aenq_start hands over the slots. */
void ena_aenq_prepare(struct ena_device *device)
{
	struct ena_shared *shared = device->shared.memory;

	__builtin_memset(shared->events, 0, sizeof(shared->events));
	device->aenq.head = 0;
	device->aenq.keep_alive_timeout = KEEP_ALIVE_TIMEOUT_US;
	ena_os_write_barrier();
	ena_write_address(device, ENA_HW_AENQ_BASE_LOW, ENA_SHARED_ADDRESS(device, events));
	ena_os_write(device->os, ENA_HW_AENQ_CAPS,
		     ENA_HW_RING_CAPS(DEPTH, sizeof(struct ena_hw_event)));
}

/* Choose the events and let them come. A card without link events counts as connected. */
int ena_aenq_start(struct ena_device *device)
{
	union ena_hw_feature groups;
	int error = ena_get_feature(device, ENA_HW_F_AENQ, &groups);

	groups.events.enabled = groups.events.supported & ENA_LE32(WANTED_GROUPS);
	error = error ?: ena_set_feature(device, ENA_HW_F_AENQ, &groups, 0);
	if (ena_ignore_unsupported(error))
		return error;
	uint32_t enabled = error ? 0 : ENA_U32(groups.events.enabled);

	device->aenq.keep_alive_offered = enabled & 1u << ENA_HW_EVENT_KEEP_ALIVE;
	ENA_STORE_RELEASE(device->aenq.last_keep_alive, ena_os_now(device->os));
	ENA_STORE_RELEASE(device->aenq.running, true);
	ena_os_write(device->os, ENA_HW_INTERRUPT_MASK, 0);
	ena_os_write(device->os, ENA_HW_AENQ_DOORBELL, DEPTH);
	if (!(enabled & 1u << ENA_HW_EVENT_LINK))
		ena_os_link(device->os, true);
	return 0;
}

void ena_aenq_stop(struct ena_device *device)
{
	ENA_STORE_RELEASE(device->aenq.running, false);
	ena_os_drain_interrupt(device->os);
}

/* The device counts from 0 again after a reset; our counters only grow. */
static void ena_add_drops(uint64_t *total, uint64_t *seen, ena_le64 drops)
{
	uint64_t now = ENA_U64(drops);

	*total += now >= *seen ? now - *seen : now;
	*seen = now;
}

static void ena_handle_event(struct ena_device *device, const struct ena_hw_event *event)
{
	struct ena_device_stats *stats = &device->stats;
	struct ena_aenq *aenq = &device->aenq;
	uint16_t group = ENA_U16(event->group);
	bool fatal = group == ENA_HW_EVENT_FATAL;

	switch (group) {
	case ENA_HW_EVENT_LINK:
		stats->link_changes++;
		ena_os_link(device->os, ENA_U32(event->link) & 1);
		break;
	case ENA_HW_EVENT_KEEP_ALIVE:
		stats->keep_alives++;
		ena_add_drops(&stats->device_rx_drops, &aenq->seen_drops[0], event->drops[0]);
		ena_add_drops(&stats->device_tx_drops, &aenq->seen_drops[1], event->drops[1]);
		ena_add_drops(&stats->device_rx_overruns, &aenq->seen_drops[2], event->drops[2]);
		ENA_STORE_RELEASE(aenq->last_keep_alive, ena_os_now(device->os));
		break;
	case ENA_HW_EVENT_NOTICE:
		if (ENA_U16(event->syndrome) == ENA_HW_NOTICE_HINTS)
			ena_hints_apply(device, &event->hints);
		break;
	case ENA_HW_EVENT_FATAL:
	case ENA_HW_EVENT_RESET:
		ena_warn(device, "the device %s", fatal ? "fails" : "asks for a reset");
		ena_want_reset(device, fatal ? ENA_HW_RESET_GENERIC : ENA_HW_RESET_DEVICE_REQUEST);
		break;
	case ENA_HW_EVENT_WARNING:
		ena_warn(device, "the device warns (syndrome %u)", event->syndrome);
		break;
	default: /* not asked for, and harmless */
		stats->bad_events++;
	}
}

/* The event at the head of the ring, or NULL. */
static const struct ena_hw_event *ena_next_event(struct ena_device *device)
{
	uint16_t head = device->aenq.head;
	const struct ena_hw_event *slot = &ENA_SHARED(device)->events[head % DEPTH];
	uint8_t phase = ENA_READ_ONCE(slot->flags) & ENA_HW_PHASE;

	return phase == ena_phase(head, DEPTH) ? slot : NULL;
}

static void ena_handle_events(struct ena_device *device)
{
	const struct ena_hw_event *slot;
	uint16_t handled = 0;

	/* One turn of the ring at most: the device has credit for no more. */
	for (; handled < DEPTH && (slot = ena_next_event(device)); handled++) {
		ena_os_read_barrier();
		const struct ena_hw_event event = ENA_READ_ONCE(*slot);
		device->stats.events++;
		ena_handle_event(device, &event);
		ENA_STORE_RELEASE(device->aenq.head, (uint16_t)(device->aenq.head + 1));
	}
	if (handled) {
		ena_os_write_barrier();
		ena_os_write(device->os, ENA_HW_AENQ_DOORBELL,
			     (uint16_t)(device->aenq.head + DEPTH));
	}
}

void ena_interrupt(struct ena_device *device)
{
	ENA_STORE_RELEASE(device->interrupts, device->interrupts + 1);
	ena_os_wake(device->os);
	if (ENA_LOAD_ACQUIRE(device->aenq.running))
		ena_handle_events(device);
}

void ena_aenq_rescue(struct ena_device *device)
{
	uint16_t head = ENA_LOAD_ACQUIRE(device->aenq.head);
	bool moved = head != device->aenq.seen_head;

	device->aenq.seen_head = head;
	if (moved || !ena_next_event(device))
		return;
	if (!device->stats.lost_interrupts++)
		ena_warn(device, "no interrupt comes for events; polling for them");
	/* What ena_interrupt finds while it is kept away, the next one or the next look handles. */
	ena_aenq_stop(device);
	ena_handle_events(device);
	ENA_STORE_RELEASE(device->aenq.running, true);
}
