"""Files of cases that no text can be: an environment and an archive."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

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
