"""What commands refuse, and which cloud they say that they work with."""

from __future__ import annotations

from pathlib import Path

import pytest

from nitro.cloud import Cloud
from tests.cloud.conftest import REGION
from tests.unit.cli.runner import nitro_

AWS = ("--cloud", "aws", "--region", REGION)


@pytest.fixture(autouse=True)
def _elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No settings of the user's own."""
    for name in ("NITRO_CLOUD", "NITRO_REGION", "NITRO_ALLOW", "NITRO_BUCKET", "NITRO_SUBNET"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


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
