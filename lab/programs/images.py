"""Container images: from nothing, from Debian, with musl, for two platforms, and changed."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

from lab.container_images import Layout, configuration, docker_archive, layer, member, oci
from lab.programs.case import HTTP_GET, Case
from lab.programs.compiled import compiled
from nitro import debian
from nitro.debian import Wanted

_PING = b"PING\r\n"


def _busybox() -> bytes:
    return debian.tree(Wanted(("busybox-static",))).path("/usr/bin/busybox").read_bytes()


def _static(folder: Path) -> None:
    """An OCI layout with one static program and nothing else."""
    binary = _busybox()
    files = {"srv": None, "srv/index.html": b"from a static program"}
    one = layer((member("busybox", binary, mode=0o755), binary), files=files)
    words = ["/busybox", "httpd", "-f", "-p", "8080", "-h", "/srv"]
    oci(folder / "image", [one], "zstd", Entrypoint=words, ExposedPorts={"8080/tcp": {}})


def _saved(folder: Path) -> None:
    """What `docker save` would write of a Debian base with redis."""
    words = ["redis-server", "--bind", "*", "--protected-mode", "no", "--save", ""]
    path = folder / "image.tar"
    docker_archive(path, [_redis()], Cmd=words, ExposedPorts={"6379/tcp": {}})


def _redis() -> bytes:
    """All files of Debian's redis and of a small base, as a layer."""
    tree = debian.tree(Wanted(("redis-server", "bash", "coreutils", "base-files")))
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        archive.add(tree.root, ".")
    return out.getvalue()


def _musl(folder: Path) -> None:
    """A program and musl's loader, run by a user, with a shell that is busybox's."""
    compiled(folder, "musl-gcc -o app app.c", "musl-tools", "gcc")
    program, shell = (folder / "app").read_bytes(), _busybox()
    tools = debian.tree(Wanted(("musl",)))
    loader = tools.path("/usr/lib/x86_64-linux-musl/libc.so").read_bytes()
    whole = layer(
        (member("lib/ld-musl-x86_64.so.1", loader, mode=0o755), loader),
        (member("bin/busybox", shell, mode=0o755), shell),
        (member("usr/bin/app", program, mode=0o755), program),
        files={"bin/sh": "busybox", "etc/passwd": b"app:x:1000:1000::/:/bin/sh\n"},
    )
    words = ["sh", "-c", "exec app"]
    docker_archive(
        folder / "image.tar", [whole], Cmd=words, User="app", ExposedPorts={"8080/tcp": {}}
    )


def _platforms(folder: Path) -> None:
    """A layout for two processors; the second layer of ours takes a file of the first away."""
    binary = _busybox()
    first = layer(
        (member("bin/httpd", binary, mode=0o755), binary),
        files={"www": None, "www/index.html": b"old", "www/more": b"old"},
    )
    second = layer(files={"www/.wh.more": b"", "www/index.html": b"from the second layer"})
    layout = Layout(folder / "image")
    words = ["/bin/httpd", "-f", "-p", "8080"]
    made = layout.image(
        [first, second], Cmd=words, WorkingDir="/www", ExposedPorts={"8080/tcp": {}}
    )
    other = layout.image([], config=configuration([], arch="arm64"))
    layout.offer(other, "1", "arm64")
    layout.offer(made, "1", "amd64")


def _image(name: str, port: int, answer: bytes, program: str, ask: bytes, make: object) -> Case:
    return Case(name, "container image", port, answer, program=program, ask=ask, make=make)  # type: ignore[arg-type]


IMAGES = (
    _image(
        *("static program in an OCI layout", 8080, b"from a static program"),
        *("oci:image", HTTP_GET, _static),
    ),
    _image(
        *("Debian base with redis, docker save", 6379, b"+PONG"),
        *("docker-archive:image.tar", _PING, _saved),
    ),
    _image(
        *("musl program with a user, docker save", 8080, b"from C"),
        *("docker-archive:image.tar", HTTP_GET, _musl),
    ),
    _image(
        *("two platforms and two layers in an OCI layout", 8080, b"from the second layer"),
        *("oci:image:1", HTTP_GET, _platforms),
    ),
    Case(
        *("recipe that changes a container image", "container image", 6379, b"ERR unknown command"),
        recipe="""\
from = "docker-archive:image.tar"
files = [{ source = "redis.conf", path = "/etc/redis.conf" }]
command = ["redis-server", "/etc/redis.conf"]
user = "1000"
""",
        ask=_PING,
        files={"redis.conf": 'bind *\nprotected-mode no\nsave ""\nrename-command PING ""\n'},
        make=_saved,
    ),
)
