/* SPDX-License-Identifier: BSD-3-Clause */
/* The driver, as a binding sees it.
 *
 * Life of a card:
 *
 *     ena_attach ── ena_up ── traffic ── ena_down ── ena_detach
 *                     │                    │
 *                     └─── ena_recover ────┘
 *
 * Threads. Calls of the life cycle, ena_watchdog included, come from one thread at a time.
 * ena_interrupt may run beside everything. Of each queue, one thread sends, one takes TX
 * completions, one receives; these may be three. While the life cycle changes (all but
 * ena_watchdog and statistics), none of the last three may run: the binding stops them first.
 *
 * Packets stay the binding's. A queue has ids 0 to depth-1; the binding keeps what belongs to an
 * id in an array of its own. After ena_down, ena_recover's first half or a failed ena_up the
 * device touches no memory any more and every id is free: the binding releases what it kept.
 *
 * Functions return 0 or a negative enum ena_error. */
#pragma once

#include "ena_hw.h"
#include "ena_os.h"

#define ENA_MAX_PAIRS 32     /* as many as the fastest instance types have */
#define ENA_MAX_DEPTH 1024
#define ENA_MIN_DEPTH 128    /* what a ring is halved down to when the device is short of memory */
#define ENA_MAX_MTU 9216
#define ENA_MIN_MTU 68       /* the least that IPv4 allows */
#define ENA_MAX_SEGMENTS 18  /* of a packet to send, beside the header pushed inline */
#define ENA_MAX_FRAGMENTS 17 /* of a packet received */
#define ENA_MAX_PUSH 224     /* header bytes in a 256-byte LLQ entry */
#define ENA_MAX_TABLE 256    /* entries of the RSS table */
#define ENA_MAX_DELAY 32767  /* microseconds that an interrupt may be held back */

enum ena_error {
	ENA_E_MEMORY = -1,      /* no memory, here or in the device */
	ENA_E_TIMEOUT = -2,     /* the device did not answer */
	ENA_E_REFUSED = -3,     /* the device said no */
	ENA_E_UNSUPPORTED = -4, /* the device does not have this */
	ENA_E_DEVICE = -5,      /* the device broke a rule */
	ENA_E_ARGUMENT = -6,    /* the binding did */
	ENA_E_FULL = -7,        /* no room in the ring */
	ENA_E_DOWN = -8,        /* a reset is due */
};

/* What the binding knows of the card and the machine; strings may be NULL. */
struct ena_config {
	struct ena_os *os;
	uint32_t register_bytes; /* of BAR 0 */
	uint32_t llq_bytes;      /* of BAR 2 as mapped; 0: there is none */
	bool plain_reads;        /* PCI revision bit 0: registers are read by loads alone */
	uint16_t pci_address, cpus;
	uint16_t vectors;        /* MSI-X: vector 0 calls ena_interrupt, 1 + n polls pair n */
	uint32_t os_type;        /* as the device numbers them; 1: Linux and what resembles it */
	const char *os_name, *os_version;
	uint16_t llq_entry;      /* 128, 256, or 0: as the device recommends */
	bool no_llq;             /* keep TX rings in host memory */
	uint8_t hash_key[ENA_HW_HASH_KEY];
};

/* Offloads, the same names for what the device can do and what a packet asks for. TX: a TCP or
 * UDP checksum, or segmentation. The bits are the device's, those of RX moved up a byte. */
enum {
	ENA_TX_CSUM_IP4 = 1 << 1, ENA_TX_CSUM_IP6 = 1 << 3,
	ENA_TX_TSO_IP4 = 1 << 5, ENA_TX_TSO_IP6 = 1 << 6,
	ENA_RX_CSUM_IP4 = 1 << 9, ENA_RX_CSUM_IP6 = 1 << 10, ENA_RX_HASH = 1 << 11,
};

/* What was agreed with the device; valid after ena_attach. */
struct ena_limits {
	uint8_t mac[6];
	uint8_t tx_segments; /* most of one packet */
	uint16_t max_pairs, max_tx_depth, max_rx_depth;
	uint32_t max_mtu, offloads;
	uint16_t table_size; /* RSS table entries; 0: the device has none */
	uint16_t push_bytes; /* LLQ: header bytes to hand over inline; 0: host placement */
	uint16_t delay_unit; /* moderation: microseconds; 0: the device has none */
};

struct ena_segment { uint64_t address; uint32_t length; }; /* 1 to 65,535 bytes */

/* A packet to send. `header` holds its first header_bytes bytes, which the segments then leave
 * out: min(packet, push_bytes) with LLQ, none without. */
struct ena_tx_packet {
	const void *header;
	uint16_t header_bytes;
	uint8_t segment_count;
	const struct ena_segment *segments;
	uint32_t offloads; /* one of the ENA_TX_ bits, or 0 */
	bool udp, dont_fragment; /* the checksum is UDP's, not TCP's; IPv4's DF bit */
	uint16_t mss;
	uint8_t l3_offset, l3_bytes, l4_bytes;
};

struct ena_rx_fragment {
	uint16_t id, offset; /* where the data begins in the buffer */
	uint32_t length;
};

struct ena_rx_packet {
	struct ena_rx_fragment fragment[ENA_MAX_FRAGMENTS];
	uint8_t count;
	uint32_t length, hash;
	bool hash_is_l4;    /* TCP or UDP ports went into it */
	bool checksum_good; /* the device checked the TCP or UDP checksum and found it right */
};

/* Counters, by name: a binding makes its lists of them from these. Each has one writer: the
 * sender, or who takes completions. */
#define ENA_TX_STATS(_) \
	_(packets) _(bytes) _(doorbells) _(llq_entries) _(meta_descs) _(completions) \
	_(bad_completions)
#define ENA_RX_STATS(_) \
	_(packets) _(bytes) _(checksum_good) _(multi_buffer) _(posted) _(doorbells) \
	_(bad_completions)
#define ENA_DEVICE_STATS(_) \
	_(resets) _(failed_recoveries) _(read_timeouts) _(admin_commands) _(admin_timeouts) \
	_(admin_lost_interrupts) _(admin_stray) _(events) _(bad_events) _(keep_alives) \
	_(link_changes) _(lost_interrupts) _(device_tx_drops) _(device_rx_drops) \
	_(device_rx_overruns)
/* Packets that AWS held back, since the card started; in the device's order. */
#define ENA_ALLOWANCES(_) _(bw_in) _(bw_out) _(pps) _(conntrack) _(linklocal)
#define ENA_COUNTER(name) uint64_t name;

struct ena_tx_stats { ENA_TX_STATS(ENA_COUNTER) };
struct ena_rx_stats { ENA_RX_STATS(ENA_COUNTER) };
struct ena_device_stats { ENA_DEVICE_STATS(ENA_COUNTER) };
struct ena_allowances { ENA_ALLOWANCES(ENA_COUNTER) };

/* A ring of completions, which the device writes (cq), or of submissions (sq). */
struct ena_ring {
	struct ena_dma dma;            /* none when the ring lies in the device (LLQ) */
	bool exists;
	uint16_t index, depth;         /* the device's number for it; entries */
	uint16_t count, rung;          /* free-running: entries so far; as of the last doorbell */
	uint32_t register_offset;      /* of the doorbell, or to unmask the interrupt */
	uint32_t llq_offset;
};

struct ena_tx {
	struct ena_device *device;
	struct ena_ring sq, cq;
	bool broken;                      /* waits for a reset */
	/* The sender's. */
	uint16_t limit;                   /* ring slots in use at the same time */
	uint8_t worst;                    /* ring slots that the largest packet takes */
	uint16_t ids_taken;               /* free-running */
	uint16_t burst_left;              /* LLQ entries until a doorbell must come */
	struct ena_hw_tx_desc meta;       /* the last meta descriptor, which the device caches */
	/* A packet's descriptors and an LLQ entry. Some kernels clear what stands on the stack. */
	struct ena_hw_tx_desc desc[ENA_MAX_SEGMENTS + 1], entry[16] __attribute__((aligned(8)));
	/* The completer's. */
	uint16_t ids_given, slots_freed;  /* free-running; the latter follows sq.count */
	uint16_t free_ids[ENA_MAX_DEPTH]; /* a ring: completions put, the sender takes */
	uint8_t slots[ENA_MAX_DEPTH];     /* of each id: ring slots it uses, 0 when it is free */
	struct ena_tx_stats sent;
	/* The watchdog's. */
	uint16_t seen_freed;
	uint8_t stuck_ticks;
};

struct ena_rx {
	struct ena_device *device;
	struct ena_ring sq, cq;
	bool broken;
	uint16_t limit, free_count;       /* buffers posted at the same time; ids on the stack */
	uint16_t free_ids[ENA_MAX_DEPTH]; /* a stack */
	uint32_t lengths[ENA_MAX_DEPTH];  /* of each id: bytes posted, 0 when it is free */
	struct ena_rx_stats received;
};

struct ena_pair {
	struct ena_tx tx;
	struct ena_rx rx;
	/* The watchdog's: counts of both completion rings when it last looked, and seconds. */
	uint16_t seen_counts[2];
	uint8_t waiting_ticks, rescue_ticks;
};

struct ena_device {
	struct ena_config config;
	struct ena_os *os;
	struct ena_limits limits;
	struct ena_device_stats stats;
	struct { uint16_t tail; bool alive; uint32_t timeout; } admin; /* tail: free-running */
	struct {
		uint16_t head;               /* free-running */
		bool running, keep_alive_offered;
		uint64_t last_keep_alive;    /* microseconds */
		uint32_t keep_alive_timeout; /* microseconds; 0: never */
	} aenq;
	struct ena_llq {
		bool on;
		uint8_t first_descs, more_descs; /* before the header; in each further entry */
		uint16_t entry_bytes, burst; /* the latter: entries between two doorbells */
		uint32_t max_depth;
	} llq;
	struct ena_dma shared;               /* with the device, from attach to detach */
	uint16_t read_sequence;
	uint32_t read_timeout;               /* microseconds */
	bool plain_reads;                    /* readless reads are off, or failed */
	uint32_t interrupts;                 /* of vector 0, so far */
	uint32_t features, capabilities;
	uint8_t address_bits;
	uint8_t header_size, rx_descs;       /* most a TX descriptor announces; of one packet */
	bool started, up, reset_wanted;      /* features are agreed on; queues exist; it is due */
	enum ena_hw_reset_reason reset_reason;
	uint32_t missing_tx_ticks;           /* seconds without progress; 0: never */
	uint32_t mtu;
	uint16_t pairs, tx_depth, rx_depth;  /* of the queues that are up */
	uint16_t table[ENA_MAX_TABLE];       /* RSS: pair numbers */
	bool table_is_set, has_hash_key;     /* by the binding: do not spread evenly */
	uint16_t pair_count;                 /* of the array, as there are vectors */
	struct ena_pair *pair;
};

/* --- Life cycle (device.c) --- */

/* Reset the card, agree on features, start events. `device` is zeroed memory of the binding's. */
int ena_attach(struct ena_device *device, const struct ena_config *config);
/* Reset the card and release everything. Right after a failed ena_attach it is not needed. */
void ena_detach(struct ena_device *device);
/* Create queues. Depths are powers of two; both are halved when the device is short of memory:
 * see the fields of the same name. Then the binding posts RX buffers and unmasks the pairs. */
int ena_up(struct ena_device *device, uint16_t pairs, uint16_t tx_depth, uint16_t rx_depth);
void ena_down(struct ena_device *device);
/* Recovery after ena_os_want_reset: stop traffic, ena_halt, release packets, ena_recover, and if
 * the card was up, ena_up, post buffers, unmask. ena_recover tries three times. */
void ena_halt(struct ena_device *device);
int ena_recover(struct ena_device *device);
/* Ask for a reset from outside: on the user's wish or because the system saw TX stand still. */
void ena_want_reset(struct ena_device *device, enum ena_hw_reset_reason reason);
int ena_set_mtu(struct ena_device *device, uint32_t mtu);
/* Fill the RSS table, limits.table_size pair numbers; NULL: spread evenly. */
int ena_set_table(struct ena_device *device, const uint16_t *pairs);
int ena_get_allowances(struct ena_device *device, struct ena_allowances *allowances);

/* What vector 0 calls (aenq.c); what lets vector 1 + pair come again (queue.c); once a second. */
void ena_interrupt(struct ena_device *device);
void ena_unmask(struct ena_device *device, uint16_t pair, uint16_t rx_delay, uint16_t tx_delay);
void ena_watchdog(struct ena_device *device);

/* --- Data path (tx.c, rx.c) --- */

/* Counters and indices that another thread looks at. */
#define ENA_SEE(variable) __atomic_load_n(&(variable), __ATOMIC_ACQUIRE)
#define ENA_SHOW(variable, value) __atomic_store_n(&(variable), (value), __ATOMIC_RELEASE)

/* Whether any packet within the limits fits. */
static inline bool ena_tx_has_room(const struct ena_tx *tx)
{
	return tx->limit - (uint16_t)(tx->sq.count - ENA_SEE(tx->slots_freed)) >= tx->worst;
}
/* The id that the next ena_tx_send gives its packet. Ids never run out before slots do. */
static inline uint16_t ena_tx_next_id(const struct ena_tx *tx)
{
	return tx->free_ids[tx->ids_taken & (tx->sq.depth - 1)];
}
int ena_tx_send(struct ena_tx *tx, const struct ena_tx_packet *packet);
void ena_tx_ring(struct ena_tx *tx);
/* 1 and the id of a packet that was sent; 0: none yet; negative: a reset has been asked for. */
int ena_tx_done(struct ena_tx *tx, uint16_t *id);

/* Buffers that the ring still takes. */
static inline unsigned int ena_rx_room(const struct ena_rx *rx)
{
	return rx->broken ? 0 : rx->limit - (rx->sq.depth - rx->free_count);
}
/* The id that the next ena_rx_post gives its buffer; only when there is room. */
static inline uint16_t ena_rx_next_id(const struct ena_rx *rx)
{
	return rx->free_ids[rx->free_count - 1];
}
/* Give the device a buffer of 1 to 65,536 bytes; false: the ring is full. */
bool ena_rx_post(struct ena_rx *rx, uint64_t address, uint32_t length);
void ena_rx_ring(struct ena_rx *rx);
/* 1 and a packet, whose ids are free again; 0: none yet; negative: a reset has been asked for. */
int ena_rx_next(struct ena_rx *rx, struct ena_rx_packet *packet);
