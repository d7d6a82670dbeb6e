"""The part that all probes share: options with types and bounds, and the steps they ask for."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from nitro.probe.step import Step

PortNumber = Annotated[int, Field(ge=1, le=65535)]
Seconds = Annotated[int, Field(ge=1, le=3600)]


class Probe(BaseModel, ABC):
    """What was asked of one tool. `tool` is its name on the command line and in results."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    tool: ClassVar[str]

    @abstractmethod
    def steps(self, target: str) -> list[Step]:
        """The runs that measure `target`, an IP address, in the order in which to run them."""
