"""A report in Chromium: no request, no error, nothing that axe-core objects to; light and dark, on
a phone, and by keyboard alone."""

from __future__ import annotations

import hashlib
import subprocess
import tarfile

import pytest

from nitro.bench.record import Record
from nitro.bench.report import write
from nitro.bench.store import FolderStore
from nitro.paths import cache_dir
from tests.unit.bench.samples import CELLS, days, fill
from tools import browser

AXE = ("axe-core@4.11.0", "39bed7d72308f6d620789c169d699bfd7e8da80f65b545821a6b2215c3e83107")
FOCUSABLE = "[...document.querySelectorAll(\"a[href], input, summary, [tabindex='0']\")]"
#: Where the keyboard is, and whether one sees it.
FOCUS = f"""(() => {{
  const one = document.activeElement, style = getComputedStyle(one);
  const outlined = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
  return {{at: {FOCUSABLE}.indexOf(one), tag: one.tagName, id: one.id, outlined}};
}})()"""
SHOWN = "[...document.querySelectorAll('article')].filter((one) => !one.hidden).length"
VIOLATIONS = """axe.run().then((found) => ({
  checked: found.passes.length,
  violations: found.violations.map((one) => `${one.id}: ${one.nodes[0].html}`),
}))"""


@pytest.fixture(scope="module")
def axe():
    """axe-core, from its npm package, checked."""
    folder = cache_dir() / "npm"
    folder.mkdir(exist_ok=True)
    name, sha256 = AXE
    path = folder / f"{name.replace('@', '-')}.tgz"
    if not path.exists():
        subprocess.run(["npm", "pack", name], cwd=folder, check=True, capture_output=True)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == sha256
    with tarfile.open(path) as archive:
        script = archive.extractfile("package/axe.min.js")
        assert script
        return script.read().decode()


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    record = Record(FolderStore(folder / "record"))
    step = days(20)[15]
    fill(
        record,
        days(20),
        factor=lambda cell, night: 0.9 if cell == CELLS[1] and night >= step else 1.0,
    )
    return write(record, folder / "out")


def troubles(view):
    """What the browser tells that a page should not do."""
    view.value("1")  # what is on its way has come
    asked = [one["request"]["url"] for one in view.told("Network.requestWillBeSent")]
    return [
        *(url for url in asked[1:] if not url.startswith("data:")),
        *(one["entry"]["text"] for one in view.told("Log.entryAdded")),
        *(one["exceptionDetails"]["text"] for one in view.told("Runtime.exceptionThrown")),
        *(str(one["args"]) for one in view.told("Runtime.consoleAPICalled")),
    ]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("width", "height", "dark", "background"),
    [(1200, 900, False, "rgb(255, 255, 255)"), (390, 844, True, "rgb(13, 17, 23)")],
)
def test_a_browser_finds_nothing_wrong_with_the_page(page, axe, width, height, dark, background):
    with browser.opened(page) as view:
        view.show(width, height, dark=dark)
        assert view.value("getComputedStyle(document.body).backgroundColor") == background
        assert view.value("document.documentElement.scrollWidth") <= width
        view.value(axe + "; 1")
        for is_open in ("false", "true"):  # folded, and not
            view.value(
                "document.querySelectorAll('details').forEach((one) => { one.open = "
                f"{is_open}; }})"
            )
            found = view.value(VIOLATIONS)
            assert found["violations"] == []
            assert found["checked"] > 15
        assert troubles(view) == []


@pytest.mark.slow
def test_the_page_is_used_by_keyboard_alone(page):
    with browser.opened(page) as view:
        view.show(390, 844)
        count = view.value(f"{FOCUSABLE}.filter((one) => one.checkVisibility()).length")
        assert count > 10
        reached = []
        for _ in range(count):
            view.press("Tab")
            focus = view.value(FOCUS)
            assert focus["outlined"], focus
            reached.append(focus["at"])
        assert reached == sorted(set(reached))  # each once, in the order of the page
        assert len(reached) == count
        view.press(*["Shift+Tab"] * (count - 1))
        assert view.value(FOCUS)["id"] == "filter"

        view.press(*"c6in", " ", *"kernel")
        assert view.value(SHOWN) == 1
        assert view.value("document.getElementById('shown').textContent") == "1 shown"
        view.press(*["Backspace"] * len("c6in kernel"))
        assert view.value(SHOWN) == len(CELLS)

        view.press("Tab")  # the table, wider than a phone
        assert view.value("document.activeElement.getAttribute('role')") == "region"
        view.press(*["ArrowRight"] * 5)
        assert view.value(
            "new Promise((done) => setTimeout(() => done(document.activeElement.scrollLeft), 500))"
        )
        view.press("Tab", "Enter")  # its first row leads to the series
        assert view.value("location.hash") == "#small-0"
        view.press("Tab")
        assert view.value(FOCUS)["tag"] == "SUMMARY"
        view.press("Enter", "Tab", " ")  # the runs, and what the first one printed
        assert view.value("document.activeElement.parentElement.open")
        assert view.value("document.activeElement.parentElement.textContent").endswith("{}")
        assert troubles(view) == []
