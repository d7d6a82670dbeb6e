"""What a failed call means: which class of error, what to do about it, and whether to try again.

`codes.py` has the table of codes that this goes by.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import botocore.exceptions as aws
from botocore.parsers import ResponseParserError

from nitro.cloud.codes import (
    ABSENT,
    CREDENTIALS,
    DENIED,
    FORBIDDEN,
    QUOTA,
    REWRITE,
    THROTTLED,
    TOKEN_USED,
    UNAVAILABLE,
    UNSUPPORTED,
    Kind,
    kind_of,
)
from nitro.errors import InputError, NitroError, RefusedError

# AuthFailure and its like have many causes, which only the message tells apart.
_CAUSES = (
    (
        re.compile(r"validate the provided (access )?credentials", re.I),
        "log in again, check the clock, and that {region} is enabled for the account",
    ),
    (
        re.compile(r"block(ing)? public access|publicly shar", re.I),
        "share with single accounts, or turn off block public access in {region}",
    ),
    (
        re.compile(r"encrypt|KMS", re.I),
        "what the AWS managed key encrypts cannot be shared: use a key of the account's own",
    ),
    (
        re.compile(r"not authorized for (images|snapshots?|volumes?)|do(es)? not own", re.I),
        "its owner has to share it with this account, or it is in another region than {region}",
    ),
)
_DENIED_ACTION = re.compile(r"not authorized to perform:? ([\w-]+:\w+)")


# All that a client's call raises.
FAILURES = (aws.ClientError, aws.BotoCoreError, ResponseParserError)


class DamagedBodyError(aws.BotoCoreError):
    """The body of an answer did not arrive as it was sent."""

    fmt = "the body of {operation} does not match its checksum"


class ApiError(NitroError):
    """A call that failed. `code` is the service's own, or the name of a connection error.

    `may_have_happened`: no clear answer came, so the call may have had effect nevertheless.
    """

    def __init__(
        self, what: str, *, hint: str | None, code: str, may_have_happened: bool = False
    ) -> None:
        super().__init__(what, hint=hint)
        self.code = code
        self.may_have_happened = may_have_happened

    @property
    def kind(self) -> Kind | None:
        """What the table of codes says; None for a code that it does not have."""
        return kind_of(self.code)

    @property
    def absent(self) -> bool:
        """The thing that the call was about does not exist (or is not visible yet)."""
        return self.code in ABSENT


class ApiRefused(ApiError, RefusedError):
    """A call that was refused: trying again does not help, changing something does."""


class ApiUnknown(ApiError, InputError):
    """A call about an instance that is not there: its id was given by the user."""


_BROKEN_BODY = (
    ResponseParserError,
    aws.IncompleteReadError,
    aws.FlexibleChecksumError,
    DamagedBodyError,
)


@contextmanager
def ignoring(*codes: str) -> Iterator[None]:
    """Let errors with one of `codes` pass in silence; "absent" stands for all kinds of that."""
    try:
        yield
    except ApiError as error:
        if error.code not in codes and not ("absent" in codes and error.absent):
            raise


def missing(what: str) -> ApiError:
    """For answers that are an empty list where something was asked for by its id."""
    return ApiError(f"there is no {what}", hint="`nitro ls` lists what exists", code="NotFound")


def code_of(error: BaseException) -> str:
    """`RequestLimitExceeded`, or the class name of what is not an answer of the service."""
    if isinstance(error, aws.ClientError):
        return str(error.response.get("Error", {}).get("Code", "Unknown"))
    return type(error).__name__


def is_absent(error: BaseException) -> bool:
    """The service knows nothing by the name or id that the call gave."""
    return isinstance(error, aws.ClientError) and code_of(error) in ABSENT


def is_unreachable(error: BaseException) -> bool:
    """No connection came about, so nothing was asked."""
    return isinstance(error, aws.ConnectionError)


def had_no_effect(error: BaseException) -> bool:
    """The service did nothing because it is busy or was not reached: always safe to repeat."""
    return code_of(error) in THROTTLED or _reason_of(error) in REWRITE or is_unreachable(error)


def _reason_of(error: BaseException) -> str:
    """What an error of EBS direct says beside its code."""
    return str(error.response.get("Reason", "")) if isinstance(error, aws.ClientError) else ""


def may_have_happened(error: BaseException) -> bool:
    """The connection broke or the service failed: the call may or may not have had effect."""
    if isinstance(error, aws.ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        if code_of(error).startswith("Insufficient"):  # no capacity: a clear answer, with 500
            return False
        return status >= 500 or code_of(error) in UNAVAILABLE
    return isinstance(error, (aws.HTTPClientError, *_BROKEN_BODY))


def translate(
    error: Exception, service: str, operation: str, region: str, endpoint_url: str | None = None
) -> NitroError:
    """Say in one line what failed, and what a person can do about it.

    `endpoint_url` is what was called in place of AWS, when it was not AWS.
    """
    action = f"{service}:{operation}"
    code = code_of(error)
    if isinstance(error, aws.ParamValidationError):
        return InputError(f"{action} was given invalid parameters: {_one_line(error)}")
    if not isinstance(error, aws.ClientError):
        return _connection(error, action, code, region, endpoint_url)
    message = _one_line(error.response.get("Error", {}).get("Message", ""))
    hint = _remedy(code, message, action, region)
    kind: type[ApiError] = ApiRefused if hint else ApiError
    if code.startswith("InvalidInstanceID"):
        kind, hint = ApiUnknown, "`nitro ls` lists what is there"
    if code in DENIED:
        denied = _DENIED_ACTION.search(message)
        what = f"permission denied: {denied[1] if denied else action}"
    else:
        what = f"{action} failed in {region}: {message or code} ({code})"
    unclear = may_have_happened(error) or code in TOKEN_USED
    return kind(what, hint=hint, code=code, may_have_happened=unclear)


def _connection(
    error: Exception, action: str, code: str, region: str, endpoint_url: str | None
) -> ApiError:
    credentials = (
        aws.NoCredentialsError,
        aws.PartialCredentialsError,
        aws.CredentialRetrievalError,
        aws.TokenRetrievalError,
        aws.UnauthorizedSSOTokenError,
    )
    if isinstance(error, credentials):
        return ApiRefused(
            f"no usable AWS credentials: {_one_line(error)}",
            hint="set AWS_PROFILE, run `aws configure` or `aws sso login`, or use --cloud local",
            code=code,
        )
    broken = isinstance(error, _BROKEN_BODY)
    hint = f"check the network and that the region {region} exists"
    if endpoint_url:
        hint = f"`nitro local status` shows whether the local Nitro still runs at {endpoint_url}"
    return ApiError(
        f"{action} got {'a damaged' if broken else 'no'} answer: {_one_line(error)}",
        hint=hint,
        code=code,
        may_have_happened=may_have_happened(error),
    )


def _remedy(code: str, message: str, action: str, region: str) -> str | None:
    """What to do about a refusal; None when the call was not refused but failed."""
    if "service role" in message and "does not exist" in message:
        return "`nitro doctor --create-role` makes the role that VM Import needs"
    if code in {"AuthFailure", "OperationNotPermitted"}:
        hints = (hint for cause, hint in _CAUSES if cause.search(message))
        return next(hints, "the account may not do this; see the message").format(region=region)
    if code in CREDENTIALS:
        return "the credentials are not valid (any more): log in again, or check the clock"
    if code in DENIED:
        return "allow the action; docs/aws.md has the whole policy, `nitro doctor` checks it"
    if code in QUOTA:
        return f"ask for a higher quota in {region}, or `nitro ls` and `nitro destroy` leftovers"
    if code in UNSUPPORTED:
        return "choose another instance type, or a subnet in another availability zone"
    if code in FORBIDDEN:
        return f"the account may not use this yet in {region}; see the message"
    return None


def _one_line(text: object) -> str:
    return " ".join(str(text).split())
