"""nitro: from a program to a measured AWS Nitro instance.

recipe → image → snapshot → AMI → instance → probe → record; each part knows only what is
below it. `docs/architecture.md` describes the house.
"""

__version__ = "0.1.0"
