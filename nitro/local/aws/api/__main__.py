"""Prints docs/local-api.md: `python -m nitro.local.aws.api`."""

from nitro.local.aws.api.reference import page

print(page(), end="")
