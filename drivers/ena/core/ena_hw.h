/* SPDX-License-Identifier: BSD-3-Clause */
/* What the device defines: registers, admin messages, descriptors. Nothing here is a choice of
 * this driver. Names start with ENA_HW_ or ena_hw_; everything is little-endian. */
#pragma once

#include <stdint.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the device is little-endian");

/* Registers: byte offsets in BAR 0, 32 bits each. An address's high half follows the low one. */
enum {
	ENA_HW_VERSION = 0x00,            /* interface version */
	ENA_HW_CONTROLLER_VERSION = 0x04, /* the top byte names the maker */
	ENA_HW_CAPS = 0x08,               /* reset and admin timeouts, width of addresses */
	ENA_HW_AQ_BASE_LOW = 0x10,        /* admin submission ring */
	ENA_HW_AQ_CAPS = 0x18,            /* its depth and entry size */
	ENA_HW_ACQ_BASE_LOW = 0x20,       /* admin completion ring */
	ENA_HW_ACQ_CAPS = 0x28,
	ENA_HW_AQ_DOORBELL = 0x2c,        /* free-running count of commands submitted */
	ENA_HW_AENQ_CAPS = 0x34,
	ENA_HW_AENQ_BASE_LOW = 0x38,      /* asynchronous event ring */
	ENA_HW_AENQ_DOORBELL = 0x40,      /* free-running count of event slots handed over */
	ENA_HW_INTERRUPT_MASK = 0x4c,     /* bit 0 masks the management vector */
	ENA_HW_CONTROL = 0x54,            /* reset request and its reason */
	ENA_HW_STATUS = 0x58,
	ENA_HW_READ_REQUEST = 0x5c,       /* asks for a readless register read */
	ENA_HW_READ_REPLY_LOW = 0x60,     /* where its answer goes */
};

#define ENA_HW_READ_FAILED 0xffffffffu /* what a dead device answers to every read */
#define ENA_HW_CONTROLLER_VERSION_MASK 0x00ffffffu
#define ENA_HW_CAPS_RESET_TIMEOUT(caps) (((caps) >> 1) & 0x1f)  /* in 100 ms */
#define ENA_HW_CAPS_ADDRESS_WIDTH(caps) (((caps) >> 8) & 0xff)  /* in bits */
#define ENA_HW_CAPS_ADMIN_TIMEOUT(caps) (((caps) >> 16) & 0x0f) /* in 100 ms, 0: unsaid */
#define ENA_HW_RING_CAPS(depth, entry_size) ((uint32_t)(depth) | (uint32_t)(entry_size) << 16)
#define ENA_HW_CONTROL_RESET 1u
#define ENA_HW_CONTROL_REASON(reason) (((reason) & 0xfu) << 28 | ((reason) >> 4 & 0xfu) << 24)
enum { ENA_HW_STATUS_READY = 1 << 0, ENA_HW_STATUS_RESETTING = 1 << 3 };

/* Why a reset is asked for. Reasons above 15 need ENA_HW_CAN_LONG_REASONS. */
enum ena_hw_reset_reason {
	ENA_HW_RESET_NORMAL, ENA_HW_RESET_KEEP_ALIVE, ENA_HW_RESET_ADMIN_TIMEOUT,
	ENA_HW_RESET_MISSING_TX, ENA_HW_RESET_INVALID_RX_ID, ENA_HW_RESET_INVALID_TX_ID,
	ENA_HW_RESET_TOO_MANY_RX, ENA_HW_RESET_INIT, ENA_HW_RESET_DRIVER_STATE,
	ENA_HW_RESET_OS_TRIGGER, ENA_HW_RESET_OS_WATCHDOG, ENA_HW_RESET_SHUTDOWN, ENA_HW_RESET_USER,
	ENA_HW_RESET_GENERIC, ENA_HW_RESET_MISSING_INTERRUPT, ENA_HW_RESET_RX_MALFORMED = 16,
	ENA_HW_RESET_DEVICE_REQUEST = 19,
};

struct ena_hw_address { /* it has 48 bits */
	uint32_t low;
	uint16_t high, zero;
};

/* The answer to a readless read, written to memory by the device; request_id comes last. */
struct ena_hw_read_reply {
	uint16_t request_id, offset;
	uint32_t value;
};

/* --- Features: what GET_FEATURE answers and SET_FEATURE tells -------------------------------- */
/* Feature n is there when bit n of ena_hw_attributes.features is set. */
enum {
	ENA_HW_F_ATTRIBUTES = 1, ENA_HW_F_QUEUES = 2, ENA_HW_F_HINTS = 3, ENA_HW_F_LLQ = 4,
	ENA_HW_F_QUEUES_EXT = 7, ENA_HW_F_HASH_FUNCTION = 10, ENA_HW_F_OFFLOADS = 11,
	ENA_HW_F_INDIRECTION = 12, ENA_HW_F_MTU = 14, ENA_HW_F_MODERATION = 20,
	ENA_HW_F_AENQ = 26, ENA_HW_F_HOST_INFO = 28,
};

struct ena_hw_attributes {
	uint32_t implementation, version, features, capabilities; /* the last: ENA_HW_CAN_... */
	uint32_t physical_width, virtual_width;
	uint8_t mac[6];
	uint16_t flow_steering_entries;
	uint32_t max_mtu; /* without the Ethernet header */
};
enum { ENA_HW_CAN_ENI_STATS = 1 << 0, ENA_HW_CAN_LONG_REASONS = 1 << 3 };

struct ena_hw_queues {
	uint32_t sq_count, sq_depth, cq_count, cq_depth, legacy_llq_count, legacy_llq_depth;
	uint32_t header_size;        /* most header bytes that a TX descriptor may announce */
	uint16_t tx_descs, rx_descs; /* most descriptors of one packet */
};

struct ena_hw_queues_ext {
	uint8_t version, reserved[3]; /* 1 */
	uint32_t tx_sq_count, tx_cq_count, rx_sq_count, rx_cq_count;
	uint32_t tx_sq_depth, tx_cq_depth, rx_sq_depth, rx_cq_depth;
	uint32_t header_size;
	uint16_t tx_descs, rx_descs;
};

/* Milliseconds; 0: the driver's own default, ENA_HW_HINT_NEVER: no such timeout. */
struct ena_hw_hints {
	uint16_t read_timeout, keep_alive_timeout, missing_tx_timeout, missing_tx_threshold;
	uint16_t admin_timeout, os_watchdog_timeout, max_tx_segments, max_rx_segments;
};
#define ENA_HW_HINT_NEVER 0xffff

/* Each pair: what the device can do (GET), the one chosen (SET). */
struct ena_hw_llq {
	uint32_t max_count, max_depth;
	uint16_t header_location, header_location_chosen, entry_size, entry_size_chosen;
	uint16_t descs_before_header, descs_before_header_chosen, stride, stride_chosen;
	uint8_t version, recommended_entry_size;
	uint16_t max_wide_depth;   /* of 256-byte entries; 0: half of max_depth */
	uint16_t flags, max_burst; /* the latter: bytes between two doorbells */
	uint32_t reserved;
};
enum {
	ENA_HW_LLQ_INLINE_HEADER = 1, ENA_HW_LLQ_ENTRY_128 = 1, ENA_HW_LLQ_ENTRY_256 = 4,
	ENA_HW_LLQ_STRIDE_SINGLE = 1, ENA_HW_LLQ_STRIDE_MULTIPLE = 2,
	ENA_HW_LLQ_NO_META_CACHE = 1 << 0, ENA_HW_LLQ_BURST_LIMIT = 1 << 1,
};

union ena_hw_feature {
	struct ena_hw_attributes attributes;
	struct ena_hw_queues queues;
	struct ena_hw_queues_ext queues_ext;
	struct ena_hw_hints hints;
	struct ena_hw_llq llq;
	struct { uint32_t tx, rx, rx_enabled; } offloads; /* the bits: see ena.h */
	struct { uint32_t supported, selected, initial; } hash; /* the first two: ENA_HW_TOEPLITZ */
	struct {
		uint16_t min_log, max_log, log; /* sizes as powers of two */
		uint8_t flags, reserved;
		uint32_t index, entry; /* ENA_HW_WHOLE_TABLE: entries are in the control buffer */
	} table;
	struct { uint32_t supported, enabled; } events; /* bits: ENA_HW_EVENT_... */
	struct { struct ena_hw_address info, debug; uint32_t debug_size; } host;
	uint32_t mtu;
	uint16_t delay_unit; /* of moderation: microseconds */
	uint32_t words[11];  /* as much as SET_FEATURE takes */
};
#define ENA_HW_TOEPLITZ (1u << 1)
#define ENA_HW_WHOLE_TABLE 0xffffffffu

/* In the control buffer: the hash key, or entries of the RSS table. */
#define ENA_HW_HASH_KEY 40
struct ena_hw_hash_key {
	uint32_t words, reserved;     /* of the key: 10 */
	uint8_t key[ENA_HW_HASH_KEY]; /* last byte first */
};
struct ena_hw_table_entry { uint16_t rx_sq_index, zero; };

/* The page that tells the device who drives it. */
struct ena_hw_host_info {
	uint32_t os_type;
	char os_name[128];
	uint32_t os_dist;
	char kernel_name[32];
	uint32_t kernel_version, driver_version; /* major, minor, revision from the low byte up */
	uint32_t network_features[2];
	uint16_t spec_version, pci_address; /* bus << 8 | device << 3 | function */
	uint16_t cpus, reserved;
	uint32_t driver_features; /* ENA_HW_DRIVER_... */
};
#define ENA_HW_SPEC_VERSION 0x0200
enum {
	ENA_HW_DRIVER_RX_OFFSET = 1 << 1, ENA_HW_DRIVER_MODERATION = 1 << 2,
	ENA_HW_DRIVER_HASH_KEY = 1 << 4, ENA_HW_DRIVER_TX_IP6_CSUM = 1 << 7,
};

/* --- Admin queue: entries of 64 bytes in both directions ------------------------------------- */
#define ENA_HW_PHASE 1u           /* bit 0 of the flags byte of every ring entry */
#define ENA_HW_COMMAND_ID 0x0fffu /* the bits of a command id */
#define ENA_HW_AQ_INDIRECT 4u     /* flags: there is a control buffer */
enum { /* opcode */
	ENA_HW_CREATE_SQ = 1, ENA_HW_DESTROY_SQ = 2, ENA_HW_CREATE_CQ = 3, ENA_HW_DESTROY_CQ = 4,
	ENA_HW_GET_FEATURE = 8, ENA_HW_SET_FEATURE = 9, ENA_HW_GET_STATS = 11,
};
enum { ENA_HW_OK = 0, ENA_HW_NO_RESOURCES = 1, ENA_HW_UNSUPPORTED = 3 }; /* status */
enum { ENA_HW_SQ_TX = 1 << 5, ENA_HW_SQ_RX = 2 << 5 };                   /* direction */
enum { ENA_HW_SQ_IN_HOST = 1, ENA_HW_SQ_IN_DEVICE = 3 };                 /* placement */
enum { ENA_HW_CQ_INTERRUPT = 1 << 5, ENA_HW_STATS_ENI = 2 };

struct ena_hw_command {
	uint16_t id;
	uint8_t opcode, flags;
	union {
		struct {
			uint8_t interrupt, entry_words; /* of 32 bits in a completion */
			uint16_t depth;
			uint32_t vector;
			struct ena_hw_address ring;
		} create_cq;
		struct {
			uint8_t direction, reserved, placement, contiguous; /* the last: 1 */
			uint16_t cq_index, depth;
			struct ena_hw_address ring; /* 0 when the ring lies in the device */
		} create_sq;
		struct { uint16_t index; uint8_t direction; } destroy; /* direction: of an SQ */
		struct {
			uint32_t control_length; /* the control buffer: what is too large here */
			struct ena_hw_address control;
			uint8_t select, number, version, reserved; /* select 0: current values */
			union ena_hw_feature set;
		} feature;
		struct {
			uint32_t control_length;
			struct ena_hw_address control;
			uint8_t type, scope; /* scope 1: all traffic of the device */
			uint16_t reserved, queue, device; /* device 0xffff: this one */
		} stats;
		uint32_t words[15];
	};
};

struct ena_hw_reply {
	uint16_t id;
	uint8_t status, flags;
	uint16_t extended_status, sq_head;
	union {
		struct {
			uint16_t index, depth; /* granted: may be less than asked */
			uint32_t numa, head_doorbell, unmask; /* offsets in BAR 0; 0: none */
		} cq;
		struct {
			uint16_t index, reserved;
			uint32_t doorbell;               /* offset in BAR 0 */
			uint32_t llq_ring, llq_headers; /* offsets in BAR 2 */
		} sq;
		union ena_hw_feature feature;
		uint64_t allowances[5]; /* packets held back: bw in, out, pps, conntrack, local */
		uint32_t words[14];
	};
};

/* --- Asynchronous events ---------------------------------------------------------------------- */
enum { /* group */
	ENA_HW_EVENT_LINK, ENA_HW_EVENT_FATAL, ENA_HW_EVENT_WARNING, ENA_HW_EVENT_NOTICE,
	ENA_HW_EVENT_KEEP_ALIVE, ENA_HW_EVENT_RESET = 7, /* the last: the device wants one */
	ENA_HW_NOTICE_HINTS = 2, /* syndrome of a notice: new hints */
};

struct ena_hw_event {
	uint16_t group, syndrome;
	uint8_t flags, reserved[3];
	uint32_t timestamp_low, timestamp_high;
	union {
		uint32_t link;     /* bit 0: up */
		uint64_t drops[3]; /* in keep-alives: RX, TX, RX overruns */
		struct ena_hw_hints hints;
		uint32_t words[12];
	};
};

/* --- Packet descriptors and completions ------------------------------------------------------- */
/* A TX descriptor, as four words: length and control, offloads, address low, address high. */
struct ena_hw_tx_desc { uint32_t word[4]; };
enum { /* word 0 */
	ENA_HW_TX_META = 1 << 23, ENA_HW_TX_PHASE = 1 << 24, ENA_HW_TX_FIRST = 1 << 26,
	ENA_HW_TX_LAST = 1 << 27, ENA_HW_TX_COMPLETE = 1 << 28,
};
enum { /* word 1 */
	ENA_HW_TX_L3_IP4 = 8, ENA_HW_TX_L3_IP6 = 11, ENA_HW_TX_DONT_FRAGMENT = 1 << 4,
	ENA_HW_TX_TSO = 1 << 7, ENA_HW_TX_L4_TCP = 12 << 8, ENA_HW_TX_L4_UDP = 13 << 8,
	ENA_HW_TX_L3_CSUM = 1 << 13, ENA_HW_TX_L4_CSUM = 1 << 14,
	ENA_HW_TX_L4_CSUM_PARTIAL = 1 << 17,
};
#define ENA_HW_TX_ID_HIGH(id) (((uint32_t)(id) >> 10 & 0x3f) << 16) /* word 0 */
#define ENA_HW_TX_ID_LOW(id) (((uint32_t)(id) & 0x3ff) << 22)       /* word 1 */
#define ENA_HW_TX_HEADER(length) ((uint32_t)(length) << 24)         /* word 3 */

/* A meta descriptor has the same size; it describes headers for offloads. */
enum { /* word 0 */
	ENA_HW_META_VALID = 1 << 14, ENA_HW_META_EXTENDED = 1 << 20, ENA_HW_META_STORE = 1 << 21,
};
#define ENA_HW_META_MSS_HIGH(mss) (((uint32_t)(mss) >> 10 & 0xf) << 16)
#define ENA_HW_META_L3_LENGTH(n) ((uint32_t)(n) & 0xff) /* word 2, as the rest */
#define ENA_HW_META_L3_OFFSET(n) (((uint32_t)(n) & 0xff) << 8)
#define ENA_HW_META_L4_WORDS(n) (((uint32_t)(n) & 0x3f) << 16)
#define ENA_HW_META_MSS_LOW(mss) (((uint32_t)(mss) & 0x3ff) << 22)

struct ena_hw_rx_desc {
	uint16_t length;         /* 0: 65,536 */
	uint8_t reserved, flags; /* ENA_HW_RX_BUFFER and the phase */
	uint16_t id, zero;
	struct ena_hw_address address;
};
#define ENA_HW_RX_BUFFER 0x1cu /* first, last, completion wanted: each buffer is one descriptor */

/* A TX completion, as two words: id, status and phase; queue and head. */
#define ENA_HW_TX_DONE_WORDS 2
#define ENA_HW_TX_DONE_ID(word0) ((uint16_t)(word0))

#define ENA_HW_RX_DONE_WORDS 4
struct ena_hw_rx_done { /* an RX completion */
	uint32_t status;
	uint16_t length, id;
	uint32_t hash;
	uint16_t queue;
	uint8_t offset, reserved;
};
enum { /* status */
	ENA_HW_RX_L4_ERROR = 1 << 14, ENA_HW_RX_FRAGMENT = 1 << 15, ENA_HW_RX_L4_CHECKED = 1 << 16,
	ENA_HW_DONE_PHASE = 1 << 24, /* of both kinds */
	ENA_HW_RX_FIRST = 1 << 26, ENA_HW_RX_LAST = 1 << 27,
};
enum { ENA_HW_RX_L4_TCP = 12, ENA_HW_RX_L4_UDP = 13 };
#define ENA_HW_RX_L4(status) ((status) >> 8 & 0x1f)

/* The interrupt unmask register of a completion queue; delays in units of feature 20. */
#define ENA_HW_UNMASK(rx_delay, tx_delay) \
	(((uint32_t)(rx_delay) & 0x7fff) | ((uint32_t)(tx_delay) & 0x7fff) << 15 | 1u << 30)

#define ENA_HW_IS(type, size) (sizeof(type) == (size))
_Static_assert(ENA_HW_IS(struct ena_hw_command, 64) && ENA_HW_IS(struct ena_hw_reply, 64) &&
	       ENA_HW_IS(struct ena_hw_event, 64) && ENA_HW_IS(union ena_hw_feature, 44) &&
	       ENA_HW_IS(struct ena_hw_attributes, 36) && ENA_HW_IS(struct ena_hw_llq, 36) &&
	       ENA_HW_IS(struct ena_hw_rx_done, 16) && ENA_HW_IS(struct ena_hw_rx_desc, 16) &&
	       ENA_HW_IS(struct ena_hw_host_info, 196), "what the device reads and writes");
