"""What is said of command lines that cannot be carried out, without a cloud."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.transcripts import compare
from tests.unit.cli.said import said

WRONG = """\
none
run
run none
run hello --memory 63
run hello --vcpus 0
run hello --vcpus 256
run hello --shell --missing
run hello --strace open --shell
run hello --write
run hello --strace Open
run hello --forward 80
run osv-hello --uefi
run osv-hello --shell
run hello --forward 0:80
run hello --port 80
build none
build hello --port 80
build hello --env A
build hello --kernel OSv
build hello --driver x
build ami-0123456789abcdef0
build docker:// --port x
build docker://x --port x
build docker://x --env A
inspect --files
deploy hello
deploy hello --instance c5
deploy hello --instance c5.hurge
deploy hello --instance C5.LARG
deploy hello --instance x.y --ttl 1
deploy hello --instance c5.large --via x
deploy hello --instance c5.large --cloud gcp
deploy hello --instance c5.large --security-group x
ls --cloud gcp
launch hello --instance c5.large --ttl 0s
launch hello --instance c5.metal-48x
launch ami-0123456789abcdef0 --instance c5.large -- -v
probe i-1
probe x --from moon
probe i-0123456789abcdef0
console i-0123456789abcdef0
strace i-0
destroy
destroy i-1 --all
destroy --all --expired
destroy i-0123456789abcdef0
ls
ls --json
policy x
policy deploy --account 1
policy deploy --bucket A
policy gc --partition x
gc --older-than 0s
selftest -o none/x
selftest none
device serve
device explain none
local env
local down
local status
local status --json
local up --weather none
local up --shape x
local up --shape c5.large:in=x
local up --shape c9.large:in=1M
local up --shape c5.large:in=1M --shape c5.large:out=1M
local up --offloads some
publish
publish none --region eu-west-1
publish a.raw
publish a.raw --arch x86_64
publish ami-0123456789abcdef0 --region eu-west-1
publish hello --sign key
publish hello --manifest none/x --region eu-west-1
publish hello --region x
publish hello --deprecate soon
publish hello --keep 0
publish hello --share me
publish hello --via x
publish hello --config none
verify none
verify a.raw
rollback none
bench run none
bench check --night x
bench query
--version
bench check
bench report
bench export --format x
bench compare a b
bench schema -x
"""


@pytest.mark.extended
def test_what_is_wrong(here: Path, tmp_path: Path) -> None:
    (here / "a.raw").write_bytes(b"a disk")
    text = "".join(said(*line.split()) for line in WRONG.splitlines())
    path = Path(__file__).parent / "transcripts/wrong.txt"
    compare(path, text.replace(str(tmp_path), "<folder>"))
