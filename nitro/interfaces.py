"""What `deploy` and `measure` are given: how images are built, and how an instance is measured.

The command line passes `nitro.image` and a `nitro.probe.ToolProber`; tests pass what neither
builds nor boots anything.
"""

from __future__ import annotations

from typing import Protocol

from nitro.image import Image
from nitro.probe import ProbePlan, Result
from nitro.probe.boot import Watch
from nitro.progress import Reporter, Stage
from nitro.recipe import Recipe


class PreparedImage(Protocol):
    """An image that only has to be assembled."""

    @property
    def minimum_memory_mib(self) -> int:
        """The memory in MiB of the smallest machine that boots the image."""

    def build(self) -> Image:
        """Raises InputError for what only the finished disk shows, such as its size."""


class ImageBuilder(Protocol):
    """Builds images."""

    def prepare(self, recipe: Recipe, *, locked: bool = False, report: Reporter) -> PreparedImage:
        """Resolve, fetch and compile what the image is made of.

        With `locked`, no package is resolved anew. Raises InputError for a recipe that cannot be
        built, NitroError when something cannot be had.
        """


class Prober(Protocol):
    """Measures one instance from this machine."""

    def check(self, plan: ProbePlan) -> None:
        """Raises ProbeError that names the tools of `plan` that this machine lacks."""

    def wait_boot(self, watch: Watch, *, deadline: float, stage: Stage) -> Result:
        """Wait until the instance is ready; `deadline` in seconds. Raises ProbeError."""

    def run(self, plan: ProbePlan, *, report: Reporter) -> list[Result]:
        """Run the plan's steps with this machine's tools: one result for each."""
