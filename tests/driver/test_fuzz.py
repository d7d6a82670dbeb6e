"""libFuzzer on everything that a card can write: half a minute, ten minutes in `make soak`.

Both start from the corpus (`corpus.tar.xz`), which new findings are worth adding to.
"""

from __future__ import annotations

import re
import tarfile
from pathlib import Path

import pytest

from nitro.debian import chroot, tree
from tests.driver.compiling import CLANG, compile_in, copy_sources, sources
from tests.lengths import length

SECONDS = length(short=30, long=600)
pytestmark = [pytest.mark.driver, pytest.mark.slow, pytest.mark.soak]
CORPUS = Path(__file__).with_name("corpus.tar.xz")
SANITIZE = "-fsanitize=fuzzer,address,undefined"


@pytest.mark.timeout(SECONDS + 600)
def test_fuzzing_finds_nothing(tmp_path: Path) -> None:
    copy_sources(tmp_path)
    compiler = tree(CLANG)
    flags = ("-O1", "-g", "-DFUZZING", SANITIZE, "-fno-sanitize-recover=all", "-o", "/build/fuzz")
    files = sources(tmp_path, "os.c", "host.c", "mini_device.c", "fuzz.c")
    compile_in(tmp_path, compiler, *flags, *files)
    with tarfile.open(CORPUS) as archive:
        archive.extractall(tmp_path)  # our own; Debian 12 has no filters yet
    limits = (f"-max_total_time={SECONDS}", "-timeout=10", "-max_len=4096", "-rss_limit_mb=1024")
    command = ["/build/fuzz", *limits, "-print_final_stats=1", "/build/corpus"]
    output = chroot.run([compiler], command, tmp_path, timeout=SECONDS + 300)
    tried = re.search(r"number_of_executed_units: (\d+)", output)
    assert tried is not None
    print(f"\n{tried[1]} inputs in {SECONDS} s")
    assert int(tried[1]) > 10 * SECONDS, output[-1000:]
