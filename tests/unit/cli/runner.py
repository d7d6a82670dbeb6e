"""Commands run in this process."""

from __future__ import annotations

import json
from typing import Any

from typer.testing import CliRunner, Result

from nitro.cli import app
from tools import schemas


def nitro_(*words: str, code: int = 0) -> Result:
    done = CliRunner().invoke(app, words)
    assert done.exit_code == code, done.output
    assert "Traceback" not in done.output
    return done


def json_of(schema: str, *words: str, code: int = 0) -> Any:
    """What a command prints with --json, held against its schema."""
    text = nitro_(*words, "--json", code=code).stdout
    schemas.adapter(schema).validate_json(text)
    return json.loads(text)
