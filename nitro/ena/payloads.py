"""The layouts of admin commands, their answers, features, statistics and events.

Offsets are those of the interface: a command begins with its submission entry, an answer with the
completion's payload, a feature with what follows the frame of GET and SET. Source: the public
driver headers of amzn-drivers.
"""

from __future__ import annotations

from nitro.ena.constants import (
    Capability,
    Event,
    Feature,
    RxOffload,
    StatsType,
    TxOffload,
)
from nitro.ena.layout import Field, Layout, flags, numbered, padding

# Admin commands: the submission entry of 64 bytes, and what its completion carries.

_HEADER = (Field("command_id", "H"), Field("opcode", "B"), Field("flags", "B"))
_CONTROL = (Field("control_length", "I"), Field("control_address", "A"), padding(2))

CONTROL_BUFFER = Layout(*_HEADER, *_CONTROL)

CREATE_CQ = Layout(
    *_HEADER,
    Field("interrupt_flags", "B"),
    Field("entry_words", "B"),
    Field("depth", "H", "depth"),
    Field("vector", "I", "vector"),
    Field("address", "A"),
)
CREATE_CQ_ANSWER = Layout(
    Field("index", "H", "queue"),
    Field("depth", "H"),
    Field("numa_offset", "I"),
    Field("head_offset", "I"),
    Field("unmask_offset", "I"),
)
CREATE_SQ = Layout(
    *_HEADER,
    Field("direction_bits", "B"),
    padding(1),
    Field("placement_bits", "B"),
    Field("contiguous_flags", "B"),
    Field("cq_index", "H"),
    Field("depth", "H"),
    Field("address", "A"),
)
CREATE_SQ_ANSWER = Layout(
    Field("index", "H", "queue"),
    padding(2),
    Field("doorbell_offset", "I"),
    Field("llq_offset", "I"),
    Field("header_ring_offset", "I"),
)
DESTROY_CQ = Layout(*_HEADER, Field("index", "H"))
DESTROY_SQ = Layout(*_HEADER, Field("index", "H"), Field("direction_bits", "B"))
FEATURE = Layout(
    *_HEADER,
    *_CONTROL,
    Field("select_flags", "B"),
    Field("feature", "B"),
    Field("version", "B"),
    padding(1),
)
GET_STATS = Layout(
    *_HEADER,
    *_CONTROL,
    Field("type", "B"),
    Field("scope", "B"),
    padding(2),
    Field("queue", "H"),
    Field("device", "H"),
    Field("metrics", "Q"),
)

# Features, by number: what GET answers and SET asks for.

DEVICE_ATTRIBUTES = Layout(
    Field("implementation", "I", "implementation"),
    Field("version", "I", "version", hex),
    Field("features", "I", "features", numbered(Feature)),
    Field("capabilities", "I", "capabilities", flags(Capability)),
    Field("physical_bits", "I", "address bits"),
    Field("virtual_bits", "I"),
    Field("mac", "6s", "MAC", lambda value: value.hex(":")),
    Field("flow_rules", "H"),
    Field("max_mtu", "I", "MTU up to"),
)
MAX_QUEUES = Layout(
    Field("sqs", "I", "SQs"),
    Field("sq_depth", "I", "depth"),
    Field("cqs", "I", "CQs"),
    Field("cq_depth", "I", "depth"),
    Field("llqs", "I"),
    Field("llq_depth", "I"),
    Field("max_header", "I", "header"),
    Field("tx_descriptors", "H", "TX descriptors"),
    Field("rx_descriptors", "H", "RX descriptors"),
)
HINTS = Layout(
    Field("mmio_read_ms", "H", "MMIO read ms"),
    Field("watchdog_ms", "H", "watchdog ms"),
    Field("tx_completion_ms", "H", "TX completion ms"),
    Field("missed_tx", "H", "missed TX"),
    Field("admin_ms", "H", "admin ms"),
    Field("netdev_watchdog_ms", "H", "netdev watchdog ms"),
    Field("tx_buffers", "H", "TX buffers"),
    Field("rx_buffers", "H", "RX buffers"),
    padding(16),
)
LLQ = Layout(
    Field("queues", "I", "queues"),
    Field("depth", "I", "depth"),
    Field("locations", "H", "locations", hex),
    Field("location", "H", "location"),
    Field("entry_sizes", "H", "entry sizes", hex),
    Field("entry_size", "H", "entry size"),
    Field("before_header_choices", "H", "descriptors before header", hex),
    Field("before_header", "H", "chosen"),
    Field("strides", "H", "strides", hex),
    Field("stride", "H", "stride"),
    Field("version", "B", "version"),
    Field("recommended_entry_size", "B", "recommended entry size"),
    Field("wide_depth", "H", "wide depth"),
    Field("accel_flags", "H", "flags", hex),
    Field("burst_bytes", "H", "burst bytes"),
    padding(4),
)
MAX_QUEUES_EXT = Layout(
    Field("version", "B", "version"),
    padding(3),
    Field("tx_sqs", "I", "TX SQs"),
    Field("tx_cqs", "I", "TX CQs"),
    Field("rx_sqs", "I", "RX SQs"),
    Field("rx_cqs", "I", "RX CQs"),
    Field("tx_depth", "I", "TX depth"),
    Field("tx_cq_depth", "I", "TX CQ depth"),
    Field("rx_depth", "I", "RX depth"),
    Field("rx_cq_depth", "I", "RX CQ depth"),
    Field("max_header", "I", "header"),
    Field("tx_descriptors", "H", "TX descriptors"),
    Field("rx_descriptors", "H", "RX descriptors"),
)
RSS_FUNCTION = Layout(
    Field("offered", "I", "offered", hex),
    Field("selected", "I", "selected", hex),
    Field("initial", "I", "initial", hex),
)
OFFLOADS = Layout(
    Field("tx", "I", "TX", flags(TxOffload)),
    Field("rx", "I", "RX", flags(RxOffload)),
    Field("rx_enabled", "I", "RX enabled", flags(RxOffload)),
)
RSS_TABLE = Layout(
    Field("min_log_size", "H", "log2 size from"),
    Field("max_log_size", "H", "to"),
    Field("log_size", "H", "now"),
    Field("single_entries", "B", "single entries"),
    padding(1),
    Field("index", "I", "entry", hex),
    Field("queue", "H"),
    padding(2),
)
MTU = Layout(Field("mtu", "I", "MTU"))
RSS_INPUT = Layout(Field("sorts", "H", "sorts", hex), Field("sorted", "H", "sorted", hex))
MODERATION = Layout(Field("resolution_us", "H", "µs a unit"), padding(2))
AENQ = Layout(
    Field("offered", "I", "offered", numbered(Event)),
    Field("enabled", "I", "enabled", numbered(Event)),
)
LINK = Layout(
    Field("speed_mbps", "I", "Mbit/s"),
    Field("speeds", "I", "speeds", hex),
    Field("flags", "I", "flags", hex),
)
HOST_ATTRIBUTES = Layout(
    Field("info_address", "A", "host info at", hex),
    padding(2),
    Field("debug_address", "A", "debug area at", hex),
    padding(2),
    Field("debug_size", "I", "bytes"),
)
FEATURES: dict[int, Layout] = {
    Feature.DEVICE_ATTRIBUTES: DEVICE_ATTRIBUTES,
    Feature.MAX_QUEUES: MAX_QUEUES,
    Feature.HINTS: HINTS,
    Feature.LLQ: LLQ,
    Feature.MAX_QUEUES_EXT: MAX_QUEUES_EXT,
    Feature.RSS_FUNCTION: RSS_FUNCTION,
    Feature.OFFLOADS: OFFLOADS,
    Feature.RSS_TABLE: RSS_TABLE,
    Feature.MTU: MTU,
    Feature.RSS_INPUT: RSS_INPUT,
    Feature.MODERATION: MODERATION,
    Feature.AENQ: AENQ,
    Feature.LINK: LINK,
    Feature.HOST_ATTRIBUTES: HOST_ATTRIBUTES,
}

# What features keep in memory of their own.

RSS_KEY = Layout(Field("words", "I"), padding(4), Field("key", "40s"))
HOST_INFO = Layout(
    Field("os_type", "I"),
    Field("distribution", "128s"),
    Field("distribution_number", "I"),
    Field("kernel", "32s"),
    Field("kernel_number", "I"),
    Field("driver_version", "I"),
    padding(16),
    Field("driver_features", "I"),
)

# Statistics and events. The names are those of `stats.Counters`.

BASIC_STATS = Layout(
    Field("tx_bytes", "Q", "TX bytes"),
    Field("tx_packets", "Q", "TX packets"),
    Field("rx_bytes", "Q", "RX bytes"),
    Field("rx_packets", "Q", "RX packets"),
    Field("rx_drops", "Q", "RX drops"),
    Field("tx_drops", "Q", "TX drops"),
    Field("rx_overruns", "Q", "RX overruns"),
)
ENI_STATS = Layout(
    Field("bandwidth_in_exceeded", "Q", "bandwidth in"),
    Field("bandwidth_out_exceeded", "Q", "bandwidth out"),
    Field("packets_exceeded", "Q", "packets"),
    Field("conntrack_exceeded", "Q", "connections"),
    Field("linklocal_exceeded", "Q", "link-local"),
)
CUSTOMER_METRICS = Layout(Field("metrics", "Q", "metrics"))
STATISTICS: dict[int, Layout] = {
    StatsType.BASIC: BASIC_STATS,
    StatsType.ENI: ENI_STATS,
    StatsType.CUSTOMER: CUSTOMER_METRICS,
}
LINK_CHANGE = Layout(Field("flags", "I"))
KEEP_ALIVE = Layout(
    Field("rx_drops", "Q"),
    Field("tx_drops", "Q"),
    Field("rx_overruns", "Q"),
)


def feature(number: int, payload: bytes) -> str:
    """The fields of a GET answer or a SET request in words; zeros are left out."""
    layout = FEATURES.get(number)
    return payload.hex() if layout is None else layout.explain(payload)


def statistics(kind: int, payload: bytes) -> str:
    """The counters of a GET_STATS answer in words; zeros are left out."""
    layout = STATISTICS.get(kind)
    return "" if layout is None else layout.explain(payload)
