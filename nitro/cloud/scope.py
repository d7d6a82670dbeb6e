"""What an IAM policy is made for, and the form of its statements."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Statement = dict[str, Any]


@dataclass(frozen=True)
class Scope:
    """What a policy is made for. `bucket` and each of the SSM `parameters` may end in `*`."""

    account: str = "ACCOUNT"
    bucket: str = ""
    partition: str = "aws"
    parameters: tuple[str, ...] = ()

    @property
    def bucket_arn(self) -> str:
        return f"arn:{self.partition}:s3:::{self.bucket or f'nitro-{self.account}-*'}"

    def ec2(self, *kinds: str) -> list[str]:
        """ARNs of all resources of these kinds, of this account or of none."""
        return [f"arn:{self.partition}:ec2:*:{self._owner(kind)}:{kind}/*" for kind in kinds]

    def _owner(self, kind: str) -> str:
        return "" if kind in ("image", "snapshot") else self.account

    def ssm(self, *names: str) -> list[str]:
        """ARNs of parameters of this account."""
        start = f"arn:{self.partition}:ssm:*:{self.account}:parameter"
        return [f"{start}/{name.removeprefix('/')}" for name in names]

    def kms(self, *paths: str) -> list[str]:
        """ARNs of keys or aliases, of whatever account: it may be another one's key."""
        return [f"arn:{self.partition}:kms:*:*:{path}" for path in paths]

    def batch(self, path: str) -> str:
        """The ARN of jobs, queues or job definitions of this account."""
        return f"arn:{self.partition}:batch:*:{self.account}:{path}"

    def iam(self, *paths: str) -> list[str]:
        return [f"arn:{self.partition}:iam::{self.account}:{path}" for path in paths]


def allow(
    sid: str, actions: list[str], resource: str | list[str], condition: Mapping[str, Any] = {}
) -> Statement:
    statement = {"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resource}
    return {**statement, "Condition": dict(condition)} if condition else statement
