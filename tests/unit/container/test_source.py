"""Documents of an image, and what is said of those that are none."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitro.arch import X86_64
from nitro.container import source
from nitro.container.config import Config, Manifest
from nitro.errors import InputError


def test_an_image_for_another_system() -> None:
    raw = b'{"os": "windows", "architecture": "amd64"}'
    with pytest.raises(InputError, match="x: an image for windows/amd64; get the one for linux"):
        source.make("x", raw, lambda _: (), (), X86_64)


def test_a_wrong_key_is_named() -> None:
    with pytest.raises(InputError, match=r"x: layers\.0\.size: .*damaged"):
        source.parse(Manifest, b'{"layers": [{"digest": "sha256:' + b"0" * 64 + b'"}]}', "x")


@pytest.mark.extended
@given(st.binary(max_size=60) | st.sampled_from([b"[" * 9999, b"null", b"1", b'{"config": []}']))
def test_any_bytes(raw: bytes) -> None:
    with suppress(InputError):
        source.parse(Config, raw, "x")
