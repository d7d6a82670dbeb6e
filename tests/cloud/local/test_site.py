"""Addresses handed out; extensions that leave moto as they found it."""

from __future__ import annotations

from pathlib import Path

import pytest
from moto.ec2.models import ec2_backends

from nitro.local.aws import PublicAddresses, Site, install
from nitro.local.hypervisor import NullHypervisor
from nitro.local.store import BlockStore


def test_addresses_are_reused_lowest_first() -> None:
    addresses = PublicAddresses(77)
    first, second = addresses.take(), addresses.take()
    assert (first, second) == ("127.77.0.1", "127.77.0.2")
    addresses.give_back(first)
    assert addresses.take() == first


def test_install_leaves_moto_as_it_was(tmp_path: Path) -> None:
    stock = ec2_backends.backend
    site = Site(BlockStore(tmp_path), NullHypervisor())

    def fail() -> None:
        with install(site):
            assert ec2_backends.backend is not stock
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert ec2_backends.backend is stock
