"""The links of update-alternatives, read from packages' scripts."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitro.debian import alternatives
from nitro.debian.alternatives import Link

_MAWK = """\
set -e
if [ "$1" = "configure" ]; then
        update-alternatives --install /usr/bin/awk awk /usr/bin/mawk 5 \\
            --slave /usr/share/man/man1/awk.1.gz awk.1.gz /usr/share/man/man1/mawk.1.gz \\
            --slave /usr/bin/nawk nawk /usr/bin/mawk
fi
"""
_GAWK = 'update-alternatives --quiet --install "/usr/bin/awk" awk /usr/bin/gawk 10 || true\n'
_LOOPS = """\
base=/usr/lib/jvm/x
priority=2111
tools='java keytool'
priority=$(expr $priority - 1)
for i in $tools; do
    update-alternatives --install /usr/bin/$i $i $base/bin/${i} $priority $slave1
done
for one in a b; do update-alternatives --install /usr/bin/$one $one /opt/$one 1; done
"""


def _put(root: Path, *paths: str) -> None:
    for path in paths:
        place = root / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(path)


def _links(root: Path) -> dict[str, str]:
    return {
        f"/{path.relative_to(root)}": str(path.readlink())
        for path in sorted(root.rglob("*"))
        if path.is_symlink()
    }


def test_a_call_over_several_lines_with_what_follows_it() -> None:
    [one] = alternatives.offered(_MAWK)
    assert one.link == Link("/usr/bin/awk", "awk", "/usr/bin/mawk")
    assert one.priority == 5
    assert [slave.path for slave in one.slaves] == [
        "/usr/share/man/man1/awk.1.gz",
        "/usr/bin/nawk",
    ]


def test_variables_and_loops() -> None:
    found = alternatives.offered(_LOOPS)
    assert [(one.link.path, one.link.target, one.priority) for one in found] == [
        ("/usr/bin/java", "/usr/lib/jvm/x/bin/java", 2111),
        ("/usr/bin/keytool", "/usr/lib/jvm/x/bin/keytool", 2111),
        ("/usr/bin/a", "/opt/a", 1),
        ("/usr/bin/b", "/opt/b", 1),
    ]


def test_a_slave_in_a_loop_belongs_to_the_loops_word() -> None:
    script = (
        "for b in php phar; do\n"
        "update-alternatives --install /usr/bin/$b $b /usr/bin/${b}8 84 "
        "--slave /usr/share/$b.gz $b.gz /usr/share/${b}8.gz\ndone\n"
    )
    found = alternatives.offered(script)
    assert [[slave.target for slave in one.slaves] for one in found] == [
        ["/usr/share/php8.gz"],
        ["/usr/share/phar8.gz"],
    ]


@pytest.mark.parametrize(
    "script",
    [
        "# update-alternatives --install /usr/bin/a a /usr/bin/b 1",
        "update-alternatives --remove a /usr/bin/b",
        "update-alternatives --install /usr/bin/a a /usr/bin/b",
        "update-alternatives --install /usr/bin/a a /usr/bin/b high",
        "update-alternatives --install /usr/bin/../a a /usr/bin/b 1",
        "update-alternatives --install usr/bin/a a /usr/bin/b 1",
        "update-alternatives --install /usr/bin/a ../a /usr/bin/b 1",
        "update-alternatives --install /usr/bin/a a $(which b) 1",
        "update-alternatives --install /usr/bin/$unknown a /usr/bin/b 1",
        'update-alternatives --install "/usr/bin/a a /usr/bin/b 1',
    ],
)
def test_what_is_passed_over(script: str) -> None:
    assert alternatives.offered(script) == []


def test_the_highest_priority_that_is_there_counts(tmp_path: Path) -> None:
    _put(tmp_path, "/usr/bin/mawk", "/usr/bin/gawk")
    best = "update-alternatives --install /usr/bin/awk awk /usr/bin/original-awk 90\n"
    alternatives.add(tmp_path, [_MAWK, _GAWK, best])
    assert _links(tmp_path) == {
        "/etc/alternatives/awk": "/usr/bin/gawk",
        "/usr/bin/awk": "/usr/bin/gawk",
    }


def test_slaves_whose_file_is_there_follow(tmp_path: Path) -> None:
    _put(tmp_path, "/usr/bin/mawk")
    alternatives.add(tmp_path, [_MAWK])
    assert _links(tmp_path) == {
        "/etc/alternatives/awk": "/usr/bin/mawk",
        "/etc/alternatives/nawk": "/usr/bin/mawk",
        "/usr/bin/awk": "/usr/bin/mawk",
        "/usr/bin/nawk": "/usr/bin/mawk",
    }


def test_what_the_packages_have_stays(tmp_path: Path) -> None:
    _put(tmp_path, "/usr/bin/mawk", "/usr/bin/awk")
    alternatives.add(tmp_path, [_MAWK])
    assert (tmp_path / "usr/bin/awk").read_text() == "/usr/bin/awk"


_INSTALL = "update-alternatives --install"


@pytest.mark.parametrize(
    "call",
    [
        "/usr/bin/a a /usr/bin/b --5",
        f"/usr/bin/a a /usr/bin/b {'9' * 5000}",
        f"/usr/bin/{'a' * 300} a /usr/bin/b 5",
        f"/usr/bin/a {'a' * 300} /usr/bin/b 5",
        f"/usr/bin/a a /usr/bin/{'b' * 300} 5",
        f"{'/a' * 1500} a /usr/bin/b 5",
    ],
)
def test_what_no_file_system_takes_is_passed_over(tmp_path: Path, call: str) -> None:
    _put(tmp_path, "/usr/bin/b")
    alternatives.add(tmp_path, [f"{_INSTALL} {call}\n"])
    assert _links(tmp_path) == {}


def test_a_variable_that_names_itself_does_not_grow_for_ever() -> None:
    script = "A=x\n" + 'A="$A$A"\n' * 64 + f"{_INSTALL} /usr/bin/a a /usr/bin/b 5\n"
    assert len(alternatives.offered(script)) == 1


def test_a_folder_that_may_not_be_changed_is_left_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    _put(tmp_path, "/usr/bin/b")
    monkeypatch.setattr(Path, "symlink_to", refuse)
    monkeypatch.setattr(Path, "mkdir", refuse)
    calls = [f"{_INSTALL} {path} a /usr/bin/b 5\n" for path in ("/usr/bin/a", "/opt/a")]
    alternatives.add(tmp_path, calls)
    assert _links(tmp_path) == {}


def test_nothing_is_made_outside_the_tree(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    outside.mkdir()
    _put(root, "/usr/bin/b")
    (root / "out").symlink_to(outside)
    (root / "up").symlink_to("../outside")
    script = "update-alternatives --install /{0}/a {0} /usr/bin/b 1\n"
    alternatives.add(root, [script.format("out"), script.format("up"), script.format("usr/bin/b")])
    assert list(outside.iterdir()) == []


@pytest.mark.extended
@given(st.text(alphabet=" \n\\'\"$`{}()=;&|-/abfiorn", max_size=80))
def test_any_text_is_read(text: str) -> None:
    for one in alternatives.offered(f"{text}\nupdate-alternatives --install {text}"):
        assert one.link.path.startswith("/")
