"""A report in Chromium: no request, no error, nothing that axe-core objects to; light and dark."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import tarfile
from html import unescape

import pytest

from nitro.bench.record import Record
from nitro.bench.report import write
from nitro.bench.store import FolderStore
from nitro.debian import Wanted, chroot, tree
from nitro.paths import cache_dir
from tests.unit.bench.samples import CELLS, days, fill

AXE = ("axe-core@4.11.0", "39bed7d72308f6d620789c169d699bfd7e8da80f65b545821a6b2215c3e83107")
CHROMIUM = Wanted(("chromium", "fonts-dejavu-core"), suite="bookworm")

# Runs when the page is loaded, and leaves what it found in the document.
EXAMINE = """
const errors = [];
addEventListener("error", (event) => errors.push(String(event.message)));
addEventListener("securitypolicyviolation", (event) => errors.push(event.violatedDirective));
addEventListener("load", async () => {
  const filter = document.getElementById("filter");
  filter.value = "c6in kernel";
  filter.dispatchEvent(new Event("input"));
  const shown = [...document.querySelectorAll("article")].filter((one) => !one.hidden).length;
  filter.value = "";
  filter.dispatchEvent(new Event("input"));
  const found = await axe.run();
  const focusable = document.querySelectorAll("a[href], input, summary, [tabindex='0']");
  const result = {
    errors, shown,
    violations: found.violations.map((one) => one.id),
    checked: found.passes.length,
    requests: performance.getEntriesByType("resource").map((one) => one.name),
    focusable: [...focusable].filter((one) => one.tabIndex >= 0).length,
    wide: document.documentElement.scrollWidth - document.documentElement.clientWidth,
    page: getComputedStyle(document.body).backgroundColor,
  };
  const out = document.createElement("pre");
  out.id = "examined";
  out.textContent = JSON.stringify(result);
  document.body.append(out);
});
"""


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
def page(tmp_path_factory, axe):
    """A folder with the report's page and the examination in it."""
    folder = tmp_path_factory.mktemp("report")
    record = Record(FolderStore(folder / "record"))
    step = days(20)[15]
    fill(
        record,
        days(20),
        factor=lambda cell, night: 0.9 if cell == CELLS[1] and night >= step else 1.0,
    )
    text = write(record, folder / "out").read_text()
    scripts = f"<script>{axe}</script><script>{EXAMINE}</script></body>"
    (folder / "out/examined.html").write_text(text.replace("</body>", scripts))
    return folder / "out"


def examine(folder, *options):
    command = ["/usr/lib/chromium/chromium", "--headless=new", "--no-sandbox", "--disable-gpu"]
    command += ["--disable-dev-shm-usage", "--user-data-dir=/tmp/profile", "--no-first-run"]
    command += [
        "--virtual-time-budget=30000",
        *options,
        "--dump-dom",
        "file:///build/examined.html",
    ]
    printed = chroot.run([tree(CHROMIUM)], command, folder, timeout=240)
    found = re.search(r'<pre id="examined">(.*?)</pre>', printed, re.DOTALL)
    assert found, printed[-2000:]
    return json.loads(unescape(found[1]))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "background"),
    [
        (["--window-size=1200,900"], "rgb(255, 255, 255)"),
        (["--window-size=390,844", "--force-dark-mode"], "rgb(13, 17, 23)"),
    ],
)
def test_a_browser_finds_nothing_wrong_with_the_page(page, options, background):
    found = examine(page, *options)
    assert found["errors"] == []
    assert found["requests"] == []
    assert found["violations"] == []
    assert found["checked"] > 15
    assert found["shown"] == 1
    assert found["focusable"] > 10
    assert found["wide"] <= 0
    assert found["page"] == background
