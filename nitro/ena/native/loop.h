/* SPDX-License-Identifier: BSD-3-Clause */
/* The card's inner loop: what the Python model does with a plain packet, done in C.
 *
 * The model is the reference. Each function here does exactly what the model would, or leaves what
 * it meets to the model before any effect: broken rings, rules, memory that is not mapped, whatever
 * is rare. All state is in structures that the model owns, of 64-bit words, so that both work on
 * the same queues in turn; nitro/ena/state.py has the same fields in the same order.
 *
 * The guest may change its memory at any time. What is looked at is copied first, and used from the
 * copy; an address becomes a pointer through the table of mappings, at each use anew.
 */
#ifndef NITRO_LOOP_H
#define NITRO_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/uio.h>

#define LOOP_API __attribute__((visibility("default")))

#define LOOP_REGIONS 256
#define LOOP_QUEUES 128
#define LOOP_WRITES 512
#define LOOP_PARTS 64 /* of a packet; the most that a card allows is lower */
#define LOOP_HEADER 10 /* bytes of a virtio-net header */
/* The parts of a packet: that header, its copied front, slices of guest memory. */
#define LOOP_FRONT 1
#define LOOP_DATA 2

/* Guest memory that may be written: `size` bytes from guest address `base` are at `data`. */
struct loop_region {
	uint64_t base, size;
	uint8_t *data;
};

struct loop_memory {
	uint64_t count;
	struct loop_region region[LOOP_REGIONS];
};

/* A completion queue; `head` runs freely. One that is not plain is for the model alone. */
struct loop_cq {
	uint64_t address, depth, head, plain;
};

/* A vfio-user client, and its writes to registers that the model is to carry out: the offset below,
 * the value above. */
struct loop_client {
	int64_t socket; /* negative: do not answer, nor look whether more have come */
	uint64_t bar0_bytes, listed;
	uint64_t list[LOOP_WRITES];
};

struct loop_tx {
	const struct loop_memory *memory;
	struct loop_cq *cq;
	struct loop_client *client;
	const uint8_t *entries; /* LLQ; NULL for a ring in guest memory, at `ring` */
	uint64_t ring, index, depth;
	uint64_t stride, first, more; /* bytes of an entry, descriptors in it (tx_reader.py) */
	uint64_t header_offset;
	uint64_t max_descriptors, max_frame, offloads, meta_required;
	/* Where the queue stands: counters of 16 bits, the words of the last meta descriptor. */
	uint64_t head, tail, meta0, meta2;
	/* What the last call did. */
	uint64_t packets, bytes, completed;
};

/* A posted buffer. */
struct loop_buffer {
	uint64_t address;
	uint32_t length;
	uint16_t id, slot;
};

struct loop_rx {
	const struct loop_memory *memory;
	struct loop_cq *cq;
	struct loop_buffer *buffers; /* `depth` of them, used from `start` to `end`, which run freely */
	uint64_t ring, index, depth, by_region;
	uint64_t start, end, stopped;
};

/* What is known of a flow, by the bytes that tell it from others. */
struct loop_flow {
	uint64_t key[5];
	uint32_t status, hash;
	uint64_t queue;
};

struct loop_receiver {
	uint8_t *header, *overflow; /* where the port's header goes, and what the buffers do not take */
	uint64_t overflow_bytes;
	struct loop_flow *flows; /* LOOP_FLOWS of them */
	uint8_t *scratch; /* of `overflow_bytes` */
	struct loop_client *client;
	uint64_t max_descriptors, status_mask, hashed;
	uint64_t watched; /* tell of every frame whose sum was left open */
	/* What the last call did: see loop_receive(). */
	uint64_t frames, packets, bytes, length, views, last, hash, sequence;
	uint64_t told, tell[LOOP_QUEUES]; /* queues with new completions, in the order of these */
	struct loop_rx *queue[LOOP_QUEUES];
};

#define LOOP_FLOWS 1024

/* What loop_ask() found. */
#define LOOP_CLIENT 1
#define LOOP_OTHERS 2
#define LOOP_CROWDED 4

/* `length` bytes of guest memory at `address`; NULL if they are not in one region. */
static inline uint8_t *loop_find(const struct loop_memory *memory, uint64_t address,
				 uint64_t length)
{
	for (uint64_t i = 0; i < memory->count; i++) {
		const struct loop_region *region = &memory->region[i];
		uint64_t start = address - region->base;

		if (start <= region->size && length <= region->size - start)
			return region->data + start;
	}
	return NULL;
}

/* The same for words, which must lie as the processor reads and writes them at once. */
static inline volatile uint64_t *loop_words(uint8_t *place)
{
	return (uintptr_t)place & 7 ? NULL : (volatile uint64_t *)place;
}

static inline volatile uint64_t *loop_find_words(const struct loop_memory *memory,
						 uint64_t address, uint64_t length)
{
	return loop_words(loop_find(memory, address, length));
}

/* The phase of the entry that a free-running counter is at. */
static inline uint64_t loop_phase(uint64_t count, uint64_t depth)
{
	return 1 ^ (count / depth & 1);
}

/* Copy bytes that the guest may change meanwhile: from here on only the copy is read. */
static inline void loop_copy(void *to, const void *from, size_t bytes)
{
	memcpy(to, from, bytes);
	__asm__ volatile("" ::: "memory");
}

static inline uint32_t loop_be16(const uint8_t *at)
{
	return (uint32_t)(at[0] << 8 | at[1]);
}

static inline uint32_t loop_le16(const uint8_t *at)
{
	return (uint32_t)(at[1] << 8 | at[0]);
}

static inline void loop_put_be16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

/* sums.c: the sum of 16-bit big-endian words is kept unfolded between calls; `odd` says that a
 * number of bytes that is odd went before. */
uint64_t loop_add(uint64_t sum, const uint8_t *data, size_t bytes, bool odd);
uint32_t loop_fold(uint64_t sum);
uint32_t loop_pseudo(const uint8_t *addresses, size_t bytes, uint32_t protocol, uint32_t length);

/* writes.c */
void loop_answer(struct loop_client *client);

/* offload.c */
struct loop_packet {
	struct iovec part[LOOP_PARTS];
	uint32_t parts, inlined;
	uint32_t w1;
	uint16_t id;
	bool completes, has_meta;
	uint64_t length, head, meta0, meta2;
	uint8_t header[LOOP_HEADER];
	uint8_t front[1024];
};

bool loop_describe(const struct loop_tx *tx, struct loop_packet *packet);

#endif
