/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which queue a packet received goes to. The table is programmed whenever queues come up, also
 * for one queue: what a real card holds after power-up steers TCP to queues that nobody reads.
 */
#include "ena_internal.h"

#define USUAL_LOG 7

static bool tolerable(int error)
{
	return !error || error == ENA_E_UNSUPPORTED || error == ENA_E_REFUSED;
}

int ena_rss_agree(struct ena_device *device)
{
	struct ena_hw_indirection table;
	struct ena_hw_hash_function function;
	uint32_t log = USUAL_LOG;
	int error;

	device->limits.table_size = 0;
	device->has_hash_key = false;
	if (ena_has_feature(device, ENA_HW_F_INDIRECTION)) {
		error = ena_get_feature(device, ENA_HW_F_INDIRECTION, 0, &table, sizeof(table));
		if (!tolerable(error))
			return error;
		if (!error) {
			log = log < table.min_log ? table.min_log : ena_min(log, table.max_log);
			if (log < 9 && 1u << log <= ENA_MAX_TABLE && table.min_log <= table.max_log)
				device->limits.table_size = (uint16_t)(1u << log);
		}
	}
	if (device->limits.table_size && ena_has_feature(device, ENA_HW_F_HASH_FUNCTION)) {
		error = ena_get_feature(device, ENA_HW_F_HASH_FUNCTION, 0, &function,
					sizeof(function));
		if (!tolerable(error))
			return error;
		device->has_hash_key = !error && function.supported & ENA_HW_TOEPLITZ;
	}
	return 0;
}

/* The key is the same after a reset, so flows stay on their queues. Most cards refuse it. */
static int apply_key(struct ena_device *device)
{
	struct ena_hw_hash_function function = { .selected = ENA_HW_TOEPLITZ };
	struct ena_hw_hash_key *key = device->admin.control.memory;

	ena_clear(key, sizeof(*key));
	key->words = ENA_HW_HASH_KEY / 4;
	for (unsigned int i = 0; i < ENA_HW_HASH_KEY; i++)
		key->key[i] = device->config.hash_key[ENA_HW_HASH_KEY - 1 - i];
	return ena_set_feature(device, ENA_HW_F_HASH_FUNCTION, &function, sizeof(function),
			       sizeof(*key));
}

static int apply_table(struct ena_device *device)
{
	uint16_t size = device->limits.table_size;
	struct ena_hw_indirection_entry *entry = device->admin.control.memory;
	struct ena_hw_indirection table = {
		.log = (uint16_t)__builtin_ctz(size),
		.index = ENA_HW_WHOLE_TABLE,
	};

	for (uint16_t i = 0; i < size; i++) {
		if (!device->table_is_set)
			device->table[i] = i % device->pairs;
		/* There may be fewer queues than when the binding set the table. */
		entry[i].rx_sq_index =
			device->pair[device->table[i] % device->pairs].rx.sq.index;
		entry[i].zero = 0;
	}
	return ena_set_feature(device, ENA_HW_F_INDIRECTION, &table, sizeof(table),
			       size * (uint32_t)sizeof(*entry));
}

int ena_rss_apply(struct ena_device *device)
{
	int error;

	_Static_assert(ENA_MAX_TABLE * sizeof(struct ena_hw_indirection_entry) <= 4096,
		       "the table fits the control buffer");
	if (!device->limits.table_size)
		return 0;
	error = apply_table(device);
	if (error && tolerable(error))
		ena_os_log(device->os, ENA_LOG_WARNING,
			   "the device takes no RSS table");
	if (tolerable(error) && device->has_hash_key) {
		error = apply_key(device);
		device->has_hash_key = !error;
	}
	return tolerable(error) ? 0 : error;
}

int ena_set_table(struct ena_device *device, const uint16_t *pairs)
{
	if (!device->limits.table_size)
		return ENA_E_UNSUPPORTED;
	device->table_is_set = pairs;
	for (uint16_t i = 0; pairs && i < device->limits.table_size; i++)
		device->table[i] = pairs[i];
	return device->up ? apply_table(device) : 0;
}
