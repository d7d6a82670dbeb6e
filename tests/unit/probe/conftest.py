"""The tools of a client, from the packages that are in its image too."""

import shlex

import pytest

from nitro.debian import Wanted, tree

PACKAGES = ("busybox-static", "curl", "iperf3", "lighttpd", "netperf", "wrk")
PROGRAMS = ("curl", "iperf3", "lighttpd", "netperf", "netserver", "wrk")
APPLETS = [
    *("base64", "cat", "date", "gzip", "head", "mkdir", "mktemp", "nc", "rm", "sh", "sha256sum"),
    *("sleep", "tar", "timeout", "wc"),
]


@pytest.fixture(scope="session")
def tools(tmp_path_factory):
    """A folder with busybox's applets and Debian's tools: the PATH of a client."""
    folder = tmp_path_factory.mktemp("tools")
    packages = tree(Wanted(PACKAGES))
    busybox = packages.path("/usr/bin/busybox")
    for applet in APPLETS:
        (folder / applet).symlink_to(busybox)
    for name in PROGRAMS:
        start = folder / name
        start.write_text(f'#!/bin/sh\nexec {shlex.join(packages.program(name))} "$@"\n')
        start.chmod(0o755)
    return folder
