"""Files of cases that no text can be: an environment, an archive, container images."""

from __future__ import annotations

import io
import subprocess
import sys
import tarfile
from pathlib import Path

from lab.container_images import docker_archive, layer, member, oci
from nitro import debian
from nitro.debian import Wanted, chroot

_JDK = "/usr/lib/jvm/java-21-openjdk-amd64/bin"
_MAIN = """\
import com.sun.net.httpserver.HttpServer;
import java.net.InetSocketAddress;

public class Main {
    public static void main(String[] words) throws Exception {
        HttpServer server = HttpServer.create(new InetSocketAddress(8080), 0);
        server.createContext("/", exchange -> {
            byte[] body = "from Java".getBytes();
            exchange.sendResponseHeaders(200, body.length);
            exchange.getResponseBody().write(body);
            exchange.close();
        });
        server.start();
    }
}
"""


def environment(folder: Path) -> None:
    """A virtual environment with FastAPI, uvicorn and numpy, from PyPI."""
    subprocess.run([sys.executable, "-m", "venv", str(folder / ".venv")], check=True)
    pip = str(folder / ".venv/bin/pip")
    packages = ["fastapi", "uvicorn", "numpy"]
    subprocess.run([pip, "install", "--quiet", *packages], check=True, stderr=subprocess.DEVNULL)


def jar(folder: Path) -> None:
    """app.jar, compiled by Debian's JDK."""
    (folder / "Main.java").write_text(_MAIN)
    tree = debian.tree(Wanted(("openjdk-21-jdk-headless", "dash", "coreutils")))
    build = f"{_JDK}/javac Main.java; {_JDK}/jar --create --file app.jar --main-class Main *.class"
    chroot.run([tree], ["dash", "-ec", f"ln -sf dash /usr/bin/sh; cd /build; {build}"], folder)


def static_image(folder: Path) -> None:
    """An OCI layout with one static program and nothing else."""
    binary = debian.tree(Wanted(("busybox-static",))).path("/usr/bin/busybox").read_bytes()
    files = {"srv": None, "srv/index.html": b"from a static program"}
    one = layer((member("busybox", binary, mode=0o755), binary), files=files)
    words = ["/busybox", "httpd", "-f", "-p", "8080", "-h", "/srv"]
    oci(folder / "image", [one], "zstd", Entrypoint=words, ExposedPorts={"8080/tcp": {}})


def saved_image(folder: Path) -> None:
    """What `docker save` would write of a Debian base with redis."""
    tree = debian.tree(Wanted(("redis-server", "bash", "coreutils", "base-files")))
    with_redis = _tree(tree.root)
    words = ["redis-server", "--bind", "*", "--protected-mode", "no", "--save", ""]
    path = folder / "image.tar"
    docker_archive(path, [with_redis], Cmd=words, ExposedPorts={"6379/tcp": {}})


def _tree(root: Path) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        archive.add(root, ".")
    return out.getvalue()
