"""A small Debian tree, a machine's root and a project's folder, of which images are built."""

from __future__ import annotations

from pathlib import Path

from tests.unit.image import elves

LOADER = "/lib64/ld-linux-x86-64.so.2"
_LIBRARIES = "usr/lib/x86_64-linux-gnu"


def write(folder: Path, files: dict[str, str], *, mode: int = 0o644) -> None:
    """Write texts; a text that begins with "-> " is a link, a path that ends in "/" a folder."""
    for name, text in files.items():
        path = folder / name
        if name.endswith("/"):
            path.mkdir(parents=True, exist_ok=True)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        if text.startswith("-> "):
            path.symlink_to(text[3:])
        else:
            path.write_text(text)
            path.chmod(mode)


def packages(root: Path) -> Path:
    """The tree of some packages, all made up but for their ways."""
    write(root, {f"usr/{name}/": "" for name in ("bin", "sbin", "lib", "lib64")})
    write(root, {name: f"-> usr/{name}" for name in ("bin", "sbin", "lib", "lib64")})
    elves.write(root / f"usr{LOADER}")
    for name in ("libc.so.6", "libgcc_s.so.1", "libextra.so.1", "libm.so.6"):
        elves.write(root / _LIBRARIES / name)
    elves.write(root / _LIBRARIES / "liba.so.1", needed=["libc.so.6", "libm.so.6"])
    elves.write(root / "usr/bin/app", needed=["liba.so.1"], interpreter=LOADER)
    elves.write(root / "usr/sbin/daemon", needed=["libc.so.6"], interpreter=LOADER)
    elves.write(root / "usr/bin/helper", needed=["libextra.so.1"], interpreter=LOADER)
    for name in ("mawk", "python3.13", "perl", "php8.2", "php8.4", "lacks"):
        needed = ["libgone.so.1"] if name == "lacks" else ["libc.so.6"]
        elves.write(root / f"usr/bin/{name}", needed=needed)
    elves.write(root / "usr/lib/jvm/bin/java", needed=["libjli.so"], runpath="$ORIGIN/../lib")
    elves.write(root / "usr/lib/jvm/lib/libjli.so")
    elves.write(root / "usr/lib/app/good.so", needed=["libextra.so.1"])
    elves.write(root / "usr/lib/app/lacks.so", needed=["libgone.so.1", "libnone.so.2"])
    elves.write(root / "usr/lib/app/again.so", needed=["libgone.so.1", "good.so"])
    elves.write(root / "usr/lib/app/arm.so", needed=["libarm.so.1"], machine=183)
    (root / "usr/lib/app/cut.so").write_bytes(b"\x7fELF\2\1")
    write(
        root,
        {
            "usr/bin/python3": "-> python3.13",
            "usr/bin/awk": "-> /etc/alternatives/awk",
            "etc/alternatives/awk": "-> /usr/bin/mawk",
            "usr/bin/java": "-> /usr/lib/jvm/bin/java",
            "usr/lib/python3.13/os.py": "",
            "usr/lib/python3.13/test/x.py": "",
            "usr/lib/python3/dist-packages/": "",
            "usr/share/perl/5.40/strict.pm": "",
            "usr/share/app/data": "data",
            "usr/share/plain.rb": "#!/usr/bin/ruby\n",
            "usr/share/app/more/page": "page",
            "usr/share/app/link": "-> ../shared/one",
            "usr/share/app/gone": "-> /usr/share/gone",
            "usr/share/app/doc": "-> ../doc/app/notes",
            "usr/share/shared/one": "one",
            "usr/share/doc/app/notes": "",
            "etc/app/app.conf": (
                "# /usr/share/app/more/page\n; /usr/share/app/more/page\n"
                "data /usr/share/app/data\nrun = /usr/lib/app/start\nlog /var/log/app.log\n"
                "perl /usr/lib/app/pl\nread /usr/share/plain.rb\nfolder /usr/share/app\n"
            ),
            "etc/app/README": "/usr/share/app/more/page\n",
            "etc/app/sites-available/default": "/usr/share/app/more/page\n",
            "etc/app/sites-available/another": "",
            "etc/app/sites-enabled/": "",
            "etc/app/modules-available/one": "",
            "etc/app/modules-enabled/": "",
            "etc/web/x-available/b": "",
            "etc/web/x-available/a": "",
            "etc/web/y-available/a": "",
            "etc/web/y-enabled/a": "-> ../y-available/a",
            "usr/lib/sysusers.d/svc.conf": "u app - 'the app'\nu! db-user 5:db\ng x\nu 0bad\n",
            "usr/lib/sysusers.d/other.conf": "u other\n",
            "usr/lib/tmpfiles.d/svc-x.conf": (
                "d /run/app 0750 app app\nD /var/run/two/ 2775 nobody -\nd /etc/no\n"
                "f /run/file\nd! /run/three ~1777\nd /run/four - gone gone\nd /run/five 99\n"
                "d /run/'\nd /run/six 0700 - app\n#d /run/seven\n"
            ),
            "var/lib/app/inside/": "",
            "var/lib/dpkg/info/": "",
            "var/log/app/": "",
            "var/cache/": "",
            "etc/protocols": "tcp\n",
            "etc/services": "ssh\n",
            "usr/share/zoneinfo/UTC": "UTC",
        },
    )
    scripts = {
        "usr/bin/pyscript": "#!/usr/bin/env -S python3 -u\n",
        "usr/lib/app/start": "#!/bin/sh\nexec helper\n",
        "usr/lib/app/pl": "#!/usr/bin/perl\n",
        "usr/bin/rbscript": "#!/usr/bin/ruby\n",
        "usr/bin/launcher": (
            "#!/bin/sh\n# exec /usr/bin/mawk\n. /usr/share/app/data\nexec helper /etc/app\n"
            '[ -x /usr/bin/perl ] && exec daemon "${X:-/usr/share/app/more/page}"\n'
        ),
    }
    write(root, scripts, mode=0o755)
    # As of an author whose editor knew one language.
    declared = ("usr/lib/sysusers.d/svc.conf", "usr/lib/tmpfiles.d/svc-x.conf")
    for name in (*declared, "etc/app/app.conf", "usr/bin/launcher"):
        with (root / name).open("ab") as file:
            file.write(b"# caf\xe9\n")
    return root


def machine(root: Path) -> Path:
    """The root of a machine: what recipes without packages take."""
    elves.write(root / f"usr{LOADER}")
    for name in ("libc.so.6", "libgcc_s.so.1"):
        elves.write(root / "usr/lib" / name)
    elves.write(root / "usr/lib/libplugin.so.2", needed=["libc.so.6"])
    elves.write(root / "usr/bin/tool", needed=["libc.so.6"], interpreter=LOADER)
    elves.write(root / "usr/bin/toolbox-1.2")
    elves.write(root / "srv/own")
    write(root, {"lib64": "-> usr/lib64", "etc/hosts": "here\n", "usr/bin/python3": "#!/bin/sh\n"})
    return root


def project(folder: Path) -> Path:
    """A recipe's folder."""
    elves.write(folder / "server")
    elves.write(folder / "needs", needed=["liba.so.1"], interpreter=LOADER)
    elves.write(folder / "arm", machine=183, needed=["libnone.so.2"])
    whole = elves.write(folder / "object").read_bytes()
    (folder / "object").write_bytes(whole[:16] + b"\1" + whole[17:])
    write(folder, {"run.sh": "#!/bin/bash\n", "run.py": "#!/usr/bin/env python3\n"}, mode=0o755)
    write(
        folder,
        {
            "page": "page",
            "plain.sh": "#!/bin/sh\n",
            "web/index.html": "index",
            "web/notes.txt": "notes",
            "web/sub/deep.txt": "deep",
            "web/.nitroignore": "sub/\n",
            ".nitroignore": "*.bak\n",
            "web/old.bak": "",
            "web/link": "-> index.html",
        },
    )
    return folder
