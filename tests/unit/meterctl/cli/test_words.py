"""Mistakes in the words of meterctl: the common options, and words that were meant."""

from __future__ import annotations

import subprocess
import sys

import pytest

from meterctl.cli.arguments import serial_number
from meterctl.cli.program import add_commands, app
from protocols.command_line import command_of, pages_of
from protocols.errors import QuantityError


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--json=yes", "status"), "--json takes no value"),
        (("status", "--json=yes"), "--json takes no value"),
        (("status", "--port"), "--port needs a value"),
        (("purchases", "--all=1"), "--all takes no value"),
    ],
)
def test_a_mistake_in_a_common_option_is_named(words: tuple[str, ...], told: str) -> None:
    assert refused(*words).startswith(f"meterctl: {told}")


def refused(*words: str) -> str:
    """Return what meterctl says of words that it refuses."""
    ran = [sys.executable, "-m", "meterctl", *words]
    done = subprocess.run(ran, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    return done.stderr


def test_a_meter_that_is_no_serial_number_is_named_with_its_option() -> None:
    with pytest.raises(QuantityError, match="--meter: '42' is not 12 decimal digits"):
        serial_number("42")


def test_every_unknown_item_is_named() -> None:
    told = refused("read", "wrong1", "wrong2")
    assert "'wrong1'" in told
    assert "'wrong2'" in told


def test_a_word_that_people_try_leads_to_the_command_that_they_mean() -> None:
    assert "did you mean topup?" in refused("recharge", "50.00")
    assert "did you mean usage?" in refused("bill")
    assert "did you mean profile?" in refused("load")
    assert "did you mean status?" in refused("Balance")
    add_commands(None)
    paths = {" ".join(page.path.split()[1:]) for page in pages_of(app, "meterctl")}
    assert {*type(command_of(app)).other_words.values()} <= paths
