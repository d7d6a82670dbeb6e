"""The serial console and the end of instances."""

from __future__ import annotations

import pytest

from nitro.cloud import ApiError, Cloud, DiskImage, console_output, terminate
from nitro.errors import InputError
from nitro.local.hypervisor import NullHypervisor
from tests.cloud.conftest import connect, everything, recorded
from tests.cloud.joint import running


@pytest.mark.extended
def test_the_console_is_text(cloud: Cloud, disk: DiskImage, hypervisor: NullHypervisor) -> None:
    server = running(cloud, disk).instance
    assert console_output(cloud, server.id) == ""
    hypervisor.write_console(server.id, "grüß Gott\r\n".encode())
    assert console_output(cloud, server.id) == "grüß Gott\r\n"


@pytest.mark.extended
def test_types_without_a_live_console_are_asked_for_the_old_one(
    cloud: Cloud, disk: DiskImage, hypervisor: NullHypervisor
) -> None:
    server = running(cloud, disk).instance
    hypervisor.write_console(server.id, b"old")
    xen = connect()
    calls = recorded(xen)

    def no_latest(params, **_) -> None:
        if params.get("Latest"):
            raise ApiError("x", hint=None, code="UnsupportedOperation")

    xen.session.events.register("provide-client-params.ec2.GetConsoleOutput", no_latest)
    assert console_output(xen, server.id) == "old"
    assert [call.params for call in calls] == [{"InstanceId": server.id}]


@pytest.mark.extended
def test_ending_what_is_gone_is_no_error(cloud: Cloud, disk: DiskImage) -> None:
    server = running(cloud, disk).instance
    terminate(cloud, [server.id])
    terminate(cloud, [server.id])
    terminate(cloud, ["i-00000000000000000"])
    assert server.id not in everything(cloud)["instances"]


def test_an_id_that_is_not_there_is_bad_input(cloud: Cloud) -> None:
    with pytest.raises(InputError, match="i-00000000000000000") as caught:
        console_output(cloud, "i-00000000000000000")
    assert caught.value.exit_code == 2
    assert "nitro ls" in str(caught.value.hint)
