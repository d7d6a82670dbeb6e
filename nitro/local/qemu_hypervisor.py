"""The hypervisor of the local Nitro: every guest is a QEMU process, watched by a thread.

A guest's thread does everything in order (disk, network, machine, relay), waits for the machine
to end and takes it all back; the rest of this module only asks or sets flags.
"""

from __future__ import annotations

import logging
import os
import re
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from nitro.arch import booting
from nitro.errors import NitroError
from nitro.local import accel, console_file, qemu, watch
from nitro.local.broker import HostSockets
from nitro.local.hypervisor import Guest, GuestStatus, State
from nitro.local.nic import EnaNic, Nic, offloads_of, shape_of
from nitro.local.relay import Relay
from nitro.local.restart import restart
from nitro.local.store import BlockStore
from nitro.local.subnet import Subnets

log = logging.getLogger(__name__)

MINIMUM_MEMORY_MIB = 256
CONSOLE = "console"
DISK_MODEL = "Amazon Elastic Block Store"  # https://docs.aws.amazon.com/ebs/latest/userguide/nvme-ebs-volumes.html
GRACE_SECONDS = 60.0  # for a guest that has been asked to shut down
CONSOLE_LOOK = 5.0  # seconds between two looks at the console's size


@dataclass
class _Machine:
    """A guest and what is known of its machine."""

    guest: Guest
    status: GuestStatus = field(default_factory=lambda: GuestStatus(State.STARTING))
    process: subprocess.Popen[bytes] | None = None
    relay: Relay | None = None
    stopping: bool = False
    released: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)
    restarting: threading.Lock = field(default_factory=threading.Lock)  # one at a time


class QemuHypervisor:
    """Implements `nitro.local.hypervisor.Hypervisor` inside the namespace of the local Nitro."""

    def __init__(
        self, store: BlockStore, subnets: Subnets, host: HostSockets, folder: Path
    ) -> None:
        self._store, self._subnets, self._host = store, subnets, host
        self._folder = folder
        self._machines: dict[str, _Machine] = {}
        self._tap_numbers = iter(range(1, 10**9))

    def start(self, guest: Guest) -> None:
        before = self._machines.get(guest.instance_id)
        machine = self._machines[guest.instance_id] = _Machine(guest)
        fresh = before is None
        threading.Thread(
            target=self._run, args=(machine, fresh), name=guest.instance_id, daemon=True
        ).start()

    def status(self, instance_id: str) -> GuestStatus:
        return self._machines[instance_id].status

    def stop(self, instance_id: str, *, force: bool = False) -> None:
        machine = self._machines[instance_id]
        with machine.lock:
            machine.stopping = True
            if not machine.process:
                return
            if force:
                machine.process.terminate()
            else:
                threading.Thread(
                    target=self._end, args=(machine.process, instance_id), daemon=True
                ).start()

    def _end(self, process: subprocess.Popen[bytes], instance_id: str) -> None:
        """Let the guest shut down, if it listens to the power button, for GRACE_SECONDS."""
        try:
            with self._machines[instance_id].restarting:
                pressed = qemu.press_power_button(self._folder / instance_id)
            if pressed:
                process.wait(GRACE_SECONDS)
        except (NitroError, OSError, ValueError, subprocess.TimeoutExpired) as error:
            log.info("%s is ended without its help: %s", instance_id, error)
        process.terminate()

    def reboot(self, instance_id: str) -> None:
        machine = self._machines[instance_id]
        if machine.process:
            threading.Thread(target=self._restart, args=(machine,), daemon=True).start()

    def _restart(self, machine: _Machine) -> None:
        instance_id = machine.guest.instance_id
        with machine.restarting:
            try:
                restart(self._folder / instance_id, GRACE_SECONDS, lambda: machine.stopping)
            except (NitroError, OSError, ValueError) as error:
                log.warning("%s could not be restarted: %s", instance_id, error)

    def update(self, guest: Guest) -> None:
        machine = self._machines[guest.instance_id]
        with machine.lock:
            machine.guest = guest
            if machine.relay:
                machine.relay.permit(guest.open_ports)

    def console(self, instance_id: str) -> bytes:
        return console_file.read_end(self._folder / instance_id / CONSOLE)

    def release(self, instance_id: str) -> None:
        machine = self._machines[instance_id]
        machine.released = True
        if machine.status.state in (State.OFF, State.FAILED):
            self._remove_disks(machine.guest)

    def guest_at(self, private_ip: str) -> Guest | None:
        """The guest that has this address now."""
        for machine in list(self._machines.values()):
            if machine.guest.private_ip == private_ip and machine.process:
                return machine.guest
        return None

    def close(self, timeout: float) -> None:
        """End every machine, waiting at most `timeout` seconds."""
        deadline = time.monotonic() + timeout
        for instance_id in list(self._machines):
            self.stop(instance_id, force=True)
        while any(machine.process for machine in self._machines.values()):
            if time.monotonic() > deadline:
                break
            time.sleep(0.02)

    def _run(self, machine: _Machine, fresh: bool) -> None:
        instance_id = machine.guest.instance_id
        final = GuestStatus(State.OFF)
        try:
            with ExitStack() as undo:
                process, helpers = self._boot(machine, fresh, undo)
                folder = self._folder / instance_id
                try:
                    watch.wait_for_end(
                        watch.Helper("QEMU", process, folder / "qemu.log"),
                        helpers,
                        _dropper(folder / CONSOLE),
                    )
                except NitroError:
                    if not machine.stopping:
                        raise
        except (NitroError, OSError) as error:
            log.warning("%s could not be run: %s", instance_id, error)
            final = GuestStatus(State.FAILED, str(error))
        except Exception as error:
            log.exception("%s could not be run", instance_id)
            final = GuestStatus(State.FAILED, repr(error))
        finally:
            machine.process = None
            machine.status = final
        log.info("%s is off", instance_id)
        if machine.released:
            self._remove_disks(machine.guest)

    def _boot(
        self, machine: _Machine, fresh: bool, undo: ExitStack
    ) -> tuple[subprocess.Popen[bytes], list[watch.Helper]]:
        """Start QEMU; returns its process, and those without which the guest has no network."""
        guest = machine.guest
        folder = self._folder / guest.instance_id
        folder.mkdir(parents=True, exist_ok=True)
        program = qemu.find(arch=booting(guest.architecture))
        if fresh:
            self._make_disks(guest)
        nic, helpers = undo.enter_context(self._plugged(guest))
        speed = accel.best(program)
        model = DISK_MODEL if qemu.names_disks(program) else ""
        paths = list(self._disk_paths(guest))
        description = qemu.Machine(
            disks=[
                qemu.Disk(path, disk.volume_id.replace("-", ""), model)
                for disk, path in zip(guest.disks, paths, strict=True)
            ],
            vcpus=capped_vcpus(guest.vcpus),
            memory_mib=capped_memory(guest.memory_mib, available_memory()),
            boot_mode=guest.boot_mode,
            accelerator=speed,
            hpet=any(qemu.needs_hpet(path, speed) for path in paths[:1]),
            console=folder / CONSOLE,
            cards=(nic.card,),
            product=guest.instance_type,
            instance_id=guest.instance_id,
        )
        process = undo.enter_context(qemu.boot(program, description, folder))
        with machine.lock:
            machine.process = process
            if machine.stopping:
                process.terminate()
            elif guest.public_ip:
                machine.relay = Relay(self._host, guest.public_ip, guest.private_ip)
                undo.callback(machine.relay.close)
                machine.relay.permit(machine.guest.open_ports)
        facts = {"accelerator": speed, "nic": nic.name}
        machine.status = GuestStatus(State.RUNNING, facts=facts)
        log.info("%s runs at %s (%s)", guest.instance_id, guest.private_ip, guest.public_ip)
        return process, helpers

    @contextmanager
    def _plugged(self, guest: Guest) -> Iterator[tuple[Nic, list[watch.Helper]]]:
        """A card on the guest's subnet, for the length of a `with` block, and what it needs."""
        name = f"tap{next(self._tap_numbers)}"
        subnet, tap = self._subnets.plug(guest.network, name, guest.mac, guest.private_ip)
        folder = self._folder / guest.instance_id
        try:
            nic = EnaNic(
                tap,
                guest.mac,
                profile=guest.instance_type,
                folder=folder,
                console=folder / CONSOLE,
                offloads=offloads_of(self._folder.parent),
                shape=shape_of(self._folder.parent, guest.instance_type),
            )
            try:
                yield nic, [nic.helper, subnet.helper]
            finally:
                nic.close()
        finally:
            subnet.unplug(guest.mac)

    def _make_disks(self, guest: Guest) -> None:
        for disk, path in zip(guest.disks, self._disk_paths(guest), strict=True):
            if disk.snapshot_id:
                self._store.copy_to(disk.snapshot_id, path, disk.size_bytes)
            else:
                with path.open("wb") as file:
                    file.truncate(disk.size_bytes)

    def _remove_disks(self, guest: Guest) -> None:
        for path in self._disk_paths(guest):
            path.unlink(missing_ok=True)

    def _disk_paths(self, guest: Guest) -> list[Path]:
        folder = self._folder / guest.instance_id
        return [folder / f"disk{number}" for number in range(len(guest.disks))]


def _dropper(console: Path) -> Callable[[], None]:
    """Keeps a console small, looking at it every CONSOLE_LOOK seconds."""
    last = time.monotonic()

    def look() -> None:
        nonlocal last
        if time.monotonic() - last >= CONSOLE_LOOK:
            last = time.monotonic()
            console_file.drop_beginning(console)

    return look


def capped_vcpus(wanted: int) -> int:
    """No more than this machine has: more would only take turns."""
    return max(1, min(wanted, os.cpu_count() or 1))


def capped_memory(wanted_mib: int, available_mib: int) -> int:
    """No more than half of what is left, so that two instances fit; MINIMUM_MEMORY_MIB at least."""
    return max(MINIMUM_MEMORY_MIB, min(wanted_mib, available_mib // 2))


def available_memory() -> int:
    """MemAvailable of /proc/meminfo, in MiB."""
    found = re.search(r"^MemAvailable:\s+(\d+) kB", Path("/proc/meminfo").read_text(), re.M)
    return int(found[1]) // 1024 if found else MINIMUM_MEMORY_MIB
