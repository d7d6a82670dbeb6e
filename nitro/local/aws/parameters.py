"""SSM parameters that name images: a new value counts when its image has been found, or never.

https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-ec2-aliases.html
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from moto.ec2.models import ec2_backends
from moto.ssm.exceptions import ValidationException
from moto.ssm.models import SimpleSystemManagerBackend

from nitro.local.aws import parameter_archive

IMAGE = "aws:ec2:image"  # the data type of such a parameter
PREFIX = "resolve:ssm:"  # of an ImageId that names a parameter


@dataclass(frozen=True)
class _Pending:
    """A value that is accepted and not yet looked at. `due` is in the site's time."""

    due: float
    parameter: Any
    tags: list[dict[str, str]]


class LocalSSMBackend(SimpleSystemManagerBackend):  # type: ignore[misc]
    """One region of one account."""

    site: Any

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self._pending: list[_Pending] = []

    def put_parameter(self, name: str, *arguments: Any, **options: Any) -> Any:
        """moto's method passes everything but the last two parameters by position."""
        description, value, kind, pattern, key, overwrite, tags, data_type = arguments
        if data_type != IMAGE:
            return super().put_parameter(name, *arguments, **options)
        if kind not in (None, "String"):
            raise ValidationException(f"A parameter of data type {IMAGE} must be a String.")
        later = None if not overwrite else tags  # moto refuses tags with overwrite
        first = (description, value, kind, pattern, key, overwrite, later, data_type)
        parameter = super().put_parameter(name, *first, **options)
        self._parameters[name].pop()
        self._forget_empty(name)
        due = self.site.clock() + self.site.pace.validate_parameter
        self._pending.append(_Pending(due, parameter, tags or []))
        return parameter

    def settle(self) -> None:
        """Look at the values whose time has come."""
        now = self.site.clock()
        due = [each for each in self._pending if each.due <= now]
        self._pending = [each for each in self._pending if each.due > now]
        for each in due:
            if self._is_image(each.parameter.value):
                self._append(each)
        for name in [name for name, versions in self._parameters.items() if not versions]:
            self._forget_empty(name)

    def resolve(self, reference: str) -> str | None:
        """The value that `resolve:ssm:NAME`, with a version or a label or neither, names."""
        self.settle()
        parameter = self.get_parameter(reference.removeprefix(PREFIX))
        return str(parameter.value) if parameter else None

    def keep(self) -> None:
        parameter_archive.save(self)

    def restore(self) -> None:
        parameter_archive.restore(self)

    def _append(self, pending: _Pending) -> None:
        parameter = pending.parameter
        versions = self._parameters[parameter.name]
        parameter.version = versions[-1].version + 1 if versions else 1
        versions.append(parameter)
        if pending.tags:
            tags = {tag["Key"]: tag["Value"] for tag in pending.tags}
            self.add_tags_to_resource("Parameter", parameter.name, tags)

    def _is_image(self, value: str) -> bool:
        image = ec2_backends[self.account_id][self.region_name].amis.get(value)
        return image is not None and image.state == "available"

    def _forget_empty(self, name: str) -> None:
        if not self._parameters[name]:
            del self._parameters[self._parameters.normalize_name(name)]
