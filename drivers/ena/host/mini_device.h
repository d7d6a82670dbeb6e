/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A small ENA card in C, for fuzzing and for counting instructions: it is quick and says what a
 * card says, but checks nothing. The faithful model is nitro/ena/.
 *
 * All that it writes to the driver's memory passes through one function, where the bytes of
 * `noise` change, drop or leave it.
 */
#ifndef MINI_DEVICE_H
#define MINI_DEVICE_H

#include "host.h"

#define MINI_LLQ_BYTES (512 << 10)
#define MINI_QUEUES 4

struct mini_queue {
	uint64_t sq, cq;    /* rings in memory; sq 0: LLQ */
	uint16_t depth, cq_depth;
	uint16_t head, tail; /* of submissions, free-running */
	uint16_t done;       /* completions, free-running */
	uint32_t vector;
	bool exists;
};

struct mini_device {
	struct host *host;
	uint8_t *arena;
	size_t size;
	uint64_t address;
	uint32_t status, reg[32]; /* registers as written */
	uint16_t aq_head, aq_tail, events, event_credit;
	bool masked, llq;
	struct mini_queue tx[MINI_QUEUES], rx[MINI_QUEUES];
	uint8_t cq_of[2 * MINI_QUEUES];
	uint64_t cq_ring[2 * MINI_QUEUES];
	uint16_t cq_size[2 * MINI_QUEUES], cq_count;
	uint8_t bar2[MINI_LLQ_BYTES];
	const uint8_t *noise;
	size_t noise_left;
	bool reset_wanted;
};

void mini_device_init(struct mini_device *device, struct host_card *card, void *arena, size_t size,
		      uint64_t address);
/* A packet of `bytes` comes in on a pair: completions for as many buffers as it needs. */
void mini_device_receive(struct mini_device *device, unsigned int pair, uint32_t bytes);
void mini_device_event(struct mini_device *device, uint16_t group, uint16_t syndrome,
		       uint32_t data);
/* The next byte of noise, 0 when there is none left. */
uint8_t mini_device_noise(struct mini_device *device);

#endif
