"""The values of options that several commands take."""

from __future__ import annotations

from pathlib import Path

import pytest

from meterctl.cli.arguments import cents_of, port_of, sale_key, serial_number, valid_for_s
from meterctl.errors import UsageError
from protocols.errors import QuantityError


def test_an_amount_is_in_cents_and_zero_only_where_it_may_be() -> None:
    assert cents_of("12.50", "nothing was sold") == 1250
    assert cents_of("0.00", "nothing was sold", zero=True) == 0
    for text in ("0.00", "1.005", "much"):
        with pytest.raises(UsageError, match=r"; nothing was sold$"):
            cents_of(text, "nothing was sold")


def test_an_option_that_is_not_given_has_no_value() -> None:
    assert (serial_number(None), sale_key(None), valid_for_s(None)) == (None, "", None)


def test_a_serial_number_has_12_digits() -> None:
    assert serial_number("000000000042") == "000000000042"
    with pytest.raises(QuantityError):
        serial_number("forty-two")


def test_a_sale_key_is_checked() -> None:
    assert sale_key("2026-11-0001") == "2026-11-0001"
    with pytest.raises(UsageError):
        sale_key("")


@pytest.mark.parametrize("key", ["R1 ", " R1", "\u00a0R1", "Caf\u0065\u0301"])
def test_a_sale_key_that_looks_like_another_is_refused(key: str) -> None:
    with pytest.raises(UsageError, match="nothing was sealed"):
        sale_key(key)


def test_a_command_lives_at_least_a_second() -> None:
    assert valid_for_s("5m") == 300
    with pytest.raises(UsageError, match="at least 1s is allowed"):
        valid_for_s("0s")


@pytest.mark.parametrize(
    ("port", "written"),
    [
        ("127.0.0.1:5020", "tcp://127.0.0.1:5020"),
        ("localhost:502", "tcp://localhost:502"),
        ("meter-7.example.org:502", "tcp://meter-7.example.org:502"),
        ("[::1]:5020", "tcp://[::1]:5020"),
        ("192.168.1.50", "tcp://192.168.1.50:502"),
    ],
)
def test_an_address_without_its_scheme_is_refused_with_what_to_write(
    port: str, written: str
) -> None:
    with pytest.raises(UsageError) as caught:
        port_of(port, {})
    assert str(caught.value).endswith(f"a TCP address begins with tcp://: write {written}")


@pytest.mark.parametrize("port", ["m1.tty", "./m1.tty", "COM3", "/dev/ttyUSB0", "tcp://h:1", None])
def test_a_port_that_is_no_address_is_left_as_it_is(port: str | None) -> None:
    assert port_of(port, {"baud": None}) == port


def test_a_file_that_looks_like_an_address_is_a_port(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tty:1").touch()
    assert port_of("tty:1", {"baud": "9600"}) == "tty:1?baud=9600"
