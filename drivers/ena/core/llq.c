/* SPDX-License-Identifier: BSD-3-Clause */
/* Agreeing on LLQ: TX rings that lie in the device, with packet headers inline. Whatever does
 * not fit ends in host placement, which every older card has; TX itself is in tx.c. */
#include "ena_internal.h"

static const struct ena_llq HOST_PLACEMENT = {
	.first_descs = 1, .more_descs = 1, .entry_bytes = 16, .burst = 0xffff,
};

/* Choose of what is offered, into the fields of the choice; returns what does not fit. */
static const char *ena_llq_choose(struct ena_device *device, struct ena_hw_llq *offer,
				  struct ena_llq *llq)
{
	const uint16_t size[] = { ENA_HW_LLQ_ENTRY_128, ENA_HW_LLQ_ENTRY_256 };

	if (!(ENA_U16(offer->header_location) & ENA_HW_LLQ_INLINE_HEADER))
		return "no inline headers";
	offer->header_location_chosen = ENA_LE16(ENA_HW_LLQ_INLINE_HEADER);

	bool wide = device->config.llq_entry ? device->config.llq_entry == 256 :
					       offer->recommended_entry_size == size[1];
	if (!(ENA_U16(offer->entry_size) & size[wide]))
		wide = !wide;
	if (!(ENA_U16(offer->entry_size) & size[wide]))
		return "no entry size of 128 or 256 bytes";
	offer->entry_size_chosen = ENA_LE16(size[wide]);
	llq->entry_bytes = wide ? 256 : 128;
	uint32_t wide_depth = ENA_U16(offer->max_wide_depth) ?: ENA_U32(offer->max_depth) / 2;
	llq->max_depth = ena_round_down(wide ? wide_depth : ENA_U32(offer->max_depth));
	if (!offer->max_count || llq->max_depth < ENA_MIN_DEPTH)
		return "too few or too small queues";

	/* Two, the meta descriptor and one more, leaves the most room for the header. */
	llq->first_descs = ENA_U16(offer->descs_before_header) & 2 ? 2 : 4;
	offer->descs_before_header_chosen = ENA_LE16(llq->first_descs);
	if (!(offer->descs_before_header & offer->descs_before_header_chosen))
		return "too few descriptors before the header";
	bool multiple = ENA_U16(offer->stride) & ENA_HW_LLQ_STRIDE_MULTIPLE;
	offer->stride_chosen = ENA_LE16(multiple ? ENA_HW_LLQ_STRIDE_MULTIPLE :
						    ENA_HW_LLQ_STRIDE_SINGLE);
	if (!(offer->stride & offer->stride_chosen))
		return "no stride";
	llq->more_descs = multiple ? (uint8_t)(llq->entry_bytes / 16) : 1;

	offer->flags &= ENA_LE16(ENA_HW_LLQ_NO_META_CACHE | ENA_HW_LLQ_BURST_LIMIT);
	if (ENA_U16(offer->flags) & ENA_HW_LLQ_BURST_LIMIT)
		llq->burst = (uint16_t)(ENA_U16(offer->max_burst) / llq->entry_bytes);
	/* The largest packet, its meta descriptor included, must fit between two doorbells. */
	if (llq->burst < ena_tx_slots(llq, device->limits.tx_segments + 1))
		return "bursts too short for a packet";
	return NULL;
}

int ena_llq_negotiate(struct ena_device *device)
{
	struct ena_limits *limits = &device->limits;
	struct ena_llq llq = HOST_PLACEMENT;
	union ena_hw_feature offer;

	device->llq = HOST_PLACEMENT;
	limits->push_bytes = 0;
	if (device->config.no_llq || !device->config.llq_bytes ||
	    !ena_has_feature(device, ENA_HW_F_LLQ))
		return 0;
	int error = ena_get_feature(device, ENA_HW_F_LLQ, &offer);
	const char *obstacle = error ? "not described" : ena_llq_choose(device, &offer.llq, &llq);
	if (!obstacle) {
		error = ena_set_feature(device, ENA_HW_F_LLQ, &offer, 0);
		obstacle = error ? "refused" : NULL;
	}
	if (obstacle) {
		ena_warn(device, "no LLQ, TX rings in host memory: %s", obstacle);
		return error == ENA_E_MEMORY ? 0 : ena_ignore_unsupported(error);
	}
	llq.on = true;
	device->llq = llq;
	limits->push_bytes = (uint16_t)(llq.entry_bytes - 16 * llq.first_descs);
	limits->max_pairs = (uint16_t)ena_min(limits->max_pairs, ENA_U32(offer.llq.max_count));
	limits->max_tx_depth = (uint16_t)ena_min(limits->max_tx_depth, llq.max_depth);
	return 0;
}
