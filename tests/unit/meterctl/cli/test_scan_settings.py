"""The settings and units of a scan, from the options as typed."""

from __future__ import annotations

import pytest

from meterctl.cli.scan_settings import SPEEDS, duration_text, settings_of, units_of
from meterctl.drivers.table import MODBUS
from meterctl.errors import UsageError
from meterctl.operations.scan import Setting

KIND = MODBUS.prober()


def of(port: str, framing: str | None = None, timeout_ms: int | None = None) -> list[Setting]:
    """Return the settings of a port."""
    return settings_of(port, framing, timeout_ms, KIND)


def test_a_serial_port_is_scanned_at_its_own_setting() -> None:
    assert of("m1.tty") == [Setting("m1.tty", 9600, "N", "rtu", 213, 400)]
    (one,) = of("/dev/ttyUSB0?baud=2400&parity=e&stop=1")
    assert (one.port, one.baud, one.parity) == (
        "/dev/ttyUSB0?baud=2400&parity=E&stop=1",
        2400,
        "E",
    )


def test_lists_of_speeds_and_parities_are_all_pairs_in_their_order() -> None:
    found = of("p?baud=19200,9600&parity=E,N")
    assert [one.port for one in found] == [
        "p?baud=19200&parity=E",
        "p?baud=19200",
        "p?parity=E",
        "p",
    ]


def test_auto_is_all_usual_speeds_and_parities_the_most_likely_first() -> None:
    found = of("p?baud=auto")
    assert [(one.baud, one.parity) for one in found[:4]] == [
        (9600, "N"),
        (9600, "E"),
        (2400, "N"),
        (2400, "E"),
    ]
    assert {(one.baud, one.parity) for one in found} == {(b, p) for b in SPEEDS for p in "NEO"}
    assert [one.parity for one in found[-len(SPEEDS) :]] == ["O"] * len(SPEEDS)


def test_a_parity_that_is_given_stands_under_auto() -> None:
    assert {one.parity for one in of("p?baud=auto&parity=E")} == {"E"}
    assert [one.parity for one in of("p?parity=auto")] == ["N", "E", "O"]


def test_a_slower_line_costs_more_for_each_silent_unit() -> None:
    slow, fast = of("p?baud=2400,115200")
    assert (slow.silent_ms, fast.silent_ms) == (249, 203)
    assert of("p", timeout_ms=50)[0].silent_ms == 63


def test_a_host_is_scanned_in_the_framing_of_its_port() -> None:
    assert of("tcp://h") == [Setting("tcp://h", None, None, "tcp", 500, 400, (255,))]
    (one,) = of("socket://h:4001")
    assert (one.port, one.framing, one.alone) == ("socket://h:4001", "rtu-over-tcp", ())


def test_a_host_is_scanned_in_both_framings_under_auto() -> None:
    assert [one.port for one in of("tcp://h", "auto")] == ["tcp://h", "socket://h:502"]
    assert [one.port for one in of("socket://h:4001", "auto")] == [
        "tcp://h:4001",
        "socket://h:4001",
    ]


def test_a_framing_turns_the_port_into_one_that_other_commands_take() -> None:
    assert [one.port for one in of("tcp://h:4001", "rtu-over-tcp")] == ["socket://h:4001"]


@pytest.mark.parametrize(
    ("port", "framing", "says"),
    [
        ("p", "ascii", "ASCII framing is not supported"),
        ("p", "x", "allowed is rtu, tcp, rtu-over-tcp, auto"),
        ("p", "tcp", "a serial port has no framing tcp"),
        ("tcp://h", "rtu", "--framing rtu-over-tcp"),
        ("p?baud=fast", None, "--baud fast: allowed is numbers"),
        ("p?baud=9600,", None, "--baud 9600,: allowed"),
        ("p?baud=9600&baud=auto", None, "baud is given twice"),
        ("p?parity=M", None, "--parity M: allowed is N,E,O, or auto"),
        ("p?baud=7", None, "50 to 4000000"),
        ("p?colour=1", None, "no setting 'colour=1'"),
    ],
)
def test_a_setting_that_there_is_not_is_refused(port: str, framing: str | None, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        of(port, framing)


def test_units_are_numbers_and_ranges_each_asked_once() -> None:
    assert units_of(None, of("p"), KIND) == list(range(1, 248))
    assert units_of("9, 1-3,2", of("p"), KIND) == [9, 1, 2, 3]
    assert units_of("255", of("tcp://h"), KIND) == [255]


@pytest.mark.parametrize("text", ["", "0", "248", "255", "9-1", "1-", "a", "1,,2", "1-99999"])
def test_units_that_there_are_not_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="numbers and ranges from 1 to 247"):
        units_of(text, of("p"), KIND)


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        (1, "1 s"),
        (52_611, "53 s"),
        (120_000, "2 min"),
        (1_100_500, "18 min 21 s"),
        (7_260_000, "2 h 1 min"),
    ],
)
def test_a_time_is_rounded_up(milliseconds: int, text: str) -> None:
    assert duration_text(milliseconds) == text
