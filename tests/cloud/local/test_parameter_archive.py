"""Parameters that outlive the process."""

from __future__ import annotations

import json

import pytest
from moto import mock_aws

from nitro.local.aws import install
from nitro.local.aws.parameter_archive import FOLDER

from .conftest import Account
from .damage import damaged

TAGS = [{"Key": "a", "Value": "b"}]


@pytest.mark.extended
def test_versions_labels_and_tags_come_back(account: Account) -> None:
    put = account.ssm.put_parameter
    put(Name="/a", Value="one", Type="String", Tags=TAGS)
    put(Name="/a", Value="two", Overwrite=True)
    put(Name="/secret", Value="word", Type="SecureString")
    account.ssm.label_parameter_version(Name="/a", ParameterVersion=1, Labels=["before"])
    before = account.ssm.get_parameter_history(Name="/a")["Parameters"]
    with install(account.restarted()), mock_aws():
        assert account.ssm.get_parameter_history(Name="/a")["Parameters"] == before
        assert account.ssm.get_parameter(Name="/a:before")["Parameter"]["Value"] == "one"
        found = account.ssm.get_parameter(Name="/secret", WithDecryption=True)["Parameter"]
        assert found["Value"] == "word"
        asked = {"ResourceType": "Parameter", "ResourceId": "/a"}
        assert account.ssm.list_tags_for_resource(**asked)["TagList"] == TAGS
        account.ssm.delete_parameter(Name="/a")
    with install(account.restarted()), mock_aws():
        assert account.ssm.get_parameters(Names=["/a"])["InvalidParameters"] == ["/a"]


@pytest.mark.parametrize("text", ["", "[]", '{"/a": 1}', '{"/a": {"versions": [{}], "tags": {}}}'])
def test_what_cannot_be_read_is_left_out(account: Account, text: str) -> None:
    assert account.site.index
    folder = account.site.index / FOLDER
    folder.mkdir()
    (folder / "123456789012-us-east-1.json").write_text(text)
    with install(account.restarted()), mock_aws():
        assert account.ssm.get_parameters(Names=["/a"])["InvalidParameters"] == ["/a"]
        account.ssm.put_parameter(Name="/a", Value="new", Type="String")
    with install(account.restarted()), mock_aws():
        assert account.ssm.get_parameter(Name="/a")["Parameter"]["Value"] == "new"


def test_whatever_is_wrong_with_a_parameter_the_next_one_comes_back(account: Account) -> None:
    account.ssm.put_parameter(Name="/a", Value="a", Type="String", Tags=TAGS)
    assert account.site.index
    path = account.site.index / FOLDER / "123456789012-us-east-1.json"
    kept = json.loads(path.read_text())["a"]
    (version,) = kept["versions"]
    wrong = [*damaged(kept), *({**kept, "versions": [one]} for one in damaged(version))]
    path.write_text(json.dumps({**{f"n{n}": one for n, one in enumerate(wrong)}, "z": kept}))
    with install(account.restarted()), mock_aws():
        found = account.ssm.get_parameter(Name="/z")["Parameter"]
        assert found["Value"] == "a"
