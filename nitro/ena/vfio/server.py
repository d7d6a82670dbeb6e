"""The loop of one card: waits for the client, the port and the clock, and never for long."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from nitro.ena.device import Device, bar2_size
from nitro.ena.memory import Memory
from nitro.ena.native.loop import Loop
from nitro.ena.ports import Port
from nitro.ena.profiles import Profile
from nitro.ena.shape import Shape
from nitro.ena.trace import Trace
from nitro.ena.vfio.irqs import Irqs
from nitro.ena.vfio.llq_memory import LlqMemory
from nitro.ena.vfio.messages import ProtocolError
from nitro.ena.vfio.native_poller import NativePoller
from nitro.ena.vfio.poller import IN, OUT, Poller
from nitro.ena.vfio.session import Session
from nitro.ena.vfio.transport import Disconnected, Transport
from nitro.errors import NitroError

# From the eventfd through QEMU's main loop to a guest under TCG, at the least.
INTERRUPT_LAG = 20e-6


class Watched(Protocol):
    """Something else to wait for, such as the control socket."""

    def fileno(self) -> int: ...

    def ready(self, device: Device) -> None:
        """It can be read."""
        ...


class Server:
    """A card behind a listening vfio-user socket: one client at a time.

    With `map_llq` the client may map LLQ memory (`Session`).
    """

    def __init__(
        self,
        path: Path,
        profile: Profile,
        mac: bytes,
        port: Port,
        *,
        shape: Shape | None = None,
        strict: bool = False,
        report: Callable[[str], None] = lambda line: None,
        trace: Trace | None = None,
        loop: Loop | None = None,
        map_llq: bool = False,
    ) -> None:
        self._path, self._port, self._report = path, port, report
        self._irqs = Irqs(profile.queues + 1)
        self._llq = LlqMemory(bar2_size(profile)) if map_llq and profile.llq else None
        self.device = Device(
            profile,
            mac,
            Memory(),
            port,
            self._irqs.raise_vector,
            time.monotonic,
            interrupt_lag=INTERRUPT_LAG,
            strict=strict,
            report=report,
            trace=trace,
            shape=shape,
            loop=loop,
            bar2=self._llq.view if self._llq else None,
        )
        self.watched: list[Watched] = []
        self._listener = _listen(path)

    def run(self, *, once: bool = False) -> None:
        """Serve clients, one after the other; only the first if `once`."""
        while True:
            self._wait_for_client()
            connection, _ = self._listener.accept()
            with contextlib.closing(Transport(connection)) as transport:
                try:
                    self._serve(transport)
                except Disconnected:
                    pass
                except ProtocolError as error:
                    self._report(f"client dropped: {error}")
            self._irqs.disable()
            self.device.memory.clear()
            self.device.set_bus_master(False)
            self.device.power_on()
            if once:
                return

    def close(self) -> None:
        self._listener.close()
        if self._llq:
            self._llq.close()
        self._path.unlink(missing_ok=True)
        self._port.close()

    def _wait_for_client(self) -> None:
        while True:
            others = {one.fileno(): one for one in self.watched}
            ready, _, _ = select.select([self._listener.fileno(), *others], [], [])
            if self._listener.fileno() in ready:
                return
            for descriptor in ready:
                others[descriptor].ready(self.device)

    def _serve(self, transport: Transport) -> None:
        device, port, client = self.device, self._port.fileno(), transport.fileno()
        session = Session(transport, device, self._irqs, self._llq)
        others = {one.fileno(): one for one in self.watched}
        poller = NativePoller(device.loop, client) if device.loop else Poller()
        with contextlib.closing(poller):
            for descriptor in (client, *others):
                poller.watch(descriptor, IN)
            while True:
                wait = device.tick() - time.monotonic()
                if self._port.fileno() < 0:
                    poller.forget(port)
                else:
                    wanted = IN if device.wants_frames else 0
                    poller.watch(port, wanted | OUT if device.blocked else wanted)
                ready = poller.wait(0.0 if session.has_answered else wait)
                asked = session.carry_out_answered()
                if client in ready:
                    transport.receive(session)
                if asked or client in ready:
                    device.run()
                if port in ready:
                    if device.blocked:
                        device.run()
                    device.receive()
                for descriptor in ready:
                    if descriptor in others:
                        others[descriptor].ready(device)


def _listen(path: Path) -> socket.socket:
    """Listen at `path`. The name appears only when connections are accepted."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    early = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        listener.bind(str(early))
        listener.listen(1)
        early.rename(path)
    except OSError as error:
        listener.close()
        early.unlink(missing_ok=True)
        raise NitroError(f"cannot listen at {path}: {error.strerror or error}") from error
    return listener
