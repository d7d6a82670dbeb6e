"""Addresses of subnets. Their bridges are seen in tests/boot/local."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitro.local.subnet import unique_local_prefix


@pytest.mark.extended
@given(st.text())
def test_a_subnet_has_one_unique_local_prefix(name: str) -> None:
    prefix = unique_local_prefix(name)
    assert prefix.prefixlen == 64
    assert prefix.subnet_of(ipaddress.IPv6Network("fd00::/8"))
    assert prefix == unique_local_prefix(name)


def test_subnets_differ() -> None:
    assert unique_local_prefix("subnet-1") != unique_local_prefix("subnet-2")
