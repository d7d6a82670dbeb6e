"""What a container image says of itself: OCI's image configuration, and Docker's, its source.

Facts from the OCI image specification 1.1, config.md, descriptor.md and image-index.md.
"""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from nitro.errors import InputError
from nitro.ports import Port

_DIGEST = r"^sha256:[0-9a-f]{64}$"
# Go's programs write null for what is empty.
_Words = Annotated[tuple[str, ...], BeforeValidator(lambda value: value or ())]
_Keys = Annotated[dict[str, Any], BeforeValidator(lambda value: value or {})]
_Text = Annotated[str, BeforeValidator(lambda value: value or "")]
_SIGNAL = re.compile(r"(SIG)?([A-Z0-9+-]{1,12})")


class _Document(BaseModel):
    model_config = ConfigDict(frozen=True)


class Platform(_Document):
    architecture: _Text = ""
    os: _Text = ""


class Descriptor(_Document):
    """Points at a blob: `size` in bytes, of exactly the bytes that have the digest."""

    digest: str = Field(pattern=_DIGEST)
    size: int = Field(ge=0)
    platform: Platform | None = None
    annotations: _Keys = {}


class Manifest(_Document):
    """An image for one platform, or an index of others."""

    config: Descriptor | None = None
    layers: tuple[Descriptor, ...] = ()
    manifests: tuple[Descriptor, ...] = ()


class _Run(_Document):
    user: _Text = Field(default="", alias="User")
    exposed_ports: _Keys = Field(default={}, alias="ExposedPorts")
    env: _Words = Field(default=(), alias="Env")
    entrypoint: _Words = Field(default=(), alias="Entrypoint")
    cmd: _Words = Field(default=(), alias="Cmd")
    volumes: _Keys = Field(default={}, alias="Volumes")
    working_dir: _Text = Field(default="", alias="WorkingDir")
    stop_signal: _Text = Field(default="", alias="StopSignal")
    healthcheck: dict[str, Any] | None = Field(default=None, alias="Healthcheck")


class _Layers(_Document):
    diff_ids: tuple[Annotated[str, Field(pattern=_DIGEST)], ...] = ()


class Config(_Document):
    """An image's configuration: its platform, its layers' digests, how to run it."""

    architecture: _Text = ""
    os: _Text = ""
    rootfs: _Layers = _Layers()
    run: Annotated[_Run, BeforeValidator(lambda value: value or {})] = Field(
        default=_Run(), alias="config"
    )

    @property
    def env(self) -> dict[str, str]:
        """The environment, with the search path that containers have when they name none."""
        pairs = (pair.partition("=") for pair in self.run.env)
        path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        return {"PATH": path, **{key: value for key, _, value in pairs if key}}

    @property
    def ports(self) -> tuple[Port, ...]:
        """What ExposedPorts has: "80", "80/tcp", "53/udp", "8000-8002/tcp".

        Raises InputError for a port that is none.
        """
        found = []
        for text in self.run.exposed_ports:
            numbers, _, protocol = text.partition("/")
            first, _, last = numbers.partition("-")
            if protocol not in ("", "tcp", "udp"):
                continue  # SCTP: nothing here opens it
            low, high = _number(first, text), _number(last or first, text)
            if high - low > 255:
                raise InputError(f"the container image exposes too many ports: {text}")
            found += [Port.parse(f"{protocol or 'tcp'}:{n}") for n in range(low, high + 1)]
        return tuple(sorted(set(found)))

    @property
    def stop_signal(self) -> str | None:
        """The signal as `kill` takes it: "QUIT", "9"."""
        match = _SIGNAL.fullmatch(self.run.stop_signal)
        return match[2] if match else None


def _number(text: str, whole: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise InputError(f"the container image exposes {whole!r}, which is no port")
    return int(text)
