"""What programs look for without saying so: each a named extra of the recipe.

`docs/recipes.md` lists them. Those that need Debian packages name them in `PACKAGES`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from nitro.debian import Tree, Wanted
from nitro.image.rootfs import Node, Rootfs
from nitro.recipe import Recipe

PACKAGES: dict[str, tuple[str, ...]] = {
    "certificates": ("ca-certificates",),
    "tzdata": ("tzdata",),
    "locale": ("libc-bin",),
    "gconv": ("libc6",),
    "protocols": ("netbase",),
}

# What packages depend on for their programs to find: Python's on both, PostgreSQL on time zones.
_DEPENDED_ON = ("tzdata", "protocols")

_PASSWD = b"""\
root:x:0:0:root:/root:/bin/sh
daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin
www-data:x:33:33:www-data:/var/www:/usr/sbin/nologin
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
"""
_GROUP = b"""\
root:x:0:
daemon:x:1:
tty:x:5:
adm:x:4:
www-data:x:33:
nogroup:x:65534:
"""
_NSSWITCH = b"""\
passwd: files
group: files
shadow: files
hosts: files dns
networks: files
protocols: files
services: files
"""
_HOSTS = b"""\
127.0.0.1 localhost
::1 localhost ip6-localhost ip6-loopback
"""


def wanted(recipe: Recipe) -> Wanted | None:
    """The packages that the recipe's extras are taken from; None when they need none."""
    names = tuple(name for extra in recipe.extras for name in PACKAGES.get(extra, ()))
    return Wanted(names, recipe.suite, closure=False, arch=recipe.arch) if names else None


def depended_on(recipe: Recipe, packages: Tree | None) -> list[str]:
    """The extras whose packages are among the recipe's own, because one of these depends on them.

    Naming extras replaces these, too.
    """
    if packages is None or recipe.base or "extras" in recipe.model_fields_set:
        return []
    names = {package.name for package in packages.packages}
    return [extra for extra in _DEPENDED_ON if names.issuperset(PACKAGES[extra])]


def add(rootfs: Rootfs, names: Iterable[str], packages: Tree | None) -> None:
    """Put the extras `names` into `rootfs`; `packages` holds those of `PACKAGES` they need.

    What the recipe has put there itself stays.
    """
    for name in names:
        if name in PACKAGES and packages is not None:
            _FROM_PACKAGES[name](rootfs, packages)
        for path, text in _TEXTS.get(name, {}).items():
            _offer(rootfs, path, Node("system", f"extra {name}", source=text))
    if "resolv" in names:  # the guest writes it when DHCP has answered
        link = Node("system", "extra resolv", target="../run/resolv.conf")
        _offer(rootfs, "/etc/resolv.conf", link)


def _certificates(rootfs: Rootfs, packages: Tree) -> None:
    folder = packages.path("/usr/share/ca-certificates/mozilla")
    bundle = b"".join(file.read_bytes() for file in sorted(folder.glob("*.crt")))
    path = "/etc/ssl/certs/ca-certificates.crt"
    _offer(rootfs, path, Node("packages", "ca-certificates", source=bundle))
    # OpenSSL looks here by default.
    link = Node("packages", "ca-certificates", target=f"../../..{path}")
    _offer(rootfs, "/usr/lib/ssl/cert.pem", link)


def _copies(*paths: str) -> Callable[[Rootfs, Tree], None]:
    def copy(rootfs: Rootfs, packages: Tree) -> None:
        for template in paths:
            path = template.format(triplet=packages.arch.triplet)
            if path not in rootfs:
                rootfs.copy(path, packages.path(path), "packages", "extra")

    return copy


def _offer(rootfs: Rootfs, path: str, node: Node) -> None:
    if path not in rootfs:
        rootfs.add(path, node)


_FROM_PACKAGES: dict[str, Callable[[Rootfs, Tree], None]] = {
    "certificates": _certificates,
    "tzdata": _copies("/usr/share/zoneinfo"),
    "locale": _copies("/usr/lib/locale/C.utf8"),
    "gconv": _copies("/usr/lib/{triplet}/gconv"),
    "protocols": _copies("/etc/protocols", "/etc/services"),
}

# glibc has had "files" and "dns" of nsswitch.conf built in since 2.34; programs with an older
# one name its libraries in their recipe: libraries = ["libnss_files.so.2", "libnss_dns.so.2"].
_TEXTS: dict[str, dict[str, bytes]] = {
    "passwd": {"/etc/passwd": _PASSWD, "/etc/group": _GROUP},
    "nsswitch": {"/etc/nsswitch.conf": _NSSWITCH, "/etc/hosts": _HOSTS},
}
