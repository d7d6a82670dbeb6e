"""For all tests."""

from __future__ import annotations

import signal

from hypothesis import HealthCheck, settings

# Whoever starts the tests in the background may have left Ctrl-C ignored, and commands under
# test would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

# How long an example takes says how busy the machine is, and nothing about the code.
settings.register_profile(
    "any-machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any-machine")
