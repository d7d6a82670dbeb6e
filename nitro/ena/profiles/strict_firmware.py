"""The card `strict-firmware`."""

from __future__ import annotations

from nitro.ena.profiles.profile import Profile

PROFILE = Profile(
    name="strict-firmware",
    note="CREATE_CQ fails without host info or with a driver version other than 2 [X]",
    needs_host_info=True,
    needs_driver_version_2=True,
)
