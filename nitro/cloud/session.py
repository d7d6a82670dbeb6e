"""The connection: typed clients, whose calls `retries.py` repeats, to one region."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Self, cast

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ProfileNotFound, UnknownRegionError

from nitro.cloud.dryrun import CallPlan
from nitro.cloud.retries import with_retries
from nitro.errors import InputError, RefusedError

if TYPE_CHECKING:
    from botocore.client import BaseClient
    from mypy_boto3_autoscaling import AutoScalingClient
    from mypy_boto3_batch import BatchClient
    from mypy_boto3_ebs import EBSClient
    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_kms import KMSClient
    from mypy_boto3_pricing import PricingClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_service_quotas import ServiceQuotasClient
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_ssm import SSMClient
    from mypy_boto3_sts import STSClient
    from mypy_boto3_sts.type_defs import GetCallerIdentityResponseTypeDef

# https://docs.aws.amazon.com/general/latest/gr/billing.html
PRICES_REGION = "us-east-1"


@dataclass
class Cloud:
    """A region of AWS, or of something that answers like it.

    `guest_ca` is the certificate by which instances know S3 (DER in base64), None where theirs of
    the public authorities do. Instances see S3 under AWS's names, whatever `endpoint_url` is.
    With a `plan` (a dry run) calls that would change something are noted there, not made.
    """

    region: str
    session: boto3.Session
    endpoint_url: str | None = None
    guest_ca: str | None = None
    plan: CallPlan | None = None
    sleep: Callable[[float], None] = time.sleep
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @classmethod
    def connect(
        cls,
        *,
        region: str | None,
        endpoint_url: str | None = None,
        guest_ca: str | None = None,
        key: tuple[str, str] = ("local", "local"),
        profile: str | None = None,
        dry_run: bool = False,
        sleep: Callable[[float], None] = time.sleep,
    ) -> Self:
        """Prepare clients; the first call goes out when something is asked for.

        An `endpoint_url` is not AWS: it gets `key` (access key, secret), never the user's own.
        Raises InputError for a missing region or profile, RefusedError without credentials.
        """
        access_key, secret_key = key if endpoint_url else (None, None)
        try:
            session = boto3.Session(
                region_name=region or os.environ.get("AWS_REGION"),  # boto3 reads another
                profile_name=profile,
                aws_access_key_id=access_key,
                aws_secret_access_key=secret_key,
            )
        except ProfileNotFound as error:
            raise InputError(str(error), hint="`aws configure list-profiles` shows them") from None
        if not session.region_name:
            raise InputError("no AWS region given", hint="use --region or set AWS_REGION")
        if not endpoint_url:
            _check_region(session)
        if session.get_credentials() is None:
            raise RefusedError(
                "no AWS credentials found",
                hint="set AWS_PROFILE, run `aws configure`, or use --cloud local",
            )
        plan = CallPlan() if dry_run else None
        cloud = cls(session.region_name, session, endpoint_url, guest_ca, plan, sleep)
        retrying = with_retries(sleep, endpoint_url)
        session.events.register(
            "creating-client-class", lambda base_classes, **_: base_classes.insert(0, retrying)
        )
        if plan:
            plan.attach(session.events)
        return cloud

    @cached_property
    def ec2(self) -> EC2Client:
        return cast("EC2Client", self._client("ec2"))

    @cached_property
    def s3(self) -> S3Client:
        return cast("S3Client", self._client("s3"))

    @cached_property
    def guest_s3(self) -> S3Client:
        """Signs URLs for use inside instances."""
        if self.guest_ca is None:
            return self.s3
        return cast("S3Client", self._client("s3", for_guests=True))

    @cached_property
    def batch(self) -> BatchClient:
        return cast("BatchClient", self._client("batch"))

    @cached_property
    def ebs(self) -> EBSClient:
        return cast("EBSClient", self._client("ebs"))

    @cached_property
    def iam(self) -> IAMClient:
        return cast("IAMClient", self._client("iam"))

    @cached_property
    def pricing(self) -> PricingClient:
        """Answers for all regions from one of the few that have it."""
        return cast("PricingClient", self.in_region(PRICES_REGION)._client("pricing"))

    @cached_property
    def sts(self) -> STSClient:
        return cast("STSClient", self._client("sts"))

    @cached_property
    def sns(self) -> SNSClient:
        return cast("SNSClient", self._client("sns"))

    @cached_property
    def quotas(self) -> ServiceQuotasClient:
        return cast("ServiceQuotasClient", self._client("service-quotas"))

    @cached_property
    def ssm(self) -> SSMClient:
        return cast("SSMClient", self._client("ssm"))

    @cached_property
    def kms(self) -> KMSClient:
        return cast("KMSClient", self._client("kms"))

    @cached_property
    def autoscaling(self) -> AutoScalingClient:
        return cast("AutoScalingClient", self._client("autoscaling"))

    def in_region(self, region: str) -> Self:
        """The same account and session in another region, or this connection if it is there.

        botocore reads a service's model once for a session: a connection more costs little.
        """
        return self if region == self.region else replace(self, region=region)

    @cached_property
    def identity(self) -> GetCallerIdentityResponseTypeDef:
        """Account, Arn and UserId of the caller."""
        return self.sts.get_caller_identity()

    @property
    def account(self) -> str:
        """The caller's account, 12 digits."""
        return self.identity["Account"]

    def _client(self, service: str, *, for_guests: bool = False) -> BaseClient:
        endpoint = None if for_guests else self.endpoint_url
        config = Config(  # type: ignore[call-arg]  # whose stubs do not know the last one
            retries={"total_max_attempts": 1},
            connect_timeout=5,
            read_timeout=60,
            max_pool_connections=16,
            signature_version="s3v4" if service == "s3" else None,
            # A bucket as part of the host name needs a DNS that only AWS has. There, each request
            # goes to the bucket's region: the global address redirects, for a new bucket in any
            # region but its own, and a guest with a signed URL cannot follow.
            s3={
                "addressing_style": "path" if endpoint else "virtual",
                "us_east_1_regional_endpoint": "regional",
            },
            ignore_configured_endpoint_urls=for_guests,  # such as AWS_ENDPOINT_URL
        )
        with self._lock:  # botocore's sessions are not made for concurrent use
            try:
                # The stubs know services by literal only.
                make = cast("Callable[..., BaseClient]", self.session.client)
                client = make(service, self.region, endpoint_url=endpoint, config=config)
                # What can be paged is read with the first page, else: by all regions at once, and
                # each of them would look through the models of every service.
                client.can_paginate(next(iter(client.meta.method_to_api_mapping)))
                return client
            except (BotoCoreError, ValueError) as error:
                raise InputError(f"cannot reach {service} in {self.region}: {error}") from None


def _check_region(session: boto3.Session) -> None:
    """Raises InputError for a name that no region of AWS can have, new ones included."""
    try:
        session.get_partition_for_region(session.region_name)
    except UnknownRegionError:
        raise InputError(
            f"--region {session.region_name}: AWS has no such region", hint="such as eu-west-1"
        ) from None
