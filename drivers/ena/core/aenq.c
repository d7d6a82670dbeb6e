/* SPDX-License-Identifier: BSD-3-Clause */
/* Events that the device sends by itself: link, keep-alive, hints, its end. */
#include "ena_internal.h"

#define DEPTH 16
#define KEEP_ALIVE_TIMEOUT_US 6000000

#define WANTED_GROUPS                                                                          \
	(1u << ENA_HW_EVENT_LINK | 1u << ENA_HW_EVENT_FATAL | 1u << ENA_HW_EVENT_WARNING |     \
	 1u << ENA_HW_EVENT_NOTICE | 1u << ENA_HW_EVENT_KEEP_ALIVE | 1u << ENA_HW_EVENT_RESET)

/* Tell the device where the ring is: before the first admin command, for some firmware fails all
 * commands without it. No event comes before ena_aenq_start hands over the slots. */
void ena_aenq_prepare(struct ena_device *device)
{
	struct ena_aenq *aenq = &device->aenq;

	_Static_assert(DEPTH * sizeof(struct ena_hw_event) <= 4096, "the ring is one page");
	ena_clear(aenq->ring.memory, aenq->ring.size);
	aenq->head = 0;
	aenq->phase = 1;
	aenq->keep_alive_timeout = KEEP_ALIVE_TIMEOUT_US;
	ena_os_write_barrier();
	ena_write_address(device, ENA_HW_AENQ_BASE_LOW, aenq->ring.address);
	ena_os_write(device->os, ENA_HW_AENQ_CAPS,
		     ENA_HW_RING_CAPS(DEPTH, sizeof(struct ena_hw_event)));
}

/* Choose the events and let them come. A card without link events counts as connected. */
int ena_aenq_start(struct ena_device *device)
{
	struct ena_aenq *aenq = &device->aenq;
	struct ena_hw_aenq_groups groups = { 0, 0 };
	int error = ENA_E_UNSUPPORTED;

	if (ena_has_feature(device, ENA_HW_F_AENQ))
		error = ena_get_feature(device, ENA_HW_F_AENQ, 0, &groups, sizeof(groups));
	if (!error) {
		groups.enabled = groups.supported & WANTED_GROUPS;
		error = ena_set_feature(device, ENA_HW_F_AENQ, &groups, sizeof(groups), 0);
	}
	if (error == ENA_E_UNSUPPORTED || error == ENA_E_REFUSED)
		groups.enabled = 0;
	else if (error)
		return error;

	aenq->keep_alive_offered = groups.enabled & 1u << ENA_HW_EVENT_KEEP_ALIVE;
	ENA_SHOW(aenq->last_keep_alive, ena_os_now(device->os));
	ENA_SHOW(aenq->running, true);
	ena_os_write(device->os, ENA_HW_INTERRUPT_MASK, 0);
	ena_os_write(device->os, ENA_HW_AENQ_DOORBELL, DEPTH);
	if (!(groups.enabled & 1u << ENA_HW_EVENT_LINK))
		ena_os_link(device->os, true);
	return 0;
}

void ena_aenq_stop(struct ena_device *device)
{
	ENA_SHOW(device->aenq.running, false);
	ena_os_drain_interrupt(device->os);
}

static void handle_event(struct ena_device *device, const struct ena_hw_event *event)
{
	struct ena_hw_hints hints;
	uint64_t drops[3];
	uint32_t link;

	switch (event->group) {
	case ENA_HW_EVENT_LINK:
		ena_copy(&link, event->data, sizeof(link));
		device->stats.link_changes++;
		ena_os_link(device->os, link & 1);
		break;
	case ENA_HW_EVENT_KEEP_ALIVE:
		ena_copy(drops, event->data, sizeof(drops));
		device->stats.keep_alives++;
		device->stats.device_rx_drops = drops[0];
		device->stats.device_tx_drops = drops[1];
		device->stats.device_rx_overruns = drops[2];
		ENA_SHOW(device->aenq.last_keep_alive, ena_os_now(device->os));
		break;
	case ENA_HW_EVENT_NOTICE:
		if (event->syndrome == ENA_HW_NOTICE_HINTS) {
			ena_copy(&hints, event->data, sizeof(hints));
			ena_hints_apply(device, &hints);
		}
		break;
	case ENA_HW_EVENT_FATAL:
		ena_os_log(device->os, ENA_LOG_ERROR, "the device reports a fatal error");
		ena_want_reset(device, ENA_HW_RESET_GENERIC);
		break;
	case ENA_HW_EVENT_RESET:
		ena_os_log(device->os, ENA_LOG_WARNING, "the device asks for a reset");
		ena_want_reset(device, ENA_HW_RESET_DEVICE_REQUEST);
		break;
	case ENA_HW_EVENT_WARNING:
		ena_os_log(device->os, ENA_LOG_WARNING, "the device warns (syndrome %u)",
			   event->syndrome);
		break;
	default: /* not asked for, and harmless */
		device->stats.bad_events++;
	}
}

void ena_interrupt(struct ena_device *device)
{
	struct ena_aenq *aenq = &device->aenq;
	uint16_t handled;

	ENA_SHOW(device->interrupts, device->interrupts + 1);
	ena_os_wake(device->os);
	if (!ENA_SEE(aenq->running))
		return;
	/* One turn of the ring at most: the device has credit for no more. */
	for (handled = 0; handled < DEPTH; handled++) {
		struct ena_hw_event *slot =
			(struct ena_hw_event *)aenq->ring.memory + aenq->head % DEPTH;
		struct ena_hw_event event;

		if ((ena_load8(&slot->flags) & ENA_HW_PHASE) != aenq->phase)
			break;
		ena_os_read_barrier();
		ena_load(&event, slot, sizeof(event) / 4);
		device->stats.events++;
		handle_event(device, &event);
		aenq->head++;
		if (aenq->head % DEPTH == 0)
			aenq->phase ^= 1;
	}
	if (handled) {
		ena_os_write_barrier();
		ena_os_write(device->os, ENA_HW_AENQ_DOORBELL, (uint16_t)(aenq->head + DEPTH));
	}
}
