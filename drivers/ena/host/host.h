/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The core in an ordinary process. The card is whatever answers the callbacks: the Python model
 * through ctypes (tests), or mini_device.c (fuzzing, counting instructions).
 *
 * Time is virtual: it moves when the core sleeps or host_advance is called, so timeouts cost
 * nothing and every run repeats. There is one thread; the callbacks may call back in.
 */
#ifndef HOST_H
#define HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct host;

struct host_card {
	void *context;
	uint32_t (*read)(void *context, uint32_t offset);
	void (*write)(void *context, uint32_t offset, uint32_t value);
	void (*write_llq)(void *context, uint32_t offset, const void *bytes, uint32_t size);
	/* Time passed: the card works on what it has been told, and may raise interrupts. */
	void (*run)(void *context, uint32_t microseconds);
	void (*bus_master)(void *context, bool on);
	/* News for the test. */
	void (*link)(void *context, bool up);
	void (*want_reset)(void *context);
	void (*want_poll)(void *context, uint32_t pair);
	void (*log)(void *context, int level, const char *line);
};

struct host_options {
	uint32_t vectors;
	uint32_t llq_bytes;
	uint32_t llq_entry;
	uint32_t no_llq;
	uint32_t plain_reads;
};

struct host_packet {
	uint32_t length;
	uint32_t segment_bytes; /* cut into segments of this size */
	uint32_t offloads;      /* ENA_TX_ bits of ena.h */
	uint32_t udp, mss;
	uint32_t l3_offset, l3_bytes, l4_bytes;
};

struct host_received {
	uint32_t length, fragments, hash, hash_is_l4, checksum_good;
};

/* `arena` is the memory that card and driver share, at `address` for the card. */
struct host *host_new(const struct host_card *card, void *arena, size_t size, uint64_t address);
/* Returns the bytes that were still allocated: 0 after a detach. */
size_t host_delete(struct host *host);

int host_attach(struct host *host, const struct host_options *options);
void host_detach(struct host *host);
int host_up(struct host *host, uint16_t pairs, uint16_t tx_depth, uint16_t rx_depth,
	    uint32_t buffer_bytes);
void host_down(struct host *host);
int host_recover(struct host *host); /* all of it: halt, recover, and up if it was up */
int host_set_mtu(struct host *host, uint32_t mtu);
int host_set_table(struct host *host, const uint16_t *pairs);
int host_allowances(struct host *host, uint64_t *five);

void host_interrupt(struct host *host);
void host_unmask(struct host *host, uint16_t pair, uint16_t rx_delay, uint16_t tx_delay);
void host_advance(struct host *host, uint32_t microseconds);
void host_watchdog(struct host *host);

int host_send(struct host *host, uint16_t pair, const uint8_t *frame,
	      const struct host_packet *packet);
void host_ring(struct host *host, uint16_t pair);
int host_complete(struct host *host, uint16_t pair); /* packets, or a negative error */
int host_fill(struct host *host, uint16_t pair);     /* buffers posted */
int host_receive(struct host *host, uint16_t pair, uint8_t *frame, uint32_t room,
		 struct host_received *received);

/* A field of ena_limits or of the state, or a counter ("tx0.packets", "device.resets"). */
uint64_t host_value(struct host *host, const char *name);
void host_mac(struct host *host, uint8_t mac[6]);

#endif
