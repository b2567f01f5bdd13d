"""The grammar of quantities: texts that are read, written and refused, and the error texts."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from protocols import quantities as q
from protocols.errors import QuantityError

TOO_LONG = "9" * 5000
"""Longer than the interpreter converts to a number by default (sys.set_int_max_str_digits)."""


def test_energy_times_price_is_a_whole_number_of_ledger_units() -> None:
    assert q.KWH * 10**4 == q.LEDGER  # one kWh at a price of 0.0001 is 0.0001 account unit
    assert q.CENT * 100 == q.LEDGER == 10**10
    assert q.format_money(q.MONEY_LIMIT) == "999999.99"
    assert q.ENERGY_WRAP == 1_000_000 * q.KWH
    assert q.MWH_IN_MW_MS == q.HOUR
    assert (q.SECOND, q.MINUTE, q.HOUR, q.DAY) == (1000, 60_000, 3_600_000, 86_400_000)


@pytest.mark.parametrize(
    ("text", "decimals", "value"),
    [
        ("0", 0, 0),
        ("17", 0, 17),
        ("17", 3, 17_000),
        ("50.00", 2, 5000),
        ("50.0", 2, 5000),
        ("0.5283", 4, 5283),
        ("007", 0, 7),
        ("+5", 2, 500),
        ("-5.25", 2, -525),
        ("-0.01", 2, -1),
        ("-0", 2, 0),
        (" 5 ", 1, 50),
        ("99999999999999999999.99", 2, 9999999999999999999999),
    ],
)
def test_fixed_point_numbers_are_read_exactly(text: str, decimals: int, value: int) -> None:
    assert q.parse_fixed(text, decimals) == value


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "-",
        ".",
        ".5",
        "5.",
        "1e3",
        "1E3",
        "1.5e-2",
        "0x10",
        "1_000",
        "1,000",
        "1 000",
        "1.2.3",
        "--5",
        "nan",
        "inf",
        "5 kW",
        "½",
        "五",
    ],
)
def test_what_is_no_number_is_refused_with_the_text_and_what_is_allowed(text: str) -> None:
    with pytest.raises(QuantityError) as caught:
        q.parse_fixed(text, 2, "an amount")
    assert repr(text) in str(caught.value)
    assert "is not an amount" in str(caught.value)
    assert "at most 2 decimals are allowed" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "decimals"), [("1.005", 2), ("-1.000", 2), ("1.0", 0), ("+0.00000", 4)]
)
def test_surplus_decimals_are_refused_even_where_they_are_zero(text: str, decimals: int) -> None:
    with pytest.raises(
        QuantityError, match=f"'{text}'".replace("+", r"\+") + f" has more than {decimals} decimals"
    ):
        q.parse_fixed(text, decimals)


@pytest.mark.parametrize("text", ["1.²", "²", "1.①", "²kW", "²h"])
@pytest.mark.parametrize(
    "parse",
    [
        lambda text: q.parse_fixed(text, 2),
        q.parse_money,
        q.parse_price,
        q.parse_power,
        q.parse_duration,
    ],
)
def test_digits_that_are_no_decimal_digits_are_refused(
    parse: Callable[[str], int], text: str
) -> None:
    with pytest.raises(QuantityError):
        parse(text)


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        pytest.param(q.parse_money, TOO_LONG, id="money"),
        pytest.param(q.parse_money, f"-{TOO_LONG}", id="negative money"),
        pytest.param(q.parse_price, TOO_LONG, id="price"),
        pytest.param(q.parse_power, f"{TOO_LONG}W", id="power"),
        pytest.param(q.parse_duration, f"{TOO_LONG}s", id="duration"),
        pytest.param(q.parse_duration, f"1.{TOO_LONG}s", id="duration's fraction"),
        pytest.param(q.parse_moment, TOO_LONG, id="moment"),
        pytest.param(q.parse_date, TOO_LONG, id="date"),
    ],
)
def test_a_text_of_thousands_of_digits_is_refused_as_any_other(
    parse: Callable[[str], int], text: str
) -> None:
    with pytest.raises(QuantityError):
        parse(text)


@pytest.mark.parametrize(
    ("value", "decimals", "shown", "text"),
    [
        (0, 2, 2, "0.00"),
        (5000, 2, 2, "50.00"),
        (-525, 2, 2, "-5.25"),
        (-1, 10, 2, "0.00"),
        (-q.CENT, 10, 2, "-0.01"),
        (19_999_999_999, 10, 2, "1.99"),
        (-19_999_999_999, 10, 2, "-1.99"),
        (5283, 4, 4, "0.5283"),
        (17, 0, 0, "17"),
        (-17, 0, 0, "-17"),
        (1999, 3, 0, "1"),
        (-999, 3, 0, "0"),
    ],
)
def test_fixed_point_numbers_are_written_cut_towards_zero_and_never_as_minus_zero(
    value: int, decimals: int, shown: int, text: str
) -> None:
    assert q.format_fixed(value, decimals, shown) == text


def test_money_is_read_in_cents_and_written_with_as_many_decimals_as_asked_for() -> None:
    assert q.parse_money("50.00") == 50 * q.LEDGER
    assert q.parse_money("-0.01") == -q.CENT
    assert q.format_money(50 * q.LEDGER) == "50.00"
    assert q.format_money(-1, 10) == "-0.0000000001"
    with pytest.raises(QuantityError, match=r"'0\.005' has more than 2 decimals"):
        q.parse_money("0.005")
    with pytest.raises(QuantityError, match="'fifty' is not an amount of money"):
        q.parse_money("fifty")


@pytest.mark.parametrize(
    ("text", "zero", "cents"),
    [
        ("0.01", False, 1),
        ("0.01", True, 1),
        ("0", True, 0),
        ("50", False, 5000),
        ("999999.99", False, 99_999_999),
        ("999999.99", True, 99_999_999),
    ],
)
def test_an_amount_to_be_sold_is_read_in_cents(text: str, zero: bool, cents: int) -> None:
    assert q.parse_amount(text, zero=zero) == cents


@pytest.mark.parametrize(
    ("text", "zero", "lowest"),
    [
        ("0", False, "0.01"),
        ("0.00", False, "0.01"),
        ("-0.01", False, "0.01"),
        ("-0.01", True, "0.00"),
        ("1000000", False, "0.01"),
        ("1000000.00", True, "0.00"),
    ],
)
def test_an_amount_out_of_range_is_refused_with_the_range(
    text: str, zero: bool, lowest: str
) -> None:
    with pytest.raises(QuantityError) as caught:
        q.parse_amount(text, zero=zero)
    assert str(caught.value) == f"amount {text}: allowed is {lowest} to 999999.99"


def test_the_power_of_a_load_is_at_most_a_gigawatt() -> None:
    assert q.parse_power("1000000kW") == 10**12
    assert q.parse_power("-1000000kW") == -(10**12)
    for text in ("1000000000000.001W", "-1000000.000001kW"):
        with pytest.raises(QuantityError, match="out of range: at most 1000000kW"):
            q.parse_power(text)


def test_a_price_has_four_decimals_and_is_not_negative() -> None:
    assert q.parse_price("0.5283") == 5283
    assert q.parse_price("0") == 0
    with pytest.raises(QuantityError, match=r"'-0\.0001' is negative: a price is 0 or more"):
        q.parse_price("-0.0001")
    with pytest.raises(QuantityError, match="more than 4 decimals"):
        q.parse_price("0.52831")
    with pytest.raises(QuantityError, match="'1e-1' is not a price per kWh"):
        q.parse_price("1e-1")


@pytest.mark.parametrize(
    ("text", "milliwatts"),
    [
        ("2kW", 2_000_000),
        ("350W", 350_000),
        ("-1.5kW", -1_500_000),
        ("+1W", 1000),
        ("7mW", 7),
        ("0kW", 0),
        ("2 kW", 2_000_000),
        (" 2kw ", 2_000_000),
        ("0.000001kW", 1),
        ("0.001W", 1),
    ],
)
def test_powers_are_read_in_milliwatts(text: str, milliwatts: int) -> None:
    assert q.parse_power(text) == milliwatts


@pytest.mark.parametrize(
    "text", ["", "2", "kW", "2 kWh", "2e3W", "1kW5W", "2 000W", "2VA", "two kW"]
)
def test_what_is_no_power_is_refused_with_examples(text: str) -> None:
    with pytest.raises(QuantityError) as caught:
        q.parse_power(text)
    assert str(caught.value) == f"{text!r} is not a power: write it as 2kW, 350W or -1.5kW"


@pytest.mark.parametrize("text", ["0.1mW", "0.0001W", "1.0000001kW"])
def test_a_power_finer_than_a_milliwatt_is_refused(text: str) -> None:
    with pytest.raises(QuantityError, match="decimals"):
        q.parse_power(text)


@pytest.mark.parametrize("text", ["2MW", "1.5MW"])
def test_a_megawatt_is_not_read_as_a_milliwatt(text: str) -> None:
    with pytest.raises(QuantityError):
        q.parse_power(text)


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [
        ("17h", 17 * q.HOUR),
        ("1h30m", 90 * q.MINUTE),
        ("30m", 30 * q.MINUTE),
        ("30min", 30 * q.MINUTE),
        ("1h30min", 90 * q.MINUTE),
        ("90s", 90_000),
        ("2.5s", 2500),
        ("500ms", 500),
        ("5d", 5 * q.DAY),
        ("1.5h", 90 * q.MINUTE),
        ("0.001s", 1),
        ("0s", 0),
        (" 1d2h3m4s5ms ", q.DAY + 2 * q.HOUR + 3 * q.MINUTE + 4005),
    ],
)
def test_durations_are_read_in_milliseconds(text: str, milliseconds: int) -> None:
    assert q.parse_duration(text) == milliseconds


@pytest.mark.parametrize(
    "text", ["", " ", "17", "h", "-1h", "+1h", "1h 30m", "1e3s", "1.s", ".5s", "17H", "1w", "1h30"]
)
def test_what_is_no_duration_is_refused_with_examples(text: str) -> None:
    with pytest.raises(QuantityError) as caught:
        q.parse_duration(text)
    message = f"{text!r} is not a duration: write it as 17h, 30m, 90s, 500ms, 5d or 1h30m"
    assert str(caught.value) == message


@pytest.mark.parametrize("text", ["0.5ms", "0.0001s", "1h0.0001s"])
def test_a_duration_finer_than_a_millisecond_is_refused(text: str) -> None:
    with pytest.raises(QuantityError, match=f"'{text}' is finer than a millisecond"):
        q.parse_duration(text)


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        (0, "0s"),
        (17 * q.HOUR, "17h"),
        (90 * q.MINUTE, "1h30m"),
        (2500, "2s500ms"),
        (25 * q.HOUR, "1d1h"),
        (q.DAY + 2 * q.HOUR + 3 * q.MINUTE + 4005, "1d2h3m4s5ms"),
    ],
)
def test_durations_are_written_as_they_are_read(milliseconds: int, text: str) -> None:
    assert q.format_duration(milliseconds) == text
    assert q.parse_duration(text) == milliseconds


NEW_YEAR = 1_767_225_600_000
"""2026-01-01T00:00:00Z."""


@pytest.mark.parametrize(
    ("text", "offset", "moment"),
    [
        ("1970-01-01", 0, 0),
        ("2026-01-01", 0, NEW_YEAR),
        ("2026-01-01", 480, NEW_YEAR - 8 * q.HOUR),
        ("2026-01-01T08:00", 480, NEW_YEAR),
        ("2026-01-01 08:00", 480, NEW_YEAR),
        ("2026-01-01T08:00:05", 0, NEW_YEAR + 8 * q.HOUR + 5000),
        ("2026-01-01T00:00:00.5Z", 0, NEW_YEAR + 500),
        ("2026-01-01T00:00:00.123Z", 480, NEW_YEAR + 123),
        ("2026-01-01T00:00Z", 480, NEW_YEAR),
        ("2026-01-01T08:00+08:00", 0, NEW_YEAR),
        ("2026-01-01T08:00+0800", -300, NEW_YEAR),
        ("2025-12-31T19:00:00-05:00", 0, NEW_YEAR),
        ("1969-12-31T23:59:59.999Z", 0, -1),
        (" 2026-01-01 ", 0, NEW_YEAR),
    ],
)
def test_moments_are_read_with_their_offset_or_as_local_time(
    text: str, offset: int, moment: int
) -> None:
    assert q.parse_moment(text, offset) == moment


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-01-01T08:00", q.LocalMoment(NEW_YEAR + 8 * q.HOUR)),
        ("2026-01-01", q.LocalMoment(NEW_YEAR)),
        ("1969-12-31T23:59:59.999", q.LocalMoment(-1)),
        ("2026-01-01T08:00Z", NEW_YEAR + 8 * q.HOUR),
        ("2026-01-01T08:00+08:00", NEW_YEAR),
    ],
)
def test_a_moment_without_an_offset_is_told_from_an_instant(
    text: str, moment: int | q.LocalMoment
) -> None:
    found = q.parse_written_moment(text)
    assert (type(found), found) == (type(moment), moment)


def test_a_local_moment_is_written_without_an_offset() -> None:
    assert str(q.LocalMoment(NEW_YEAR)) == "2026-01-01T00:00:00.000"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "2026-1-1",
        "2026-01-01T8:00",
        "2026-01-01Z",
        "2026-01-01T",
        "01.02.2026",
        "20260101",
        "2026-01-01T00:00:00.1234Z",
        "2026-01-01T00:00z",
        "2026-01-01T00:00 Z",
    ],
)
def test_what_is_no_moment_is_refused_with_examples(text: str) -> None:
    with pytest.raises(QuantityError) as caught:
        q.parse_moment(text)
    assert str(caught.value).startswith(
        f"{text!r} is not a date and time: write 2026-01-31T08:00:00Z"
    )


@pytest.mark.parametrize(
    "text",
    [
        "2026-13-01",
        "2026-02-29",
        "2026-00-10",
        "0000-01-01",
        "2026-01-01T25:00",
        "2026-01-01T00:60Z",
        "2026-01-01T00:00:61Z",
        "2026-01-01T00:00+24:00",
    ],
)
def test_a_date_or_time_that_does_not_exist_is_refused(text: str) -> None:
    with pytest.raises(QuantityError) as caught:
        q.parse_moment(text)
    assert str(caught.value).startswith(f"{text!r} is not a date and time: ")


@pytest.mark.parametrize(
    ("moment", "offset", "text"),
    [
        (0, 0, "1970-01-01T00:00:00.000Z"),
        (-1, 0, "1969-12-31T23:59:59.999Z"),
        (NEW_YEAR + 5, 480, "2026-01-01T08:00:00.005+08:00"),
        (NEW_YEAR, -210, "2025-12-31T20:30:00.000-03:30"),
    ],
)
def test_moments_are_written_with_milliseconds_and_offset(
    moment: int, offset: int, text: str
) -> None:
    assert q.format_moment(moment, offset) == text
    assert q.parse_moment(text) == moment


@pytest.mark.parametrize("moment", [2**64 - 1, -(2**63), 253_402_300_800_000])
def test_an_instant_beyond_the_calendar_is_written_as_its_number(moment: int) -> None:
    assert q.format_moment(moment) == f"@{moment}"
    assert q.format_moment(moment, 480) == f"@{moment}"


@pytest.mark.parametrize(
    ("days", "text"),
    [
        (0, "1970-01-01"),
        (20_454, "2026-01-01"),
        (19_782, "2024-02-29"),
        (-1, "1969-12-31"),
        (2_932_896, "9999-12-31"),
    ],
)
def test_dates_are_read_and_written_as_days_since_1970(days: int, text: str) -> None:
    assert q.parse_date(text) == days
    assert q.format_date(days) == text


@pytest.mark.parametrize(
    "text", ["", "2026-02-29", "2026-13-01", "31.01.2026", "2026-01-31T00:00", "tomorrow"]
)
def test_what_is_no_date_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(QuantityError) as caught:
        q.parse_date(text)
    assert str(caught.value) == f"{text!r} is not a date: write it as 2026-01-31"


@pytest.mark.parametrize("days", [2_932_897, 2**32 - 1])
def test_a_date_beyond_the_calendar_can_be_written_all_the_same(days: int) -> None:
    """Registers can hold such a date, so its display must not raise (compare `format_moment`)."""
    assert str(days) in q.format_date(days)


def test_a_number_has_at_most_30_digits_on_either_side() -> None:
    longest = "9" * 30
    assert q.parse_fixed(longest, 0) == int(longest)
    assert q.parse_fixed(f"{longest}.{longest}", 30) == int(longest + longest)
    for text in ("9" * 31, f"1.{'9' * 31}", f"{'9' * 31}.1"):
        with pytest.raises(QuantityError):
            q.parse_fixed(text, 31)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("0,52", "; write a point: 0.52"),
        (" -12,5", "; write a point: -12.5"),
        ("0,528", "; write a point: 0.528"),
        ("1,000", ""),  # a thousand, or one
        ("1,000.5", ""),
        (",5", ""),
        ("x", ""),
    ],
)
def test_a_decimal_comma_is_named_with_the_number_to_write(text: str, hint: str) -> None:
    with pytest.raises(QuantityError) as caught:
        q.parse_fixed(text, 4, "a price")
    assert str(caught.value).partition(" are allowed")[2] == hint
