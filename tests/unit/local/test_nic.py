"""Cards as QEMU is told of them."""

from __future__ import annotations

import os

import pytest

from nitro.local.nic import UserNic, VirtioNic


def test_a_card_on_a_tap_hands_its_descriptor_over() -> None:
    reader, writer = os.pipe()
    nic = VirtioNic(writer, "02:00:00:00:00:01")
    line = " ".join(nic.card.arguments)
    assert f"fd={writer},vhost=off" in line
    assert "mac=02:00:00:00:00:01" in line
    assert nic.card.fds == (writer,)
    nic.close()
    nic.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(writer)
    os.close(reader)


def test_user_mode_is_cut_off_but_for_its_ports() -> None:
    netdev = UserNic({8080: 80, 2222: 22}).card.arguments[1]
    assert netdev == (
        "user,id=net0,restrict=on,hostfwd=tcp:127.0.0.1:8080-:80,hostfwd=tcp:127.0.0.1:2222-:22"
    )
