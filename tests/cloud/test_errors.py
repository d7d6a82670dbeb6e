"""What a failed call means."""

from __future__ import annotations

import pytest
from botocore.exceptions import (
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    ParamValidationError,
)

from nitro.cloud.errors import (
    ApiError,
    had_no_effect,
    ignoring,
    may_have_happened,
    translate,
)


def answered(code: str, message: str = "", status: int = 400) -> ClientError:
    response = {
        "Error": {"Code": code, "Message": message},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    return ClientError(response, "RunInstances")  # type: ignore[arg-type]


def translated(error: Exception):
    return translate(error, "ec2", "RunInstances", "eu-central-1")


@pytest.mark.parametrize(
    ("code", "hint"),
    [
        ("UnauthorizedOperation", "nitro doctor"),
        ("AccessDenied", "docs/aws.md"),
        ("ExpiredToken", "log in again"),
        ("VcpuLimitExceeded", "quota"),
        ("ServiceQuotaExceededException", "quota"),
        ("SnapshotLimitExceeded", "nitro destroy"),
        ("InsufficientInstanceCapacity", "another availability zone"),
        ("Unsupported", "another instance type"),
        ("OptInRequired", "account"),
    ],
)
def test_a_refusal_says_what_to_do(code: str, hint: str) -> None:
    error = translated(answered(code, "Why not.\n"))
    assert error.exit_code == 3
    assert hint in str(error.hint)
    assert "\n" not in str(error)


def test_a_denial_names_the_action_that_was_denied() -> None:
    message = "User: u is not authorized to perform: ec2:CreateTags on resource: arn:aws:ec2:x"
    assert translated(answered("UnauthorizedOperation", message)).what == (
        "permission denied: ec2:CreateTags"
    )
    assert translated(answered("AccessDenied")).what == "permission denied: ec2:RunInstances"


@pytest.mark.parametrize(
    ("code", "message", "hint"),
    [
        (
            "AuthFailure",
            "AWS was not able to validate the provided access credentials",
            "eu-central-1 is enabled for the account",
        ),
        ("AuthFailure", "Not authorized for images: [ami-1]", "its owner has to share it"),
        ("AuthFailure", "You do not own the snapshot snap-1", "its owner has to share it"),
        (
            "OperationNotPermitted",
            "You can't publicly share this image because block public access is enabled",
            "turn off block public access in eu-central-1",
        ),
        (
            "OperationNotPermitted",
            "Encrypted snapshots with EBS default key cannot be shared",
            "use a key of the account's own",
        ),
        ("AuthFailure", "Something else", "see the message"),
    ],
)
def test_an_authorization_that_fails_has_the_words_of_its_cause(
    code: str, message: str, hint: str
) -> None:
    error = translated(answered(code, message))
    assert error.exit_code == 3
    assert hint in str(error.hint)
    assert ("log in" in str(error.hint)) is ("credentials" in message)


def test_another_answer_is_a_failure() -> None:
    error = translated(answered("InvalidParameterValue", "Value (x) is invalid."))
    assert error.exit_code == 1
    assert error.what == (
        "ec2:RunInstances failed in eu-central-1: Value (x) is invalid. (InvalidParameterValue)"
    )


def test_missing_credentials_are_a_refusal() -> None:
    error = translated(NoCredentialsError())
    assert error.exit_code == 3
    assert "AWS_PROFILE" in str(error.hint)


def test_bad_parameters_are_bad_input() -> None:
    assert translated(ParamValidationError(report="Missing X")).exit_code == 2


@pytest.mark.parametrize(
    ("code", "absent"),
    [
        ("InvalidInstanceID.NotFound", True),
        ("InvalidAMIID.Unavailable", True),
        ("NoSuchKey", True),
        ("NoSuchUpload", True),
        ("NoSuchEntity", True),
        ("404", True),
        ("DependencyViolation", False),
        ("Unavailable", False),
    ],
)
def test_absence_is_told_from_failure(code: str, absent: bool) -> None:
    error = translated(answered(code))
    assert isinstance(error, ApiError)
    assert error.absent is absent


def test_only_the_named_errors_are_ignored() -> None:
    with ignoring("BucketNotEmpty", "absent"):
        raise translated(answered("NoSuchBucket"))
    with ignoring("BucketNotEmpty"):
        raise translated(answered("BucketNotEmpty"))
    with pytest.raises(ApiError), ignoring("BucketNotEmpty"):
        raise translated(answered("NoSuchBucket"))


@pytest.mark.parametrize(
    "code",
    [
        "EC2ThrottledException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    ],
)
def test_a_service_that_is_busy_has_done_nothing(code: str) -> None:
    assert had_no_effect(answered(code))


@pytest.mark.parametrize(
    ("code", "status", "unclear"),
    [
        ("InternalError", 400, True),
        ("InternalFailure", 400, True),
        ("ServiceUnavailable", 400, True),
        ("Unavailable", 400, True),
        ("Anything", 500, True),
        ("Anything", 499, False),
        ("InsufficientInstanceCapacity", 500, False),
    ],
)
def test_a_service_that_stumbled_may_have_done_it(code: str, status: int, unclear: bool) -> None:
    assert may_have_happened(answered(code, status=status)) is unclear
    assert not had_no_effect(answered(code, status=status))


def test_a_token_that_was_used_says_that_an_earlier_call_had_effect() -> None:
    error = translated(answered("IdempotentParameterMismatch"))
    assert isinstance(error, ApiError)
    assert error.may_have_happened


def test_what_is_not_aws_is_not_looked_for_in_a_region() -> None:
    url = "http://127.0.0.1:9"
    error = EndpointConnectionError(endpoint_url=url)
    said = translate(error, "ec2", "RunInstances", "us-east-1", url)
    assert f"whether the local Nitro still runs at {url}" in str(said.hint)
    assert "us-east-1" in str(translate(error, "ec2", "RunInstances", "us-east-1").hint)
