"""Programs of compiled languages by their paths, from Debian's compilers."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from lab.programs.case import HTTP_GET, Case
from nitro import debian
from nitro.debian import Wanted, chroot

_C = """\
#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#ifndef TEXT
#define TEXT() "from C"
#else
const char *TEXT(void);
#endif
int main(void) {
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons(8080)};
    int server = socket(AF_INET, SOCK_STREAM, 0), client;
    char request[512];
    if (bind(server, (void *)&any, sizeof any) || listen(server, 9)) return 1;
    while ((client = accept(server, 0, 0)) >= 0) {
        const char *body = TEXT(), *head = "HTTP/1.0 200 OK\\r\\n\\r\\n";
        if (read(client, request, sizeof request) > 0)
            if (write(client, head, strlen(head)) < 0 || write(client, body, strlen(body)) < 0)
                return 1;
        close(client);
    }
    return 1;
}
"""
# As a self-contained .NET program: a host finds its runtime beside itself, while it runs.
_HOST = """\
#include <dlfcn.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
int main(void) {
    char path[4096] = "";
    if (readlink("/proc/self/exe", path, sizeof path - 1) < 0) return 2;
    strcat(dirname(path), "/libruntime.so");
    void *runtime = dlopen(path, RTLD_NOW);
    int (*start)(void) = runtime ? (int (*)(void))dlsym(runtime, "start") : 0;
    if (!start) return fprintf(stderr, "%s\\n", dlerror()), 3;
    return start();
}
"""
_TEXT = 'const char *text(void) { return "from a folder"; }\n'
_FOLDER = """\
mkdir publish
gcc -shared -fPIC -o publish/libtext.so text.c
gcc -shared -fPIC -DTEXT=text -Dmain=start -o publish/libruntime.so app.c \
    -Lpublish -ltext -Wl,-rpath,'$ORIGIN'
gcc -o publish/server host.c
"""
_GO = """\
package main

import (
	"fmt"
	"net/http"
)

func main() {
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "from Go") })
	panic(http.ListenAndServe(":8080", nil))
}
"""
_RUST = """\
use std::io::{Read, Write};

fn main() -> std::io::Result<()> {
    for client in std::net::TcpListener::bind("0.0.0.0:8080")?.incoming() {
        std::thread::spawn(move || {
            let (mut client, mut request) = (client.unwrap(), [0; 512]);
            client.read(&mut request).unwrap();
            client.write_all(b"HTTP/1.0 200 OK\\r\\n\\r\\nfrom Rust").unwrap();
        });
    }
    Ok(())
}
"""


def compiled(folder: Path, script: str, *packages: str) -> None:
    """Run `script` in `folder` with compilers of Debian's `packages`; app.c is there."""
    (folder / "app.c").write_text(_C)
    tree = debian.tree(Wanted((*packages, "dash", "coreutils")))
    start = "ln -sf dash /usr/bin/sh; cd /build\n"
    chroot.run([tree], ["dash", "-ec", start + script], folder)


def _program(
    name: str, answer: bytes, script: str, *packages: str, files: dict[str, str] | None = None
) -> Case:
    make = partial(_make, script=script, packages=packages)
    return Case(
        *(name, "program by its path", 8080, answer),
        program="app",
        ask=HTTP_GET,
        files=files or {},
        make=make,
    )


def _make(folder: Path, script: str, packages: tuple[str, ...]) -> None:
    compiled(folder, script, *packages)


COMPILED = (
    _program("C", b"from C", "gcc -o app app.c", "gcc", "libc6-dev"),
    _program(
        "C with musl, static", b"from C", "musl-gcc -static -o app app.c", "musl-tools", "gcc"
    ),
    _program(
        *("Go", b"from Go", "GO111MODULE=off CGO_ENABLED=0 go build -o app main.go", "golang-go"),
        files={"main.go": _GO},
    ),
    _program(
        *("Go with cgo", b"from Go", "GO111MODULE=off CGO_ENABLED=1 go build -o app main.go"),
        *("golang-go", "gcc", "libc6-dev"),
        files={"main.go": _GO},
    ),
    _program(
        *(
            "Rust",
            b"from Rust",
            "rustc -O -C linker=gcc -o app main.rs",
            "rustc",
            "gcc",
            "libc6-dev",
        ),
        files={"main.rs": _RUST},
    ),
    Case(
        *("self-contained folder, as .NET publishes it", "program in a folder", 8080),
        b"from a folder",
        """\
files = [{ source = "publish", path = "/app" }]
command = ["/app/server"]
ports = [8080]
""",
        ask=HTTP_GET,
        files={"host.c": _HOST, "text.c": _TEXT},
        make=partial(_make, script=_FOLDER, packages=("gcc", "libc6-dev")),
    ),
)
