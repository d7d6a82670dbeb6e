"""What all probes share: options with types and bounds, and the steps that they ask for."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection
from typing import Annotated, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field

from nitro.probe.step import Step

PortNumber = Annotated[int, Field(ge=1, le=65535)]
Seconds = Annotated[int, Field(ge=1, le=3600)]


class Options(BaseModel):
    """What one word of the command line asks for: `tool` is the name before the colon."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    tool: ClassVar[str]


class Probe(Options, ABC):
    """A measurement by a tool that connects to the instance."""

    @abstractmethod
    def steps(self, target: str) -> list[Step]:
        """The runs that measure `target`, an IP address, in the order in which to run them."""

    @classmethod
    def default_for(cls, tcp_ports: Collection[int]) -> Self | None:
        """The probe for an instance that listens on these ports, when none was asked for.

        None where it does not suit them; a probe that must be asked for keeps this default.
        """
        return None
