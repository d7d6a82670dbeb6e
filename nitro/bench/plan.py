"""A plan of benchmarks: a TOML file that says what is measured, how often, and what it may cost.

A *machine* is what a pair of instances is launched as, a *test* one run of one tool between them.
A *cell* is one test on one machine: what has a history of its own.
"""

from __future__ import annotations

import hashlib
import itertools
import math
import random
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, Strict, ValidationError, model_validator

from nitro import input_file
from nitro.bench.wording import AMI, NAME, RATE, REGION, in_words
from nitro.errors import InputError
from nitro.probe import AtMtu, Mtu, Selection, parse

Driver = Literal["nitro", "kernel"]
OWN: Literal["own"] = "own"  # in place of a driver: that which another AMI brings
Protocol = Literal[
    "iperf3-tcp",
    "iperf3-udp",
    "netperf-tcp-stream",
    "netperf-tcp-rr",
    "netperf-tcp-crr",
    "netperf-udp-rr",
    "http",
]
Direction = Literal["in", "out"]
_ONE_WAY = {"iperf3-tcp", "iperf3-udp", "netperf-tcp-stream"}  # the others answer each request

_LARGEST = 64 << 10  # bytes of a plan's file
_LEAST_IPERF3 = 16  # bytes of a message: a UDP packet has a header of iperf3's own
_LARGEST_UDP = 65_507  # bytes: an IPv4 packet's 65,535 without the headers of IP and UDP

_MOST_RUNS = 1_000_000  # of a night; each is a task in memory

Name = Annotated[str, Field(pattern=NAME)]
Word = Annotated[str, Field(min_length=1)]
# Strict: TOML has its own words for true, and for numbers in quotes.
Whole = Annotated[int, Strict()]
Count = Annotated[Whole, Field(ge=1, le=10_000)]
Amount = Annotated[float, Strict(), Field(gt=0, allow_inf_nan=False)]


@dataclass(frozen=True)
class Machine:
    """What a pair of instances is: the same for client and server but for the client's image.

    `image` is a recipe's name or file, or the plan's name of an AMI. `driver` is whose ENA driver
    the server loads, OWN for an AMI.
    """

    image: str
    driver: Driver | Literal["own"]
    instance_type: str
    region: str


@dataclass(frozen=True)
class Test:
    """One run of one tool. `message_bytes` None: the tool's default; `streams` are connections.

    `direction` is the server's, as in docs/probes.md; None where requests are answered.
    `rate` of a UDP test is that of each stream, as iperf3 writes it: "100M". `mtu` None: that of
    the network.
    """

    __test__ = False  # for pytest, which takes every class of this name for its own

    protocol: Protocol
    direction: Direction | None = None
    streams: int = 1
    message_bytes: int | None = None
    rate: str | None = None
    mtu: int | None = None


@dataclass(frozen=True)
class Cell:
    """What has a history: one test on one machine."""

    machine: Machine
    test: Test

    @property
    def key(self) -> str:
        """The cell in words that stay the same from night to night, and differ between cells."""
        machine, test = self.machine, self.test
        words = [machine.instance_type, machine.region, machine.image, machine.driver]
        words += [test.protocol]
        words += [test.direction] if test.direction else []
        words += [f"streams={test.streams}"] if test.streams > 1 else []
        words += [f"bytes={test.message_bytes}"] if test.message_bytes else []
        words += [f"rate={test.rate}"] if test.rate else []
        words += [f"mtu={test.mtu}"] if test.mtu else []
        return " ".join(words)


@dataclass(frozen=True)
class Task:
    """One measurement to make: `repetition` counts from 0, those below `Plan.warm_up` warm up.

    `position` is the task's place in the night's shuffled order.
    """

    cell: Cell
    repetition: int
    position: int


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Ami(_Model):
    """An AMI that nitro did not make, as a control.

    `ids` has its id in each region. `start` is a shell script that its cloud-init runs at the first
    boot, and that has to start the servers.
    """

    ids: dict[str, Annotated[str, Field(pattern=AMI)]] = Field(min_length=1)
    start: str = ""


class Matrix(_Model):
    """The machines: every combination. `regions`: none: that in which the command works."""

    images: tuple[Word, ...] = Field(default=("bench",), min_length=1)
    drivers: tuple[Driver, ...] = Field(default=("nitro",), min_length=1)
    types: tuple[Word, ...] = Field(min_length=1)
    regions: tuple[Annotated[str, Field(pattern=REGION)], ...] = ()


class TestMatrix(_Model):
    """Tests of one protocol: every combination. `images`: of the matrix; none: all of them."""

    __test__ = False

    protocol: Protocol
    images: tuple[str, ...] = ()
    directions: tuple[Direction, ...] = Field(default=("in", "out"), min_length=1)
    streams: tuple[Annotated[Whole, Field(ge=1, le=128)], ...] = Field(default=(1,), min_length=1)
    message_bytes: tuple[Annotated[Whole, Field(ge=1, le=1 << 20)], ...] = ()
    rates: tuple[Annotated[str, Field(pattern=RATE)], ...] = ()
    mtu: tuple[Annotated[Mtu, Strict()], ...] = ()

    @model_validator(mode="after")
    def _fits_the_protocol(self) -> Self:
        if bool(self.rates) != (self.protocol == "iperf3-udp"):
            raise ValueError("iperf3-udp needs rates, and no other protocol has them")
        if self.protocol.startswith("netperf") and self.streams != (1,):
            raise ValueError("netperf has one stream: leave streams out")
        if self.protocol == "http" and self.message_bytes:
            raise ValueError("http has no message_bytes: the page's size is the image's")
        if "udp" in self.protocol and self.mtu:
            raise ValueError("UDP has no mtu: the client's would not bound what the server sends")
        if self.protocol not in _ONE_WAY and {*self.directions} != {"in", "out"}:
            raise ValueError(f"{self.protocol} goes both ways: leave directions out")
        least = _LEAST_IPERF3 if self.protocol.startswith("iperf3") else 1
        most = _LARGEST_UDP if "udp" in self.protocol else 1 << 20
        if wrong := [size for size in self.message_bytes if not least <= size <= most]:
            raise ValueError(
                f"message_bytes of {self.protocol} are from {least} to {most}, not {wrong[0]}"
            )
        return self

    @property
    def _factors(self) -> list[list[Any]]:
        """What a test is combined of, each value once."""
        directions = self.directions if self.protocol in _ONE_WAY else ()
        given: list[tuple[Any, ...]] = [directions, self.streams, self.message_bytes]
        found = (list(dict.fromkeys(one)) for one in (*given, self.rates, self.mtu))
        return [[self.protocol], *(one or [None] for one in found)]

    @property
    def count(self) -> int:
        """How many combinations there are."""
        return math.prod(map(len, self._factors))

    def tests(self) -> list[Test]:
        """Every combination, once."""
        return sorted((Test(*one) for one in itertools.product(*self._factors)), key=repr)


class Plan(_Model):
    """What a night measures. `seconds` is the length of one measurement.

    `repetitions` come after `warm_up` ones, which are recorded as such. `max_hours` counts from
    the first launch; `max_cost` is in US dollars, by `prices`, of an instance type for an hour, or
    where they lack it by those of AWS; None: no bound. `pairs_at_once` servers run at a time, and
    `clients_at_once` clients measure them. `placement_group` is the name of one that is there
    already; with `placement` each pair gets one of its own. `amis` are images of the matrix that
    are not recipes, by name.
    """

    name: Name
    seed: Whole = 0
    seconds: Annotated[Whole, Field(ge=1, le=3600)] = 10
    repetitions: Count = 10
    warm_up: Annotated[Whole, Field(ge=0, le=100)] = 1
    max_cost: Amount | None = None
    max_hours: Annotated[Amount, Field(le=168)] | None = None
    prices: dict[str, Amount] = {}
    pairs_at_once: Count = 20
    clients_at_once: Annotated[Whole, Field(ge=1, le=100)] = 1
    placement_group: Word | None = None
    placement: Literal["cluster"] | None = None
    market: Literal["on-demand", "spot"] = "on-demand"
    amis: dict[Name, Ami] = {}
    matrix: Matrix
    test: tuple[TestMatrix, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _one_placement(self) -> Self:
        if self.placement and self.placement_group:
            raise ValueError("placement and placement_group exclude each other")
        return self

    @model_validator(mode="after")
    def _priced_types_are_known(self) -> Self:
        if unknown := self.prices.keys() - {*self.matrix.types}:
            raise ValueError(f"prices has {min(unknown)!r}, which the matrix's types do not have")
        return self

    @model_validator(mode="after")
    def _images_are_known(self) -> Self:
        for image in (image for tests in self.test for image in tests.images):
            if image not in self.matrix.images:
                raise ValueError(f"test: images has {image!r}, which the matrix does not have")
        for name, ami in self.amis.items():
            if name not in self.matrix.images:
                raise ValueError(f"amis has {name!r}, which the matrix's images do not have")
            for region in self.matrix.regions:
                if region not in ami.ids:
                    raise ValueError(f"amis.{name}: ids has none for {region}")
        return self

    @model_validator(mode="after")
    def _has_an_end(self) -> Self:
        matrix, cells = self.matrix, 0
        for image in {*matrix.images}:
            drivers = 1 if image in self.amis else len({*matrix.drivers})
            machines = drivers * len({*matrix.types}) * (len({*matrix.regions}) or 1)
            cells += machines * sum(tests.count for tests in self._tests_of(image))
        runs = cells * (self.warm_up + self.repetitions)
        if runs > _MOST_RUNS:
            raise ValueError(f"the plan has {runs:,} runs; at most {_MOST_RUNS:,} are a night")
        return self

    @classmethod
    def load(cls, path: Path) -> Self:
        """Raises InputError for a file that is no plan, naming the key."""
        try:
            return cls.model_validate(tomllib.loads(input_file.read(path, _LARGEST).decode()))
        except ValidationError as error:
            what, hint = in_words(error, cls, {"matrix": Matrix, "test": TestMatrix, "amis": Ami})
            raise InputError(f"{path}: {what}", hint=hint) from None
        except (ValueError, RecursionError) as error:  # no TOML, no UTF-8, nested too deeply
            raise InputError(f"{path}: {error}", hint="fix the TOML syntax") from None

    @property
    def digest(self) -> str:
        """Of all that the plan says."""
        # Without keys that came later and are not used: the digest of an old plan stays.
        unused: dict[str, Any] = {
            "test": {
                number: {key for key in ("images", "mtu") if not getattr(tests, key)}
                for number, tests in enumerate(self.test)
            },
            "matrix": set() if self.matrix.regions else {"regions"},
        }
        unused |= {} if self.placement else {"placement": True}
        unused |= {} if self.amis else {"amis": True}
        unused |= {} if self.market == "spot" else {"market": True}
        unused |= {} if self.clients_at_once > 1 else {"clients_at_once": True}
        text = self.model_dump_json(exclude=unused)
        return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"

    @property
    def recipes(self) -> list[str]:
        """The images that are recipes."""
        return [image for image in self.matrix.images if image not in self.amis]

    def regions(self, region: str) -> tuple[str, ...]:
        """Where the machines run; `region` is where the command works."""
        return tuple(dict.fromkeys(self.matrix.regions)) or (region,)

    def machines(self, region: str) -> list[Machine]:
        """Every combination, once, sorted."""
        matrix, regions = self.matrix, self.regions(region)
        found: set[Machine] = set()
        for image in matrix.images:
            drivers = (OWN,) if image in self.amis else matrix.drivers
            factors = itertools.product((image,), drivers, matrix.types, regions)
            found |= {Machine(*each) for each in factors}
        return sorted(found, key=repr)

    def cells(self, region: str) -> list[Cell]:
        """Every cell, once, sorted."""
        machines = self.machines(region)
        return [Cell(machine, test) for machine in machines for test in self.tests(machine.image)]

    def tests(self, image: str) -> list[Test]:
        """Those of an image, once, sorted."""
        found = {test for tests in self._tests_of(image) for test in tests.tests()}
        return sorted(found, key=repr)

    def _tests_of(self, image: str) -> list[TestMatrix]:
        return [tests for tests in self.test if not tests.images or image in tests.images]

    def tasks(self, region: str, night: date) -> Iterator[Task]:
        """The night's measurements in their order: repetition by repetition, each shuffled.

        Whatever drifts in the night so hits all cells alike. The order follows from the plan's
        seed and the night; it is the same when the night is resumed.
        """
        cells = self.cells(region)
        shuffle = random.Random(f"{self.seed} {night.isoformat()}")
        position = itertools.count()
        for repetition in range(self.warm_up + self.repetitions):
            shuffle.shuffle(cells)
            for cell in cells:
                yield Task(cell, repetition, next(position))


def selection(test: Test, seconds: int) -> Selection:
    """The probe that runs a test, as `--probe` would ask for it."""
    options: dict[str, Any] = {"seconds": seconds}
    tool, _, mode = test.protocol.partition("-")
    match tool:
        case "iperf3":
            options |= {"direction": test.direction, "streams": test.streams}
            options |= {"udp": test.rate} if mode == "udp" else {}
            options |= {"length": test.message_bytes} if test.message_bytes else {}
        case "netperf":
            modes = {"tcp-rr": "rr", "tcp-crr": "crr", "udp-rr": "udp-rr"}
            options |= {"test": modes.get(mode, test.direction)}
            options |= {"size": test.message_bytes} if test.message_bytes else {}
        case _:
            options |= {"connections": test.streams}
    words = ",".join(f"{key}={value}" for key, value in options.items())
    found = parse([f"{tool}:{words}"])
    if test.mtu is None:
        return found
    return Selection(probes=tuple(AtMtu(probe=one, mtu=test.mtu) for one in found.probes))
