"""Container images as people get them: built by umoci, served by a registry, booted."""

from __future__ import annotations

import io
import json
import os
import socket
import subprocess
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.container_images import Layout, configuration, docker_archive, layer, member, oci
from lab.image import booted
from nitro import container, debian, image, recipe
from nitro.arch import X86_64
from nitro.container import registry
from nitro.debian import Tree, Wanted, chroot
from nitro.errors import InputError, NitroError
from nitro.progress import Reporter

pytestmark = pytest.mark.slow

TIMEOUT = 240.0  # seconds, on a machine that does other work as well

# cap_net_bind_service, permitted and effective (linux/capability.h: struct vfs_cap_data)
CAPABILITY = bytes.fromhex("0100000200040000000000000000000000000000")
ENTRY = b"""\
#!/bin/sh
id
pwd
echo "$GREETING" >/dev/stdout
getfattr -n security.capability /bin/httpd | grep -c capability=
exec /bin/httpd -f -p 80 -h /srv
"""


def busybox() -> bytes:
    return debian.tree(Wanted(("busybox-static",))).path("/usr/bin/busybox").read_bytes()


def archive_of(tree: Tree) -> bytes:
    """All of a tree as a layer."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        archive.add(tree.root, ".")
    return out.getvalue()


@pytest.mark.boot
def test_a_static_program_alone_with_a_user_and_an_init_of_its_own(tmp_path: Path) -> None:
    binary = busybox()
    httpd = member("bin/httpd", binary, mode=0o755)
    httpd.pax_headers = {
        "SCHILY.xattr.security.capability": CAPABILITY.decode("utf-8", "surrogateescape")
    }
    first = layer(
        (httpd, binary),
        (member("bin/sh", b"", type=tarfile.LNKTYPE, linkname="bin/httpd"), b""),
        (member("init", ENTRY, mode=0o755), ENTRY),
        files={
            "etc/passwd": b"web:x:33:33::/srv:/bin/sh\n",
            "etc/group": b"web:x:33:\nmore:x:44:web\n",
            "srv": None,
            "srv/old": b"old",
        },
    )
    second = layer(files={"srv/.wh.old": b"", "srv/new": b"from the second layer"})
    run: dict[str, Any] = {"Entrypoint": ["/init"], "User": "web", "WorkingDir": "/srv"}
    run |= {"ExposedPorts": {"80/tcp": {}}, "Env": ["PATH=/bin", "GREETING=hello there"]}
    name = f"oci:{oci(tmp_path / 'app', [first, second], 'zstd', **run)}"
    built = image.build(container.complete(recipe.for_container(name)))
    with booted(built, tmp_path) as machine:
        machine.wait_for("ready", TIMEOUT)
        assert "from the second layer" in machine.get(80, "/new")
        assert "404" in machine.get(80, "/old")
        console = machine.console
    assert "uid=33(web) gid=33(web) groups=44(more)" in console.replace("33(web),44", "44")
    assert "\n/srv\n" in console
    assert "\nhello there\n1\n" in console


@pytest.mark.boot
def test_a_musl_program_runs_by_its_own_loader(tmp_path: Path) -> None:
    (tmp_path / "hello.c").write_text(
        '#include <stdio.h>\nint main(void) { return puts("hello from musl") < 0; }\n'
    )
    tools = debian.tree(Wanted(("musl-tools", "gcc", "dash", "coreutils")))
    script = "ln -sf dash /usr/bin/sh; musl-gcc -o /build/hello /build/hello.c"
    chroot.run([tools], ["dash", "-ec", script], tmp_path)
    loader = tools.path("/usr/lib/x86_64-linux-musl/libc.so").read_bytes()
    program = (tmp_path / "hello").read_bytes()
    whole = layer(
        (member("lib/ld-musl-x86_64.so.1", loader, mode=0o755), loader),
        (member("hello", program, mode=0o755), program),
    )
    path = docker_archive(tmp_path / "hello.tar", [whole], Cmd=["/hello"])
    made = recipe.for_container(f"docker-archive:{path}")
    built = image.build(container.complete(made))
    with booted(built, tmp_path) as machine:
        machine.wait_for_end(TIMEOUT)
        assert "hello from musl" in machine.console
        assert '"code":0' in machine.console


@pytest.mark.boot
def test_a_debian_base_made_by_umoci(tmp_path: Path) -> None:
    umoci = debian.tree(Wanted(("umoci",))).program("umoci")

    def run(*words: str) -> None:
        subprocess.run([*umoci, *words], cwd=tmp_path, check=True, capture_output=True)

    base = debian.tree(Wanted(("bash", "coreutils", "redis-server", "base-files")))
    (tmp_path / "base.tar").write_bytes(archive_of(base))
    whiteout = layer(files={"usr/share/doc/.wh..wh..opq": b"", "usr/bin/.wh.tac": b""})
    (tmp_path / "whiteout.tar").write_bytes(whiteout)
    run("init", "--layout", "app")
    run("new", "--image", "app:1")
    for name in ("base.tar", "whiteout.tar"):
        run("raw", "add-layer", "--image", "app:1", name)
    command = "test ! -e /usr/bin/tac; ls /usr/share/doc; exec redis-server --protected-mode no"
    words = ("--config.entrypoint", "/bin/bash", "--config.cmd", "-c", "--config.cmd", command)
    run("config", "--image", "app:1", *words, "--config.exposedports", "6379/tcp")
    path = tmp_path / "app.toml"
    path.write_text('from = "oci:app:1"\nenv = { GREETING = "hello" }\n')
    made = container.complete(recipe.load(path))
    assert made.argv == ("/bin/bash", "-c", command)
    built = image.build(made)
    files = {one["path"] for one in json.loads(built.manifest_path.read_text())["files"]}
    assert "/usr/bin/tac" not in files
    assert not any(name.startswith("/usr/share/doc/") for name in files)
    with booted(built, tmp_path) as machine:
        machine.wait_for("ready", TIMEOUT)
        with machine.connect(6379) as client:
            client.sendall(b"PING\r\n")
            assert client.recv(64) == b"+PONG\r\n"


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A registry of Debian's on this machine, which skopeo's own file calls insecure."""
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    (tmp_path / "config.yml").write_text(
        f"version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: {tmp_path}/data\n"
        f"http:\n  addr: 127.0.0.1:{port}\n"
    )
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("NITRO_STATE", str(tmp_path / "state"))
    settings = tmp_path / "home/.config/containers/registries.conf"
    settings.parent.mkdir(parents=True)
    place = f"127.0.0.1:{port}"
    settings.write_text(f'[[registry]]\nlocation = "{place}"\ninsecure = true\n')
    server = debian.tree(Wanted(("docker-registry",))).program("docker-registry")
    with subprocess.Popen(
        [*server, "serve", str(tmp_path / "config.yml")],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            for _ in range(100):
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.1)
            yield place
        finally:
            process.kill()


def test_a_registry_with_two_platforms(served: str, tmp_path: Path) -> None:
    made = Layout(tmp_path / "both")
    raw = layer(files={"bin/x": b"mine"})
    entries = [
        {**made.image([raw], Cmd=["/bin/x"]), "platform": {"os": "linux", "architecture": "amd64"}},
        {
            **made.image([], config=configuration([], arch="arm64")),
            "platform": {"os": "linux", "architecture": "arm64"},
        },
    ]
    index = {"schemaVersion": 2, "mediaType": made.INDEX, "manifests": entries}
    made.offer(made.blob(json.dumps(index).encode(), made.INDEX), tag="1")
    name = f"docker://{served}/app:1"
    subprocess.run(
        [*registry._skopeo(), "copy", "--all", "--quiet", f"oci:{made.folder}:1", name], check=True
    )
    found = container.complete(recipe.for_container(name))
    assert found.argv == ("/bin/x",)
    assert found.base is not None
    assert "@sha256:" in found.base
    opened = container.open_container(found.base, tmp_path, X86_64, Reporter())
    assert (opened.root / "bin/x").read_bytes() == b"mine"
    with pytest.raises(InputError, match="check the name and the tag"):
        container.complete(recipe.for_container(f"docker://{served}/app:none"))


def test_a_damaged_layer_of_a_registry_is_refused(served: str, tmp_path: Path) -> None:
    folder = oci(tmp_path / "app", [layer(files={"bin/x": os.urandom(4096)})], Cmd=["/bin/x"])
    name = f"docker://{served}/damaged:1"
    subprocess.run([*registry._skopeo(), "copy", "--quiet", f"oci:{folder}", name], check=True)
    blobs = [path for path in (tmp_path / "data").rglob("data") if path.stat().st_size > 4000]
    for blob in blobs:
        raw = blob.read_bytes()
        blob.write_bytes(raw[:-1] + bytes([raw[-1] ^ 1]))
    assert blobs
    with pytest.raises(NitroError, match="Digest did not match"):
        container.complete(recipe.for_container(name))
