"""GET_FEATURE and SET_FEATURE: what the card offers, and what the driver chose."""

from __future__ import annotations

import struct
from collections.abc import Callable

from nitro.ena import llq
from nitro.ena.admin import Command, CommandError
from nitro.ena.aenq import EventQueue
from nitro.ena.constants import AdminStatus, Event, Feature
from nitro.ena.hostinfo import HostInfo
from nitro.ena.memory import Memory
from nitro.ena.profiles import Profile
from nitro.ena.rssfeatures import RssFeatures
from nitro.ena.rules import Rules

DEVICE_VERSION = 0x000A
_GROUPS = 1 << Event.LINK_CHANGE | 1 << Event.FATAL_ERROR | 1 << Event.WARNING
_MORE_GROUPS = 1 << Event.NOTIFICATION | 1 << Event.KEEP_ALIVE | 1 << Event.RESET_REQUEST
_ACCEL_FLAGS = llq.ACCEL_NO_META_CACHING | llq.ACCEL_BURST_LIMIT
_LINK_SPEEDS = 0x1FF
MIN_MTU = 128
MAX_HEADER = 128  # bytes of a TX header, where LLQ does not set another limit


class Features:
    """The feature state of one card. A reset puts back the defaults."""

    def __init__(
        self,
        profile: Profile,
        mac: bytes,
        *,
        memory: Memory,
        rules: Rules,
        events: EventQueue,
        rss: RssFeatures,
    ) -> None:
        self.mac = mac
        self._profile, self._memory, self._rules = profile, memory, rules
        self._events, self._rss = events, rss
        self._get: dict[int, Callable[[Command], bytes]] = {
            Feature.DEVICE_ATTRIBUTES: self._device_attributes,
            Feature.MAX_QUEUES: self._max_queues_legacy,
            Feature.MAX_QUEUES_EXT: self._max_queues,
            Feature.OFFLOADS: self._offloads,
            Feature.AENQ: self._aenq,
            Feature.LINK: self._link,
        }
        self._set: dict[int, Callable[[Command], bytes]] = {
            Feature.MTU: self._set_mtu,
            Feature.AENQ: self._set_aenq,
            Feature.HOST_ATTRIBUTES: self._set_host_attributes,
        }
        if profile.hints:
            self._get[Feature.HINTS] = self._hints
        if profile.moderation_us:
            self._get[Feature.MODERATION] = self._moderation
        if profile.llq:
            self._get[Feature.LLQ] = self._llq
            self._set[Feature.LLQ] = self._set_llq
        if profile.rss:
            self._get[Feature.RSS_TABLE] = rss.get_table
            self._set[Feature.RSS_TABLE] = rss.set_table
        if profile.rss_function:
            self._get[Feature.RSS_FUNCTION] = rss.get_function
            self._set[Feature.RSS_FUNCTION] = rss.set_function
            self._get[Feature.RSS_INPUT] = rss.get_input
            self._set[Feature.RSS_INPUT] = rss.set_input
        self.supported = sum(1 << bit for bit in {*self._get, *self._set})
        self.reset()

    def reset(self) -> None:
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
        feature = command.u8(17)
        if feature not in handlers:
            self._rules.report_violation("feature-not-offered", f"feature {feature}")
            raise CommandError(AdminStatus.UNSUPPORTED, f"feature {feature}")
        return handlers[feature]

    def _refuse(self, detail: str) -> CommandError:
        self._rules.report_violation("feature-value", detail)
        return CommandError(AdminStatus.ILLEGAL, detail)

    # What the card offers.

    def _device_attributes(self, command: Command) -> bytes:
        profile = self._profile
        return struct.pack(
            "<6I6sHI",
            1,
            DEVICE_VERSION,
            self.supported,
            profile.capabilities,
            48,
            48,
            self.mac,
            0,
            profile.max_mtu,
        )

    def _max_queues(self, command: Command) -> bytes:
        profile = self._profile
        n = profile.queues
        return struct.pack(
            "<B3x9IHH",
            1,
            n,
            n,
            n,
            n,
            profile.tx_depth,
            profile.tx_depth,
            profile.rx_depth,
            profile.rx_depth,
            MAX_HEADER,
            profile.max_tx_descriptors,
            profile.max_rx_descriptors,
        )

    def _max_queues_legacy(self, command: Command) -> bytes:
        """For drivers older than the extended form: one number for both directions, no LLQ."""
        profile = self._profile
        n, depth = profile.queues, min(profile.tx_depth, profile.rx_depth)
        descriptors = (profile.max_tx_descriptors, profile.max_rx_descriptors)
        return struct.pack("<7IHH", n, depth, n, depth, 0, 0, MAX_HEADER, *descriptors)

    def _hints(self, command: Command) -> bytes:
        return self.hints()

    def hints(self, watchdog_ms: int = 6000) -> bytes:
        """The hints structure, also the data of a hints notification: timeouts in ms."""
        return struct.pack("<8H16x", 200, watchdog_ms, 5000, 128, 3000, 5000, 19, 19)

    def _llq(self, command: Command) -> bytes:
        profile = self._profile
        wide = profile.llq_wide
        sizes = llq.ENTRY_128 | (llq.ENTRY_256 if wide else 0)
        return struct.pack(
            "<2I8HBBHHHI",
            profile.queues,
            profile.tx_depth,
            llq.LOCATION_INLINE,
            0,
            sizes,
            0,
            sum(llq.BEFORE_HEADER),
            0,
            llq.STRIDE_SINGLE | llq.STRIDE_MULTIPLE,
            0,
            1 if wide else 0,
            llq.ENTRY_256 if profile.llq_only and wide else llq.ENTRY_128,
            profile.llq_wide_depth if wide else 0,
            self._accel_flags,
            profile.max_burst_bytes,
            0,
        )

    @property
    def _accel_flags(self) -> int:
        """The LLQ flags that this card offers."""
        flags = 0 if self._profile.meta_caching else llq.ACCEL_NO_META_CACHING
        return flags | (llq.ACCEL_BURST_LIMIT if self._profile.max_burst_bytes else 0)

    def _offloads(self, command: Command) -> bytes:
        return struct.pack(
            "<3I", self._profile.tx_offloads, self._profile.rx_offloads, self._profile.rx_offloads
        )

    def _moderation(self, command: Command) -> bytes:
        return struct.pack("<HH", self._profile.moderation_us, 0)

    def _aenq(self, command: Command) -> bytes:
        return struct.pack("<II", _GROUPS | _MORE_GROUPS, self._events.groups)

    def _link(self, command: Command) -> bytes:
        return struct.pack("<III", self._profile.speed_mbps, _LINK_SPEEDS, 1 << 1)

    # What the driver chooses.

    def _set_mtu(self, command: Command) -> bytes:
        mtu = command.u32(20)
        if not MIN_MTU <= mtu <= self._profile.max_mtu:
            raise self._refuse(f"MTU {mtu}")
        self.mtu = mtu
        return b""

    def _set_aenq(self, command: Command) -> bytes:
        groups = command.u32(24)
        if groups & ~(_GROUPS | _MORE_GROUPS):
            raise self._refuse(f"event groups {groups:#x}")
        self._events.groups = groups
        return b""

    def _set_host_attributes(self, command: Command) -> bytes:
        address = command.address(20)
        if address:
            self.host = HostInfo.read(self._memory, address)
            if self.host.driver_major != 2:
                version = f"driver version {self.host.driver_major}"
                self._rules.report_violation("host-info-version", version)
        return b""

    def _set_llq(self, command: Command) -> bytes:
        # Words of the payload: location, entry size, descriptors before the header, stride;
        # the chosen value follows what GET reported as possible.
        location, size, before, stride = (command.u16(20 + at) for at in (10, 14, 18, 22))
        flags = command.u16(20 + 28)
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
