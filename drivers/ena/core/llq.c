/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Agreeing on LLQ: TX rings that lie in the device, with packet headers inline. Whatever does
 * not fit ends in host placement, which every older card has; TX itself is in tx.c.
 */
#include "ena_internal.h"

static const char *choose(struct ena_device *device, struct ena_hw_llq *offer)
{
	const struct ena_config *config = &device->config;
	struct ena_llq *llq = &device->llq;
	uint32_t descs, depth = offer->max_depth;
	bool wide;

	if (!(offer->header_location & ENA_HW_LLQ_INLINE_HEADER))
		return "no inline headers";
	offer->header_location_chosen = ENA_HW_LLQ_INLINE_HEADER;

	wide = config->llq_entry ? config->llq_entry == 256 :
				   offer->recommended_entry_size == ENA_HW_LLQ_ENTRY_256;
	if (!(offer->entry_size & ENA_HW_LLQ_ENTRY_256))
		wide = false;
	else if (!(offer->entry_size & ENA_HW_LLQ_ENTRY_128))
		wide = true;
	offer->entry_size_chosen = wide ? ENA_HW_LLQ_ENTRY_256 : ENA_HW_LLQ_ENTRY_128;
	if (!(offer->entry_size & offer->entry_size_chosen))
		return "no entry size of 128 or 256 bytes";
	llq->entry_bytes = wide ? 256 : 128;
	if (wide)
		depth = offer->max_wide_depth ? offer->max_wide_depth : depth / 2;

	/* Two, the meta descriptor and one more, leaves the most room for the header. */
	for (descs = 2; descs <= 4 && !(offer->descs_before_header & descs); descs *= 2)
		;
	if (!(offer->descs_before_header & descs) || descs > 4)
		return "too few descriptors before the header";
	offer->descs_before_header_chosen = (uint16_t)descs;
	llq->first_descs = (uint8_t)descs;

	offer->stride_chosen = offer->stride & ENA_HW_LLQ_STRIDE_MULTIPLE ?
				       ENA_HW_LLQ_STRIDE_MULTIPLE : ENA_HW_LLQ_STRIDE_SINGLE;
	if (!(offer->stride & offer->stride_chosen))
		return "no stride";
	llq->more_descs = offer->stride_chosen == ENA_HW_LLQ_STRIDE_MULTIPLE ?
				  (uint8_t)(llq->entry_bytes / 16) : 1;

	llq->max_depth = (uint16_t)ena_min(ena_round_down(depth), ENA_MAX_DEPTH);
	if (!offer->max_count || llq->max_depth < ENA_MIN_DEPTH)
		return "too few or too small queues";

	offer->flags &= ENA_HW_LLQ_NO_META_CACHE | ENA_HW_LLQ_BURST_LIMIT;
	llq->burst_limited = offer->flags & ENA_HW_LLQ_BURST_LIMIT;
	llq->burst = (uint16_t)(offer->max_burst / llq->entry_bytes);
	/* The largest packet, its meta descriptor included, must fit between two doorbells. */
	llq->on = true;
	if (llq->burst_limited && llq->burst < ena_tx_slots(llq, device->limits.tx_segments + 1))
		return "bursts too short for a packet";
	return NULL;
}

int ena_llq_agree(struct ena_device *device)
{
	struct ena_limits *limits = &device->limits;
	struct ena_llq *llq = &device->llq;
	struct ena_hw_llq offer;
	const char *obstacle;
	int error;

	llq->on = false;
	limits->push_bytes = 0;
	if (device->config.no_llq || !device->config.llq_bytes ||
	    !ena_has_feature(device, ENA_HW_F_LLQ))
		return 0;
	error = ena_get_feature(device, ENA_HW_F_LLQ, 0, &offer, sizeof(offer));
	obstacle = error ? "not described" : choose(device, &offer);
	if (!obstacle) {
		error = ena_set_feature(device, ENA_HW_F_LLQ, &offer, sizeof(offer), 0);
		obstacle = error ? "refused" : NULL;
	}
	llq->on = !obstacle;
	if (error == ENA_E_TIMEOUT || error == ENA_E_DEVICE || error == ENA_E_DOWN)
		return error;
	if (obstacle) {
		ena_os_log(device->os, ENA_LOG_WARNING, "no LLQ, TX rings in host memory: %s",
			   obstacle);
		return 0;
	}
	limits->push_bytes = (uint16_t)(llq->entry_bytes - 16 * llq->first_descs);
	limits->max_pairs = (uint16_t)ena_min(limits->max_pairs, offer.max_count);
	limits->max_tx_depth = (uint16_t)ena_min(limits->max_tx_depth, llq->max_depth);
	return 0;
}
