"""Launch templates in all their versions, as data: what names an image is found in them.

https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/manage-launch-template-versions.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from moto.core.responses import ActionResult
from moto.core.types import Base64EncodedString
from moto.ec2.exceptions import (
    EC2ClientError,
    InvalidLaunchTemplateNameAlreadyExistsError,
    InvalidLaunchTemplateVersionNotFound,
)
from moto.ec2.models.launch_templates import LaunchTemplate, LaunchTemplateVersion

from nitro.local.aws.api import support
from nitro.local.aws.api.errors import invalid_value, missing_parameter
from nitro.local.aws.images import plain
from nitro.local.aws.needs import GetParam, GetTags

LATEST, DEFAULT = "$Latest", "$Default"


class LocalTemplate(LaunchTemplate):  # type: ignore[misc]
    """A template whose version numbers stay what they are when others are deleted."""

    def create_version(self, data: dict[str, Any], description: str) -> Any:
        self.last_number = getattr(self, "last_number", 0) + 1
        version = LaunchTemplateVersion(self, self.last_number, data, description)
        self.versions.append(version)
        return version

    def get_version(self, num: Any) -> Any:
        """By number, `$Latest` or `$Default`. Raises EC2ClientError when there is none."""
        wanted = {LATEST: self.versions[-1].number, DEFAULT: self.default_version_number}
        for version in self.versions:
            if str(version.number) == str(wanted.get(num, num)):
                return version
        raise InvalidLaunchTemplateVersionNotFound(template_id=self.id, version=num)

    def default_version(self) -> Any:
        return self.get_version(DEFAULT)


def entry(template: Any) -> dict[str, Any]:
    """What is kept of a template, as JSON can hold it."""
    return {
        "name": template.name,
        "created": template.create_time.isoformat(),
        "default": template.default_version_number,
        "last": template.last_number,
        "versions": [
            {
                "number": each.number,
                "data": _as_json(each.data),
                "description": each.description,
                "created": each.create_time.isoformat(),
            }
            for each in template.versions
        ],
    }


def restore(backend: Any, kept: Mapping[str, Any]) -> None:
    """Put a template back that `entry` has described."""
    versions = kept["versions"]
    template = LocalTemplate(backend, kept["name"], {}, None, {})
    template.id, template.create_time = kept["id"], datetime.fromisoformat(kept["created"])
    template.versions = []
    for each in versions:
        data = dict(each["data"])
        if "UserData" in data:
            data["UserData"] = Base64EncodedString(data["UserData"])
        version = LaunchTemplateVersion(template, each["number"], data, each["description"])
        version.create_time = datetime.fromisoformat(each["created"])
        template.versions.append(version)
    template.last_number, template.default_version_number = kept["last"], kept["default"]
    template.add_tags(kept["tags"])
    backend.launch_templates[template.id] = template
    backend.launch_template_name_to_ids[template.name] = template.id


def _as_json(value: Any) -> Any:
    """Times as texts, which answers take as well."""
    if isinstance(value, Mapping):
        return {name: _as_json(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_as_json(each) for each in value]
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value) if isinstance(value, Base64EncodedString) else value


def with_template(backend: Any, parameters: Mapping[str, Any]) -> tuple[dict[str, Any], Any]:
    """What RunInstances is asked for, its launch template included, and the template's version.

    What the request says counts before what the template says. Raises EC2ClientError for a
    template that does not exist, or that has what the local Nitro does not honour.
    """
    given = dict(parameters)
    named = given.pop("LaunchTemplate", None)
    if named is None:
        return given, None
    template = _named(backend, named.get("LaunchTemplateId"), named.get("LaunchTemplateName"))
    version = template.get_version(named.get("Version", DEFAULT))
    merged = {**version.data, **given}
    support.check("RunInstances", merged)
    return merged, version


def _named(backend: Any, id_: str | None, name: str | None) -> Any:
    if bool(id_) == bool(name):
        raise EC2ClientError(
            "InvalidParameterCombination",
            "Specify either the launch template id or the launch template name.",
        )
    return backend.get_launch_template(id_) if id_ else backend.get_launch_template_by_name(name)


class LaunchTemplateActions:
    """Part of the EC2 responses; see `nitro.local.aws.ec2`."""

    ec2_backend: Any
    current_account: str
    partition: str
    _get_param: GetParam
    _parse_tag_specification: GetTags

    def create_launch_template(self) -> ActionResult:
        backend, name = self.ec2_backend, self._get_param("LaunchTemplateName")
        if name in backend.launch_template_name_to_ids:
            raise InvalidLaunchTemplateNameAlreadyExistsError()
        tags = self._parse_tag_specification("launch-template")
        description = self._get_param("VersionDescription")
        template = LocalTemplate(backend, name, self._data(), description, tags)
        backend.launch_templates[template.id] = template
        backend.launch_template_name_to_ids[name] = template.id
        return ActionResult({"LaunchTemplate": self._described(template)})

    def create_launch_template_version(self) -> ActionResult:
        """Of a source version, the parameters that are not given are taken over."""
        template, source = self._template(), self._get_param("SourceVersion")
        before = template.get_version(source).data if source else {}
        version = template.create_version(
            {**before, **self._data()}, self._get_param("VersionDescription")
        )
        return ActionResult({"LaunchTemplateVersion": self._version(template, version)})

    def modify_launch_template(self) -> ActionResult:
        template = self._template()
        wanted = self._get_param("DefaultVersion")
        if wanted is not None:
            template.default_version_number = template.get_version(wanted).number
        return ActionResult({"LaunchTemplate": self._described(template)})

    def delete_launch_template(self) -> ActionResult:
        backend, template = self.ec2_backend, self._template()
        del backend.launch_templates[template.id]
        del backend.launch_template_name_to_ids[template.name]
        return ActionResult({"LaunchTemplate": self._described(template)})

    def delete_launch_template_versions(self) -> ActionResult:
        """The default version stays; each number is answered for by itself."""
        template = self._template()
        deleted, refused = [], []
        for number in self._get_param("Versions", []):
            named = {"LaunchTemplateId": template.id, "LaunchTemplateName": template.name}
            problem = _why_kept(template, number)
            if problem:
                error = {"Code": problem, "Message": f"Version {number} is not deleted."}
                refused.append({**named, "VersionNumber": _number(number), "ResponseError": error})
            else:
                version = template.get_version(number)
                template.versions.remove(version)
                deleted.append({**named, "VersionNumber": version.number})
        return ActionResult(
            {
                "SuccessfullyDeletedLaunchTemplateVersions": deleted,
                "UnsuccessfullyDeletedLaunchTemplateVersions": refused,
            }
        )

    def describe_launch_templates(self) -> ActionResult:
        ids, names = self._get_param("LaunchTemplateIds"), self._get_param("LaunchTemplateNames")
        backend = self.ec2_backend
        found: Iterable[Any] = backend.launch_templates.values()
        if ids or names:
            found = [
                *map(backend.get_launch_template, ids or []),
                *map(backend.get_launch_template_by_name, names or []),
            ]
        return ActionResult({"LaunchTemplates": [self._described(each) for each in found]})

    def describe_launch_template_versions(self) -> ActionResult:
        wanted = self._get_param("Versions", [])
        if self._names_one():
            template = self._template()
            bounds = [self._get_param(name) for name in ("MinVersion", "MaxVersion")]
            for bound in bounds:
                if bound is not None and not _number(bound):
                    raise invalid_value(f"Invalid version {bound}")
            least, most = bounds
            versions = [template.get_version(each) for each in wanted] or [
                each
                for each in template.versions
                if int(least or 1) <= each.number <= int(most or each.number)
            ]
            found = [(template, each) for each in versions]
        elif not wanted or not set(wanted) <= {LATEST, DEFAULT}:
            raise missing_parameter("LaunchTemplateId, LaunchTemplateName, or $Latest or $Default")
        else:
            templates = self.ec2_backend.launch_templates.values()
            found = [(each, each.get_version(name)) for each in templates for name in wanted]
        return ActionResult({"LaunchTemplateVersions": [self._version(*each) for each in found]})

    def _names_one(self) -> bool:
        return bool(self._get_param("LaunchTemplateId") or self._get_param("LaunchTemplateName"))

    def _template(self) -> Any:
        return _named(
            self.ec2_backend,
            self._get_param("LaunchTemplateId"),
            self._get_param("LaunchTemplateName"),
        )

    def _data(self) -> dict[str, Any]:
        data: dict[str, Any] = plain(self._get_param("LaunchTemplateData", {}))
        return data

    def _described(self, template: Any) -> dict[str, Any]:
        return {
            "CreateTime": template.create_time,
            "CreatedBy": self._creator(),
            "DefaultVersionNumber": template.default_version_number,
            "LatestVersionNumber": template.versions[-1].number,
            "LaunchTemplateId": template.id,
            "LaunchTemplateName": template.name,
            "Tags": template.get_tags(),
        }

    def _version(self, template: Any, version: Any) -> dict[str, Any]:
        return {
            "CreateTime": version.create_time,
            "CreatedBy": self._creator(),
            "DefaultVersion": version.number == template.default_version_number,
            "LaunchTemplateData": version.data,
            "LaunchTemplateId": template.id,
            "LaunchTemplateName": template.name,
            "VersionDescription": version.description,
            "VersionNumber": version.number,
        }

    def _creator(self) -> str:
        return f"arn:{self.partition}:iam::{self.current_account}:root"


def _why_kept(template: Any, number: str) -> str | None:
    """The error code for a version that cannot be deleted."""
    if number == str(template.default_version_number):
        return "unexpectedError"
    known = any(str(version.number) == number for version in template.versions)
    return None if known else "launchTemplateVersionDoesNotExist"


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() else 0
