"""What a failed call means."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError, NoCredentialsError, ParamValidationError

from nitro.cloud.errors import ApiError, ignoring, translate


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
