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
 * Threads. Calls of the life cycle, ena_watchdog included, come from one thread at a time.
 * ena_interrupt may run beside everything. Of each queue, one thread sends, one takes TX
 * completions, one receives; these may be three. While the life cycle changes (all but
 * ena_watchdog and statistics), none of the last three may run: the binding stops them first.
 *
 * Packets stay the binding's. A queue has ids 0 to depth-1; the binding keeps what belongs to an
 * id in an array of its own. After ena_down, ena_recover's first half or a failed ena_up the
 * device touches no memory any more and every id is free: the binding releases what it kept.
 *
 * Functions return 0 or a negative enum ena_error.
 */
#ifndef ENA_H
#define ENA_H

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

/* Offloads, the same names for what the device can do and what a packet asks for. */
enum {
	/* TCP or UDP checksum, and segmentation, over IPv4 or IPv6. */
	ENA_TX_CSUM_IP4 = 1 << 0, ENA_TX_CSUM_IP6 = 1 << 1,
	ENA_TX_TSO_IP4 = 1 << 2, ENA_TX_TSO_IP6 = 1 << 3,
	ENA_RX_CSUM_IP4 = 1 << 4, ENA_RX_CSUM_IP6 = 1 << 5, ENA_RX_HASH = 1 << 6,
};

/* What was agreed with the device; valid after ena_attach. */
struct ena_limits {
	uint8_t mac[6];
	uint8_t tx_segments; /* most segments of one packet */
	uint16_t max_pairs, max_tx_depth, max_rx_depth;
	uint32_t max_mtu, offloads;
	uint16_t table_size; /* RSS table entries; 0: the device has none */
	uint16_t push_bytes; /* LLQ: header bytes to hand over inline; 0: host placement */
	uint16_t delay_unit; /* moderation: microseconds; 0: the device has none */
};

struct ena_segment {
	uint64_t address;
	uint32_t length; /* 1 to 65,535 */
};

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

/* Counters have one writer each: the sender, or who takes completions. */
struct ena_tx_stats {
	uint64_t packets, bytes, doorbells, llq_entries, meta_descs, full, refused;
	uint64_t completions, bad_completions;
};

struct ena_rx_stats {
	uint64_t packets, bytes, checksum_good, multi_buffer, posted, doorbells;
	uint64_t bad_completions;
};

struct ena_device_stats {
	uint64_t resets, failed_recoveries, read_timeouts, admin_commands, admin_timeouts;
	uint64_t admin_lost_interrupts, admin_stray, events, bad_events, keep_alives, link_changes;
	uint64_t lost_interrupts, device_tx_drops, device_rx_drops, device_rx_overruns;
};

/* A completion ring, read by the driver. */
struct ena_cq {
	struct ena_dma ring;
	uint16_t index, depth, head; /* head: free-running */
	uint8_t phase;
	bool exists;
	uint32_t unmask_offset;
};

/* A submission ring, written by the driver. */
struct ena_sq {
	struct ena_dma ring; /* not with LLQ */
	uint16_t index, depth;
	uint16_t tail, rung; /* free-running: slots written; as of the last doorbell */
	uint8_t phase;
	bool exists;
	uint32_t doorbell_offset, llq_offset;
};

struct ena_tx {
	struct ena_device *device;
	struct ena_sq sq;
	struct ena_cq cq;
	bool broken;          /* waits for a reset */
	/* The sender's. */
	uint16_t limit;       /* ring slots in use at the same time */
	uint8_t worst;        /* ring slots that the largest packet takes */
	uint16_t ids_taken;   /* free-running */
	uint16_t burst_left;  /* LLQ entries until a doorbell must come */
	uint32_t meta[2];     /* what the device has cached of a meta descriptor */
	/* The completer's. */
	uint16_t ids_given;   /* free-running */
	uint16_t slots_freed; /* free-running, follows sq.tail */
	uint16_t *free_ids;   /* a ring: completions put, the sender takes */
	uint8_t *slots;       /* of each id: ring slots it uses, 0 when it is free */
	struct ena_tx_stats sent;
	/* The watchdog's. */
	uint16_t seen_freed;
	uint8_t stuck_ticks;
};

struct ena_rx {
	struct ena_device *device;
	struct ena_sq sq;
	struct ena_cq cq;
	bool broken;
	uint16_t limit;     /* buffers posted at the same time */
	uint16_t free_count;
	uint16_t *free_ids; /* a stack */
	uint32_t *lengths;  /* of each id: bytes posted, 0 when it is free */
	struct ena_rx_stats received;
};

struct ena_pair {
	struct ena_tx tx;
	struct ena_rx rx;
	/* The watchdog's. */
	uint16_t seen_heads[2]; /* of both completion rings when it last looked */
	uint8_t waiting_ticks, rescues, calm_ticks;
};

struct ena_admin {
	struct ena_dma rings;   /* submissions, completions */
	struct ena_dma control; /* buffer of commands larger than an entry */
	uint16_t tail;          /* free-running */
	uint8_t phase;
	bool alive, polling;    /* the interrupt got lost once: do not count on it */
	uint32_t timeout;       /* microseconds */
};

struct ena_aenq {
	struct ena_dma ring;
	uint16_t head; /* free-running */
	uint8_t phase;
	bool running, keep_alive_offered;
	uint64_t last_keep_alive, keep_alive_timeout; /* microseconds; timeout 0: never */
};

struct ena_llq {
	bool on, burst_limited;
	uint8_t first_descs, more_descs; /* before the header; in each further entry */
	uint16_t entry_bytes, max_depth;
	uint16_t burst;                  /* entries between two doorbells */
};

struct ena_device {
	struct ena_config config;
	struct ena_os *os;
	struct ena_limits limits;
	struct ena_device_stats stats;
	struct ena_admin admin;
	struct ena_aenq aenq;
	struct ena_llq llq;
	struct ena_dma read_reply, host_info;
	uint16_t read_sequence;
	uint32_t read_timeout; /* microseconds */
	bool plain_reads;      /* readless reads are off, or failed */
	uint32_t interrupts;   /* of vector 0, so far */
	uint8_t address_bits;
	uint8_t header_size;   /* most bytes a TX descriptor may announce as header */
	uint8_t rx_descs;      /* most buffers of one packet */
	bool has_hash_key;
	bool started, up, reset_wanted; /* features are agreed on; queues exist; until it is done */
	enum ena_hw_reset_reason reset_reason;
	uint32_t features, capabilities;
	uint32_t missing_tx_ticks; /* seconds without progress; 0: never */
	uint32_t mtu;
	uint16_t pairs, tx_depth, rx_depth; /* of the queues that are up */
	uint16_t table[ENA_MAX_TABLE];      /* RSS: pair numbers */
	bool table_is_set;                  /* by the binding: do not spread evenly */
	struct ena_pair *pair;              /* max_pairs of them */
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

/* --- Interrupts and time --- */

void ena_interrupt(struct ena_device *device);              /* vector 0 (aenq.c) */
void ena_unmask(struct ena_device *device, uint16_t pair,   /* vector 1 + pair (queue.c) */
		uint16_t rx_delay_us, uint16_t tx_delay_us);
void ena_watchdog(struct ena_device *device);               /* once a second (watchdog.c) */

/* --- Data path (tx.c, rx.c) --- */

/* Whether any packet within the limits fits. */
bool ena_tx_has_room(const struct ena_tx *tx);
/* The id that the next ena_tx_send gives its packet. Ids never run out before slots do. */
uint16_t ena_tx_next_id(const struct ena_tx *tx);
int ena_tx_send(struct ena_tx *tx, const struct ena_tx_packet *packet);
void ena_tx_ring(struct ena_tx *tx);
/* 1 and the id of a packet that was sent; 0: none yet; negative: a reset has been asked for. */
int ena_tx_done(struct ena_tx *tx, uint16_t *id);

/* Buffers that the ring still takes. */
unsigned int ena_rx_room(const struct ena_rx *rx);
/* The id that the next ena_rx_post gives its buffer; only when there is room. */
uint16_t ena_rx_next_id(const struct ena_rx *rx);
/* Give the device a buffer of 1 to 65,536 bytes; false: the ring is full. */
bool ena_rx_post(struct ena_rx *rx, uint64_t address, uint32_t length);
void ena_rx_ring(struct ena_rx *rx);
/* 1 and a packet, whose ids are free again; 0: none yet; negative: a reset has been asked for. */
int ena_rx_next(struct ena_rx *rx, struct ena_rx_packet *packet);

/* --- Statistics (stats.c) --- */

struct ena_stat_name {
	const char *name;
	uint16_t offset; /* of a uint64_t in the structure the table belongs to */
};
extern const struct ena_stat_name ena_device_stat_names[], ena_tx_stat_names[],
	ena_rx_stat_names[], ena_allowance_names[];
extern const unsigned int ena_device_stat_count, ena_tx_stat_count, ena_rx_stat_count,
	ena_allowance_count;

/* Packets that AWS held back, since the card started. */
struct ena_allowances {
	uint64_t bw_in, bw_out, pps, conntrack, linklocal;
};
int ena_get_allowances(struct ena_device *device, struct ena_allowances *allowances);

#endif
