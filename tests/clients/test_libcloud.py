"""Apache Libcloud's EC2 driver: everything in one program of a user's."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nitro.cloud import Keep, Undo, tags
from nitro.cloud.direct import write_snapshot
from nitro.progress import Stage
from tests.clients.conftest import Client, installed
from tests.clients.endpoint import SECOND_REGION, Endpoint
from tests.cloud.conftest import everything
from tests.cloud.joint import small_disk

pytestmark = pytest.mark.slow

PROGRAM = """
import json, os, sys, time
from urllib.parse import urlsplit
from libcloud.compute.providers import get_driver
from libcloud.compute.types import Provider

at = urlsplit(os.environ["AWS_ENDPOINT_URL"])
def connect(region):
    return get_driver(Provider.EC2)(
        os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"], region=region,
        host=at.hostname, port=at.port, secure=False, signature_version="4")

snapshot, second = sys.argv[1:]
here, there = connect("eu-central-1"), connect(second)
def wait_available(driver, image):
    for _ in range(100):
        image = driver.get_image(image.id)
        if image.extra["state"] == "available":
            return image
        time.sleep(0.1)
    raise SystemExit("the image is not available")

image = here.ex_register_image(
    "from-libcloud", architecture="x86_64", root_device_name="/dev/xvda",
    virtualization_type="hvm", ena_support=True,
    block_device_mapping=[{"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": snapshot}}])
image = wait_available(here, image)
size = next(size for size in here.list_sizes() if size.id == "c5.large")
node = here.create_node(name="node", image=image, size=size)
((node, addresses),) = here.wait_until_running([node], wait_period=0.2)
copy = wait_available(there, there.copy_image(image, "eu-central-1", name="copy", description="c"))
found = {
    "zones": [zone.name for zone in here.list_locations()],
    "subnets": len(here.ex_list_subnets()),
    "node": [node.name, addresses],
    "metadata": here.ex_get_metadata_for_node(node),
    "console": "output" in here.ex_get_console_output(node),
    "destroyed": here.destroy_node(node),
    "removed": [here.delete_image(image), there.delete_image(copy)],
    "images": [image.id for driver in (here, there) for image in driver.list_images(ex_owner="self")],
}
print(json.dumps(found))
"""  # noqa: E501


def test_from_a_snapshot_to_an_instance_and_back(endpoint: Endpoint, tmp_path: Path) -> None:
    cloud, disk = endpoint.connect(), small_disk(tmp_path / "disk.raw")
    with Undo(keep=Keep.IMAGE) as undo:
        snapshot = write_snapshot(cloud, disk, tags.Run(), undo, Stage()).snapshot_id
    (tmp_path / "program.py").write_text(PROGRAM)
    client = Client(endpoint, tmp_path, installed("apache-libcloud"))
    found = json.loads(client.run("python", "program.py", snapshot, SECOND_REGION))
    assert found["zones"][0] == "eu-central-1a"
    assert found["subnets"] == len(found["zones"])
    assert found["node"][0] == "node"
    assert found["metadata"]["Name"] == "node"
    assert found["console"]
    assert found["destroyed"]
    assert found["removed"] == [True, True]
    assert found["images"] == []
    assert everything(cloud)["snapshots"] == [snapshot]
