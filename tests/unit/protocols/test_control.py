"""The control grammar: every command, every word, and refusals that name the permitted words."""

from __future__ import annotations

import pytest

from protocols import control as c
from protocols.data_model.words import Tamper
from protocols.errors import QuantityError
from protocols.faults import FaultRule


@pytest.mark.parametrize(
    ("line", "command"),
    [
        ("advance 17h", c.Advance(61_200_000)),
        ("advance 0s", c.Advance(0)),
        ("load 3kW", c.ChangeLoad("3kW")),
        ("load household", c.ChangeLoad("household")),
        ("power cut", c.CutPower()),
        ("power return", c.ReturnPower()),
        ("button", c.PressButton()),
        ("cover open", c.Sense(Tamper.COVER, True)),
        ("cover close", c.Sense(Tamper.COVER, False)),
        ("terminal-cover open", c.Sense(Tamper.TERMINAL_COVER, True)),
        ("terminal-cover close", c.Sense(Tamper.TERMINAL_COVER, False)),
        ("magnet on", c.Sense(Tamper.MAGNET, True)),
        ("magnet off", c.Sense(Tamper.MAGNET, False)),
        ("speed 60", c.Speed(60_000)),
        ("state", c.Show()),
        ("stop", c.Stop()),
        ("card insert c.img", c.InsertCard("c.img")),
        ("card insert c.img --pull-after 3", c.InsertCard("c.img", pull_after=3)),
        ("card insert --reader X", c.InsertCard(reader="X")),
        ("card remove", c.RemoveCard()),
        ("fault list", c.ShowFaults()),
        ("fault off", c.EndFaults(None)),
        ("fault flip off", c.EndFaults("flip")),
        ("fault flip on", c.BeginFault(FaultRule("flip"))),
        (
            "fault busy on --count 3 --for=10s",
            c.BeginFault(FaultRule("busy", count=3, lasts=10_000)),
        ),
    ],
)
def test_every_command_is_read(line: str, command: c.Command) -> None:
    assert c.parse_command(line.split()) == command


def test_the_grammar_names_every_command() -> None:
    assert c.NAMES == (
        "advance", "load", "power", "button", "cover", "terminal-cover", "magnet", "card", "fault",
        "speed", "state", "stop",
    )  # fmt: skip


@pytest.mark.parametrize("grammar", [grammar for grammar, _ in c.GRAMMAR_ROWS])
def test_a_command_is_read_as_the_grammar_writes_it(grammar: str) -> None:
    values = {"TIME": "17h", "LOAD": "3kW", "FILE": "c.img", "NAME": "R", "FAULT": "busy", "N": "2"}
    words = [values.get(word, word.split("|")[0]) for word in grammar.split()]
    c.parse_command(words)


def test_every_command_has_one_sentence_of_explanation() -> None:
    assert all(len(meaning.split()) > 2 and meaning.endswith(".") for _, meaning in c.GRAMMAR_ROWS)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["fly"], f"there is no command 'fly'; commands are {', '.join(c.NAMES)}"),
        ([""], f"there is no command ''; commands are {', '.join(c.NAMES)}"),
        (["advence", "3h"], "there is no command 'advence'; did you mean advance?"),
        (["Button"], "there is no command 'Button'; did you mean button?"),
        (["button", "twice"], "'button twice': write button"),
        (["advance", "1h", "2h"], "'advance 1h 2h': write advance TIME"),
        (["advance"], "'advance': write advance TIME"),
        (["power"], "'power': write power cut|return"),
        (["fault", "flop", "on"], "'fault flop on': there is no fault 'flop'; did you mean flip?"),
        (["state", ""], "'state ': write state"),
    ],
)
def test_a_command_that_cannot_be_read_is_told_how_it_is_written_once(
    words: list[str], told: str
) -> None:
    with pytest.raises(QuantityError) as caught:
        c.parse_command(words)
    assert str(caught.value) == told


@pytest.mark.parametrize(
    ("words", "following"),
    [
        ([], c.NAMES),
        (["power"], ("cut", "return")),
        (["load"], ("household",)),
        (["card"], ("insert", "remove")),
        (["fault", "torn_write"], ("on", "off")),
        (["magnet", "on"], ()),
        (["advance"], ()),
        (["nonsense"], ()),
    ],
)
def test_the_words_that_may_follow_are_known(words: list[str], following: tuple[str, ...]) -> None:
    assert tuple(c.next_words(words)) == following


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["flip"],
        ["flop", "on"],
        ["flip", "off", "--count", "3"],
        ["flip", "on", "--count"],
        ["list", "x"],
    ],
)
def test_a_fault_that_cannot_be_is_refused(words: list[str]) -> None:
    with pytest.raises(QuantityError):
        c.parse_command(["fault", *words])


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["insert"],
        ["eject"],
        ["insert", "a", "b"],
        ["insert", "a", "--reader", "R"],
        ["insert", "--reader"],
        ["insert", "a", "--pull-after", "x"],
        ["insert", "a", "--pull-after", "-1"],
        ["insert", "--fast"],
        ["remove", "x"],
    ],
)
def test_a_card_command_that_cannot_be_is_refused(words: list[str]) -> None:
    with pytest.raises(QuantityError):
        c.parse_command(["card", *words])


def test_no_words_are_no_command() -> None:
    with pytest.raises(QuantityError, match="no command: commands are advance, load"):
        c.parse_command([])


@pytest.mark.parametrize(
    ("words", "allowed"),
    [
        (["power", "on"], "return and cut"),
        (["cover", "on"], "open and close"),
        (["terminal-cover", "opened"], "open and close"),
        (["magnet", "true"], "on and off"),
    ],
)
def test_a_wrong_word_is_refused_with_the_two_that_are_allowed(
    words: list[str], allowed: str
) -> None:
    with pytest.raises(QuantityError) as caught:
        c.parse_command(words)
    assert str(caught.value) == f"{words[1]!r}: allowed are {allowed}"


def test_a_wrong_duration_is_refused_as_such() -> None:
    with pytest.raises(QuantityError, match="'17' is not a duration"):
        c.parse_command(["advance", "17"])


def test_an_advance_is_at_most_3660_days() -> None:
    assert c.parse_command(["advance", "3660d"]) == c.Advance(3660 * 86_400_000)
    for text in ("3660d1ms", "3661d"):
        with pytest.raises(QuantityError, match="an advance is at most 3660d"):
            c.parse_command(["advance", text])


@pytest.mark.parametrize(
    ("text", "thousandths"),
    [("0", 0), ("1", 1000), ("0.5", 500), ("0.001", 1), ("100000", 100_000_000)],
)
def test_speeds_are_held_in_thousandths(text: str, thousandths: int) -> None:
    assert c.parse_speed(text) == thousandths


@pytest.mark.parametrize("text", ["-1", "-0.001", "100000.001", "1000000"])
def test_a_speed_out_of_range_is_refused_with_the_range(text: str) -> None:
    with pytest.raises(QuantityError) as caught:
        c.parse_speed(text)
    assert str(caught.value) == f"{text!r} is no speed: allowed is 0 to 100000"


@pytest.mark.parametrize("text", ["fast", "0.0001", "1e3", ""])
def test_what_is_no_speed_is_refused(text: str) -> None:
    with pytest.raises(QuantityError, match="decimals"):
        c.parse_speed(text)
