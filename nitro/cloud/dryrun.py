"""A dry run: the same code makes the same calls, and those that change something stop here.

`CallPlan` listens to botocore's events. A call's parameters have been validated and the request
has been built when the plan notes it; a mutating one is then answered with made-up ids
instead of being sent. Reads are made for real, but for those about made-up things, which
are answered as if all had gone well: callers need not know, except where reality itself is
waited for or examined, and then they ask for `Cloud.plan`. There is no second description of
the work that could differ from it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from botocore.awsrequest import AWSResponse, HTTPHeaders

from nitro.cloud.dryrun_answers import CHANGES, Imagined
from nitro.cloud.dryrun_answers import READS as READS_OF_IMAGINED
from nitro.errors import NitroError

READS = ("Describe", "Get", "List", "Head", "Simulate")

_CONTEXT = "nitro-params"


@dataclass(frozen=True)
class Call:
    """One call of the API. `params` are boto3's."""

    service: str
    operation: str
    params: dict[str, Any]
    changes: bool

    def __str__(self) -> str:
        named = ", ".join(f"{key}={_brief(value)}" for key, value in self.params.items())
        return f"{self.service}:{self.operation}({named})"


def changes_something(operation: str, params: dict[str, Any]) -> bool:
    """Anything not known to only read counts as a change."""
    return not operation.startswith(READS) and not params.get("DryRun")


def without_bodies(params: dict[str, Any]) -> dict[str, Any]:
    """Parameters with the size in place of bytes: a list of calls is no place for a disk."""
    return {
        key: f"<{len(value)} bytes>" if isinstance(value, bytes) else value
        for key, value in params.items()
    }


@dataclass
class Journal:
    """The calls that a session's clients make, in order, each when its request is complete."""

    calls: list[Call] = field(default_factory=list)

    @property
    def changes(self) -> list[Call]:
        return [call for call in self.calls if call.changes]

    def attach(self, events: Any) -> None:
        """Listen to a boto3 session's events, for clients made from now on."""
        events.register("provide-client-params", self._remember)
        events.register("before-call", self._note)

    def answer(self, call: Call) -> dict[str, Any] | None:
        """What to answer instead of sending the call; None to send it."""
        return None

    def _remember(self, params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
        context[_CONTEXT] = without_bodies(params)

    def _note(
        self, model: Any, context: dict[str, Any], **_: Any
    ) -> tuple[AWSResponse, dict[str, Any]] | None:
        params = context.get(_CONTEXT, {})
        changes = changes_something(model.name, params)
        call = Call(model.service_model.service_name, model.name, params, changes)
        self.calls.append(call)
        answer = self.answer(call)
        if answer is None:
            return None
        status = 404 if "Error" in answer else 200
        outcome = {"ResponseMetadata": {"HTTPStatusCode": status, "RetryAttempts": 0}}
        return AWSResponse("", status, HTTPHeaders(), None), answer | outcome


@dataclass
class CallPlan(Journal):
    """The calls of a dry run; those that change something are held back."""

    _imagined: Imagined = field(default_factory=Imagined)

    def answer(self, call: Call) -> dict[str, Any] | None:
        if call.changes:
            answers = CHANGES
        elif self._imagined.is_asked_for(call.params):
            answers = READS_OF_IMAGINED
        else:
            return None
        if call.operation not in answers:
            raise NitroError(
                f"a dry run cannot tell what {call.service}:{call.operation} would answer",
                hint="this is a defect of nitro; without --dry-run the call is made",
            )
        return answers[call.operation](self._imagined, call.params)


def _brief(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 200 else f"{text[:197]}..."
