"""Numbers that are given, checked and masked."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterctl.utility.errors import Invalid
from meterctl.utility.rules.numbering import (
    PartyNumberKind,
    agreement_number,
    checked_customer_number,
    customer_number,
    masked_party_number,
    masked_phone,
    party_number,
    receipt_number,
    shift_number,
)

STATIONS = st.from_regex(r"[0-9]{4}", fullmatch=True)
SERIALS = st.integers(1, 9_999_999)


def test_a_customer_number_has_station_serial_and_check_digit() -> None:
    assert customer_number("1001", 1) == "100100000014"
    assert customer_number("0020", 667308) == "002006673085"  # the example of python-stdnum
    assert checked_customer_number(" 1001 0000 0014 ") == "100100000014"
    assert checked_customer_number("１００１-00000014") == "100100000014"


@pytest.mark.parametrize(("station", "serial"), [("101", 1), ("１００１", 1), ("1001", 0)])
def test_a_number_that_has_no_place_is_refused(station: str, serial: int) -> None:
    with pytest.raises(Invalid, match="make no customer number"):
        customer_number(station, serial)
    with pytest.raises(Invalid):
        customer_number("1001", 10_000_000)


@given(STATIONS, SERIALS, st.integers(0, 11), st.integers(1, 9))
def test_every_wrong_digit_is_found(station: str, serial: int, place: int, more: int) -> None:
    number = customer_number(station, serial)
    assert checked_customer_number(number) == number
    wrong = f"{number[:place]}{(int(number[place]) + more) % 10}{number[place + 1 :]}"
    with pytest.raises(Invalid, match="a digit is wrong") as refused:
        checked_customer_number(wrong)
    assert refused.value.code == "check_digit"


@pytest.mark.parametrize("text", ["", "10010000001", "1001000000144", "10010000001x"])
def test_what_has_not_12_digits_is_no_customer_number(text: str) -> None:
    with pytest.raises(Invalid, match="it has 12 digits") as refused:
        checked_customer_number(text)
    assert refused.value.code == "customer_number"


@pytest.mark.parametrize(
    ("text", "kind", "number"),
    [
        ("11010519491231002x", PartyNumberKind.RESIDENT_IDENTITY, "11010519491231002X"),
        ("360426 19910101 0071", PartyNumberKind.RESIDENT_IDENTITY, "360426199101010071"),
        ("91110000600037341L", PartyNumberKind.UNIFIED_SOCIAL_CREDIT, "91110000600037341L"),
        ("9111 0000 6000 3734 1l", PartyNumberKind.UNIFIED_SOCIAL_CREDIT, "91110000600037341L"),
    ],
)
def test_a_partys_number_is_kept_in_one_form(text: str, kind: PartyNumberKind, number: str) -> None:
    assert party_number(text) == (kind, number)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("110105194912310020", "check_digit"),
        ("11010519491231012X", "check_digit"),
        ("91110000600037341A", "check_digit"),
        ("110105194913310005", "party_number"),  # no month 13
        ("9111000060003734IL", "party_number"),
        ("", "party_number"),
        ("E12345678", "party_number"),
        ("１" * 18, "check_digit"),
    ],
)
def test_a_wrong_number_of_a_party_is_refused(text: str, code: str) -> None:
    with pytest.raises(Invalid) as refused:
        party_number(text)
    assert refused.value.code == code


@given(st.text(max_size=20))
def test_any_text_is_a_number_or_refused(text: str) -> None:
    for check in (party_number, checked_customer_number):
        try:
            check(text)
        except Invalid:
            continue


def test_shifts_receipts_and_agreements_are_numbered_in_their_order() -> None:
    assert shift_number("1001", 12) == "1001-000012"
    assert receipt_number("1001-000012", 7) == "1001-000012-0007"
    assert agreement_number("1001", 2026, 41) == "1001-2026-000041"
    serials = [1, 9, 10, 99, 999]
    numbers = [receipt_number("1001-000012", serial) for serial in serials]
    assert numbers == sorted(numbers)


def test_a_masked_number_hides_its_middle() -> None:
    assert masked_phone("13812345678") == "138****5678"
    assert masked_party_number("11010519491231002X") == "110************02X"
    assert masked_phone("1234567") == "*******"
    assert masked_phone("") == ""


@given(st.text(max_size=30))
def test_masking_keeps_the_length_and_hides_at_least_one_character(text: str) -> None:
    for masked in (masked_phone(text), masked_party_number(text)):
        assert len(masked) == len(text)
        assert "*" in masked or not text
