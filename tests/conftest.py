"""For all tests."""

from __future__ import annotations

import gc
import signal

import pytest
from hypothesis import HealthCheck, settings

from tests.lengths import LONG, length

# Whoever starts the tests in the background may have left Ctrl-C ignored, and commands under
# test would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

# How long an example takes says how busy the machine is, and nothing about the code. The short
# form repeats, so that a failure is of the change at hand; the long form looks further each night.
settings.register_profile(
    "any-machine",
    deadline=None,
    derandomize=not LONG,
    suppress_health_check=[HealthCheck.too_slow],
    max_examples=length(short=30, long=1000),
)
settings.load_profile("any-machine")

# Services' models and modules are hundreds of thousands of objects that live as long as the
# process: looking through them for garbage, time and again, takes a tenth of the time.
gc.set_threshold(200_000, 20, 100)


def pytest_collection_finish() -> None:
    gc.freeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every property-based test has a long form: more examples."""
    for item in items:
        if getattr(getattr(item, "obj", None), "is_hypothesis_test", False):
            item.add_marker("soak")
