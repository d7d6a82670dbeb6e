"""The recorded outputs of the tools: see data/README.md."""

from pathlib import Path

DATA = Path(__file__).parent / "data"


def recorded(name: str) -> str:
    return (DATA / name).read_text()
