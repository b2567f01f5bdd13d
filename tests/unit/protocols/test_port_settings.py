"""Settings of a serial port: one grammar for both programs."""

from __future__ import annotations

import pytest

from protocols.errors import QuantityError
from protocols.port_settings import HELP, KEYS, PortSettings, bits_a_character, parse_port


def test_a_path_alone_has_no_settings() -> None:
    assert parse_port("/dev/ttyUSB0") == ("/dev/ttyUSB0", PortSettings())


def test_every_setting_is_read() -> None:
    text = "./m.tty?baud=19200&parity=e&stop=2&bits=7&silence_ms=40&delay_ms=1200"
    path, settings = parse_port(text)
    assert path == "./m.tty"
    assert settings == PortSettings(19_200, "E", 2, 7, 40, 1200)
    assert settings.of_line == ("baud", "parity", "stop", "bits")
    assert [getattr(settings, key) for key in KEYS] == [19_200, "E", 2, 7, 40, 1200]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("", "no setting ''"),
        ("baudrate=9600", "no setting 'baudrate=9600'"),
        ("baud", "baud=: allowed is 50 to 4000000"),
        ("baud=", "baud=: allowed is 50 to 4000000"),
        ("baud=49", "allowed is 50 to 4000000"),
        ("baud=9600.5", "allowed is 50 to 4000000"),
        ("baud=fast", "allowed is 50 to 4000000"),
        ("baud=9600&baud=9600", "baud is given twice"),
        ("parity=", "parity=: allowed is N or E or O"),
        ("parity=M", "allowed is N or E or O"),
        ("stop=3", "allowed is 1 or 2"),
        ("bits=9", "allowed is 8 or 7"),
        ("silence_ms=0", "allowed is 1 to 60000"),
        ("silence_ms=-5", "allowed is 1 to 60000"),
        ("delay_ms=-1", "allowed is 0 to 60000"),
        ("baud=9600&", "no setting ''"),
        ("timeout=1", "no setting 'timeout=1'"),
    ],
)
def test_what_is_unknown_empty_doubled_or_not_allowed_is_named(query: str, said: str) -> None:
    with pytest.raises(QuantityError) as refused:
        parse_port(f"./m.tty?{query}")
    assert said in str(refused.value)
    assert f"./m.tty?{query}" in str(refused.value)


@pytest.mark.parametrize("text", ["", "?baud=9600"])
def test_a_port_without_a_path_is_refused(text: str) -> None:
    with pytest.raises(QuantityError, match="write PATH"):
        parse_port(text)


@pytest.mark.parametrize(
    ("settings", "bits"),
    [
        (PortSettings(), 10),
        (PortSettings(parity="N"), 10),
        (PortSettings(parity="E"), 11),
        (PortSettings(stop=2), 11),
        (PortSettings(parity="O", bits=7), 10),
    ],
)
def test_a_character_has_a_start_bit_data_parity_and_stop_bits(
    settings: PortSettings, bits: int
) -> None:
    assert bits_a_character(settings) == bits


def test_the_help_names_every_setting() -> None:
    assert [part.partition("=")[0] for part in HELP.partition(": ")[2].split(", ")] == list(KEYS)
