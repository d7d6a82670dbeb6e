/* SPDX-License-Identifier: BSD-3-Clause */
/* What the files of the core share with each other and not with a binding. */
#pragma once

#include "ena.h"

#define ENA_ADMIN_DEPTH 32
#define ENA_AENQ_DEPTH 16
#define ENA_PAGE _Alignas(4096)

/* Memory that the device reads and writes from attach to detach: device->shared. */
struct ena_shared {
	ENA_PAGE struct ena_hw_read_reply read_reply;
	ENA_PAGE struct ena_hw_host_info host_info;
	ENA_PAGE struct ena_hw_event events[ENA_AENQ_DEPTH];
	ENA_PAGE struct ena_hw_command commands[ENA_ADMIN_DEPTH];
	ENA_PAGE struct ena_hw_reply replies[ENA_ADMIN_DEPTH];
	ENA_PAGE union { /* the control buffer, used by the life cycle alone */
		struct ena_hw_hash_key hash_key;
		struct ena_hw_table_entry table[ENA_MAX_TABLE];
	};
};
#define ENA_SHARED(device) ((struct ena_shared *)(device)->shared.memory)
#define ENA_SHARED_ADDRESS(device, member) \
	((device)->shared.address + offsetof(struct ena_shared, member))

/* register.c */
uint32_t ena_read_register(struct ena_device *device, uint32_t offset);
int ena_reset(struct ena_device *device, enum ena_hw_reset_reason reason);
/* Write an address to a pair of registers. */
void ena_write_address(struct ena_device *device, uint32_t low, uint64_t address);
/* Log what the device did wrong, with the value that shows it; returns ENA_E_DEVICE. */
__attribute__((cold)) int ena_device_error(struct ena_device *device, const char *what,
					   uint32_t value);

/* admin.c */
void ena_admin_start(struct ena_device *device);
void ena_admin_stop(struct ena_device *device);
int ena_admin_run(struct ena_device *device, struct ena_hw_command *command,
		  struct ena_hw_reply *reply);
struct ena_hw_address ena_hw_address(uint64_t address);
/* Zeros where the device has no such feature, which is ENA_E_UNSUPPORTED. */
int ena_get_feature(struct ena_device *device, uint8_t number, union ena_hw_feature *feature);
int ena_set_feature(struct ena_device *device, uint8_t number, const union ena_hw_feature *feature,
		    uint32_t control_length);
/* What the device refuses or does not have can be done without: then 0. */
int ena_ignore_unsupported(int error);

/* feature.c, llq.c, rss.c, aenq.c: what attach and every recovery negotiate with the device. */
int ena_features_negotiate(struct ena_device *device);
void ena_hints_apply(struct ena_device *device, const struct ena_hw_hints *hints);
int ena_llq_negotiate(struct ena_device *device);
int ena_rss_negotiate(struct ena_device *device);
int ena_rss_apply(struct ena_device *device);
void ena_aenq_prepare(struct ena_device *device);
int ena_aenq_start(struct ena_device *device);
void ena_aenq_stop(struct ena_device *device);
/* Handle events whose interrupt was lost; called once a second. */
void ena_aenq_rescue(struct ena_device *device);

/* queue.c, tx.c */
int ena_pair_create(struct ena_device *device, uint16_t number);
int ena_pair_destroy(struct ena_device *device, struct ena_pair *pair);
void ena_pair_release(struct ena_device *device, struct ena_pair *pair);
/* Memory within what the device can address. */
int ena_ring_alloc(struct ena_device *device, size_t size, struct ena_dma *dma);
void ena_ring_free(struct ena_device *device, struct ena_dma *dma);
/* Ring slots that so many descriptors take. */
uint8_t ena_tx_slots(const struct ena_llq *llq, uint8_t descs);

#define ENA_TX_CSUM (ENA_TX_CSUM_IP4 | ENA_TX_CSUM_IP6)
#define ENA_TX_TSO (ENA_TX_TSO_IP4 | ENA_TX_TSO_IP6)
#define ENA_RX_OFFLOADS (ENA_RX_CSUM_IP4 | ENA_RX_CSUM_IP6 | ENA_RX_HASH)
#define ena_warn(device, ...) ena_os_log((device)->os, ENA_LOG_WARNING, __VA_ARGS__)

/* Read what the device may be writing exactly once: it is checked after this, never again read. */
#define ENA_READ_ONCE(field) (*(const volatile __typeof__(field) *)&(field))

/* A ring's entries carry 1 in its first turn, 0 in its second, and so on. */
static inline uint8_t ena_phase(uint16_t count, uint16_t depth)
{
	return !(count & depth);
}

static inline bool ena_has_feature(const struct ena_device *device, uint8_t number)
{
	return device->features >> number & 1;
}

static inline uint32_t ena_round_down(uint32_t n)
{
	return n ? 1u << (31 - __builtin_clz(n)) : 0;
}

static inline uint32_t ena_min(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}
