/* SPDX-License-Identifier: BSD-3-Clause */
/* What the device defines: registers, admin messages, descriptors. Nothing here is a choice of
 * this driver. Names start with ENA_HW_ or ena_hw_; everything is little-endian. */
#pragma once

#include <stdint.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the device is little-endian");

/* What the device reads and writes. In Linux, sparse keeps these apart from numbers. */
#ifdef __KERNEL__
typedef __le16 ena_le16;
typedef __le32 ena_le32;
typedef __le64 ena_le64;
#define ENA_FORCE __force
#else
typedef uint16_t ena_le16;
typedef uint32_t ena_le32;
typedef uint64_t ena_le64;
#define ENA_FORCE
#endif
#define ENA_LE16(number) ((ENA_FORCE ena_le16)(uint16_t)(number))
#define ENA_LE32(number) ((ENA_FORCE ena_le32)(uint32_t)(number))
#define ENA_U16(field) ((ENA_FORCE uint16_t)(ena_le16)(field))
#define ENA_U32(field) ((ENA_FORCE uint32_t)(ena_le32)(field))
#define ENA_U64(field) ((ENA_FORCE uint64_t)(ena_le64)(field))

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

enum {
	ENA_HW_STATUS_READY = 1 << 0,
	ENA_HW_STATUS_RESETTING = 1 << 3,
};

/* Why a reset is asked for. Reasons above 15 need ENA_HW_CAN_LONG_REASONS. */
enum ena_hw_reset_reason {
	ENA_HW_RESET_NORMAL,
	ENA_HW_RESET_KEEP_ALIVE,        /* no keep-alive came */
	ENA_HW_RESET_ADMIN_TIMEOUT,     /* an admin command was not answered */
	ENA_HW_RESET_MISSING_TX,        /* packets did not complete */
	ENA_HW_RESET_INVALID_RX_ID,
	ENA_HW_RESET_INVALID_TX_ID,
	ENA_HW_RESET_TOO_MANY_RX,       /* a packet in too many buffers */
	ENA_HW_RESET_INIT,              /* initialisation failed */
	ENA_HW_RESET_DRIVER_STATE,      /* the driver cannot go on */
	ENA_HW_RESET_OS_TRIGGER,
	ENA_HW_RESET_OS_WATCHDOG,
	ENA_HW_RESET_SHUTDOWN,
	ENA_HW_RESET_USER,
	ENA_HW_RESET_GENERIC,
	ENA_HW_RESET_MISSING_INTERRUPT,
	ENA_HW_RESET_POLL_STARVATION,   /* completions came and the system did not poll */
	ENA_HW_RESET_RX_MALFORMED,      /* an RX completion broke a rule */
	ENA_HW_RESET_DEVICE_REQUEST = 19,
};

/* An address has 48 bits. */
struct ena_hw_address {
	ena_le32 low;
	ena_le16 high;
	ena_le16 zero;
};

/* The answer to a readless read, written to memory by the device; request_id comes last. */
struct ena_hw_read_reply {
	ena_le16 request_id;
	ena_le16 offset; /* of the register */
	ena_le32 value;
};

/* --- Features: what GET_FEATURE answers and SET_FEATURE tells -------------------------------- */

/* Feature n is there when bit n of ena_hw_attributes.features is set. */
enum {
	ENA_HW_F_ATTRIBUTES = 1,
	ENA_HW_F_QUEUES = 2,
	ENA_HW_F_HINTS = 3,
	ENA_HW_F_LLQ = 4,
	ENA_HW_F_QUEUES_EXT = 7,
	ENA_HW_F_HASH_FUNCTION = 10,
	ENA_HW_F_OFFLOADS = 11,
	ENA_HW_F_INDIRECTION = 12, /* the RSS table */
	ENA_HW_F_MTU = 14,
	ENA_HW_F_MODERATION = 20,  /* of interrupts */
	ENA_HW_F_AENQ = 26,
	ENA_HW_F_HOST_INFO = 28,
};

struct ena_hw_attributes {
	ena_le32 implementation;
	ena_le32 version;
	ena_le32 features;       /* bit n: feature n is there */
	ena_le32 capabilities;   /* ENA_HW_CAN_ bits */
	ena_le32 widths[2];      /* of physical and virtual addresses */
	uint8_t mac[6];
	ena_le16 flow_steering_entries;
	ena_le32 max_mtu;        /* without the Ethernet header */
};

enum {
	ENA_HW_CAN_ENI_STATS = 1 << 0,
	ENA_HW_CAN_LONG_REASONS = 1 << 3,
};

struct ena_hw_queues {
	ena_le32 sq_count;
	ena_le32 sq_depth;
	ena_le32 cq_count;
	ena_le32 cq_depth;
	ena_le32 legacy_llq[2];
	ena_le32 header_size;    /* most header bytes that a TX descriptor may announce */
	ena_le16 tx_descs;       /* most descriptors of one packet */
	ena_le16 rx_descs;
};

struct ena_hw_queues_ext {
	uint8_t version;         /* 1 */
	uint8_t reserved[3];
	ena_le32 tx_sq_count;
	ena_le32 tx_cq_count;
	ena_le32 rx_sq_count;
	ena_le32 rx_cq_count;
	ena_le32 tx_sq_depth;
	ena_le32 tx_cq_depth;
	ena_le32 rx_sq_depth;
	ena_le32 rx_cq_depth;
	ena_le32 header_size;    /* these three: as above */
	ena_le16 tx_descs;
	ena_le16 rx_descs;
};

/* Milliseconds; 0: the driver's own default, ENA_HW_HINT_NEVER: no such timeout. */
struct ena_hw_hints {
	ena_le16 read_timeout;
	ena_le16 keep_alive_timeout;
	ena_le16 missing_tx_timeout;
	ena_le16 missing_tx_threshold; /* packets */
	ena_le16 admin_timeout;
	ena_le16 os_watchdog_timeout;
	ena_le16 max_segments[2];      /* of a TX and an RX packet */
};
#define ENA_HW_HINT_NEVER 0xffff

/* `x` is a mask of what the device can do (GET), `x_chosen` the bit chosen of it (SET). */
struct ena_hw_llq {
	ena_le32 max_count;            /* queues */
	ena_le32 max_depth;            /* 128-byte entries of a queue */
	ena_le16 header_location;
	ena_le16 header_location_chosen;
	ena_le16 entry_size;
	ena_le16 entry_size_chosen;
	ena_le16 descs_before_header;
	ena_le16 descs_before_header_chosen;
	ena_le16 stride;
	ena_le16 stride_chosen;
	uint8_t version;
	uint8_t recommended_entry_size;
	ena_le16 max_wide_depth;       /* 256-byte entries of a queue; 0: half of max_depth */
	ena_le16 flags;
	ena_le16 max_burst;            /* bytes between two doorbells */
	ena_le32 reserved;
};

enum {
	ENA_HW_LLQ_INLINE_HEADER = 1,
	ENA_HW_LLQ_ENTRY_128 = 1,
	ENA_HW_LLQ_ENTRY_256 = 4,
	ENA_HW_LLQ_STRIDE_SINGLE = 1,
	ENA_HW_LLQ_STRIDE_MULTIPLE = 2,
	ENA_HW_LLQ_NO_META_CACHE = 1 << 0,
	ENA_HW_LLQ_BURST_LIMIT = 1 << 1,
};

union ena_hw_feature {
	struct ena_hw_attributes attributes;
	struct ena_hw_queues queues;
	struct ena_hw_queues_ext queues_ext;
	struct ena_hw_hints hints;
	struct ena_hw_llq llq;
	struct {
		ena_le32 tx;         /* the bits: see ena.h */
		ena_le32 rx;
		ena_le32 rx_enabled;
	} offloads;
	struct {
		ena_le32 supported;  /* ENA_HW_TOEPLITZ */
		ena_le32 selected;
		ena_le32 initial;    /* value that hashing begins with */
	} hash;
	struct {
		ena_le16 min_log;    /* sizes as powers of two */
		ena_le16 max_log;
		ena_le16 log;
		uint8_t flags;
		uint8_t reserved;
		ena_le32 index;      /* ENA_HW_WHOLE_TABLE: entries are in the control buffer */
		ena_le32 entry;
	} table;
	struct {
		ena_le32 supported;  /* bit n: group n, ENA_HW_EVENT_ */
		ena_le32 enabled;
	} events;
	struct {
		struct ena_hw_address info;
		struct ena_hw_address debug;
		ena_le32 debug_size;
	} host;
	ena_le32 mtu;
	ena_le16 delay_unit;         /* of moderation: microseconds */
	ena_le32 words[11];          /* as much as SET_FEATURE takes */
};
#define ENA_HW_TOEPLITZ (1u << 1)
#define ENA_HW_WHOLE_TABLE 0xffffffffu

/* In the control buffer: the hash key, or entries of the RSS table. */
#define ENA_HW_HASH_KEY 40
struct ena_hw_hash_key {
	ena_le32 words;               /* of the key: 10 */
	ena_le32 reserved;
	uint8_t key[ENA_HW_HASH_KEY]; /* last byte first */
};

struct ena_hw_table_entry {
	ena_le16 rx_sq_index;
	ena_le16 zero;
};

/* The page that tells the device who drives it. */
struct ena_hw_host_info {
	ena_le32 os_type;
	char os_name[128];
	ena_le32 os_dist;
	char kernel_name[32];
	ena_le32 kernel_version;
	ena_le32 driver_version;      /* major, minor, revision from the low byte up */
	ena_le32 network_features[2];
	ena_le16 spec_version;
	ena_le16 pci_address;         /* bus << 8 | device << 3 | function */
	ena_le16 cpus;
	ena_le16 reserved;
	ena_le32 driver_features;     /* ENA_HW_DRIVER_ bits */
};
#define ENA_HW_SPEC_VERSION 0x0200

enum {
	ENA_HW_DRIVER_RX_OFFSET = 1 << 1,
	ENA_HW_DRIVER_MODERATION = 1 << 2,
	ENA_HW_DRIVER_HASH_KEY = 1 << 4,
	ENA_HW_DRIVER_TX_IP6_CSUM = 1 << 7,
};

/* --- Admin queue: entries of 64 bytes in both directions ------------------------------------- */

#define ENA_HW_PHASE 1u           /* bit 0 of the flags byte of every ring entry */
#define ENA_HW_COMMAND_ID 0x0fffu /* the bits of a command id */
#define ENA_HW_AQ_INDIRECT 4u     /* flags: there is a control buffer */

enum { /* opcode */
	ENA_HW_CREATE_SQ = 1,
	ENA_HW_DESTROY_SQ = 2,
	ENA_HW_CREATE_CQ = 3,
	ENA_HW_DESTROY_CQ = 4,
	ENA_HW_GET_FEATURE = 8,
	ENA_HW_SET_FEATURE = 9,
	ENA_HW_GET_STATS = 11,
};

enum { /* status */
	ENA_HW_OK = 0,
	ENA_HW_NO_RESOURCES = 1,
	ENA_HW_UNSUPPORTED = 3,
};

enum {
	ENA_HW_SQ_TX = 1 << 5,        /* direction */
	ENA_HW_SQ_RX = 2 << 5,
	ENA_HW_SQ_IN_HOST = 1,        /* placement */
	ENA_HW_SQ_IN_DEVICE = 3,
	ENA_HW_CQ_INTERRUPT = 1 << 5,
	ENA_HW_STATS_ENI = 2,         /* type */
};

struct ena_hw_command {
	ena_le16 id;
	uint8_t opcode;
	uint8_t flags;
	union {
		struct {
			uint8_t interrupt;          /* ENA_HW_CQ_INTERRUPT */
			uint8_t entry_words;        /* of 32 bits in a completion */
			ena_le16 depth;
			ena_le32 vector;
			struct ena_hw_address ring;
		} create_cq;
		struct {
			uint8_t direction;
			uint8_t reserved;
			uint8_t placement;
			uint8_t contiguous;         /* 1 */
			ena_le16 cq_index;
			ena_le16 depth;
			struct ena_hw_address ring; /* 0 when the ring lies in the device */
		} create_sq;
		struct {
			ena_le16 index;
			uint8_t direction;          /* of an SQ */
		} destroy;
		struct {
			ena_le32 control_length;    /* control buffer: what is too large here */
			struct ena_hw_address control;
			uint8_t select;             /* 0: current values */
			uint8_t number;
			uint8_t version;
			uint8_t reserved;
			union ena_hw_feature set;
		} feature;
		struct {
			ena_le32 control_length;
			struct ena_hw_address control;
			uint8_t type;
			uint8_t scope;              /* 1: all traffic of the device */
			ena_le16 reserved;
			ena_le16 queue;
			ena_le16 device;            /* 0xffff: this one */
		} stats;
	};
};

struct ena_hw_reply {
	ena_le16 id;
	uint8_t status;
	uint8_t flags;
	ena_le16 extended_status;
	ena_le16 sq_head;
	union {
		struct {
			ena_le16 index;
			ena_le16 depth;       /* granted: may be less than asked */
			ena_le32 numa[2];     /* registers that this driver does not use */
			ena_le32 unmask;      /* offset in BAR 0 */
		} cq;
		struct {
			ena_le16 index;
			ena_le16 reserved;
			ena_le32 doorbell;    /* offset in BAR 0 */
			ena_le32 llq_ring;    /* offset in BAR 2 */
			ena_le32 llq_headers; /* offset in BAR 2 */
		} sq;
		union ena_hw_feature feature;
		ena_le64 allowances[5];       /* as ENA_ALLOWANCES names them */
		ena_le32 words[14];
	};
};

/* --- Asynchronous events ---------------------------------------------------------------------- */

enum { /* group */
	ENA_HW_EVENT_LINK,
	ENA_HW_EVENT_FATAL,
	ENA_HW_EVENT_WARNING,
	ENA_HW_EVENT_NOTICE,
	ENA_HW_EVENT_KEEP_ALIVE,
	ENA_HW_EVENT_RESET = 7,   /* the device wants one */
	ENA_HW_NOTICE_HINTS = 2,  /* syndrome of a notice: new hints */
};

struct ena_hw_event {
	ena_le16 group;
	ena_le16 syndrome;
	uint8_t flags;            /* the phase */
	uint8_t reserved[3];
	ena_le32 timestamp[2];
	union {
		ena_le32 link;    /* bit 0: up */
		ena_le64 drops[3]; /* in keep-alives: RX, TX, RX overruns */
		struct ena_hw_hints hints;
		ena_le32 words[12];
	};
};

/* --- Packet descriptors and completions ------------------------------------------------------- */
/* A TX descriptor, as four words: length and control, offloads, address low, address high. */
struct ena_hw_tx_desc {
	uint32_t word[4];
};

enum { /* word 0 */
	ENA_HW_TX_META = 1 << 23,
	ENA_HW_TX_PHASE = 1 << 24,
	ENA_HW_TX_FIRST = 1 << 26,
	ENA_HW_TX_LAST = 1 << 27,
	ENA_HW_TX_COMPLETE = 1 << 28,        /* tell when the packet is sent */
};

enum { /* word 1 */
	ENA_HW_TX_L3_IP4 = 8,
	ENA_HW_TX_L3_IP6 = 11,
	ENA_HW_TX_DONT_FRAGMENT = 1 << 4,
	ENA_HW_TX_TSO = 1 << 7,
	ENA_HW_TX_L4_TCP = 12 << 8,
	ENA_HW_TX_L4_UDP = 13 << 8,
	ENA_HW_TX_L3_CSUM = 1 << 13,
	ENA_HW_TX_L4_CSUM = 1 << 14,
	ENA_HW_TX_L4_CSUM_PARTIAL = 1 << 17, /* the field holds the pseudo header's sum */
};

#define ENA_HW_TX_ID_HIGH(id) (((uint32_t)(id) >> 10 & 0x3f) << 16) /* word 0 */
#define ENA_HW_TX_ID_LOW(id) (((uint32_t)(id) & 0x3ff) << 22)       /* word 1 */
#define ENA_HW_TX_HEADER(length) ((uint32_t)(length) << 24)         /* word 3 */

/* A meta descriptor has the same size; it describes headers for offloads. */
enum { /* word 0 */
	ENA_HW_META_VALID = 1 << 14,
	ENA_HW_META_EXTENDED = 1 << 20,
	ENA_HW_META_STORE = 1 << 21,
};

#define ENA_HW_META_MSS_HIGH(mss) (((uint32_t)(mss) >> 10 & 0xf) << 16)
#define ENA_HW_META_L3_LENGTH(n) ((uint32_t)(n) & 0xff) /* word 2, as the rest */
#define ENA_HW_META_L3_OFFSET(n) (((uint32_t)(n) & 0xff) << 8)
#define ENA_HW_META_L4_WORDS(n) (((uint32_t)(n) & 0x3f) << 16)
#define ENA_HW_META_MSS_LOW(mss) (((uint32_t)(mss) & 0x3ff) << 22)

struct ena_hw_rx_desc {
	ena_le16 length;  /* 0: 65,536 */
	uint8_t reserved;
	uint8_t flags;    /* ENA_HW_RX_BUFFER and the phase */
	ena_le16 id;
	ena_le16 zero;
	struct ena_hw_address address;
};
#define ENA_HW_RX_BUFFER 0x1cu /* first, last, completion wanted: each buffer is one descriptor */

/* A TX completion, as two words: id, status and phase; queue and head. */
#define ENA_HW_TX_DONE_WORDS 2
#define ENA_HW_TX_DONE_ID(word0) ((uint16_t)(word0))

/* An RX completion. */
#define ENA_HW_RX_DONE_WORDS 4
struct ena_hw_rx_done {
	ena_le32 status;
	ena_le16 length;
	ena_le16 id;
	ena_le32 hash;
	ena_le16 queue;
	uint8_t offset;   /* where the data begins in the buffer */
	uint8_t reserved;
};

enum { /* status */
	ENA_HW_RX_L4_ERROR = 1 << 14,   /* the checksum is wrong */
	ENA_HW_RX_FRAGMENT = 1 << 15,
	ENA_HW_RX_L4_CHECKED = 1 << 16,
	ENA_HW_DONE_PHASE = 1 << 24,    /* of TX completions, too */
	ENA_HW_RX_FIRST = 1 << 26,
	ENA_HW_RX_LAST = 1 << 27,
	ENA_HW_RX_L4_TCP = 12,          /* protocols, as ENA_HW_RX_L4 finds them */
	ENA_HW_RX_L4_UDP = 13,
};
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
