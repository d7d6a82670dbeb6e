"""A cloud whose answers a test gives, and what nitro makes of them, as text.

Nothing leaves: each call is answered by the test and noted with all its parameters. Time passes in
pauses only, so that deadlines and pauses are those of every run.
"""

from __future__ import annotations

import base64
import secrets
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import groupby
from pathlib import Path
from typing import Any, ClassVar

import pytest
from botocore.awsrequest import AWSResponse, HTTPHeaders

from nitro.cloud import Cloud, Undo
from nitro.errors import NitroError
from nitro.progress import Reporter, Stage
from tests.cloud.sent import AT_ONCE, said
from tests.transcripts import compare

ACCOUNT = "123456789012"
NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
# An answer, an exception, or what makes either of a call's parameters; None: the call goes on. In a
# list: one after the other, and the last one for good.
Answer = Any
Answers = Any  # by operation


class Refused(Exception):
    """An answer that is an error of the service."""

    def __init__(self, code: str, message: str = "", status: int = 400, **more: Any) -> None:
        self.code, self.message, self.status, self.more = code, message, status, more


class _Clock:
    """Seconds since NOW."""

    passed = 0.0


class _DateType(type):
    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, datetime)


class _Date(datetime, metaclass=_DateType):
    clock: ClassVar[_Clock]

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Any:
        return (NOW + timedelta(seconds=cls.clock.passed)).astimezone(tz)

    def __new__(cls, *arguments: Any, **named: Any) -> Any:
        return datetime(*arguments, **named)


class _Stage(Stage):
    def __init__(self, title: str, note: Callable[[str], None]) -> None:
        self._title, self._note = title, note

    def progress(self, done: float, total: float | None = None, unit: str = "B") -> None:
        self._note(f"[{self._title}] {done} of {total} {unit}")

    def status(self, text: str) -> None:
        self._note(f"[{self._title}] {text}")


class _Reporter(Reporter):
    def __init__(self, note: Callable[[str], None]) -> None:
        super().__init__()
        self._note = note

    def note(self, text: str) -> None:
        self._note(f"note: {text}")

    def _open(self, title: str) -> Stage:
        self._note(f"[{title}]")
        return _Stage(title, self._note)


class Answering:
    """Gives clouds, and notes what happens, by the region in which it does."""

    def __init__(self, patch: pytest.MonkeyPatch, folder: Path) -> None:
        self._folder = folder
        self._lines: list[tuple[str, str, str]] = []  # region, operation, text
        self._answers: dict[str, list[Answer]] = {}
        self._clock = _Clock()
        self._made = 0
        self.text = ""
        self.report = _Reporter(self.note)
        self.stage = _Stage("stage", self.note)
        patch.setattr(time, "monotonic", lambda: 1000.0 + self._clock.passed)
        patch.setattr(secrets, "token_hex", self._token)
        patch.setattr("tenacity.wait.random.uniform", lambda _, most: most)
        _Date.clock = self._clock
        for name, module in list(sys.modules.items()):
            if name.startswith("nitro.") and getattr(module, "datetime", None) is datetime:
                patch.setattr(module, "datetime", _Date)

    def cloud(self, answers: Answers = None, **options: Any) -> Cloud:
        """A new connection. An operation may have a region before it, which alone is meant."""
        self._answers = {
            operation: list(answer) if isinstance(answer, list) else [answer]
            for operation, answer in ({"GetCallerIdentity": IDENTITY} | (answers or {})).items()
        }
        made: Any = {"region": "eu-central-1", "sleep": self._sleep} | options
        cloud = Cloud.connect(**made)
        events: Any = cloud.session.events
        events.register("provide-client-params", self._remember)
        events.register("before-call", self._answer)
        return cloud

    def undo(self, cloud: Cloud, **options: Any) -> Undo:
        return Undo(report=self.report, sleep=cloud.sleep, **options)

    def note(self, text: str, region: str = "", operation: str = "") -> None:
        self._lines.append((region, operation, f"  {text}\n"))

    def case(
        self,
        title: str,
        ask: Callable[..., object],
        answers: Answers = None,
        *given: Any,
        **options: Any,
    ) -> None:
        """Adds what comes of `ask`, called with a cloud of these answers and `given`."""
        self._clock.passed, self._made = 0.0, 0
        cloud = self.cloud(answers, **options)
        try:
            self.note(f"→ {_shown(ask(cloud, *given))}")
        except NitroError as error:
            self.note(error_text(error))
        except Exception as error:  # a defect, or what the test has given
            self.note(f"→ {type(error).__name__}: {error}")
        lines, self._lines = self._lines, []
        self.text += f"== {title}\n{''.join(_ordered(lines))}"

    def compare(self, name: str) -> None:
        compare(self._folder / f"answers-{name}.txt", self.text)

    def _token(self, size: int) -> str:
        self._made += 1
        return f"{self._made:0{2 * size}x}"

    def _sleep(self, seconds: float) -> None:
        self._clock.passed += seconds
        self.note(f"{_SLEEP}{seconds:g}")

    def _remember(self, params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
        context["tests-given"] = dict(params)

    def _answer(self, model: Any, context: dict[str, Any], **_: Any) -> Any:
        params = context["tests-given"]
        shown = ", ".join(f"{k}={said(v)}" for k, v in sorted(params.items()))
        region = context["client_region"]
        self.note(f"{model.name}({shown})", region, model.name)
        answers = self._answers.get(f"{region} {model.name}") or self._answers.get(model.name)
        if answers is None:
            raise AssertionError(f"no answer to {model.name} is given")
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if callable(answer) and not isinstance(answer, type):
            answer = answer(params)
        if answer is None:
            return None
        if isinstance(answer, Refused):
            status, body = (
                answer.status,
                {
                    "Error": {"Code": answer.code, "Message": answer.message},
                    **answer.more,
                },
            )
        elif isinstance(answer, Exception):
            raise answer
        else:
            status, body = 200, dict(answer)
        told = {"HTTPStatusCode": status, "HTTPHeaders": {}}
        body["ResponseMetadata"] = told | body.get("ResponseMetadata", {})
        return AWSResponse("", status, HTTPHeaders(), None), body


_SLEEP = "sleep "
FAILED = Refused("Strange", "strange")
DENIED = Refused("UnauthorizedOperation", "You are not authorized")
UNCLEAR = Refused("InternalError", status=500)
IDENTITY = {"Account": ACCOUNT, "Arn": f"arn:aws:iam::{ACCOUNT}:user/ann", "UserId": "ann"}


def error_text(error: NitroError) -> str:
    """The kind of an error and all that it says."""
    kind = "/".join(one.__name__ for one in type(error).__mro__ if issubclass(one, NitroError))
    text = f"→ {kind}: {error.what!r}, hint {error.hint!r}"
    for name in ("code", "may_have_happened", "console", "left"):
        if hasattr(error, name):
            text += f", {name} {getattr(error, name)!r}"
    return text


def console(text: str) -> dict[str, Any]:
    """What GetConsoleOutput answers."""
    return {"InstanceId": "i-1", "Output": base64.b64encode(text.encode()).decode()}


def instances(*states: str, **more: Any) -> dict[str, Any]:
    """An answer with an instance of each state, the first in a reservation of its own."""
    found = [
        {"InstanceId": f"i-{number}", "State": {"Name": state}, **more}
        for number, state in enumerate(states, start=1)
    ]
    return {"Reservations": [{"Instances": found[:1]}, {"Instances": found[1:]}]}


def tagged(**tags: str) -> list[dict[str, str]]:
    """Tags of ours, as EC2 gives them: `_` in place of a colon."""
    return [{"Key": "nitro:owner", "Value": "nitro"}] + [
        {"Key": key.replace("_", ":", 1).replace("_", "-"), "Value": value}
        for key, value in tags.items()
    ]


def at(hours: float = 0.0) -> datetime:
    """So many hours before NOW."""
    return NOW - timedelta(hours=hours)


@contextmanager
def answering(folder: Path) -> Iterator[Answering]:
    """`folder`: of the texts to compare with."""
    with pytest.MonkeyPatch.context() as patch:
        yield Answering(patch, folder)


def _ordered(lines: Sequence[tuple[str, str, str]]) -> list[str]:
    """By region where there are several, and sorted what several threads do at once."""
    if len({region for region, _, _ in lines if region}) > 1:
        lines = sorted(lines, key=lambda line: (line[0] == "", line[0]))
    pauses = [number for number, (_, _, text) in enumerate(lines) if _SLEEP in text]
    if len(pauses) > 9:  # the beginning and the end tell all
        skipped = pauses[5:-2]
        seconds = sum(float(lines[number][2].split()[1]) for number in skipped)
        more = f"  … {len(skipped)} more pauses, {seconds:g} s together\n"
        lines = [*lines[: skipped[0]], ("", "", more), *lines[skipped[-1] + 1 :]]
    found: list[str] = []
    for _, group in groupby(lines, lambda line: line[1] in AT_ONCE and line[1]):
        texts = [text for _, _, text in group]
        found += sorted(texts) if texts[0].lstrip().partition("(")[0] in AT_ONCE else texts
    return found


def _shown(value: object) -> str:
    if isinstance(value, list | tuple | Iterator) and not hasattr(value, "_fields"):
        return "".join(f"\n      {each!r}" for each in value) or "nothing"
    return repr(value)
