"""What the parts of the command line answer at and beside each of their bounds."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import typer

from nitro.cli import console, options, output, parser, policy, publish, recipe_arg, result_lines
from nitro.errors import InputError, NitroError, ProbeError
from nitro.probe import Metric, Result
from tests.said import told
from tests.transcripts import compare
from tests.unit.cli.said import said

pytestmark = pytest.mark.extended

HERE = Path(__file__).parent / "transcripts"


def test_options() -> None:
    text = ""
    for time in (
        *(None, "", "s", "0s", "1s", "1m", "1h", "1d", "1w", "01s", "999999s", "1000000s", "1S"),
        *("-1s", "1.5h", " 1s", "10", "²s"),
    ):
        text += f"{time!r}: {told(options.duration, time)} {told(options.duration, time, '--x')}\n"
    for name in (
        *("c5.large", "C5.Large", " c5.large ", "c5", "c5.", ".large", "c5.lage", "c5.xlarge"),
        *("c5.24xlarge", "c5.metal", "c5.metal-24xl", "c5.metal-", "c5.metal-xl", "5c.large"),
        *(
            "u-6tb1.metal",
            "mac2-m2.metal",
            "c5.nano",
            "c5.micr",
            "c5.2large",
            "c5.zzz",
            "c5.large.x",
        ),
        *("c5_x.large", "", "m5.4xlarg", "c5.smal"),
    ):
        text += f"{name!r}: {options.names_type(name)} {told(options.instance_type, name)}\n"
    for digits in ("", "0" * 7, "0" * 8, "0" * 9, "0" * 16, "0" * 17, "0" * 18, "g" * 8, "A" * 8):
        for kind in ("i", "sg", "subnet", "I"):
            text += f"{kind}-{digits}: {options.is_id(f'{kind}-{digits}', kind)}\n"
    text += f"{options.is_id('i-' + '0' * 8, 'sg')} {options.is_id('', 'i')}\n"
    groups: list[Any] = [None, [], ["sg-01234567"], ["sg-01234567", "i-01234567"], ["default"]]
    for each in groups:
        text += f"{each}: {told(options.security_groups, each)}\n"
    for word in ("instance", "host", "", "Host"):
        text += f"{word!r}: {told(options.source, word)}\n"
    for word in ("s3", "ebs", "auto", "", "S3"):
        text += f"{word!r}: {told(options.route, word)}\n"
    for number in (None, -1, 0, 63, 64, 65):
        text += f"{number}: {told(options.memory, number)}\n"
    for number in (-1, 0, 1, 2, 255, 256):
        text += f"{number}: {told(options.vcpus, number)}\n"
    compare(HERE / "table-options.txt", text)


def test_places_to_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = ""
    (tmp_path / "file").write_text("x")
    (tmp_path / "folder").mkdir()
    locked = {str(tmp_path / name) for name in ("locked", "locked/file", "closed")}
    (tmp_path / "locked").mkdir()
    (tmp_path / "locked/file").write_text("x")
    (tmp_path / "closed").write_text("x")
    monkeypatch.setattr(
        os, "access", lambda path, mode: str(path) not in locked and mode == os.W_OK
    )
    for name in (
        *("file", "folder", "new", "folder/new", "none/new", "locked", "locked/file", "locked/new"),
        *("closed", "file/new", "none/none/new", "locked/none/new"),
    ):
        path = tmp_path / name
        text += f"{name}: {told(options.output_file, path, '--x')}\n"
        text += f"  {told(options.output_folder, path, '--y')}\n"
    text += f"{told(options.output_file, None, '--x')}\n"
    compare(HERE / "table-outputs.txt", text.replace(str(tmp_path), "<folder>"))


def test_printing(capsys: pytest.CaptureFixture[str]) -> None:
    output.print_text()
    output.print_text("a\x1b[31m\tb\u202e\n c")
    output.say("a\x1b[31m\tb")
    output.print_json(
        {"a": "\x1b\u202e\n\t\u00ad\ud800é\U0010ffff", "b": [1.5, None, True, "\x7f"]}
    )
    output.print_table(("A", "LONGER"), [])
    output.print_table(("A", "B", "C"), [("x" * 5, "", 7), ("", "y\nz\x1b", None)])
    with pytest.raises(ValueError, match="zip"):
        output.print_table(("A", "B"), [("x", "y", "z")])
    out, err = capsys.readouterr()
    compare(HERE / "table-printing.txt", f"{out}----\n{err}")


def result(**metrics: tuple[float, str]) -> Result:
    given = {name: Metric(value, unit, None) for name, (value, unit) in metrics.items()}
    return Result("iperf3", "a-name", given)


def test_lines_of_results() -> None:
    text = ""
    results = [
        result(),
        replace(result(), error="no route"),
        result(tcp_in=(1e9, "bit/s")),
        result(tcp_in=(1e9, "bit/s"), tcp_in_retransmits=(0, "segments")),
        result(tcp_in=(1e9, "bit/s"), tcp_in_retransmits=(1, "segments")),
        result(tcp_in=(1e9, "bit/s"), tcp_in_retransmits=(2, "segments")),
        result(tcp_out=(1e9, "bit/s"), tcp_out_cpu_instance=(1.4, "%")),
        result(tcp_out=(1e9, "bit/s"), tcp_out_cpu_client=(1.6, "%")),
        result(
            tcp_out=(1e9, "bit/s"), tcp_out_cpu_instance=(1.5, "%"), tcp_out_cpu_client=(99.4, "%")
        ),
        result(udp_in=(1e9, "bit/s"), udp_in_lost=(0, "%"), udp_in_jitter=(1e-5, "s")),
        result(udp_in=(1e9, "bit/s"), udp_in_lost=(0.125, "%"), udp_in_rate=(5, "packets/s")),
        result(
            **{"http": (1234.5, "requests/s"), "http_p50": (1e-3, "s"), "http_p75": (2e-3, "s")},
            **{"http_p90": (3e-3, "s"), "http_p99": (4e-3, "s"), "http_mean": (1, "s")},
        ),
        result(tcp_rr=(0.5, "transactions/s"), tcp_rr_p99=(4e-3, "s")),
        result(mine=(5, "things")),
        result(mine=(5, "kbit/s"), other=(1, "x")),
        Result("boot", "boot", {}),
        Result("boot", "boot", {"boot_ready": Metric(0.25, "s", "less")}),
        Result(
            *("boot", "boot"),
            {
                "boot_kernel": Metric(0.04, "s", "less"),
                "boot_first_connection": Metric(12.35, "s", "less"),
                "boot_ready": Metric(0.25, "s", "less"),
            },
        ),
        Result("boot", "boot", error="late"),
    ]
    for one in results:
        text += "".join(f"{line}|\n" for line in result_lines.lines([one]))
    for parts in (
        [],
        [""],
        ["a"],
        ["a" * 56, "b"],
        ["a" * 54, "b"],
        ["a" * 55, "b"],
        ["x y " * 30],
    ):
        for width in (5, 21):
            wrapped = result_lines.wrapped("label", parts, separator="--", width=width)
            text += "".join(f"{line}|\n" for line in wrapped)
    compare(HERE / "table-result-lines.txt", text)


def test_consoles(monkeypatch: pytest.MonkeyPatch) -> None:
    text = ""
    overlap = console._OVERLAP
    long = "".join(chr(97 + n % 26) + str(n) for n in range(2000))
    for before, now in (
        *(("", ""), ("", "a"), ("a", "a"), ("a", "ab"), ("ab", "b"), ("ab", "bc"), ("ab", "xy")),
        *((long, long + "new"), (long[:-5], long[3000:] + "new"), (long, "x" + long[4000:] + "z")),
        *((long[: overlap - 1], long[overlap // 2 :]), ("a" * 5000, "a" * 4000 + "b")),
    ):
        found = console.news(before, now)
        text += f"{len(before)} {len(now)}: {len(found)} {found[:9]!r} {found[-9:]!r}\n"
    asked: list[str] = []
    stream = iter(
        [("pending", ""), ("running", "a"), ("running", ""), ("stopping", "ab"), ("x", "")]
    )
    current = {"text": ""}

    def get(_: object, id_: str) -> Any:
        state, current["text"] = next(stream)
        asked.append(f"get {id_} {state}")
        return SimpleNamespace(state=state)

    monkeypatch.setattr("nitro.cloud.instance.get", get)
    monkeypatch.setattr("nitro.cloud.console_output", lambda *_: current["text"])
    cloud: Any = SimpleNamespace(sleep=lambda s: asked.append(f"sleep {s}"))
    text += f"{list(console.follow(cloud, 'i-1'))} {asked}\n"
    compare(HERE / "table-consoles.txt", text)


def test_names_of_recipes() -> None:
    text = ""
    for name in (
        "ami-1",
        "ami-0123456789abcdef0",
        "ami-",
        "ami-x",
        "AMI-1",
        "resolve:ssm:/a",
        "web",
    ):
        text += f"{name}: {recipe_arg.names_ami(name)} {told(recipe_arg.find, name)[:90]}\n"
    for words in (None, [], ["80"], ["80", "udp:53"], ["x"], ["0"], ["65536"]):
        text += f"{words}: {told(recipe_arg.parse_ports, words)}\n"
    for words in (None, [], ["A=b"], ["A="], ["=b"], ["A"], ["A=b=c", "A=d"], [""]):
        text += f"{words}: {told(recipe_arg.parse_environment, words)}\n"
    for words, public in (([], True), (["1", "a:organization/o", "a:ou/o/u", "2"], False)):
        text += f"{words}: {publish._share(words, public)}\n"
    compare(HERE / "table-names.txt", text)


def test_what_a_recipe_is_found_by(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which function makes it, and of what."""
    text, asked = "", list[str]()

    def keep(name: str) -> Callable[..., Any]:
        def call(*args: Any, **more: Any) -> Any:
            asked.append(f"{name}{args} {more}")
            return f"<{name}>"

        return call

    for name in (
        "for_container",
        "for_script",
        "for_program",
        "load",
        "with_kernel",
        "with_driver",
    ):
        monkeypatch.setattr(f"nitro.recipe.{name}", keep(name))
    monkeypatch.setattr("nitro.container.complete", keep("complete"))
    monkeypatch.setattr("nitro.recipe.is_reference", lambda n: n == "reference")
    monkeypatch.setattr("nitro.recipe.is_script", lambda n: n == "script")
    monkeypatch.setattr("nitro.recipe.is_program", lambda n: n == "program")
    report: Any = "<reporter>"
    for name in ("reference", "script", "program", "recipe"):
        for given in (
            (None, None, None),
            (["80"], ["A=b"], ["-v"]),
            ([], [], []),
            (None, ["A=b"], None),
        ):
            for more in ((), ("linux", "kernel")):
                asked.clear()
                found = told(recipe_arg.find, name, *given, *more, report=report)
                text += f"{name} {given} {more}: {found}\n" + "".join(f"  {one}\n" for one in asked)
    compare(HERE / "table-recipes.txt", text)


class Failed(Exception):
    """Not nitro's own."""


def failures() -> dict[str, BaseException]:
    with_console = ProbeError("no `ready`", hint="wait")
    setattr(with_console, "console", "the end\nof it")  # noqa: B010
    surrogate = UnicodeEncodeError("utf-8", "a\udcff", 1, 2, "surrogates not allowed")
    found: dict[str, BaseException] = {
        "plain": NitroError("no"),
        "a hint": InputError("no", hint="look"),
        "a console": with_console,
        "interrupted": KeyboardInterrupt(),
        "surrogate": surrogate,
        "another encoding": UnicodeEncodeError("ascii", "é", 0, 1, "ordinal not in range"),
        "another": Failed("x"),
        "typer": typer.Exit(7),
        "no errno": OSError("x"),
        "two files": OSError(errno.ENOSPC, "No space left", "a", None, "b"),
        "full, of no file": OSError(errno.ENOSPC, "No space left"),
        "no access": OSError(errno.EACCES, "Permission denied", "a", None, "b"),
        "no access, no file": OSError(errno.EACCES, "Permission denied"),
        "a long name": OSError(errno.ENAMETOOLONG, "File name too long", "x" * 61),
        "a name": OSError(errno.ENAMETOOLONG, "File name too long", "x" * 60),
    }
    for name in ("ELOOP", "EPERM", "EROFS", "EDQUOT", "ENOTDIR", "EIO", "ENOENT", "EISDIR"):
        found[name] = OSError(getattr(errno, name), os.strerror(getattr(errno, name)), "a")
    return found


def test_failures(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of commands, and of `run`, whose own failures have a code of their own."""
    text = ""
    monkeypatch.setattr("nitro.space.fullest", lambda: "/the/fullest")
    for name, error in failures().items():

        def fail(*_: object, error: BaseException = error, **__: object) -> None:
            raise error

        monkeypatch.setattr("nitro.image.inspect.inspect_kernel", fail)
        monkeypatch.setattr(recipe_arg, "find", fail)
        for line in (("inspect", "disk"), ("run", "hello")):
            try:
                text += f"---- {name}\n{said(*line)}"
            except (Failed, OSError, UnicodeEncodeError) as raised:
                text += f"---- {name}\nraises {raised!r}\n"
    others: tuple[tuple[str, ...], ...] = (
        (),
        ("--version",),
        ("-h",),
        ("nothing",),
        ("run",),
        ("run", "--nothing"),
        ("inspect",),
    )
    for words in others:
        text += said(*words)[:600]
    compare(HERE / "table-failures.txt", text.replace(str(here), "<folder>"))


def test_verbose_failures(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise NitroError("no", hint="look")

    monkeypatch.setattr("nitro.image.inspect.inspect_kernel", fail)
    from typer.testing import CliRunner

    for words in (("-v", "inspect", "disk"), ("inspect", "disk", "--verbose")):
        options.verbose = False
        done = CliRunner().invoke(parser.app, words)
        lines = done.stderr.splitlines()
        assert lines[0] == "Traceback (most recent call last):"
        assert lines[-2:] == ["nitro: no", "       look"]
        assert options.verbose
    assert not options._set_verbose(False)
    assert options.verbose


def test_policies(monkeypatch: pytest.MonkeyPatch) -> None:
    text = ""
    asked: list[Any] = []

    def document(*args: Any) -> dict[str, Any]:
        asked.append(args)
        return {}

    monkeypatch.setattr("nitro.cloud.policies.document", document)
    for words in (
        *((), ("--account", "1" * 12), ("--account", "1" * 11), ("--account", "1" * 13)),
        *(("--bucket", "a" * 63), ("--bucket", "a" * 64), ("--bucket", "A"), ("--bucket", "")),
        *(("--partition", "aws-cn"), ("--partition", "aws-us-gov"), ("--partition", "x")),
        *(("--partition", "aws-"), ("--parameter", "/a", "--parameter", "b*"), ("--account", "x")),
    ):
        text += said("policy", "deploy", *words)
    text += "".join(f"{one}\n" for one in asked) + f"{sorted(policy._FORMS)}\n"
    compare(HERE / "table-policies.txt", text)
