"""What the processes of a night are told: a file beside the samples, and their index."""

from __future__ import annotations

import pytest

from nitro.bench import campaign
from nitro.bench.campaign import INDEX, Campaign
from nitro.bench.images import CLIENT, Image
from nitro.bench.schedule import Part
from nitro.bench.store import FolderStore
from nitro.errors import InputError
from tests.unit.bench.samples import NIGHT
from tests.unit.bench.test_schedule import PLAN

IMAGES = {
    "eu-west-1": {
        CLIENT: Image("ami-1", "sha256:1"),
        ("bench", "nitro"): Image("ami-2", "sha256:2"),
        ("osv-iperf3", "kernel"): Image("ami-3", "sha256:3", 1),
        ("debian", "own"): Image("ami-4", "ami-4", start="iperf3 -s -D"),
    },
    "us-east-1": {CLIENT: Image("ami-5", "sha256:1")},
}


def made(parts: int = 3) -> Campaign:
    return Campaign.of(
        PLAN, NIGHT, "eu-west-1", parts=parts, images=IMAGES, subnet="subnet-1", bucket="b"
    )


@pytest.fixture
def store(tmp_path):
    return FolderStore(tmp_path)


def test_a_campaign_is_read_as_it_was_written_and_lies_in_one_place(store):
    folder = campaign.write(store, made())
    assert campaign.write(store, made()) == folder != made(4).folder
    found = campaign.read(store, folder)
    assert found == made()
    assert (found.subnet, found.bucket, found.parts) == ("subnet-1", "b", 3)
    assert found.images == IMAGES
    assert found.plan.digest == PLAN.digest


@pytest.mark.parametrize(
    "text", [None, "", "[", "{}", '{"plan": 1}', "null"], ids=lambda text: repr(text)
)
def test_what_is_no_campaign_is_refused(store, text):
    if text is not None:
        store.write("jobs/x/job.json", text.encode())
    with pytest.raises(InputError):
        campaign.read(store, "jobs/x")


def test_a_campaign_without_the_clients_image_is_refused(store):
    text = made().model_copy(update={"published": ()}).model_dump_json()
    store.write("jobs/x/job.json", text.encode())
    with pytest.raises(InputError, match="client's image"):
        campaign.read(store, "jobs/x")


def test_each_child_does_the_part_of_its_index(monkeypatch):
    monkeypatch.setenv(INDEX, "2")
    assert made().part() == Part(2, 3)
    monkeypatch.delenv(INDEX)
    assert made(1).part() == Part(0, 1)


@pytest.mark.parametrize("index", [None, "3", "-1", "x", ""])
def test_an_index_without_a_part_is_refused(monkeypatch, index):
    monkeypatch.delenv(INDEX, raising=False)
    if index is not None:
        monkeypatch.setenv(INDEX, index)
    with pytest.raises(InputError, match=INDEX):
        made().part()
