"""What the ENA programming interface fixes: registers, opcodes, feature numbers, bits.

Facts only, all little-endian; offsets are into BAR 0. Source: the public driver headers of
amzn-drivers, checked against what Linux 6.1 and 6.12 do.
"""

from __future__ import annotations

from enum import IntEnum, IntFlag

VENDOR_ID = 0x1D0F
DEVICE_ID = 0xEC20
PCI_CLASS = 0x020000


class Reg(IntEnum):
    """Registers of BAR 0."""

    VERSION = 0x00
    CONTROLLER_VERSION = 0x04
    CAPS = 0x08
    CAPS_EXT = 0x0C
    AQ_BASE_LO = 0x10
    AQ_BASE_HI = 0x14
    AQ_CAPS = 0x18
    ACQ_BASE_LO = 0x20
    ACQ_BASE_HI = 0x24
    ACQ_CAPS = 0x28
    AQ_DB = 0x2C
    ACQ_TAIL = 0x30
    AENQ_CAPS = 0x34
    AENQ_BASE_LO = 0x38
    AENQ_BASE_HI = 0x3C
    AENQ_HEAD_DB = 0x40
    AENQ_TAIL = 0x44
    INTR_MASK = 0x4C
    DEV_CTL = 0x54
    DEV_STS = 0x58
    MMIO_REG_READ = 0x5C
    MMIO_RESP_LO = 0x60
    MMIO_RESP_HI = 0x64
    RSS_IND_ENTRY_UPDATE = 0x68


# Where this card puts the registers whose offsets it hands out when queues are created.
TX_DOORBELLS = 0x1000
RX_DOORBELLS = 0x1400
UNMASK = 0x1800
BAR0_SIZE = 0x4000
MAX_QUEUES = 128

DEAD_REGISTER = 0xFFFFFFFF


class Status(IntFlag):
    """DEV_STS."""

    READY = 1 << 0
    RESET_IN_PROGRESS = 1 << 3
    RESET_FINISHED = 1 << 4
    FATAL_ERROR = 1 << 5


class Opcode(IntEnum):
    CREATE_SQ = 1
    DESTROY_SQ = 2
    CREATE_CQ = 3
    DESTROY_CQ = 4
    GET_FEATURE = 8
    SET_FEATURE = 9
    GET_STATS = 11


class AdminStatus(IntEnum):
    """Status byte of an admin completion."""

    SUCCESS = 0
    NO_RESOURCES = 1
    BAD_OPCODE = 2
    UNSUPPORTED = 3
    MALFORMED = 4
    ILLEGAL = 5
    UNKNOWN = 6
    BUSY = 7


class Feature(IntEnum):
    DEVICE_ATTRIBUTES = 1
    MAX_QUEUES = 2
    HINTS = 3
    LLQ = 4
    MAX_QUEUES_EXT = 7
    RSS_FUNCTION = 10
    OFFLOADS = 11
    RSS_TABLE = 12
    MTU = 14
    RSS_INPUT = 18
    MODERATION = 20
    AENQ = 26
    LINK = 27
    HOST_ATTRIBUTES = 28


class Event(IntEnum):
    """AENQ groups; the group's bit is 1 << number."""

    LINK_CHANGE = 0
    FATAL_ERROR = 1
    WARNING = 2
    NOTIFICATION = 3
    KEEP_ALIVE = 4
    REFRESH_CAPABILITIES = 5
    CONF_NOTIFICATIONS = 6
    RESET_REQUEST = 7


class StatsType(IntEnum):
    BASIC = 0
    EXTENDED = 1
    ENI = 2
    SRD = 3
    CUSTOMER = 4


class Capability(IntFlag):
    """`capabilities` of the device attributes."""

    ENI_STATS = 1 << 0
    SRD_INFO = 1 << 1
    CUSTOMER_METRICS = 1 << 2
    EXTENDED_RESET_REASONS = 1 << 3
    CDESC_MBZ = 1 << 4


class TxOffload(IntFlag):
    """`tx` of the offload feature."""

    L3_CSUM = 1 << 0
    L4_V4_PARTIAL = 1 << 1
    L4_V4_FULL = 1 << 2
    L4_V6_PARTIAL = 1 << 3
    L4_V6_FULL = 1 << 4
    TSO_V4 = 1 << 5
    TSO_V6 = 1 << 6
    TSO_ECN = 1 << 7


class RxOffload(IntFlag):
    """`rx` of the offload feature."""

    L3_CSUM = 1 << 0
    L4_V4_CSUM = 1 << 1
    L4_V6_CSUM = 1 << 2
    HASH = 1 << 3


class OsType(IntEnum):
    """`os_type` of the host info page."""

    LINUX = 1
    WINDOWS = 2
    DPDK = 3
    FREEBSD = 4
    IPXE = 5


DIRECTION_TX = 1
DIRECTION_RX = 2
PLACEMENT_HOST = 1
PLACEMENT_DEVICE = 3

RESET_REASONS = (
    "normal",
    "keep-alive timeout",
    "admin timeout",
    "missing TX completions",
    "invalid RX request id",
    "invalid TX request id",
    "too many RX descriptors",
    "initialisation error",
    "driver in an invalid state",
    "asked for by the OS",
    "OS transmit watchdog",
    "shutdown",
    "asked for by the user",
    "generic",
    "missing interrupt",
    "suspected poll starvation",
    "malformed RX descriptor",
    "malformed TX descriptor",
    "missing admin interrupt",
    "asked for by the device",
    "missing first interrupt",
)
