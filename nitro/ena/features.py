"""GET_FEATURE and SET_FEATURE: what the card offers, and what the driver chose."""

from __future__ import annotations

from collections.abc import Callable

from nitro.ena import llq, payloads
from nitro.ena.admin import Command, CommandError
from nitro.ena.aenq import EventQueue
from nitro.ena.constants import AdminStatus, Event, Feature
from nitro.ena.context import Context
from nitro.ena.hostinfo import HostInfo
from nitro.ena.memory import ADDRESS_BITS
from nitro.ena.rssfeatures import RssFeatures

DEVICE_VERSION = 0x000A
_GROUPS = 1 << Event.LINK_CHANGE | 1 << Event.FATAL_ERROR | 1 << Event.WARNING
_MORE_GROUPS = 1 << Event.NOTIFICATION | 1 << Event.KEEP_ALIVE | 1 << Event.RESET_REQUEST
_ACCEL_FLAGS = llq.ACCEL_NO_META_CACHING | llq.ACCEL_BURST_LIMIT
_LINK_SPEEDS = 0x1FF
_FULL_DUPLEX = 1 << 1
MIN_MTU = 128
MAX_HEADER = 128  # bytes of a TX header, where LLQ does not set another limit


class Features:
    """The feature state of one card. A reset puts back the defaults."""

    def __init__(
        self,
        context: Context,
        mac: bytes,
        *,
        events: EventQueue,
        rss: RssFeatures,
    ) -> None:
        self.mac = mac
        self._memory, self._rules = context.memory, context.rules
        self._profile = profile = context.profile
        self._events, self._rss = events, rss
        self._get: dict[int, Callable[[Command], bytes]] = {
            Feature.DEVICE_ATTRIBUTES: self._device_attributes,
            Feature.MAX_QUEUES: self._max_queues_legacy,
            Feature.MAX_QUEUES_EXT: self._max_queues,
            Feature.OFFLOADS: self._offloads,
            Feature.AENQ: self._aenq,
            Feature.LINK: self._link,
            Feature.RSS_TABLE: rss.get_table,
        }
        self._set: dict[int, Callable[[Command], bytes]] = {
            Feature.MTU: self._set_mtu,
            Feature.AENQ: self._set_aenq,
            Feature.HOST_ATTRIBUTES: self._set_host_attributes,
            Feature.RSS_TABLE: rss.set_table,
        }
        if profile.hints:
            self._get[Feature.HINTS] = self._hints
        if profile.moderation_us:
            self._get[Feature.MODERATION] = self._moderation
        if profile.llq:
            self._get[Feature.LLQ] = self._llq
            self._set[Feature.LLQ] = self._set_llq
        if profile.rss_function:
            self._get[Feature.RSS_FUNCTION] = rss.get_function
            self._set[Feature.RSS_FUNCTION] = rss.set_function
            self._get[Feature.RSS_INPUT] = rss.get_input
            self._set[Feature.RSS_INPUT] = rss.set_input
        self._faults = context.faults
        self.supported = 0
        self.reset()

    def reset(self) -> None:
        self.supported = sum(1 << bit for bit in {*self._get, *self._set})
        if self._faults.triggers("rss-table-missing"):
            self.supported &= ~(1 << Feature.RSS_TABLE)
        self.mtu = 1500
        self.layout: llq.Layout | None = None
        self.host = HostInfo()
        self._rss.reset()

    def get(self, command: Command) -> bytes:
        """Payload of GET_FEATURE. Raises CommandError."""
        return self._handler(self._get, command)(command)

    def set(self, command: Command) -> bytes:
        """Carry out SET_FEATURE; its payload is empty. Raises CommandError."""
        return self._handler(self._set, command)(command)

    def _handler(
        self, handlers: dict[int, Callable[[Command], bytes]], command: Command
    ) -> Callable[[Command], bytes]:
        feature: int = command.read(payloads.FEATURE)["feature"]
        if feature not in handlers or not self.supported >> feature & 1:
            self._rules.report_violation("feature-not-offered", f"feature {feature}")
            raise CommandError(AdminStatus.UNSUPPORTED, f"feature {feature}")
        return handlers[feature]

    def _refuse(self, detail: str) -> CommandError:
        self._rules.report_violation("feature-value", detail)
        return CommandError(AdminStatus.ILLEGAL, detail)

    # What the card offers.

    def _device_attributes(self, command: Command) -> bytes:
        profile = self._profile
        return payloads.DEVICE_ATTRIBUTES.pack(
            implementation=1,
            version=DEVICE_VERSION,
            features=self.supported,
            capabilities=profile.capabilities,
            physical_bits=ADDRESS_BITS,
            virtual_bits=ADDRESS_BITS,
            mac=self.mac,
            max_mtu=profile.max_mtu,
        )

    def _max_queues(self, command: Command) -> bytes:
        profile = self._profile
        n = profile.queues
        return payloads.MAX_QUEUES_EXT.pack(
            version=1,
            tx_sqs=n,
            tx_cqs=n,
            rx_sqs=n,
            rx_cqs=n,
            tx_depth=profile.tx_depth,
            tx_cq_depth=profile.tx_depth,
            rx_depth=profile.rx_depth,
            rx_cq_depth=profile.rx_depth,
            max_header=MAX_HEADER,
            tx_descriptors=profile.max_tx_descriptors,
            rx_descriptors=profile.max_rx_descriptors,
        )

    def _max_queues_legacy(self, command: Command) -> bytes:
        """For drivers older than the extended form: one number for both directions, no LLQ."""
        profile = self._profile
        depth = min(profile.tx_depth, profile.rx_depth)
        return payloads.MAX_QUEUES.pack(
            sqs=profile.queues,
            sq_depth=depth,
            cqs=profile.queues,
            cq_depth=depth,
            max_header=MAX_HEADER,
            tx_descriptors=profile.max_tx_descriptors,
            rx_descriptors=profile.max_rx_descriptors,
        )

    def _hints(self, command: Command) -> bytes:
        return self.hints()

    def hints(self, watchdog_ms: int = 6000) -> bytes:
        """The hints structure, also the data of a hints notification: timeouts in ms."""
        return payloads.HINTS.pack(
            mmio_read_ms=200,
            watchdog_ms=watchdog_ms,
            tx_completion_ms=5000,
            missed_tx=128,
            admin_ms=3000,
            netdev_watchdog_ms=5000,
            tx_buffers=19,
            rx_buffers=19,
        )

    def _llq(self, command: Command) -> bytes:
        profile = self._profile
        wide = profile.llq_wide
        return payloads.LLQ.pack(
            queues=profile.queues,
            depth=profile.tx_depth,
            locations=llq.LOCATION_INLINE,
            entry_sizes=llq.ENTRY_128 | (llq.ENTRY_256 if wide else 0),
            before_header_choices=sum(llq.BEFORE_HEADER),
            strides=llq.STRIDE_SINGLE | llq.STRIDE_MULTIPLE,
            version=1 if wide else 0,
            recommended_entry_size=llq.ENTRY_256 if profile.llq_only and wide else llq.ENTRY_128,
            wide_depth=profile.llq_wide_depth if wide else 0,
            accel_flags=self._accel_flags,
            burst_bytes=profile.max_burst_bytes,
        )

    @property
    def _accel_flags(self) -> int:
        """The LLQ flags that this card offers."""
        flags = 0 if self._profile.meta_caching else llq.ACCEL_NO_META_CACHING
        return flags | (llq.ACCEL_BURST_LIMIT if self._profile.max_burst_bytes else 0)

    def _offloads(self, command: Command) -> bytes:
        profile = self._profile
        return payloads.OFFLOADS.pack(
            tx=profile.tx_offloads, rx=profile.rx_offloads, rx_enabled=profile.rx_offloads
        )

    def _moderation(self, command: Command) -> bytes:
        return payloads.MODERATION.pack(resolution_us=self._profile.moderation_us)

    def _aenq(self, command: Command) -> bytes:
        return payloads.AENQ.pack(offered=_GROUPS | _MORE_GROUPS, enabled=self._events.groups)

    def _link(self, command: Command) -> bytes:
        return payloads.LINK.pack(
            speed_mbps=self._profile.speed_mbps, speeds=_LINK_SPEEDS, flags=_FULL_DUPLEX
        )

    # What the driver chooses.

    def _set_mtu(self, command: Command) -> bytes:
        mtu: int = command.read_feature(payloads.MTU)["mtu"]
        if not MIN_MTU <= mtu <= self._profile.max_mtu:
            raise self._refuse(f"MTU {mtu}")
        self.mtu = mtu
        return b""

    def _set_aenq(self, command: Command) -> bytes:
        groups: int = command.read_feature(payloads.AENQ)["enabled"]
        if groups & ~(_GROUPS | _MORE_GROUPS):
            raise self._refuse(f"event groups {groups:#x}")
        self._events.groups = groups
        return b""

    def _set_host_attributes(self, command: Command) -> bytes:
        address: int = command.read_feature(payloads.HOST_ATTRIBUTES)["info_address"]
        if address:
            self.host = HostInfo.read(self._memory, address)
            if self.host.driver_major != 2:
                version = f"driver version {self.host.driver_major}"
                self._rules.report_violation("host-info-version", version)
        return b""

    def _set_llq(self, command: Command) -> bytes:
        wanted = command.read_feature(payloads.LLQ)
        location, size = wanted["location"], wanted["entry_size"]
        before, stride = wanted["before_header"], wanted["stride"]
        flags: int = wanted["accel_flags"]
        sizes = llq.ENTRY_128 | (llq.ENTRY_256 if self._profile.llq_wide else 0)
        if location != llq.LOCATION_INLINE or size not in llq.ENTRY_BYTES or not size & sizes:
            raise self._refuse(f"LLQ header location {location}, entry size {size}")
        if before not in llq.BEFORE_HEADER or stride not in (1, 2) or flags & ~_ACCEL_FLAGS:
            raise self._refuse(f"LLQ {before} descriptors, stride {stride}, flags {flags:#x}")
        entry_size = llq.ENTRY_BYTES[size]
        if before * 16 >= entry_size:
            raise self._refuse(f"LLQ entry of {entry_size} bytes without room for a header")
        # Linux asks for both flags always; only what was offered takes effect.
        flags &= self._accel_flags
        limited = flags & llq.ACCEL_BURST_LIMIT
        self.layout = llq.Layout(
            entry_size=entry_size,
            descriptors_before_header=before,
            stride=stride,
            no_meta_caching=bool(flags & llq.ACCEL_NO_META_CACHING),
            burst=self._profile.max_burst_bytes // entry_size if limited else llq.NO_LIMIT,
        )
        return b""
