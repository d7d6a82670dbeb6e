"""A private apt root: apt's own resolver and signature checks on lists of our own."""

from __future__ import annotations

import fcntl
import os
import re
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from nitro import space
from nitro.arch import Arch
from nitro.cache import touch
from nitro.debian.keyring import keyring
from nitro.debian.mirror import archives
from nitro.debian.package import Package, Wanted
from nitro.errors import InputError, NitroError
from nitro.paths import cache_dir
from nitro.replacing import replacing

_FRESH_SECONDS = 3600
# 'URI' file size SHA256:hash, as `apt-get --print-uris` prints each package
_URI_LINE = re.compile(
    r"^'(?P<uri>[^']+)' (?P<file>\S+) (?P<size>\d+) SHA256:(?P<hash>[0-9a-f]{64})$"
)


@dataclass(frozen=True)
class AptRoot:
    """An apt configuration below the cache that sees one suite (and what it builds upon)."""

    suite: str
    arch: Arch
    root: Path

    @classmethod
    def open(cls, suite: str, arch: Arch) -> AptRoot:
        """The root for `suite`, its lists fetched if they are not fresh.

        Waits for a process that fetches them: apt itself fails when another one does.
        """
        apt = cls(suite, arch, cache_dir() / "apt" / arch.debian / suite)
        apt.root.mkdir(parents=True, exist_ok=True)
        touch(apt.root.parent)
        with (apt.root / "guard").open("w") as guard:
            fcntl.flock(guard, fcntl.LOCK_EX)
            apt._configure()
            stamp = apt.root / "updated"
            if not stamp.exists() or time.time() - stamp.stat().st_mtime > _FRESH_SECONDS:
                apt._run("update", "-q")
                stamp.touch()
        return apt

    def resolve(self, wanted: Wanted) -> tuple[Package, ...]:
        """The packages for `wanted`, sorted by name.

        Raises InputError for a package that the suite does not have, NitroError when apt fails.
        """
        names = sorted(set(wanted.names))
        if wanted.closure:
            arguments = ["install", "--yes", "--print-uris", "-t", self.suite, "--", *names]
        else:
            arguments = ["download", "--print-uris", "-t", self.suite, "--", *names]
        listing = self._run("-q", *arguments)
        matches = (_URI_LINE.match(line) for line in listing.splitlines())
        packages = tuple(sorted(_package(match) for match in matches if match))
        if missing := set(names) - {package.name for package in packages}:
            raise InputError(f"Debian {self.suite} has no package {', '.join(sorted(missing))}")
        return packages

    def _configure(self) -> None:
        for folder in ("sources", "state/lists/partial", "cache/archives/partial"):
            (self.root / folder).mkdir(parents=True, exist_ok=True)
        (self.root / "state/status").touch()
        _write(
            self.root / "apt.conf",
            f'Dir "{self.root}";\n'
            f'Dir::Etc "{self.root}";\n'
            'Dir::Etc::main "/dev/null";\n'
            'Dir::Etc::parts "/dev/null";\n'
            'Dir::Etc::preferencesparts "/dev/null";\n'
            'Dir::Etc::sourcelist "/dev/null";\n'
            'Dir::Etc::sourceparts "sources";\n'
            f'Dir::State "{self.root}/state";\n'
            f'Dir::State::status "{self.root}/state/status";\n'
            f'Dir::Cache "{self.root}/cache";\n'
            f'APT::Architecture "{self.arch.debian}";\n'
            f'APT::Architectures {{ "{self.arch.debian}"; }};\n'
            'APT::Install-Recommends "false";\n'
            'APT::Sandbox::User "root";\n'
            'Acquire::Languages "none";\n'
            'Acquire::Retries "3";\n'
            # else `install --print-uris` prints MD5 sums
            'Acquire::ForceHash "SHA256";\n',
        )
        sources = self.root / "sources/debian.sources"
        text = _sources(self.suite, self.arch)
        if sources.exists() and sources.read_text() != text:
            (self.root / "updated").unlink(missing_ok=True)  # the lists are of another mirror
        _write(sources, text)

    def _run(self, *arguments: str) -> str:
        environment = {**os.environ, "APT_CONFIG": str(self.root / "apt.conf"), "LC_ALL": "C"}
        done = subprocess.run(
            ["apt-get", *arguments], env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode == 0:
            return done.stdout
        if unknown := re.findall(r"Unable to locate package (\S+)", done.stderr):
            raise InputError(
                f"Debian {self.suite} has no package {', '.join(unknown)}",
                hint="check the name, or choose another suite",
            )
        reason = next(
            (s for s in done.stderr.splitlines() if s.startswith("E:")), "no reason given"
        )
        if space.says_full(done.stderr):
            raise space.full(self.root)
        if "does not have a Release file" in reason:
            raise InputError(
                f"the Debian mirror has no suite {self.suite!r}", hint="check the recipe's suite"
            )
        raise NitroError(
            f"apt could not read Debian {self.suite}: {reason.removeprefix('E:').strip()}",
            hint="check that this machine reaches its Debian mirror (apt-get update)",
        )


def _write(path: Path, text: str) -> None:
    """At once: another process may be reading the file."""
    with replacing(path) as fresh:
        fresh.write_text(text)


def _sources(suite: str, arch: Arch) -> str:
    """Deb822 sources: the suite, what it builds upon, its updates and security fixes."""
    base = suite.removesuffix("-backports")
    suites = {"debian": f"{base} {base}-updates"}
    if suite != base:
        suites["debian"] += f" {suite}"
    suites["debian-security"] = f"{base}-security"
    known, keys = archives(), keyring()
    return "\n".join(
        f"Types: deb\nURIs: {known[archive]}\nSuites: {names}\nComponents: main\n"
        f"Architectures: {arch.debian}\nSigned-By: {keys}\n"
        for archive, names in suites.items()
        if archive in known
    )


def _package(match: re.Match[str]) -> Package:
    uri = match["uri"]
    # Security first: its address usually begins with the main archive's.
    for archive, address in sorted(archives().items(), key=lambda item: -len(item[1])):
        if uri.startswith(address + "/"):
            name, version, rest = match["file"].split("_", 2)
            return Package(
                name=name,
                version=unquote(version),
                architecture=rest.removesuffix(".deb"),
                archive=archive,
                path=uri.removeprefix(address + "/"),
                size=int(match["size"]),
                sha256=match["hash"],
            )
    raise NitroError(f"apt chose {match['file']} from an archive that nitro did not name")
