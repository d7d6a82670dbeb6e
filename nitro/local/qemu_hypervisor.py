"""The hypervisor of the local Nitro: every guest is a QEMU process, watched by a thread.

A guest's thread does everything in order (disk, network, machine, relay), waits for the machine
to end and takes it all back; the rest of this module only asks or sets flags.
"""

from __future__ import annotations

import itertools
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
from nitro.local import accel, console_file, hotplug, qemu, watch
from nitro.local.broker import HostSockets
from nitro.local.hypervisor import Disk, Guest, GuestStatus, State
from nitro.local.nic import EnaNic, Nic, maps_llq, offloads_of, shape_of
from nitro.local.relay import Relay
from nitro.local.restart import restart
from nitro.local.subnet import Subnets
from nitro.local.volumes import VolumeFiles

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
    lock: threading.Lock = field(default_factory=threading.Lock)
    restarting: threading.Lock = field(default_factory=threading.Lock)  # one at a time


class QemuHypervisor:
    """Implements `nitro.local.hypervisor.Hypervisor` inside the namespace of the local Nitro."""

    def __init__(
        self, volumes: VolumeFiles, subnets: Subnets, host: HostSockets, folder: Path
    ) -> None:
        self._volumes, self._subnets, self._host = volumes, subnets, host
        self._folder = folder
        self._machines: dict[str, _Machine] = {}
        self._tap_numbers = itertools.count(1)

    def start(self, guest: Guest) -> None:
        machine = self._machines[guest.instance_id] = _Machine(guest)
        threading.Thread(
            target=self._run, args=(machine,), name=guest.instance_id, daemon=True
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

    def reboot(self, instance_id: str, meanwhile: Callable[[], None] | None = None) -> None:
        machine = self._machines[instance_id]
        threading.Thread(target=self._restart, args=(machine, meanwhile), daemon=True).start()

    def _restart(self, machine: _Machine, meanwhile: Callable[[], None] | None) -> None:
        """`meanwhile` is called in any case, and the machine goes on whatever becomes of it."""
        instance_id = machine.guest.instance_id
        waiting = [meanwhile] if meanwhile else []

        def call() -> None:
            while waiting:
                try:
                    waiting.pop()()
                except Exception:
                    log.exception("%s: while it was down", instance_id)

        def given_up() -> bool:
            return machine.stopping

        with machine.restarting:
            try:
                if machine.process:
                    restart(self._folder / instance_id, GRACE_SECONDS, given_up, call)
            except (NitroError, OSError, ValueError) as error:
                log.warning("%s could not be restarted: %s", instance_id, error)
        call()

    def update(self, guest: Guest) -> None:
        machine = self._machines[guest.instance_id]
        with machine.lock:
            before, machine.guest = machine.guest, guest
            if machine.process and guest.public_ip != before.public_ip:
                self._publish(machine)
            elif machine.relay:
                machine.relay.permit(guest.open_ports)

    def _publish(self, machine: _Machine) -> None:
        """Let the host reach the guest at the public address that it has now."""
        guest = machine.guest
        if machine.relay:
            machine.relay.close()
        machine.relay = None
        if guest.public_ip:
            machine.relay = Relay(self._host, guest.public_ip, guest.private_ip)
            machine.relay.permit(guest.open_ports)

    def _hide(self, machine: _Machine) -> None:
        with machine.lock:
            if machine.relay:
                machine.relay.close()
            machine.relay = None

    def console(self, instance_id: str) -> bytes:
        return console_file.read_end(self._folder / instance_id / CONSOLE)

    def release(self, instance_id: str) -> None:
        """Nothing is held of a guest that is off, but its console."""

    @contextmanager
    def paused(self, instance_id: str) -> Iterator[None]:
        folder = self._folder / instance_id
        stands = self._ask(instance_id, lambda: hotplug.stand_still(folder))
        try:
            yield
        finally:
            if stands:
                self._ask(instance_id, lambda: hotplug.go_on(folder))

    def _ask(self, instance_id: str, order: Callable[[], None]) -> bool:
        """Whether the machine runs and has done it."""
        if not self._machines[instance_id].process:
            return False
        try:
            order()
        except (NitroError, OSError, ValueError) as error:
            log.warning("%s did not do as it was told: %s", instance_id, error)
            return False
        return True

    def attach(self, instance_id: str, disk: Disk) -> None:
        path = self._volumes.make(disk)
        program = qemu.find(arch=booting(self._machines[instance_id].guest.architecture))
        try:
            hotplug.plug(self._folder / instance_id, _described(disk, path, program))
        except (OSError, ValueError) as error:
            raise NitroError(f"the machine of {instance_id} does not answer: {error}") from None

    def detach(self, instance_id: str, volume_id: str) -> None:
        try:
            hotplug.unplug(self._folder / instance_id, volume_id)
        except (OSError, ValueError) as error:
            raise NitroError(f"the machine of {instance_id} does not answer: {error}") from None

    def attached(self, instance_id: str) -> frozenset[str]:
        machine = self._machines[instance_id]
        if not machine.process:
            return frozenset()
        try:
            return hotplug.plugged(self._folder / instance_id)
        except (NitroError, OSError, ValueError):  # busy, or about to end: asked again later
            return frozenset(disk.volume_id for disk in machine.guest.disks)

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

    def _run(self, machine: _Machine) -> None:
        instance_id = machine.guest.instance_id
        final = GuestStatus(State.OFF)
        try:
            with ExitStack() as undo:
                process, helpers = self._boot(machine, undo)
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

    def _boot(
        self, machine: _Machine, undo: ExitStack
    ) -> tuple[subprocess.Popen[bytes], list[watch.Helper]]:
        """Start QEMU; returns its process, and those without which the guest has no network."""
        guest = machine.guest
        folder = self._folder / guest.instance_id
        folder.mkdir(parents=True, exist_ok=True)
        program = qemu.find(arch=booting(guest.architecture))
        paths = [self._volumes.make(disk) for disk in guest.disks]
        nic, helpers = undo.enter_context(self._plugged(guest))
        speed = accel.best(program)
        description = qemu.Machine(
            disks=[
                _described(disk, path, program)
                for disk, path in zip(guest.disks, paths, strict=True)
            ],
            vcpus=capped_vcpus(guest.vcpus),
            memory_mib=capped_memory(guest.memory_mib, available_memory()),
            boot_mode=guest.boot_mode,
            accelerator=speed,
            hpet=any(qemu.needs_hpet(path, speed) for path in paths[:1]),
            console=folder / CONSOLE,
            cards=(nic.card,),
            hot_plug=True,
            product=guest.instance_type,
            instance_id=guest.instance_id,
        )
        process = undo.enter_context(qemu.boot(program, description, folder))
        with machine.lock:
            machine.process = process
            if machine.stopping:
                process.terminate()
            else:
                undo.callback(self._hide, machine)
                self._publish(machine)
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
                map_llq=maps_llq(self._folder.parent),
                shape=shape_of(self._folder.parent, guest.instance_type),
            )
            try:
                yield nic, [nic.helper, subnet.helper]
            finally:
                nic.close()
        finally:
            subnet.unplug(guest.mac)


def _described(disk: Disk, path: Path, program: qemu.Qemu) -> qemu.Disk:
    model = DISK_MODEL if qemu.names_disks(program) else ""
    return qemu.Disk(path, disk.volume_id.replace("-", ""), model, disk.volume_id)


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
