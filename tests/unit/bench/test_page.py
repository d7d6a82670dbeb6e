"""The page of a report says what the record says, asks no network, and escapes what is foreign."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser

import pytest

from nitro.bench.report import write
from nitro.errors import InputError
from tests.unit.bench.samples import CELLS, CIRCUMSTANCES, days, fill, sample


class Page(HTMLParser):
    """Elements and their attributes; text by the element around it."""

    VOID = ("meta", "link", "input", "br", "line", "circle", "polyline")

    def __init__(self, text):
        super().__init__()
        self.elements, self.text, self.open = [], "", []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data

    def all(self, tag):
        return [attrs for name, attrs in self.elements if name == tag]


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    from nitro.bench.record import Record
    from nitro.bench.store import FolderStore

    folder = tmp_path_factory.mktemp("report")
    record = Record(FolderStore(folder / "record"))
    step = days(20)[15]
    fill(
        record,
        days(20),
        factor=lambda cell, night: 0.9 if cell == CELLS[1] and night >= step else 1.0,
        raw="<script>alert(1)</script>\x1b[31m",
        circumstances=replace(CIRCUMSTANCES, peak_bits=6e9),
    )
    record.append([sample(cell=CELLS[2], night=days(20)[-1], repetition=9, error="<b>no</b>")])
    path = write(record, folder / "out")
    return path.read_text()


def test_the_page_has_the_verdict_every_series_and_its_runs(written):
    page = Page(written)
    assert not page.open
    assert "1 slower, 1 failed in 4 series" in page.text
    assert len(page.all("article")) == 4
    assert {row["data-name"].split()[0] for row in page.all("article")} == {
        "c5.large",
        "c6in.large",
    }
    assert "Drivers side by side" in page.text
    assert "3 runs of the last night" in page.text
    labels = [svg["aria-label"] for svg in page.all("svg")]
    assert any("tcp_in -10." in label or "tcp_in -9." in label for label in labels)
    assert len([line for line in page.all("line") if line.get("class") == "step worse"]) == 1
    assert len([line for line in page.all("line") if line.get("class") == "promise"]) == 4


def test_the_page_refers_to_nothing_outside(written):
    page = Page(written)
    for _, attributes in page.elements:
        for name in ("src", "href", "action", "data"):
            assert attributes.get(name, "#").startswith(("#", "data:,"))
    assert "url(" not in written
    assert "@import" not in written


def test_foreign_text_stays_text(written):
    page = Page(written)
    assert len(page.all("script")) == 1
    assert "<script>alert(1)</script>" in page.text
    assert "<b>no</b>" in page.text
    assert "\x1b" not in written


def test_the_links_of_the_table_lead_to_the_series(written):
    page = Page(written)
    targets = {article["id"] for article in page.all("article")}
    assert {link["href"] for link in page.all("a")} == {f"#{target}" for target in targets}


def test_one_night_is_a_page_too(record, tmp_path):
    record.append([sample()])
    text = write(record, tmp_path / "out").read_text()
    assert not Page(text).open
    assert "new" in text


def test_an_empty_record_has_no_page(record, tmp_path):
    with pytest.raises(InputError, match="nitro bench run"):
        write(record, tmp_path / "out")
    assert not (tmp_path / "out").exists()
