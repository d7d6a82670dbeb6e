"""QEMU's command line. That machines boot with it is seen in tests/boot/local."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from itertools import pairwise
from pathlib import Path

import pytest

from nitro.arch import X86_64
from nitro.debian import Tree
from nitro.errors import NitroError
from nitro.local import qemu
from nitro.local.qemu import Card, Disk, Machine, Qemu, arguments


def option(line: list[str], name: str) -> list[str]:
    """The values of all options of a name."""
    return [value for key, value in pairwise(line) if key == name]


def test_a_machine_has_what_it_is_described_with(tmp_path: Path) -> None:
    machine = Machine(
        disks=(Disk(tmp_path / "disk"),),
        vcpus=2,
        memory_mib=4096,
        console=tmp_path / "console",
        cards=(Card(("-device", "virtio-net-pci"), fds=(7,)),),
        product="c5.large",
        instance_id="i-1",
    )
    line = arguments(machine, tmp_path)
    assert option(line, "-smp") == ["2"]
    assert option(line, "-m") == ["4096M"]
    assert option(line, "-cpu") == ["max,-erms,-fsrm"]
    assert "virtio-net-pci" in option(line, "-device")
    assert any(d.startswith("nvme,") and "bootindex=0" in d for d in option(line, "-device"))
    assert option(line, "-chardev") == [f"file,id=console,append=on,path={tmp_path}/console"]
    bios, system, *others = option(line, "-smbios")
    assert "vendor=Amazon EC2" in bios
    assert "product=c5.large" in system
    assert re.search(r"uuid=(ec2[0-9a-f]{5}-[-0-9a-f]{27}),serial=\1$", system)
    assert all(table.endswith("asset=i-1") for table in others)
    assert "-nodefaults" in line
    assert "memory-backend" not in " ".join(line)


def test_only_an_instance_calls_itself_one(tmp_path: Path) -> None:
    assert option(arguments(Machine(), tmp_path), "-smbios") == []


def test_disks_are_in_order_and_say_their_serial_numbers(tmp_path: Path) -> None:
    disks = (Disk(tmp_path / "root", "vol01"), Disk(tmp_path / "data", "vol02"))
    line = arguments(Machine(disks=disks), tmp_path)
    assert [d.partition("file=")[2] for d in option(line, "-drive")] == [
        str(tmp_path / "root"),
        str(tmp_path / "data"),
    ]
    first, second = (d for d in option(line, "-device") if d.startswith("nvme,"))
    assert "serial=vol01,bootindex=0" in first
    assert "serial=vol02,bootindex=1" in second
    ports = [d for d in option(line, "-device") if d.startswith("pcie-root-port,")]
    assert len(set(ports)) == 2


def test_a_kernel_starts_before_the_disks(tmp_path: Path) -> None:
    machine = Machine(disks=(Disk(tmp_path / "root"),), kernel=tmp_path / "linux", append="quiet")
    line = arguments(machine, tmp_path)
    assert option(line, "-kernel") == [str(tmp_path / "linux")]
    assert option(line, "-append") == ["quiet"]
    [disk] = (d for d in option(line, "-device") if d.startswith("nvme,"))
    assert disk.endswith("bootindex=1")  # QEMU's own program for kernels has 0


def test_kvm_shows_the_hosts_processor(tmp_path: Path) -> None:
    line = arguments(Machine(accelerator="kvm"), tmp_path)
    assert option(line, "-cpu") == ["host"]
    assert "accel=kvm" in option(line, "-machine")[0]


def test_uefi_has_flash_whose_changes_are_dropped(tmp_path: Path) -> None:
    firmware = Tree(tmp_path, ())
    for path in X86_64.firmware:
        (tmp_path / path.lstrip("/")).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path.lstrip("/")).touch()
    line = arguments(Machine(boot_mode="uefi"), tmp_path, firmware)
    code, variables = option(line, "-drive")
    assert "OVMF_CODE_4M.fd" in code
    assert "readonly=on" in code
    assert "snapshot=on" in variables
    with pytest.raises(ValueError, match="firmware"):
        arguments(Machine(boot_mode="uefi"), tmp_path)


def test_a_card_elsewhere_shares_the_memory(tmp_path: Path) -> None:
    card = Card(("-device", "other"), shared_memory=True)
    line = arguments(Machine(cards=(card,), memory_mib=256), tmp_path)
    assert option(line, "-object") == ["memory-backend-memfd,id=ram,share=on,size=256M"]
    assert "memory-backend=ram" in option(line, "-machine")[0]


def test_commas_in_paths_are_not_options(tmp_path: Path) -> None:
    line = arguments(Machine(disks=(Disk(Path("/a,b/disk")),), console=Path("/a,b/c")), tmp_path)
    assert option(line, "-drive")[0].endswith("file=/a,,b/disk")
    assert option(line, "-chardev")[0].endswith("path=/a,,b/c")


def stand_in(folder: Path, devices: str) -> Path:
    """A program that answers as QEMU does."""
    program = folder / "qemu-system-x86_64"
    program.write_text(
        f"#!/bin/sh\ncase $1 in\n--version) echo 'QEMU emulator version 10.1.2';;\n"
        f"*) echo '{devices}';;\nesac\n"
    )
    program.chmod(0o755)
    return program


def test_a_qemu_that_has_vfio_user_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = stand_in(tmp_path, 'name "vfio-user-pci", bus PCI')
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert qemu.find() == Qemu((str(program),), (10, 1, 2))


def test_an_older_qemu_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(tmp_path, 'name "vfio-pci", bus PCI')
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)

    class Asked(Exception):
        pass

    def ask(wanted: object, **_: object) -> None:
        raise Asked(wanted)

    monkeypatch.setattr("nitro.debian.tree", ask)
    with pytest.raises(Asked) as asked:
        qemu.find()
    assert asked.value.args[0].names == ("qemu-system-x86",)


@pytest.mark.extended
@pytest.mark.parametrize("does", ["exec sleep 60", "echo no number"])
def test_a_qemu_that_says_nothing_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, does: str
) -> None:
    """Neither when it is asked for its devices nor when it is asked for its version."""
    program = stand_in(tmp_path, 'name "vfio-user-pci", bus PCI')
    said = program.read_text()
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setattr(qemu, "ANSWER_SECONDS", 0.1)
    program.write_text(said.replace("echo 'QEMU emulator version 10.1.2'", does))
    with pytest.raises(NitroError, match=r"did not end within 0\.1 s|does not print its version"):
        qemu.find()
    program.write_text("#!/bin/sh\nexec sleep 60\n")
    with pytest.raises(NitroError, match=r"-device help` did not end within 0\.1 s"):
        qemu._has_vfio_user(f"{tmp_path}/./{program.name}")  # not the one that is remembered


def test_an_ended_block_ends_the_machine(tmp_path: Path) -> None:
    program = tmp_path / "stubborn"
    program.write_text("#!/bin/sh\nexec sleep 60\n")
    program.chmod(0o755)
    machine = Machine(console=tmp_path / "console")
    with qemu.boot(Qemu((str(program),), ()), machine, tmp_path) as process:
        assert process.poll() is None
    assert process.returncode is not None


def test_the_descriptors_of_cards_stay_open_in_the_machine(tmp_path: Path) -> None:
    program, told = tmp_path / "program", tmp_path / "told"
    program.write_text(f"#!/bin/sh\nls /proc/self/fd >{told}.new\nmv {told}.new {told}\nsleep 60\n")
    program.chmod(0o755)
    reading, writing = os.pipe()
    try:
        card = Card((), fds=(reading, writing))
        machine = Machine(console=tmp_path / "console", cards=[card])
        with qemu.boot(Qemu((str(program),), ()), machine, tmp_path):
            while not told.exists():
                time.sleep(0.005)
    finally:
        os.close(reading)
        os.close(writing)
    assert {str(reading), str(writing)} <= set(told.read_text().split())


@pytest.mark.extended
def test_a_machine_that_does_not_listen_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(qemu, "STOP_SECONDS", 0.2)
    deaf = (
        "import signal, time; signal.signal(15, signal.SIG_IGN); print(flush=True); time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", deaf], stdout=subprocess.PIPE)
    assert process.stdout
    process.stdout.readline()
    qemu.end(process)
    assert process.returncode == -9
    process.stdout.close()


def monitor(folder: Path, answers: list[object]) -> tuple[threading.Thread, list[str]]:
    """The other side of QEMU's control socket; returns the commands that it was given."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(folder / "qmp"))
    listener.listen()
    given: list[str] = []

    def serve() -> None:
        peer, _ = listener.accept()
        with listener, peer, peer.makefile("rw") as channel:
            channel.write('{"QMP": {}}\n')
            channel.flush()
            for answer in answers:
                given.append(json.loads(channel.readline())["execute"])
                channel.write('{"event": "noise"}\n' + json.dumps(answer) + "\n")
                channel.flush()

    thread = threading.Thread(target=serve)
    thread.start()
    return thread, given


def test_a_command_is_given_and_answered(tmp_path: Path) -> None:
    thread, given = monitor(tmp_path, [{"return": {}}, {"return": {"status": "running"}}])
    with qemu.control(tmp_path) as ask:
        assert ask("query-status") == {"status": "running"}
    thread.join(5)
    assert given == ["qmp_capabilities", "query-status"]


@pytest.mark.parametrize(("register", "pressed"), [("0x0321", True), ("0x0021", False)])
def test_the_power_button_is_pressed_if_the_guest_listens(
    tmp_path: Path, register: str, pressed: bool
) -> None:
    told = {"return": f"portw[0x0602] = {register}\r\n"}
    answers: list[object] = [{"return": {}}, told, *([{"return": {}}] if pressed else [])]
    thread, given = monitor(tmp_path, answers)
    assert qemu.press_power_button(tmp_path) is pressed
    thread.join(5)
    assert given == [
        *("qmp_capabilities", "human-monitor-command"),
        *(("system_powerdown",) if pressed else ()),
    ]


def test_a_machine_that_does_not_answer_is_not_waited_for_and_leaves_nothing_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(qemu, "STOP_SECONDS", 0.1)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "qmp"))
        listener.listen()
        before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
        with pytest.raises(TimeoutError), qemu.control(tmp_path):
            pass
        assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208


def test_a_refusal_is_an_error(tmp_path: Path) -> None:
    thread, _ = monitor(tmp_path, [{"error": {"desc": "no"}}])
    with pytest.raises(NitroError, match="no"), qemu.control(tmp_path):
        pass
    thread.join(5)


@pytest.mark.extended
@pytest.mark.parametrize("option", [" model=<str>", "  msix_qsize=<uint16>"])
def test_whether_disks_can_be_named_is_asked(option: str) -> None:
    program = Qemu((sys.executable, "-c", f"print({option!r})"), (11, 1))
    assert qemu.names_disks(program) is ("model" in option)


def test_a_disk_has_the_model_and_the_serial_number_that_it_is_given(tmp_path: Path) -> None:
    disk = Disk(tmp_path / "disk", "vol0123", "Amazon, inc.")
    line = arguments(Machine(disks=(disk,), console=tmp_path / "console"), tmp_path)
    (device,) = [word for word in line if word.startswith("nvme,")]
    assert ",serial=vol0123," in device
    assert device.endswith(",model=Amazon,, inc.,firmware-version=1.0")


@pytest.mark.slow
def test_debians_qemu_names_disks(tmp_path: Path) -> None:
    program = qemu.find()
    assert qemu.names_disks(program)
    (tmp_path / "disk").write_bytes(bytes(1 << 20))
    disk = Disk(tmp_path / "disk", "vol0123", "Amazon Elastic Block Store")
    machine = Machine(disks=(disk,), console=tmp_path / "console")
    with qemu.boot(program, machine, tmp_path) as process:
        while not (tmp_path / "qmp").exists():
            assert process.poll() is None
        with qemu.control(tmp_path) as ask:
            told = str(ask("human-monitor-command", {"command-line": "info qtree"}))
    assert 'model = "Amazon Elastic Block Store"' in told
    assert 'serial = "vol0123"' in told
