"""For all tests."""

from __future__ import annotations

import gc
import re
import signal
import socketserver
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests.lengths import LONG, length
from tests.tracing import trace_nitro_only

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

# A server hears of its end at its next poll, which is half a second away unless somebody says less.
serve = socketserver.BaseServer.serve_forever


def serve_attentively(server: socketserver.BaseServer, poll_interval: float = 0.5) -> None:
    serve(server, min(poll_interval, 0.01))


socketserver.BaseServer.serve_forever = serve_attentively  # type: ignore[assignment]

# Services' models and modules are hundreds of thousands of objects that live as long as the
# process: looking through them for garbage, time and again, takes a tenth of the time.
gc.set_threshold(200_000, 20, 100)


trace_nitro_only()

_MODULE_MARKS = re.compile(r"^pytestmark = ([^\[\n]+|\[[^\]]+\])", re.M)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Do not import a module all of whose tests have a mark that is not wanted."""
    if collection_path.suffix != ".py":
        return None
    wanted = re.sub(r"\([^)]*\)", "", config.option.markexpr)
    found = _MODULE_MARKS.search(collection_path.read_text())
    if not found or " or " in wanted:
        return None
    marks = re.findall(r"pytest\.mark\.(\w+)(?![\w(])", found[1])
    return True if {*marks} & {*re.findall(r"\bnot (\w+)", wanted)} else None


def pytest_collection_finish() -> None:
    gc.freeze()


def pytest_sessionstart(session: pytest.Session) -> None:
    """Let workers tell what failed and that a test has passed, not that its fixtures have, too.

    xdist itself leaves out what it collects without an error: messages are a tenth of the time.
    """
    for plugin in session.config.pluginmanager.get_plugins():
        if hasattr(plugin, "sendevent"):
            plugin.sendevent = _with_less(plugin.sendevent)


def _with_less(send: Callable[..., None]) -> Callable[..., None]:
    def sendevent(name: str, **said: Any) -> None:
        report = said.get("data", {}) if name == "testreport" else {}
        passed = report.get("outcome") == "passed" and report.get("when") != "call"
        if not passed and name not in {"logstart", "logfinish"}:
            send(name, **said)

    return sendevent


def pytest_sessionfinish() -> None:
    gc.freeze()  # pytest looks for garbage five times at its end


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every property-based test has a long form: more examples. Some cases stay fast ones."""
    cases: Counter[str] = Counter()
    for item in items:
        if getattr(getattr(item, "obj", None), "is_hypothesis_test", False):
            item.add_marker("soak")
        extended = item.get_closest_marker("extended")
        if extended and "fast" in extended.kwargs:
            test = item.nodeid.partition("[")[0]
            cases[test] += 1
            if cases[test] <= extended.kwargs["fast"]:
                item.own_markers.remove(extended)
