"""What AWS's error codes ask for, in one table: try again, wait, ask the user, or fix nitro.

The first row that matches decides; a code in no row that came with status 500 or above is tried
again, any other is shown as it is. docs/aws.md has this table, and a test compares them.
"""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass

EC2 = "https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html"
S3 = "https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html"
EBS = "https://docs.aws.amazon.com/ebs/latest/APIReference/CommonErrors.html"
START = "https://docs.aws.amazon.com/ebs/latest/APIReference/API_StartSnapshot.html"
PUT = "https://docs.aws.amazon.com/ebs/latest/APIReference/API_PutSnapshotBlock.html"
IAM = "https://docs.aws.amazon.com/IAM/latest/APIReference/CommonErrors.html"


class Kind(enum.Enum):
    """What to do about a failed call."""

    AGAIN = "try again"  # the same call, after a pause that grows
    WAIT = "wait"  # for a state that passes by itself, up to the deadline of the stage
    ASK = "ask the user"  # nothing but a change outside of nitro helps
    BUG = "bug"  # nitro has asked for something that makes no sense


@dataclass(frozen=True)
class Row:
    """Codes with one meaning. `pattern` matches the whole code; `source` is where AWS says so."""

    meaning: str
    kind: Kind
    pattern: str
    source: str

    def __contains__(self, code: str) -> bool:
        return re.fullmatch(self.pattern, code) is not None


def _any(*codes: str) -> str:
    return "|".join(re.escape(code) for code in codes)


THROTTLED = Row(
    "too many requests; nothing was done",
    Kind.AGAIN,
    _any(
        "EC2ThrottledException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    ),
    EC2,
)
UNAVAILABLE = Row(
    "the service failed, so the call may have had effect",
    Kind.AGAIN,
    _any("InternalError", "InternalFailure", "ServiceUnavailable", "Unavailable"),
    EC2,
)
REWRITE = Row(
    "EBS direct asks for the block once more (the reason of a ValidationException)",
    Kind.AGAIN,
    _any("CONFLICTING_BLOCK_UPDATE", "WRITE_REQUEST_TIMEOUT"),
    PUT,
)
IN_FLIGHT = Row(
    "as many copies or pending snapshots as the account may have at a time",
    Kind.WAIT,
    _any(
        "ConcurrentLimitExceededException",
        "ConcurrentSnapshotLimitExceeded",
        "ResourceLimitExceeded",
    ),
    f"{EC2} {START}",
)
BUSY = Row(
    "something else has to end first",
    Kind.WAIT,
    _any("DependencyViolation", "IncorrectState", "OperationAborted"),
    f"{EC2} {S3}",
)
ABSENT = Row(
    "not there: waited for when it is new, else the user named it, or somebody has removed it",
    Kind.WAIT,
    r".*NotFound(Exception)?|404|NoSuch\w+|.*\.Unavailable|InvalidConversionTaskId.*"
    r"|InvalidPlacementGroup\.Unknown",
    EC2,
)
CREDENTIALS = Row(
    "credentials that are wrong or have expired",
    Kind.ASK,
    _any(
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "RequestExpired",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    ),
    IAM,
)
DENIED = Row(
    "a missing permission",
    Kind.ASK,
    _any(
        "403",
        "AccessDenied",
        "AccessDeniedException",
        "Client.UnauthorizedOperation",
        "UnauthorizedAccess",
        "UnauthorizedOperation",
    ),
    EC2,
)
FORBIDDEN = Row(
    "what the account, or the owner of something, does not allow; the message says what",
    Kind.ASK,
    _any("AuthFailure", "Blocked", "OperationNotPermitted", "OptInRequired", "PendingVerification"),
    EC2,
)
QUOTA = Row(
    "a quota that does not pass by itself",
    Kind.ASK,
    r".*LimitExceeded(Exception)?|.*QuotaExceeded(Exception)?|TooManyBuckets"
    r"|MaxSpotInstanceCountExceeded",
    EC2,
)
UNSUPPORTED = Row(
    "an instance type or zone that cannot give what was asked for",
    Kind.ASK,
    _any("InsufficientInstanceCapacity", "InvalidInstanceType", "Unsupported"),
    EC2,
)
TAKEN = Row(
    "a name that another image has",
    Kind.ASK,
    _any("InvalidAMIName.Duplicate"),
    EC2,
)
TOKEN_USED = Row(
    "a token of ours that was used otherwise: by a call whose answer was lost, or by mistake",
    Kind.BUG,
    _any("ConflictException", "IdempotentInstanceTerminated", "IdempotentParameterMismatch"),
    f"{EC2} {START}",
)
SENSELESS = Row(
    "parameters that the service does not take",
    Kind.BUG,
    r"InvalidParameter\w*|Missing\w+|MalformedXML|UnknownParameter|ValidationError|ValidationException",
    EC2,
)

TABLE = (
    *(THROTTLED, UNAVAILABLE, REWRITE, IN_FLIGHT, BUSY, ABSENT),
    *(CREDENTIALS, DENIED, FORBIDDEN, QUOTA, UNSUPPORTED, TAKEN, TOKEN_USED, SENSELESS),
)


def kind_of(code: str) -> Kind | None:
    """None for a code that the table does not have."""
    return next((row.kind for row in TABLE if code in row), None)
