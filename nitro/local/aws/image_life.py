"""The end of an image's life: deprecation, disabling, and protection from deregistration.

https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ami-deprecate.html
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ami-deregistration-protection.html
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from moto.core.responses import ActionResult
from moto.core.utils import utcnow
from moto.ec2.exceptions import EC2ClientError, InvalidAMIIdError, UnvailableAMIIdError

from nitro.local.aws.api.errors import invalid_value
from nitro.local.aws.needs import GetFlag, GetParam

COOLDOWN = 24 * 3600.0  # seconds for which protection outlives its end
LATEST = timedelta(days=3653)  # from now: ten years
LATEST_OF_PUBLIC = timedelta(days=731)  # from the creation of a public image


class Protection:
    """Whether an image may be deregistered. `clock` gives seconds."""

    def __init__(self) -> None:
        self.enabled = False
        self.with_cooldown = False
        self.lasts_until = 0.0

    def state(self, now: float) -> str:
        if not self.enabled and now >= self.lasts_until:
            return "disabled"
        return "enabled-with-cooldown" if self.with_cooldown else "enabled-without-cooldown"

    def enable(self, *, with_cooldown: bool) -> None:
        self.enabled, self.with_cooldown = True, with_cooldown

    def disable(self, now: float) -> None:
        if self.enabled and self.with_cooldown:
            self.lasts_until = now + COOLDOWN
        self.enabled = False


class ImageLifeBackend:
    """Part of the EC2 backend; see `nitro.local.aws.ec2`."""

    amis: dict[str, Any]
    deleted_amis: list[str]

    def image(self, image_id: str) -> Any:
        """Raises EC2ClientError when there is none, or none any more."""
        if image_id in self.deleted_amis:
            raise UnvailableAMIIdError(image_id)
        if image_id not in self.amis:
            raise InvalidAMIIdError(image_id)
        return self.amis[image_id]


class ImageLifeActions:
    """Part of the EC2 responses; see `nitro.local.aws.ec2`."""

    ec2_backend: Any
    _get_param: GetParam
    _get_bool_param: GetFlag

    def enable_image_deprecation(self) -> ActionResult:
        image, when = self._image(), self._get_param("DeprecateAt")
        now = utcnow()
        latest = now + LATEST
        if image.public:
            latest = min(latest, image.creation_date + LATEST_OF_PUBLIC)
        if not now <= when <= latest:
            raise invalid_value(f"DeprecateAt must lie between now and {latest:%Y-%m-%dT%H:%M}Z.")
        image.deprecated_at = (when + timedelta(seconds=30)).replace(second=0, microsecond=0)
        return ActionResult({"Return": True})

    def disable_image_deprecation(self) -> ActionResult:
        self._image().deprecated_at = None
        return ActionResult({"Return": True})

    def enable_image_deregistration_protection(self) -> ActionResult:
        image = self._image()
        image.protection.enable(with_cooldown=self._get_bool_param("WithCooldown", False))
        return ActionResult({"Return": image.deregistration_protection})

    def disable_image_deregistration_protection(self) -> ActionResult:
        image = self._image()
        image.protection.disable(self.ec2_backend.site.clock())
        return ActionResult({"Return": image.deregistration_protection})

    def disable_image(self) -> ActionResult:
        """A disabled image is shared with nobody, and stays so when it is enabled again."""
        image = self._image()
        if image.state not in ("available", "disabled"):
            raise EC2ClientError("InvalidAMIID.Unavailable", f"The image is {image.state}.")
        image.state, image.launch_permissions = "disabled", []
        return ActionResult({"Return": True})

    def enable_image(self) -> ActionResult:
        self._image().state = "available"
        return ActionResult({"Return": True})

    def _image(self) -> Any:
        return self.ec2_backend.image(self._get_param("ImageId"))
