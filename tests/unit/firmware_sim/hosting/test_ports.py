"""The settings of a port of `meter-sim run`: the defaults of its wire, and refused words."""

from __future__ import annotations

import pytest

from firmware_sim.hosting.errors import HostingError
from firmware_sim.hosting.ports import parse_port


def test_the_wire_gives_what_a_person_did_not() -> None:
    spec = parse_port("./m.tty", 2400, "E")
    assert (spec.given, spec.baud, spec.parity, spec.stop, spec.bits) == (
        "./m.tty",
        2400,
        "E",
        1,
        8,
    )
    assert (spec.delay_ms, spec.silence_ms, spec.of_real_port) == (0, None, ())
    spec = parse_port("/dev/ttyS0?baud=19200&parity=o&stop=2&bits=7&delay_ms=5&silence_ms=9", 2400)
    assert (spec.given, spec.baud, spec.parity, spec.stop, spec.bits) == (
        "/dev/ttyS0",
        19200,
        "O",
        2,
        7,
    )
    assert (spec.delay_ms, spec.silence_ms) == (5, 9)
    assert spec.of_real_port == ("baud", "parity", "stop", "bits")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("./what?.tty", "no setting '.tty'"),
        ("./m.tty?", "no setting ''"),
        ("./m.tty?baudrate=9600", "no setting 'baudrate=9600'"),
        ("./m.tty?parity=", "parity=: allowed is N or E or O"),
        ("./m.tty?baud=9600&baud=9600", "baud is given twice"),
        ("./m.tty?silence_ms=0", "silence_ms=0: allowed is 1 to 60000"),
        ("./m.tty?delay_ms=-1", "delay_ms=-1"),
        ("", "write PATH"),
        ("./b\udcffd.tty", "the name is not UTF-8"),
    ],
)
def test_a_setting_or_a_name_that_is_not_allowed_is_named(text: str, reason: str) -> None:
    with pytest.raises(HostingError) as refused:
        parse_port(text)
    assert reason in str(refused.value)
    assert str(refused.value).encode(), "it can be printed"
    assert refused.value.exit_code == 2
