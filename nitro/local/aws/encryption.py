"""Encryption of snapshots, as far as an API shows it: flags and keys. The bytes stay as they are.

https://docs.aws.amazon.com/ebs/latest/userguide/ebs-encryption.html
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.exceptions import EC2ClientError
from moto.kms.models import kms_backends

from nitro.local.aws.needs import GetParam

DEFAULT_ALIAS = "alias/aws/ebs"
UNUSABLE_KEY = "Given key ID is not accessible"


@dataclass(frozen=True)
class Encryption:
    """How a new snapshot is encrypted: the ARN of the key, or None. `failure` ends it later."""

    key_arn: str | None = None
    failure: str = ""


def key_arn(account_id: str, region_name: str, given: str) -> str | None:
    """The ARN of the enabled key that an id, an alias or an ARN names; None without one."""
    kms = kms_backends[account_id][region_name]
    if given.startswith("arn:"):
        _, _, _, region, account, given = [*given.split(":", 5), *[""] * 6][:6]
        if (region, account) != (region_name, account_id):
            return None
        given = given.removeprefix("key/")
    key_id = kms.get_key_id_from_alias(given) if given.startswith("alias/") else given
    key = kms.keys.get(key_id or "")
    return str(key.arn) if key and key.key_state == "Enabled" else None


class EncryptionBackend:
    """Part of the EC2 backend; see `nitro.local.aws.ec2`."""

    account_id: str
    region_name: str
    ebs_encryption_by_default: bool

    def __init__(self) -> None:
        self.ebs_default_key = DEFAULT_ALIAS

    def encryption(
        self, *, asked: bool | None, key_id: str | None, inherited: bool = False
    ) -> Encryption:
        """What a request comes to; `inherited`: the source is encrypted.

        A key that cannot be used is found out later, as on AWS. Raises EC2ClientError for a key
        without `Encrypted`.
        """
        if key_id and not asked:
            raise EC2ClientError(
                "InvalidParameterDependency",
                "The parameter KmsKeyId requires the parameter Encrypted to be set.",
            )
        if not (asked or inherited or self.ebs_encryption_by_default):
            return Encryption()
        given = key_id or self.ebs_default_key
        found = key_arn(self.account_id, self.region_name, given)
        return Encryption(found or given, "" if found else UNUSABLE_KEY)

    def default_key(self) -> str:
        """As DescribeKey would name it, and an alias as it was given."""
        return self.ebs_default_key

    def set_default_key(self, given: str | None) -> None:
        """Raises EC2ClientError for a key that the region does not have; None: EBS's own."""
        if given is None:
            self.ebs_default_key = DEFAULT_ALIAS
            return
        found = key_arn(self.account_id, self.region_name, given)
        if found is None:
            raise EC2ClientError("InvalidKmsKey.NotFound", f"The key {given} does not exist.")
        self.ebs_default_key = found

    def is_default_ebs_key(self, arn: str | None) -> bool:
        """Whether it is the one that AWS manages, which nobody else may use."""
        return arn is not None and arn == key_arn(self.account_id, self.region_name, DEFAULT_ALIAS)


class EncryptionActions:
    """Part of the EC2 responses; see `nitro.local.aws.ec2`."""

    ec2_backend: Any
    _get_param: GetParam

    def get_ebs_default_kms_key_id(self) -> ActionResult:
        return ActionResult({"KmsKeyId": self.ec2_backend.default_key()})

    def modify_ebs_default_kms_key_id(self) -> ActionResult:
        self.ec2_backend.set_default_key(self._get_param("KmsKeyId"))
        return self.get_ebs_default_kms_key_id()

    def reset_ebs_default_kms_key_id(self) -> ActionResult:
        self.ec2_backend.set_default_key(None)
        return self.get_ebs_default_kms_key_id()
