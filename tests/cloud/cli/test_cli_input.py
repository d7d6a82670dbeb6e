"""What commands refuse, and which cloud they say that they work with."""

from __future__ import annotations

from pathlib import Path

import pytest

from nitro.cloud import Cloud, find_instance_type
from tests.cloud.cli.conftest import AWS
from tests.cloud.conftest import REGION
from tests.unit.cli.runner import nitro_


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("destroy", *AWS), "no resources given"),
        (("destroy", "--all", "--expired", *AWS), "ids, --all and --expired exclude each other"),
        (("destroy", "i-1", *AWS), "nitro has no resource i-1"),
        (("deploy", "--keep", "--ephemeral", "--instance", "c5.large"), "exclude each other"),
        (("deploy", "--ttl", "soon", "--instance", "c5.large"), "--ttl soon is not a time"),
        (("deploy", "--via", "ftp", "--instance", "c5.large"), "--via ftp is no route"),
        (("deploy", "--probe", "ping", "--instance", "c5.large"), "no probe is called 'ping'"),
        (("probe", "i-00000000000000000", *AWS), "i-00000000000000000"),
        (("console", "i-00000000000000000", *AWS), "nitro ls"),
        (
            ("deploy", "hello", "--instance", "c5.large", "--allow", "1.2"),
            "not a range of addresses",
        ),
        (("deploy", "hello", "--instance", "c5.lagre"), "did you mean c5.large"),
        (("deploy", "hello", "--instance", "big"), "such as c5.large"),
        (("launch", "httpd", "--instance", "c5large"), "such as c5.large"),
        (
            ("deploy", "httpd", "--instance", "c5.large", "--probe", "iperf3"),
            "iperf3 needs TCP port 5201, which the recipe httpd does not have",
        ),
        (("console", "i-1", "--follow", "--json"), "--follow and --json exclude each other"),
    ],
)
def test_bad_input_is_code_2(cloud: Cloud, words: tuple[str, ...], says: str) -> None:
    done = nitro_(*words, code=2)
    assert says in done.stderr
    assert done.stdout == ""


def test_no_credentials_are_code_3(bare_cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    done = nitro_("ls", *AWS, code=3)
    assert done.stderr.startswith("cloud: aws (--cloud)\nnitro: no AWS credentials")


@pytest.mark.extended
def test_aws_is_named_with_account_region_and_what_chose_it(
    bare_cloud: Cloud, tmp_path: Path
) -> None:
    assert nitro_("ls", *AWS).stderr.splitlines()[0] == (
        f"cloud: aws, account 123456789012, region {REGION} (--cloud)"
    )
    file = tmp_path / "nitro.toml"
    file.write_text(f'cloud = "aws"\nregion = "{REGION}"\n')
    first = nitro_("ls").stderr.splitlines()[0]
    assert first == f"cloud: aws, account 123456789012, region {REGION} ({file})"
    file.write_text(f'region = "{REGION}"\n')
    assert nitro_("ls", "--cloud", "aws").stderr.splitlines()[0].endswith(f"(--cloud; {file})")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--forward", "x"), "--forward 'x' is not HOST:GUEST"),
        (("--memory", "10"), "--memory 10 is too little for any image"),
        (("--vcpus", "0"), "--vcpus 0 is not from 1 to"),
        (("--shell", "--missing"), "--shell excludes --missing"),
    ],
)
def test_bad_input_of_run_is_code_125(words: tuple[str, ...], says: str) -> None:
    done = nitro_("run", "hello", *words, code=125)
    assert says in done.stderr


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("main.go", "Go source"),
        ("Main.java", "Java source"),
        ("server.rs", "cargo build"),
        ("tool.zip", "unpack it first"),
        ("prog.exe", "for Windows"),
    ],
)
def test_what_is_neither_recipe_nor_program_is_named(tmp_path: Path, name: str, says: str) -> None:
    (tmp_path / name).write_bytes(b"PK\x03\x04")
    for path in (name, f"./{name}"):
        done = nitro_("build", path, code=2)
        assert says in done.stderr
        assert "TOML" not in done.stderr


def test_a_type_in_capitals_is_understood(cloud: Cloud) -> None:
    assert find_instance_type(cloud, "C5.Large").name == "c5.large"
