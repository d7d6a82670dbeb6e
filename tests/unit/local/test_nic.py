"""Cards as QEMU is told of them."""

from __future__ import annotations

import json
import os
import socket
import struct
from pathlib import Path
from typing import Any

import pytest

from nitro.errors import NitroError
from nitro.local.nic import (
    MAP_LLQ_FILE,
    OFFLOADS_FILE,
    SHAPES_FILE,
    EnaNic,
    UserNic,
    maps_llq,
    offloads_of,
    shape_of,
)
from nitro.ports import Forward


def test_user_mode_is_cut_off_but_for_its_ports() -> None:
    nic = UserNic([Forward("tcp", 8080, 80), Forward("tcp", 2222, 22)])
    assert nic.isolated
    assert nic.card.arguments[1] == (
        "user,id=net0,restrict=on,hostfwd=tcp:127.0.0.1:8080-:80,hostfwd=tcp:127.0.0.1:2222-:22"
    )


def test_a_guest_that_is_to_answer_datagrams_is_not_cut_off() -> None:
    nic = UserNic([Forward("tcp", 8080, 80), Forward("udp", 5353, 53)])
    assert not nic.isolated
    netdev = nic.card.arguments[1]
    assert netdev.startswith("user,id=net0,restrict=off,")
    assert netdev.endswith(",hostfwd=udp:127.0.0.1:5353-:53")


def plugged_in(folder: Path, **asked: Any) -> tuple[EnaNic, socket.socket]:
    """A card of a c5.large, and the far end of its cable."""
    cable, far_end = socket.socketpair()
    console = folder / "console"
    mac = "02:00:00:00:00:01"
    nic = EnaNic(cable.detach(), mac, profile="c5.large", folder=folder, console=console, **asked)
    return nic, far_end


@pytest.mark.extended
def test_an_ena_card_is_a_process_with_a_socket_for_the_machine(tmp_path: Path) -> None:
    nic, far_end = plugged_in(tmp_path)
    device = json.loads(nic.card.arguments[-1])
    assert device["driver"] == "vfio-user-pci"
    (port,) = [word for word in nic.card.arguments if f"id={device['bus']}," in word]
    assert port.startswith("pcie-root-port,")
    assert port.endswith(",slot=5"), "systemd names the interface by it: ens5"
    assert (tmp_path / device["socket"]["path"]).is_socket()
    assert nic.card.shared_memory
    write = struct.pack("<QIII", 0x48, 0, 4, 1)  # BAR 0, where there is no register
    with socket.socket(socket.AF_UNIX) as machine:
        machine.connect(str(tmp_path / "ena"))
        machine.sendall(struct.pack("<HHIII", 1, 10, 16 + len(write), 0, 0) + write)
        machine.recv(100)
    assert "rule broken: unknown-register" in (tmp_path / "console").read_text()
    nic.close()
    assert far_end.recv(1) == b""  # nobody holds the other end any more
    far_end.close()


@pytest.mark.extended
def test_a_card_that_cannot_be_made_says_why_on_the_console(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nitro.local.nic.CARD_SECONDS", 3600)  # its end is enough
    reader, writer = os.pipe()  # no cable
    console = tmp_path / "console"
    with pytest.raises(NitroError, match="did not come up"):
        EnaNic(writer, "02:00:00:00:00:01", profile="c5.large", folder=tmp_path, console=console)
    assert "neither a tap nor a socket" in console.read_text()
    assert os.read(reader, 1) == b""
    os.close(reader)


def test_a_card_that_takes_too_long_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nitro.local.nic.CARD_SECONDS", 0)
    slow = tmp_path / "python"
    slow.write_text("#!/bin/sh\nexec sleep 60\n")
    slow.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(slow))
    far_end, tap = socket.socketpair()
    console = tmp_path / "console"
    with pytest.raises(NitroError, match="did not come up"):
        EnaNic(
            tap.detach(),
            "02:00:00:00:00:01",
            profile="c5.large",
            folder=tmp_path,
            console=console,
        )
    assert far_end.recv(1) == b""  # nobody holds the other end any more
    far_end.close()


def test_offloads_are_the_profiles_until_all_are_chosen(tmp_path: Path) -> None:
    assert offloads_of(tmp_path) == "profile"
    (tmp_path / OFFLOADS_FILE).write_text("all")
    assert offloads_of(tmp_path) == "all"


def test_cards_of_a_type_have_its_shape(tmp_path: Path) -> None:
    assert shape_of(tmp_path, "c5.large") is None
    (tmp_path / SHAPES_FILE).write_text('{"c5.large": "in=500M"}')
    assert shape_of(tmp_path, "c5.large") == "in=500M"
    assert shape_of(tmp_path, "c5.xlarge") is None


def test_llq_memory_is_mapped_where_it_was_asked_for(tmp_path: Path) -> None:
    assert not maps_llq(tmp_path)
    (tmp_path / MAP_LLQ_FILE).touch()
    assert maps_llq(tmp_path)


@pytest.mark.extended
def test_what_a_card_was_asked_for_is_in_the_name_that_results_carry(tmp_path: Path) -> None:
    for asked, name in (
        ({}, "ena"),
        ({"offloads": "all"}, "ena, all offloads"),
        ({"offloads": "all", "map_llq": True}, "ena, all offloads, LLQ mapped"),
    ):
        nic, far_end = plugged_in(tmp_path, **asked)
        assert nic.name == name
        nic.close()
        far_end.close()
