"""The help of every command of both programs: it is complete, plain, and fits every screen."""

from __future__ import annotations

import re

import pytest

from firmware_sim.cli import program as meter_sim
from meterctl.cli import program as meterctl
from protocols.command_line import pages_of
from protocols.command_line.help_page import HelpPage, text_of
from protocols.control import NAMES

meterctl.add_commands(None)
PAGES = {
    page.path: page
    for page in (*pages_of(meterctl.app, "meterctl"), *pages_of(meter_sim.app, "meter-sim"))
}
OF_SEVERAL = ("meterctl", "meter-sim")
MAIN = (
    *OF_SEVERAL,
    "meterctl read",
    "meterctl topup",
    "meterctl card",
    "meterctl limits set",
    "meter-sim run",
    "meter-sim simulate",
    "meter-sim control",
    "meter-sim scenario",
)
RIDDLES = (
    "of one try",
    "do not ask",
    "key ring of",
    "masters of",
    "sealed and what became",
    "tamper causes",
)


def headings(path: str) -> list[str]:
    return [section.heading for section in PAGES[path].sections]


def row(path: str, name: str) -> str:
    (text,) = [
        row.text
        for section in PAGES[path].sections
        for row in section.rows
        if row.name.split()[0] == name
    ]
    return text


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_every_command_argument_and_option_is_explained_in_a_sentence(page: HelpPage) -> None:
    assert page.paragraphs
    assert len(page.paragraphs[0].split()) > 2
    for section in page.sections:
        for each in section.rows:
            assert len(each.text.split()) > (0 if section.heading == "Exit codes" else 1), each
            assert not any(riddle in each.text.lower() for riddle in RIDDLES), each
            assert "--no-" not in each.name


@pytest.mark.parametrize("width", [40, 80, 120])
@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_help_fits_the_screen_and_cuts_no_word(page: HelpPage, width: int) -> None:
    shown = text_of(page, width)
    assert "…" not in shown
    for line in shown.splitlines():
        assert len(line) <= width or len(line.split()) <= 2, line  # one long word
    given = [page.usage, *page.paragraphs]
    given += [text for s in page.sections for each in s.rows for text in (each.name, each.text)]
    words = shown.split()
    assert {word for text in given for word in text.split()} <= {*words}
    assert "\x1b" not in shown


@pytest.mark.parametrize("path", MAIN)
def test_the_main_commands_begin_with_examples(path: str) -> None:
    assert headings(path)[0] == "Examples"
    for each in PAGES[path].sections[0].rows:
        assert each.name.startswith(path.split(maxsplit=1)[0])


@pytest.mark.parametrize(
    ("path", "groups"),
    [
        ("meterctl", ["Try it", "Look", "Sell", "Supply", "Set up"]),
        ("meter-sim", ["Run a meter", "Try behaviour in virtual time", "Make files"]),
        ("meter-sim run", ["The meter", "Wires", "Time and control", "Faults", "Output"]),
    ],
)
def test_commands_and_options_are_grouped(path: str, groups: list[str]) -> None:
    assert headings(path)[1 : 1 + len(groups)] == groups


def test_exit_codes_are_in_the_help_of_both_programs() -> None:
    for program in OF_SEVERAL:
        assert headings(program)[-1] == "Exit codes"
    assert "outcome is unknown" in row("meterctl", "7")


def test_a_command_of_meterctl_names_the_options_that_it_shares() -> None:
    for path, page in PAGES.items():
        remarks = [section.remark for section in page.sections if section.remark]
        around = ["meterctl -h"] if path.startswith("meterctl ") else []
        if path.startswith("meterctl desk "):
            around.insert(0, "meterctl desk -h")
        assert remarks == ([f"and the options of {' and '.join(around)}"] if around else [])


def test_control_lists_its_commands_one_a_row() -> None:
    (listed,) = [s for s in PAGES["meter-sim control"].sections if s.heading == "What it can do"]
    assert tuple(dict.fromkeys(each.name.split()[0] for each in listed.rows)) == NAMES


@pytest.mark.parametrize(
    ("path", "name", "default"),
    [
        ("meter-sim run", "--credit", "default: 20.00"),
        ("meter-sim run", "--price", "default: 0.5283"),
        ("meter-sim run", "--load", "default: 0kW"),
        ("meter-sim run", "--speed", "default: 1"),
        ("meterctl", "--baud", "default: 9600"),
        ("meterctl", "--port", "variable METERCTL_PORT"),
        ("meterctl", "--timeout", "default: 1s"),
        ("meter-sim card new", "--card-serial", "required"),
    ],
)
def test_defaults_are_shown(path: str, name: str, default: str) -> None:
    assert re.search(rf"\[.*{re.escape(default)}", row(path, name))


def test_the_port_names_the_settings_of_a_serial_line() -> None:
    for setting in ("/dev/ttyUSB0?baud=9600", "parity=N|E|O", "tcp://HOST:PORT"):
        assert setting in row("meterctl", "--port")
