"""The one place where calls are repeated, bodies are read and errors are translated.

botocore's own retries are off. Each client's one way out, `_make_api_call`, is wrapped, so
that plain calls and paginators alike come through here.
"""

from __future__ import annotations

import base64
import copy
import hashlib
import io
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import tenacity
from botocore.response import StreamingBody

from nitro.cloud import errors
from nitro.cloud.dryrun import READS
from nitro.cloud.visibility import NewResources

if TYPE_CHECKING:
    from botocore.client import ClientMeta
    from botocore.model import OperationModel

T = TypeVar("T")

ATTEMPTS = 8
ATTEMPTS_TO_CONNECT = 3  # a mistyped region looks like a network that is down: do not wait long
LONGEST_WAIT = 20.0  # seconds between two attempts

# What may be repeated although the first attempt may have had effect: calls that only read,
# that end in the same state however often they are made, or that carry a token of ours.
_REPEATABLE = (
    *READS,
    *("Abort", "Authorize", "Cancel", "Delete", "Deregister", "Put", "Terminate", "Upload"),
    *("CreateTags", "ModifyImageAttribute", "ModifySnapshotAttribute"),
    *("EnableImage", "DisableImage", "CompleteSnapshot"),
)


def with_retries(sleep: Callable[[float], None], endpoint_url: str | None = None) -> type:
    """A base class for clients: every attempt sends the same request, bodies are read whole.

    A change of what one of these clients has just made is repeated for as long as AWS may say
    that there is no such thing.
    """
    new = NewResources()

    class Retrying:
        meta: ClientMeta

        def _make_api_call(self, operation: str, params: dict[str, Any]) -> Any:
            send: Callable[..., Any] = super()._make_api_call  # type: ignore[misc]
            model = self.meta.service_model.operation_model(operation)
            pristine = {key: _bytes_of(value) for key, value in params.items()}

            def attempt() -> Any:
                # botocore encodes and consumes what it is given, in place.
                return _read_body(model, send(operation, copy.deepcopy(pristine)))

            region = self.meta.region_name
            answer = repeating(attempt, model, pristine, region, sleep, endpoint_url, new=new)
            new.note(operation, pristine, answer)
            return answer

    return Retrying


def repeating(
    attempt: Callable[[], T],
    model: OperationModel,
    params: dict[str, Any],
    region: str,
    sleep: Callable[[float], None],
    endpoint_url: str | None = None,
    heard: Callable[[BaseException], None] | None = None,
    new: NewResources | None = None,
) -> T:
    """Make `attempt` until it succeeds, is refused or has failed often enough.

    `heard` is told of each failure that is followed by another attempt. Raises NitroError in
    place of botocore's exceptions.
    """
    may_have_happened = False

    def once() -> T:
        nonlocal may_have_happened
        try:
            return attempt()
        except errors.FAILURES as error:
            may_have_happened |= errors.may_have_happened(error)
            raise

    try:
        return once()  # without tenacity, whose state keeps the arguments, blocks too, for a while
    except errors.FAILURES as error:
        failed: list[BaseException] = [error]

    def again() -> T:
        if failed:
            raise failed.pop()
        return once()

    def tell(state: tenacity.RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        if heard and error:
            heard(error)

    def is_worth_repeating(error: BaseException) -> bool:
        if errors.is_absent(error):  # what only looks is waited for by `wait.until`
            return new is not None and new.concern(params) and not model.name.startswith(READS)
        return _is_worth_repeating(error, model.name, params)

    def is_enough(state: tenacity.RetryCallState) -> bool:
        error = state.outcome.exception() if state.outcome else None
        if error and errors.is_absent(error) and not may_have_happened:
            return False  # NewResources knows when to give up
        # An attempt without a clear answer may have removed it.
        return state.attempt_number >= _attempts(error)

    retrying = tenacity.Retrying(
        retry=tenacity.retry_if_exception(is_worth_repeating),
        stop=is_enough,
        wait=tenacity.wait_random_exponential(multiplier=0.5, max=LONGEST_WAIT),
        sleep=sleep,
        before_sleep=tell,
        reraise=True,
    )
    try:
        return retrying(again)
    except errors.FAILURES as error:
        service = model.service_model.service_name
        translated = errors.translate(error, service, model.name, region, endpoint_url)
        if isinstance(translated, errors.ApiError):
            # A clear refusal of the second attempt says nothing about the first.
            translated.may_have_happened |= may_have_happened
        raise translated from error


def _attempts(error: BaseException | None) -> int:
    unreachable = error is not None and errors.is_unreachable(error)
    return ATTEMPTS_TO_CONNECT if unreachable else ATTEMPTS


def _is_worth_repeating(error: BaseException, operation: str, params: dict[str, Any]) -> bool:
    if errors.had_no_effect(error):
        return True
    repeatable = operation.startswith(_REPEATABLE) or "ClientToken" in params
    return repeatable and errors.may_have_happened(error)


def _bytes_of(value: Any) -> Any:
    """A stream's content: a stream could be sent once only."""
    return value.read() if hasattr(value, "read") else value


def _read_body(model: OperationModel, answer: dict[str, Any]) -> dict[str, Any]:
    """Read a streamed body, which may break off or be damaged, as part of the attempt.

    All that nitro reads in this way fits into memory: a block, or a result.
    """
    if not model.has_streaming_output or model.output_shape is None:
        return answer
    name = model.output_shape.serialization["payload"]
    content: bytes = answer[name].read()
    checksum = answer.get("Checksum")  # of the EBS direct API; botocore checks those of S3
    if checksum and base64.b64encode(hashlib.sha256(content).digest()).decode() != checksum:
        raise errors.DamagedBodyError(operation=model.name)
    return answer | {name: StreamingBody(io.BytesIO(content), len(content))}
