"""KMS keys that outlive the process, as the snapshots do that are encrypted with them.

Only what describes a key is kept: the local Nitro encrypts nothing.
"""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Any

from moto.kms.exceptions import NotAuthorizedException, ValidationException
from moto.kms.models import RESERVED_ALIASES, Key, KmsBackend

from nitro.local.aws import kept

FOLDER = "keys"
_PLAIN = ("arn", "creation_date", "enabled", "key_manager", "key_state")
_AWS_ALIASES = "alias/aws/"
_DELETION_DAYS = range(7, 31)

_log = logging.getLogger(__name__)


class LocalKMSBackend(KmsBackend):  # type: ignore[misc]
    """One region of one account."""

    site: Any

    def get_key_id(self, key_id: str) -> str:
        """moto's finds a key of this region by an ARN of another one."""
        if key_id.startswith("arn:"):
            _, _, _, region, account, *_ = [*key_id.split(":"), "", "", ""]
            if (region, account) != (self.region_name, self.account_id):
                return key_id  # which no key has
        return str(super().get_key_id(key_id))

    def create_alias(self, target_key_id: str, alias_name: str) -> Any:
        """moto refuses only those of AWS's aliases that it knows."""
        if alias_name.startswith(_AWS_ALIASES) and alias_name not in RESERVED_ALIASES:
            raise NotAuthorizedException
        return super().create_alias(target_key_id, alias_name)

    def create_key(
        self, policy: Any, key_usage: str | None, *arguments: Any, **options: Any
    ) -> Any:
        """For encryption, where nothing else is asked for."""
        usage = key_usage or "ENCRYPT_DECRYPT"
        return super().create_key(policy, usage, *arguments, **options)

    # moto's take a key's id alone; AWS, and moto's other operations, take its ARN, too.

    def enable_key(self, key_id: str) -> None:
        super().enable_key(self.get_key_id(key_id))

    def disable_key(self, key_id: str) -> None:
        super().disable_key(self.get_key_id(key_id))

    def schedule_key_deletion(self, key_id: str, pending_window_in_days: int) -> Any:
        """moto answers another number of days as if it were done."""
        if pending_window_in_days not in _DELETION_DAYS:
            raise ValidationException("PendingWindowInDays: It must be from 7 to 30.")
        return super().schedule_key_deletion(self.get_key_id(key_id), pending_window_in_days)

    def cancel_key_deletion(self, key_id: str) -> None:
        super().cancel_key_deletion(self.get_key_id(key_id))

    def keep(self) -> None:
        held = {key.id: self._entry(key) for key in self.keys.values()}
        kept.write(self, kept.path_of(self, FOLDER), held, at_first="{}")

    def restore(self) -> None:
        """What cannot be read is left out."""
        for key_id, entry in kept.read(kept.path_of(self, FOLDER)).items():
            try:
                self._restore(key_id, entry)
            except (AttributeError, LookupError, TypeError, ValueError):
                _log.exception("the key %s of %s is left out", key_id, self.region_name)
                self.keys.pop(key_id, None)

    def _entry(self, key: Any) -> dict[str, Any]:
        return {
            **{name: getattr(key, name) for name in _PLAIN},
            "policy": key.policy,
            "usage": key.key_usage,
            "spec": key.key_spec,
            "description": key.description,
            "several": key.multi_region,
            "regions": key.multi_region_configuration if key.multi_region else None,
            "deletion": key.deletion_date and key.deletion_date.isoformat(),
            "aliases": sorted(key.aliases),
            "tags": self.tagger.get_tag_dict_for_resource(key.id),
        }

    def _restore(self, key_id: str, entry: dict[str, Any]) -> None:
        given = (entry["policy"], entry["usage"], entry["spec"], entry["description"])
        key = Key(*given, self.account_id, self.region_name, entry["several"])
        key.id = key_id
        for name in _PLAIN:
            setattr(key, name, entry[name])
        if entry["regions"]:
            key.multi_region_configuration = dict(entry["regions"])
        if entry["deletion"]:
            key.deletion_date = datetime.fromisoformat(entry["deletion"])
        self.keys[key_id] = key
        for alias in entry["aliases"]:
            self.create_alias(key_id, alias)
        if entry["tags"]:
            tags = [{"TagKey": name, "TagValue": value} for name, value in entry["tags"].items()]
            self.tagger.tag_resource(key_id, tags)
