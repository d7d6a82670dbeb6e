"""What AWS refuses of texts and tags, said before anything is made.

https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RegisterImage.html
"""

from __future__ import annotations

from collections.abc import Mapping

from nitro.cloud import tags
from nitro.cloud.disk import DiskImage
from nitro.errors import InputError

DESCRIPTION = 255  # characters, all of them printable ASCII
TAG_KEY, TAG_VALUE, TAGS = 128, 256, 50  # characters, characters, tags of one resource
_SOME_DIGEST = f"sha256:{'0' * 64}"


def check_disk(disk: DiskImage) -> None:
    """Raises InputError when EC2 would refuse the image's description or its tags."""
    check_image(disk.name, disk.description, disk.tags)


def check_image(name: str, text: str, image_tags: Mapping[str, str]) -> None:
    """As `check_disk`, for what is known before there is a disk: `text` is the description."""
    if foreign := next((c for c in text if not " " <= c <= "~"), None):
        raise InputError(
            f"the description of {name} contains {foreign!r}, which EC2 does not allow",
            hint="use printable ASCII characters",
        )
    if len(text) > DESCRIPTION:
        raise InputError(
            f"the description of {name} has {len(text)} characters, EC2 allows {DESCRIPTION}",
            hint="shorten it",
        )
    run = tags.Run(ephemeral=True).tags  # such a run adds the most
    check_tags(tags.image_tags(name, _SOME_DIGEST, image_tags) | {tags.MEMORY: ""} | run)


def check_tags(tag_map: tags.Tags) -> None:
    """Raises InputError when EC2 would refuse a resource with all of these tags."""
    if len(tag_map) > TAGS:
        raise InputError(
            f"a resource would have {len(tag_map)} tags, nitro's own included; AWS allows {TAGS}",
            hint="use fewer tags",
        )
    for key, value in tag_map.items():
        if key.lower().startswith("aws:"):
            raise InputError(f"the tag {key!r} begins with `aws:`, which AWS reserves")
        if not 1 <= len(key) <= TAG_KEY:
            raise InputError(
                f"the key of the tag {key[:40]!r} has {len(key)} characters, "
                f"AWS allows 1 to {TAG_KEY}"
            )
        if len(value) > TAG_VALUE:
            raise InputError(
                f"the value of the tag {key!r} has {len(value)} characters, AWS allows {TAG_VALUE}"
            )
