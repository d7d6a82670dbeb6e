"""Which keys of a recipe mean nothing on OSv."""

from __future__ import annotations

from typing import Any

import pytest

from nitro.image.osv import ignored
from nitro.recipe import Recipe


def said(**keys: Any) -> list[str]:
    made = Recipe.model_validate({"name": "test", "programs": ["/usr/bin/true"], **keys})
    return [ignored.say(one) for one in ignored.keys(made)]


def test_a_plain_recipe_has_none() -> None:
    assert said(folders=["/srv"], files=["/etc/hosts"], working_directory="/srv") == []


@pytest.mark.parametrize(
    ("keys", "what"),
    [
        ({"on_exit": "restart"}, 'on_exit = "restart" has no effect: OSv powers off'),
        ({"stop_signal": "QUIT"}, "stop_signal has no effect: OSv sends no signal"),
        ({"folders": [{"path": "/srv", "mode": "0700"}]}, "owner and mode of /srv has no effect"),
        ({"folders": [{"path": "/srv", "owner": "app"}]}, "owner and mode of /srv has no effect"),
        (
            {
                "files": [{"source": "/etc/hosts", "mode": "0600"}],
                "programs": [{"source": "/usr/bin/true", "owner": "1000"}],
            },
            "owner and mode of /usr/bin/true and of 1 more has no effect: ",
        ),
    ],
)
def test_what_it_does_not_do(keys: dict[str, Any], what: str) -> None:
    [line] = said(**keys)
    assert line.startswith(what)
