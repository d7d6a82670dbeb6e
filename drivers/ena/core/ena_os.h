/* SPDX-License-Identifier: BSD-3-Clause */
/* The operating system, as the core sees it. A binding implements these functions and nothing
 * else; the core calls no other and includes no other header than the compiler's own.
 *
 * May be called from an interrupt: ena_os_read, ena_os_write, the barriers, ena_os_now,
 * ena_os_wake, ena_os_log, ena_os_link, ena_os_want_reset, ena_os_want_poll. All others are
 * called only where sleeping is allowed. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One card, as the binding knows it. The core only passes it back. */
struct ena_os;

/* Memory that the device reads and writes too: contiguous, page aligned, below 2^48. */
struct ena_dma {
	void *memory;
	uint64_t address; /* as the device sees it */
	size_t size;      /* bytes; 0: not allocated */
};

enum ena_log_level { ENA_LOG_ERROR, ENA_LOG_WARNING };

/* Registers. `offset` was checked against the size of the BAR. */
uint32_t ena_os_read(struct ena_os *os, uint32_t offset);
void ena_os_write(struct ena_os *os, uint32_t offset, uint32_t value);
/* Copy `words` 64-bit words to `offset` of BAR 2, in order, each in one store. */
void ena_os_write_llq(struct ena_os *os, uint32_t offset, const uint64_t *source, size_t words);

/* Memory, zeroed. False or NULL: there is none. Nothing is allocated on the data path. */
bool ena_os_dma_alloc(struct ena_os *os, size_t size, struct ena_dma *dma);
void ena_os_dma_free(struct ena_os *os, struct ena_dma *dma);
void *ena_os_alloc(struct ena_os *os, size_t size);
void ena_os_free(struct ena_os *os, void *memory);
/* Let the device read and write memory, or cut it off: what remains when it ignores a reset. */
void ena_os_bus_master(struct ena_os *os, bool on);

/* Barriers: between stores to memory and a doorbell, between a phase bit and what it guards,
 * between stores to BAR 2 and a doorbell. */
void ena_os_write_barrier(void);
void ena_os_read_barrier(void);
void ena_os_llq_barrier(void);

/* Time in microseconds, from any start, never going back; and a pause of about that long. */
uint64_t ena_os_now(struct ena_os *os);
void ena_os_sleep(struct ena_os *os, uint32_t microseconds);

/* One lock for the admin queue; its holder may sleep. */
void ena_os_lock(struct ena_os *os);
void ena_os_unlock(struct ena_os *os);

/* Sleep until ena_os_wake or for so long. A wake that came before the wait ends it at once. */
void ena_os_wait(struct ena_os *os, uint32_t microseconds);
void ena_os_wake(struct ena_os *os);
/* Return when no ena_interrupt that began before this call is still running. */
void ena_os_drain_interrupt(struct ena_os *os);

/* News for the binding. A reset is asked for once; the binding then runs the recovery that
 * ena.h describes, later and elsewhere. A poll is wanted when an interrupt seems lost. */
void ena_os_link(struct ena_os *os, bool up);
void ena_os_want_reset(struct ena_os *os);
void ena_os_want_poll(struct ena_os *os, unsigned int pair);

void ena_os_log(struct ena_os *os, enum ena_log_level level, const char *format, ...)
	__attribute__((format(printf, 3, 4), cold));
