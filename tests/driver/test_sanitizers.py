"""The host tests once more, with AddressSanitizer and UndefinedBehaviorSanitizer watching."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from nitro.debian import tree
from tests.driver.compiling import GCC, compile_in, host_library

pytestmark = pytest.mark.driver


def test_host_tests_under_sanitizers(tmp_path: Path) -> None:
    library = host_library(tmp_path, sanitize=True)
    runtime = tree(GCC).path("/usr/lib/gcc/x86_64-linux-gnu/12/libasan.so").resolve()
    undefined = tree(GCC).path("/usr/lib/x86_64-linux-gnu/libubsan.so.1").resolve()
    environment = os.environ | {
        "NITRO_ENA_LIBRARY": str(library),
        "LD_PRELOAD": f"{runtime}:{undefined}",
        # Python keeps memory until its end; what the driver leaks is counted by host_delete.
        "ASAN_OPTIONS": "detect_leaks=0:abort_on_error=1",
        "UBSAN_OPTIONS": "print_stacktrace=1",
    }
    tests = [Path(__file__).with_name(name) for name in ("test_host.py", "test_recovery.py")]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-m", "driver", "-p", "no:cacheprovider", *tests],
        env=environment,
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


def test_the_sanitizer_is_awake(tmp_path: Path) -> None:
    """A program that reads freed memory must not pass."""
    (tmp_path / "bad.c").write_text(
        "#include <stdlib.h>\n"
        "int main(void) { char *p = malloc(1); free(p); return *(volatile char *)p; }\n"
    )
    flags = ("-Wno-error", "-fsanitize=address", "-o", "/build/bad")
    compile_in(tmp_path, tree(GCC), *flags, "/build/bad.c")
    bad = subprocess.run([*loader(), str(tmp_path / "bad")], capture_output=True, check=False)
    assert b"heap-use-after-free" in bad.stderr


def loader() -> list[str]:
    """Starts a program with the compiler's own libraries."""
    prefix = tree(GCC).program("gcc-12")
    return prefix[:-1]
