"""The connection: clients whose calls are retried in one place and fail with our errors.

botocore's own retries are off. Each client's one way out, `_make_api_call`, is wrapped by
`Retrying`, so plain calls and paginators alike are repeated here and nowhere else.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Self

import boto3
import tenacity
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ProfileNotFound

from nitro.cloud import errors
from nitro.cloud.dryrun import READS, CallPlan
from nitro.errors import InputError, RefusedError

ATTEMPTS = 8
ATTEMPTS_TO_CONNECT = 3  # a mistyped region looks like a network that is down: do not wait long
LONGEST_WAIT = 20.0  # seconds between two attempts

# What may be repeated although the first attempt may have had effect: calls that only read,
# that end in the same state however often they are made, or that carry a token of ours.
_REPEATABLE = (*READS, "Delete", "Put", "Terminate", "Deregister", "Cancel", "Abort", "Upload")


@dataclass
class Cloud:
    """A region of AWS, or of something that answers like it.

    `guest_endpoint_url` is the S3 address as instances see it, None when it is the same.
    With a `plan` (a dry run) calls that would change something are noted there, not made.
    """

    region: str
    session: boto3.Session
    endpoint_url: str | None = None
    guest_endpoint_url: str | None = None
    plan: CallPlan | None = None
    sleep: Callable[[float], None] = time.sleep
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @classmethod
    def connect(
        cls,
        *,
        region: str | None,
        endpoint_url: str | None = None,
        guest_endpoint_url: str | None = None,
        profile: str | None = None,
        dry_run: bool = False,
        sleep: Callable[[float], None] = time.sleep,
    ) -> Self:
        """Prepare clients; the first call goes out when something is asked for.

        An `endpoint_url` is not AWS: it gets made-up credentials, never the user's own.
        Raises InputError for a missing region or profile, RefusedError without credentials.
        """
        key = "local" if endpoint_url else None
        try:
            session = boto3.Session(
                region_name=region,
                profile_name=profile,
                aws_access_key_id=key,
                aws_secret_access_key=key,
            )
        except ProfileNotFound as error:
            raise InputError(str(error), hint="`aws configure list-profiles` shows them") from None
        if not session.region_name:
            raise InputError("no AWS region given", hint="use --region or set AWS_REGION")
        if session.get_credentials() is None:
            raise RefusedError(
                "no AWS credentials found",
                hint="set AWS_PROFILE, run `aws configure`, or use --cloud local",
            )
        plan = CallPlan() if dry_run else None
        cloud = cls(session.region_name, session, endpoint_url, guest_endpoint_url, plan, sleep)
        session.events.register("creating-client-class", cloud._add_retries)
        if plan:
            plan.attach(session.events)
        return cloud

    @cached_property
    def ec2(self) -> Any:
        return self._client("ec2")

    @cached_property
    def s3(self) -> Any:
        return self._client("s3")

    @cached_property
    def guest_s3(self) -> Any:
        """Signs URLs for use inside instances."""
        return self._client("s3", self.guest_endpoint_url) if self.guest_endpoint_url else self.s3

    @cached_property
    def ebs(self) -> Any:
        return self._client("ebs")

    @cached_property
    def iam(self) -> Any:
        return self._client("iam")

    @cached_property
    def quotas(self) -> Any:
        return self._client("service-quotas")

    @cached_property
    def identity(self) -> dict[str, str]:
        """Account, Arn and UserId of the caller."""
        return dict(self._client("sts").get_caller_identity())

    @property
    def account(self) -> str:
        """The caller's account, 12 digits."""
        return self.identity["Account"]

    def _client(self, service: str, endpoint_url: str | None = None) -> Any:
        config = Config(
            retries={"total_max_attempts": 1},
            connect_timeout=5,
            read_timeout=60,
            max_pool_connections=16,
            signature_version="s3v4" if service == "s3" else None,
            # A bucket as part of the host name needs a DNS that only AWS has.
            s3={"addressing_style": "path"} if self.endpoint_url else None,
        )
        endpoint = endpoint_url or self.endpoint_url
        with self._lock:  # botocore's sessions are not made for concurrent use
            try:
                make: Any = self.session.client  # its stubs know services by literal only
                return make(service, endpoint_url=endpoint, config=config)
            except (BotoCoreError, ValueError) as error:
                raise InputError(f"cannot reach {service} in {self.region}: {error}") from None

    def _add_retries(self, base_classes: list[type], **_: object) -> None:
        sleep, region = self.sleep, self.region

        class Retrying:
            """The one place where calls are repeated and their errors translated."""

            meta: Any

            def _make_api_call(self, operation: str, params: dict[str, Any]) -> Any:
                attempt: Callable[..., Any] = super()._make_api_call  # type: ignore[misc]
                retrying = tenacity.Retrying(
                    retry=tenacity.retry_if_exception(
                        lambda e: _worth_repeating(e, operation, params)
                    ),
                    stop=_enough,
                    wait=tenacity.wait_random_exponential(multiplier=0.5, max=LONGEST_WAIT),
                    sleep=sleep,
                    reraise=True,
                )
                try:
                    return retrying(attempt, operation, params)
                except (ClientError, BotoCoreError) as error:
                    service = self.meta.service_model.service_name
                    raise errors.translate(error, service, operation, region) from error

        base_classes.insert(0, Retrying)


def _enough(state: tenacity.RetryCallState) -> bool:
    error = state.outcome.exception() if state.outcome else None
    unreachable = error is not None and errors.is_unreachable(error)
    return state.attempt_number >= (ATTEMPTS_TO_CONNECT if unreachable else ATTEMPTS)


def _worth_repeating(error: BaseException, operation: str, params: dict[str, Any]) -> bool:
    if errors.had_no_effect(error):
        return True
    repeatable = operation.startswith(_REPEATABLE) or "ClientToken" in params
    return repeatable and errors.may_have_happened(error)
