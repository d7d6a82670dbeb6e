/* SPDX-License-Identifier: BSD-3-Clause */
/* What the files of the core share with each other and not with a binding. */
#ifndef ENA_INTERNAL_H
#define ENA_INTERNAL_H

#include "ena.h"

#define ENA_COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* register.c */
uint32_t ena_read_register(struct ena_device *device, uint32_t offset);
int ena_reset(struct ena_device *device, enum ena_hw_reset_reason reason);
/* Write an address to a pair of registers. */
void ena_write_address(struct ena_device *device, uint32_t low, uint64_t address);
/* Log what the device did wrong, with the value that shows it; returns ENA_E_DEVICE. */
int ena_complain(struct ena_device *device, const char *what, uint32_t value)
	__attribute__((cold));

/* admin.c */
void ena_admin_start(struct ena_device *device);
void ena_admin_stop(struct ena_device *device);
int ena_admin_run(struct ena_device *device, void *command, struct ena_hw_reply *reply);
struct ena_hw_address ena_hw_address(uint64_t address);
/* Features: `size` bytes of payload; `control_length` bytes in admin.control, or 0. That buffer
 * is used by the life cycle alone. */
int ena_get_feature(struct ena_device *device, uint8_t feature, uint8_t version, void *payload,
		    size_t size);
int ena_set_feature(struct ena_device *device, uint8_t feature, const void *payload, size_t size,
		    uint32_t control_length);

/* feature.c, llq.c, rss.c */
int ena_features_agree(struct ena_device *device);
int ena_host_info_send(struct ena_device *device);
void ena_hints_apply(struct ena_device *device, const struct ena_hw_hints *hints);
bool ena_has_feature(const struct ena_device *device, uint8_t feature);
int ena_llq_agree(struct ena_device *device);
int ena_rss_agree(struct ena_device *device);
int ena_rss_apply(struct ena_device *device);

/* aenq.c */
void ena_aenq_prepare(struct ena_device *device);
int ena_aenq_start(struct ena_device *device);
void ena_aenq_stop(struct ena_device *device);

/* queue.c, tx.c */
uint8_t ena_tx_slots(const struct ena_llq *llq, uint8_t descs);
int ena_pair_create(struct ena_device *device, uint16_t number);
int ena_pair_destroy(struct ena_device *device, struct ena_pair *pair);
/* Memory for a ring, within what the device can address. */
int ena_ring_alloc(struct ena_device *device, size_t size, struct ena_dma *dma);
void ena_ring_free(struct ena_device *device, struct ena_dma *dma);
void ena_pair_release(struct ena_device *device, struct ena_pair *pair);

static inline void ena_copy(void *to, const void *from, size_t bytes)
{
	__builtin_memcpy(to, from, bytes);
}

static inline void ena_clear(void *memory, size_t bytes)
{
	__builtin_memset(memory, 0, bytes);
}

/* Read what the device may be writing exactly once: it is checked after this, never again read. */
static inline uint8_t ena_load8(const void *memory)
{
	return *(const volatile uint8_t *)memory;
}

static inline uint32_t ena_load32(const void *memory)
{
	return *(const volatile uint32_t *)memory;
}

static inline void ena_load(void *to, const void *from, size_t words)
{
	typedef uint32_t __attribute__((may_alias)) word;

	for (size_t i = 0; i < words; i++)
		((word *)to)[i] = ((const volatile word *)from)[i];
}

/* Counters and indices that another thread looks at. */
#define ENA_SEE(variable) __atomic_load_n(&(variable), __ATOMIC_ACQUIRE)
#define ENA_SHOW(variable, value) __atomic_store_n(&(variable), (value), __ATOMIC_RELEASE)

static inline bool ena_is_power_of_two(uint32_t n)
{
	return n && !(n & (n - 1));
}

static inline uint32_t ena_round_down(uint32_t n)
{
	return n ? 1u << (31 - __builtin_clz(n)) : 0;
}

static inline uint32_t ena_min(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

#endif
