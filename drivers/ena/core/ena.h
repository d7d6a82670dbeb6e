/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The driver, as a binding sees it.
 *
 * Life of a card:
 *
 *     ena_attach ── ena_up ── traffic ── ena_down ── ena_detach
 *                     │                    │
 *                     └─── ena_recover ────┘
 *
 * Threads. The calls of the life cycle, ena_watchdog included, come from one thread at a time.
 * ena_interrupt may run beside everything. Of each queue, one thread sends, one takes TX
 * completions and one receives; these may be three. While the life cycle changes (every call but
 * ena_watchdog and the statistics), none of the last three may run: the binding stops them first.
 *
 * Memory order. A variable that another thread reads is written with ENA_STORE_RELEASE and read
 * with ENA_LOAD_ACQUIRE; each has one writer. Memory that the device writes is read once, into a
 * variable, and checked there.
 *
 * Counters run freely. A ring's index is its counter modulo its depth, a power of two; how many
 * entries are in use is the difference of two counters, in 16 bits.
 *
 * Packets stay the binding's. A queue has ids from 0 to depth - 1; the binding keeps what belongs
 * to an id in an array of its own. After ena_down, ena_halt or a failed ena_up the device touches
 * no memory any more and every id is free: the binding releases what it kept.
 *
 * Functions return 0 or a negative enum ena_error.
 */
#pragma once

#include "ena_hw.h"
#include "ena_os.h"

#define ENA_MAX_PAIRS 32     /* as many as the fastest instance types have */
#define ENA_MAX_DEPTH 1024
#define ENA_MIN_DEPTH 128    /* what a ring is halved down to when the device is short of memory */
#define ENA_MAX_MTU 9216
#define ENA_MIN_MTU 128      /* the least that the device takes */
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

/* What the binding knows of the card and the machine. */
struct ena_config {
	struct ena_os *os;
	uint32_t register_bytes;  /* size of BAR 0 */
	uint32_t llq_bytes;       /* size of BAR 2 as mapped; 0: not mapped */
	bool plain_reads;         /* PCI revision bit 0: no readless reads */
	uint16_t pci_address;     /* bus << 8 | device << 3 | function */
	uint16_t cpus;            /* processors of the machine */
	uint16_t vectors;         /* MSI-X: 0 calls ena_interrupt, 1 + n polls pair n; 0: polled */
	uint32_t os_type;         /* as the device numbers systems; 1: Linux and its like */
	const char *os_name;      /* may be NULL */
	const char *os_version;   /* may be NULL */
	uint16_t llq_entry;       /* 128 or 256 bytes; 0: as the device recommends */
	bool no_llq;              /* keep TX rings in host memory */
	uint8_t hash_key[ENA_HW_HASH_KEY];
};

/* Offloads, the same names for what the device can do and what a packet asks for. TX: a TCP or
 * UDP checksum, or segmentation. The bits are the device's, those of RX shifted by eight. */
enum {
	ENA_TX_CSUM_IP4 = 1 << 1,
	ENA_TX_CSUM_IP6 = 1 << 3,
	ENA_TX_TSO_IP4 = 1 << 5,
	ENA_TX_TSO_IP6 = 1 << 6,
	ENA_RX_CSUM_IP4 = 1 << 9,
	ENA_RX_CSUM_IP6 = 1 << 10,
	ENA_RX_HASH = 1 << 11,
};

/* What was negotiated with the device; valid after ena_attach. */
struct ena_limits {
	uint8_t mac[6];
	uint8_t tx_segments;      /* most segments of one packet */
	uint16_t max_pairs;
	uint16_t max_tx_depth;
	uint16_t max_rx_depth;
	uint32_t max_mtu;         /* bytes, without the Ethernet header */
	uint32_t offloads;        /* ENA_TX_ and ENA_RX_ bits */
	uint16_t table_size;      /* entries of the RSS table; 0: the device has none */
	uint16_t push_bytes;      /* LLQ: header bytes to pass inline; 0: rings in host memory */
	uint16_t delay_unit;      /* of interrupt moderation: microseconds; 0: there is none */
};

struct ena_segment {
	uint64_t address;         /* as the device sees it */
	uint32_t length;          /* 1 to 65,535 bytes */
};

/* A packet to send. */
struct ena_tx_packet {
	const void *header;       /* the first header_bytes bytes, which no segment has */
	uint16_t header_bytes;    /* min(packet, push_bytes); 0 without LLQ */
	uint8_t segment_count;
	const struct ena_segment *segments;
	uint32_t offloads;        /* one of the ENA_TX_ bits, or 0 */
	bool udp;                 /* the checksum is UDP's, not TCP's */
	bool dont_fragment;       /* the DF bit of IPv4 */
	uint16_t mss;             /* with segmentation: payload bytes of a segment */
	uint8_t l3_offset;        /* bytes before the IP header */
	uint8_t l3_bytes;         /* of the IP header */
	uint8_t l4_bytes;         /* of the TCP header */
};

/* A part of a packet received: one buffer. */
struct ena_rx_fragment {
	uint16_t id;              /* of the buffer */
	uint16_t offset;          /* where the data begins in it */
	uint32_t length;          /* bytes */
};

struct ena_rx_packet {
	struct ena_rx_fragment fragment[ENA_MAX_FRAGMENTS];
	uint8_t count;            /* of fragments */
	uint32_t length;          /* bytes of all fragments */
	uint32_t hash;            /* that RSS chose the queue by */
	bool hash_is_l4;          /* TCP or UDP ports went into it */
	bool checksum_good;       /* the device found the TCP or UDP checksum right */
};

/* Counters, by name: a binding makes its lists of them from these. Each has one writer: the
 * sender, or who takes completions. */
#define ENA_TX_STATS(_) \
	_(packets)         /* handed to the device */ \
	_(bytes)           \
	_(doorbells)       \
	_(llq_entries)     /* written to BAR 2 */ \
	_(meta_descs)      /* descriptors that describe headers */ \
	_(completions)     \
	_(bad_completions) /* that named no packet under way */
#define ENA_RX_STATS(_) \
	_(packets)         \
	_(bytes)           \
	_(checksum_good)   /* packets whose checksum the device found right */ \
	_(multi_buffer)    /* packets in more than one buffer */ \
	_(posted)          /* buffers given to the device */ \
	_(doorbells)       \
	_(bad_completions) /* that broke a rule */
#define ENA_DEVICE_STATS(_) \
	_(resets)                /* recoveries, failed ones included */ \
	_(failed_recoveries)     \
	_(read_timeouts)         /* readless reads without an answer */ \
	_(admin_commands)        \
	_(admin_timeouts)        \
	_(admin_lost_interrupts) /* answers that came without an interrupt */ \
	_(admin_stray)           /* answers to another command */ \
	_(events)                \
	_(bad_events)            /* of an unknown group */ \
	_(keep_alives)           \
	_(link_changes)          \
	_(lost_interrupts)       /* polls in place of an interrupt that did not come */ \
	_(device_tx_drops)       /* packets that the device dropped, since attach */ \
	_(device_rx_drops)       \
	_(device_rx_overruns)
/* Packets that AWS held back, since the card started; in the device's order. */
#define ENA_ALLOWANCES(_) \
	_(bw_in)     \
	_(bw_out)    \
	_(pps)       \
	_(conntrack) \
	_(linklocal)
#define ENA_COUNTER(name) uint64_t name;

struct ena_tx_stats {
	ENA_TX_STATS(ENA_COUNTER)
};

struct ena_rx_stats {
	ENA_RX_STATS(ENA_COUNTER)
};

struct ena_device_stats {
	ENA_DEVICE_STATS(ENA_COUNTER)
};

struct ena_allowances {
	ENA_ALLOWANCES(ENA_COUNTER)
};

/* A ring of completions, which the device writes (cq), or of submissions (sq). */
struct ena_ring {
	struct ena_dma dma;       /* not allocated when the ring lies in the device (LLQ) */
	bool exists;              /* the device has it */
	uint16_t index;           /* the device's number for it */
	uint16_t depth;           /* entries */
	uint16_t count;           /* entries so far; runs freely */
	uint16_t rung;            /* count as of the last doorbell */
	uint32_t register_offset; /* of its doorbell (sq) or unmask register (cq) */
	uint32_t llq_offset;      /* LLQ: where the ring lies in BAR 2 */
};

struct ena_tx {
	struct ena_device *device;
	struct ena_ring sq;
	struct ena_ring cq;
	bool broken;                      /* waits for a reset */

	/* The sender's. */
	uint16_t limit;                   /* ring slots in use at the same time */
	uint8_t max_slots_per_packet;
	uint16_t ids_taken;               /* runs freely */
	uint16_t burst_left;              /* LLQ entries until a doorbell must come */
	struct ena_hw_tx_desc meta;       /* the last meta descriptor, which the device caches */
	/* A packet's descriptors and an LLQ entry. Some kernels clear what stands on the stack. */
	struct ena_hw_tx_desc desc[ENA_MAX_SEGMENTS + 1];
	struct ena_hw_tx_desc entry[16] __attribute__((aligned(8)));

	/* The completer's. */
	uint16_t ids_given;               /* runs freely, as ids_taken */
	uint16_t slots_freed;             /* runs freely, as sq.count */
	uint16_t free_ids[ENA_MAX_DEPTH]; /* a ring: completions put, the sender takes */
	uint8_t slots[ENA_MAX_DEPTH];     /* by id: ring slots it uses, 0 when it is free */
	struct ena_tx_stats stats;

	/* The watchdog's. */
	uint16_t seen_freed;              /* slots_freed at its last look */
	uint8_t stuck_ticks;              /* seconds without progress */
};

struct ena_rx {
	struct ena_device *device;
	struct ena_ring sq;
	struct ena_ring cq;
	bool broken;                      /* waits for a reset */
	uint16_t limit;                   /* buffers posted at the same time */
	uint16_t free_count;              /* ids on the stack */
	uint16_t free_ids[ENA_MAX_DEPTH]; /* a stack */
	uint32_t lengths[ENA_MAX_DEPTH];  /* by id: bytes posted, 0 when it is free */
	struct ena_rx_stats stats;
};

/* A TX and an RX queue that share an interrupt. */
struct ena_pair {
	struct ena_tx tx;
	struct ena_rx rx;

	/* The watchdog's. */
	uint16_t seen_counts[2];          /* of both completion rings at its last look */
	uint8_t waiting_ticks;            /* seconds that a completion has lain unread */
	uint8_t rescue_ticks;             /* grows with each poll for a lost interrupt */
};

/* The admin queue. */
struct ena_admin {
	uint16_t tail;                    /* commands so far; runs freely */
	bool alive;
	uint32_t timeout;                 /* microseconds */
};

/* The asynchronous event queue. */
struct ena_aenq {
	uint16_t head;                    /* events so far; runs freely */
	bool running;                     /* events are handled */
	bool keep_alive_offered;          /* the device sends keep-alives */
	uint64_t last_keep_alive;         /* microseconds */
	uint32_t keep_alive_timeout;      /* microseconds; 0: never */
	uint16_t seen_head;               /* head at the watchdog's last look */
	uint64_t seen_drops[3];           /* the device's counters in the last keep-alive */
};

/* TX rings in the device. Without LLQ, the same fields describe a ring in host memory. */
struct ena_llq {
	bool on;
	uint8_t first_descs;              /* descriptors before the header */
	uint8_t more_descs;               /* descriptors in each further entry */
	uint16_t entry_bytes;
	uint16_t burst;                   /* most entries between two doorbells */
	uint32_t max_depth;               /* entries */
};

struct ena_device {
	struct ena_config config;
	struct ena_os *os;
	struct ena_limits limits;
	struct ena_device_stats stats;
	struct ena_admin admin;
	struct ena_aenq aenq;
	struct ena_llq llq;
	struct ena_dma shared;            /* struct ena_shared, from attach to detach */

	uint16_t read_sequence;           /* of readless reads */
	uint32_t read_timeout;            /* microseconds */
	bool plain_reads;                 /* readless reads are off, or failed */
	uint32_t interrupts;              /* of vector 0, so far */
	uint32_t features;                /* bit n: the device has feature n */
	uint32_t capabilities;            /* ENA_HW_CAN_ bits */
	uint8_t address_bits;             /* width of the device's addresses */
	uint8_t header_size;              /* most bytes that a TX descriptor announces as header */
	uint8_t rx_descs;                 /* most buffers of one packet */

	bool started;                     /* features are negotiated, events come */
	bool up;                          /* queues exist */
	bool reset_wanted;                /* the binding has been asked for a reset */
	enum ena_hw_reset_reason reset_reason;
	uint32_t missing_tx_ticks;        /* seconds without progress until a reset; 0: never */
	uint32_t mtu;
	uint16_t pairs;                   /* queue pairs that are up */
	uint16_t tx_depth;                /* of their TX queues */
	uint16_t rx_depth;                /* of their RX queues */
	uint16_t table[ENA_MAX_TABLE];    /* RSS: pair numbers */
	bool table_is_set;                /* by the binding: do not spread evenly */
	bool has_hash_key;                /* the device takes one */
	uint16_t pair_count;              /* elements of `pair` */
	struct ena_pair *pair;
};

/* --- Life cycle (device.c) --- */

/* Reset the card, negotiate features, start events. `device` is zeroed memory of the binding's. */
int ena_attach(struct ena_device *device, const struct ena_config *config);

/* Reset the card and release everything. Not needed after a failed ena_attach. */
void ena_detach(struct ena_device *device);

/* Create queues. Depths are powers of two; both are halved while the device is short of memory:
 * see the fields of the same name. Then the binding posts RX buffers and unmasks the pairs. */
int ena_up(struct ena_device *device, uint16_t pairs, uint16_t tx_depth, uint16_t rx_depth);
void ena_down(struct ena_device *device);

/* Recovery after ena_os_want_reset: stop traffic, ena_halt, release packets, ena_recover, and if
 * the card was up, ena_up, post buffers, unmask. ena_recover tries three times. */
void ena_halt(struct ena_device *device);
int ena_recover(struct ena_device *device);

/* Ask for a reset from outside: the user wants one, or the system saw TX stand still. */
void ena_want_reset(struct ena_device *device, enum ena_hw_reset_reason reason);

int ena_set_mtu(struct ena_device *device, uint32_t mtu);

/* Fill the RSS table, limits.table_size pair numbers; NULL: spread evenly. */
int ena_set_table(struct ena_device *device, const uint16_t *pairs);

int ena_get_allowances(struct ena_device *device, struct ena_allowances *allowances);

/* What vector 0 calls. */
void ena_interrupt(struct ena_device *device);

/* Let the vector of a pair come again. The delays, in microseconds, hold for the next interrupt. */
void ena_unmask(struct ena_device *device, uint16_t pair, uint16_t rx_delay, uint16_t tx_delay);

/* Call this once a second. */
void ena_watchdog(struct ena_device *device);

/* --- Data path (tx.c, rx.c) --- */

#define ENA_LOAD_ACQUIRE(variable) __atomic_load_n(&(variable), __ATOMIC_ACQUIRE)
#define ENA_STORE_RELEASE(variable, value) __atomic_store_n(&(variable), (value), __ATOMIC_RELEASE)

/* Whether any packet within the limits fits. */
static inline bool ena_tx_has_room(const struct ena_tx *tx)
{
	uint16_t used = (uint16_t)(tx->sq.count - ENA_LOAD_ACQUIRE(tx->slots_freed));

	return tx->limit - used >= tx->max_slots_per_packet;
}

/* The id that the next ena_tx_send gives its packet. Ids never run out before slots do. */
static inline uint16_t ena_tx_next_id(const struct ena_tx *tx)
{
	return tx->free_ids[tx->ids_taken & (tx->sq.depth - 1)];
}

/* It may be sent, and completed on another processor, before this returns: what is accounted for
 * a packet must be so before. */
int ena_tx_send(struct ena_tx *tx, const struct ena_tx_packet *packet);

/* Tell the device of what was sent. */
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

/* Tell the device of the buffers posted. */
void ena_rx_ring(struct ena_rx *rx);

/* 1 and a packet, whose ids are free again; 0: none yet; negative: a reset has been asked for. */
int ena_rx_next(struct ena_rx *rx, struct ena_rx_packet *packet);
