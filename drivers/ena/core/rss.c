/* SPDX-License-Identifier: BSD-3-Clause */
/* Which queue a packet received goes to. The table is programmed whenever queues come up, also
 * for one queue: what a real card holds after power-up steers TCP to queues that nobody reads. */
#include "ena_internal.h"

#define USUAL_LOG 7 /* of table entries */
#define MAX_LOG 8

int ena_rss_negotiate(struct ena_device *device)
{
	union ena_hw_feature offer;
	int error = ena_get_feature(device, ENA_HW_F_INDIRECTION, &offer);

	device->limits.table_size = 0;
	device->has_hash_key = false;
	if (error)
		return ena_ignore_unsupported(error);
	uint16_t min_log = ENA_U16(offer.table.min_log), max_log = ENA_U16(offer.table.max_log);
	if (min_log > max_log || min_log > MAX_LOG)
		return 0;
	uint32_t log = ena_min(USUAL_LOG, max_log);
	log = log < min_log ? min_log : log;
	device->limits.table_size = (uint16_t)(1u << log);

	error = ena_get_feature(device, ENA_HW_F_HASH_FUNCTION, &offer);
	device->has_hash_key = !error && ENA_U32(offer.hash.supported) & ENA_HW_TOEPLITZ;
	return ena_ignore_unsupported(error);
}

/* The key is the same after a reset, so flows stay on their queues. Most cards refuse it. */
static int ena_apply_key(struct ena_device *device)
{
	const union ena_hw_feature feature = { .hash.selected = ENA_LE32(ENA_HW_TOEPLITZ) };
	struct ena_hw_hash_key *key = &ENA_SHARED(device)->hash_key;

	*key = (struct ena_hw_hash_key){ .words = ENA_LE32(ENA_HW_HASH_KEY / 4) };
	for (unsigned int i = 0; i < ENA_HW_HASH_KEY; i++)
		key->key[i] = device->config.hash_key[ENA_HW_HASH_KEY - 1 - i];
	return ena_set_feature(device, ENA_HW_F_HASH_FUNCTION, &feature, sizeof(*key));
}

static int ena_apply_table(struct ena_device *device)
{
	uint16_t size = device->limits.table_size;
	const union ena_hw_feature feature = {
		.table = { .log = ENA_LE16(__builtin_ctz(size)),
			   .index = ENA_LE32(ENA_HW_WHOLE_TABLE) },
	};
	struct ena_hw_table_entry *entry = ENA_SHARED(device)->table;

	for (uint16_t i = 0; i < size; i++) {
		if (!device->table_is_set)
			device->table[i] = i % device->pairs;
		/* There may be fewer queues than when the binding set the table. */
		uint16_t pair = device->table[i] % device->pairs;
		ena_le16 index = ENA_LE16(device->pair[pair].rx.sq.index);

		entry[i] = (struct ena_hw_table_entry){ .rx_sq_index = index };
	}
	return ena_set_feature(device, ENA_HW_F_INDIRECTION, &feature, size * sizeof(*entry));
}

int ena_rss_apply(struct ena_device *device)
{
	if (!device->limits.table_size)
		return 0;
	int error = ena_apply_table(device);
	if (error)
		ena_warn(device, "the device takes no RSS table");
	if (device->has_hash_key && !ena_ignore_unsupported(error)) {
		error = ena_apply_key(device);
		device->has_hash_key = !error;
	}
	return ena_ignore_unsupported(error);
}

int ena_set_table(struct ena_device *device, const uint16_t *pairs)
{
	if (!device->limits.table_size)
		return ENA_E_UNSUPPORTED;
	device->table_is_set = pairs;
	for (uint16_t i = 0; pairs && i < device->limits.table_size; i++)
		device->table[i] = pairs[i];
	return device->up ? ena_apply_table(device) : 0;
}
