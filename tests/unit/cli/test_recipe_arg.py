from __future__ import annotations

import sys

import pytest

from nitro.cli import recipe_arg
from nitro.errors import InputError
from nitro.ports import Port

PROGRAM = sys.executable


def test_a_program_becomes_a_recipe_with_the_words_given():
    recipe = recipe_arg.find(PROGRAM, ["8080", "udp:53"], ["A=b=c"], ["-m", "http.server"])
    assert recipe.ports == (Port("tcp", 8080), Port("udp", 53))
    assert recipe.env == {"A": "b=c"}
    assert recipe.argv[1:] == ("-m", "http.server")


def test_a_recipe_states_its_own():
    assert recipe_arg.find("hello").name == "hello"
    with pytest.raises(InputError, match="--port given with the recipe hello"):
        recipe_arg.find("hello", ports=["80"])


def test_the_driver_can_be_another_than_the_recipes():
    """For an OSv kernel without headers, such as a recipe of nitro's would need."""
    assert recipe_arg.find("osv-hello").driver == "nitro"
    made = recipe_arg.find("osv-hello", kernel="osv:mine", driver="kernel")
    assert (made.driver, made.kernel) == ("kernel", "osv:mine")
    with pytest.raises(InputError, match="--driver ena is not a driver"):
        recipe_arg.find("osv-hello", driver="ena")


@pytest.mark.parametrize("port", ["0", "65536", "http", "-1", "8080:80"])
def test_a_bad_port_is_named(port: str):
    with pytest.raises(InputError, match=f"--port '{port}' is not a port"):
        recipe_arg.find(PROGRAM, ports=[port])


@pytest.mark.parametrize("pair", ["", "A", "=b"])
def test_a_bad_variable_is_named(pair: str):
    with pytest.raises(InputError, match="is not KEY=VALUE"):
        recipe_arg.find(PROGRAM, env=[pair])
