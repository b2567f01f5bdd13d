"""Loads from CSV text: values, spellings, errors with their lines, and rows that are shared."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_sim.metrology import load_csv
from firmware_sim.metrology.load import Demand, Load, OnEnd
from firmware_sim.metrology.load_csv import parse_load, parse_rows, place
from protocols.errors import QuantityError
from protocols.quantities import DAY, HOUR, MINUTE

EPOCH_MS = 1_767_225_600_000
"""2026-01-01T00:00:00Z."""


def demands(load: Load, count: int) -> list[tuple[int, Demand]]:
    """Return the first rows of a load: (elapsed ms, demand)."""
    found, at = [], 0
    for _ in range(count):
        demand, following = load.at(at)
        found.append((at, demand))
        if following is None:
            break
        at = following
    return found


def test_offsets_begin_at_the_origin_and_time_stamps_at_the_clock() -> None:
    by_offset = parse_load("offset,power_w\n0m,1\n15m,2\n", 1, 0, OnEnd.HOLD, origin_ms=5)
    by_stamp = parse_load(
        "time,power_w\n2026-01-01T00:00:00Z,1\n2026-01-01T00:15:00Z,2\n",
        1,
        EPOCH_MS,
        OnEnd.HOLD,
        origin_ms=5,
    )
    for load in (by_offset, by_stamp):
        assert load.at(5) == (Demand((1000,)), 15 * MINUTE + 5)
        assert load.at(15 * MINUTE + 5) == (Demand((2000,)), None)


def test_a_total_is_split_with_the_odd_milliwatts_on_l1() -> None:
    load = parse_load("offset_s,power_w\n0,-0.005\n1,7\n", 3, 0)
    assert load.at(0)[0].phases == (-3, -1, -1)
    assert load.at(1000)[0].phases == (2334, 2333, 2333)


def test_a_column_a_phase_and_the_power_factor() -> None:
    text = "offset_s,power_factor,power_l1_kw,power_l2_kw,power_l3_kw\n0,0.95,1,-2.5,0.000001\n"
    assert parse_load(text, 3, 0).at(0) == (Demand((1_000_000, -2_500_000, 1), 9500), None)


@pytest.mark.parametrize("phases", [1, 2])
def test_columns_of_other_phases_than_the_meters_are_refused(phases: int) -> None:
    rows = parse_rows("offset_s,power_l1_w,power_l2_w,power_l3_w\n0,1,2,3\n")
    with pytest.raises(QuantityError, match="power columns of 3 phases"):
        place(rows, phases, 0, OnEnd.HOLD)


def test_the_column_of_one_phase_is_no_total() -> None:
    rows = parse_rows("offset_s,power_l1_w\n0,1\n")
    assert place(rows, 1, 0, OnEnd.HOLD).at(0)[0] == Demand((1000,))
    with pytest.raises(QuantityError):
        place(rows, 3, 0, OnEnd.HOLD)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "the file is empty"),
        ("time,power_w\n", "the file has no rows"),
        ("when,power_w\n0,1\n", "the first column is 'when'"),
        ("time,watts\n0,1\n", "power columns watts"),
        ("time\n0\n", "power columns none"),
        (
            "offset,power_w\n1m,1\n2m,x\n",
            "line 3: 'x' is not a power: digits with at most 3 decimals are allowed (power_w)",
        ),
        ("offset,power_w\n1m,1\n2m,1.2345\n", "line 3: '1.2345' has more than 3 decimals"),
        ("offset,power_w\n1m,1\n1m,2\n", "line 3: 1m does not come after the row before it"),
        ("offset,power_w\n1m,1\n\n2m\n", "line 4: 1 values for 2 columns"),
        ("offset,power_w\n1m,1000000001\n", "line 2: 1000000001 is out of range: at most 1 GW"),
        ("offset,power_w\nx,1\n", "line 2: 'x' is not a duration"),
        (
            "time,power_w\n2026-01-01T00:00:00Z,1\n2026-01-01T01:00:00,1\n",
            "line 3: 2026-01-01T01:00:00 has no offset, times before it have one: write it in all",
        ),
        (
            "time,power_w\n2026-01-01T00:00,1\n2026-01-01T01:00+01:00,1\n",
            "line 3: 2026-01-01T01:00+01:00 has an offset, times before it have none",
        ),
        (
            "time,power_w\n2026-02-30T00:00:00Z,1\n",
            "line 2: '2026-02-30T00:00:00Z' is no time: write 2026-01-01T00:00:00Z, or",
        ),
        ("offset,power_w,power_factor\n1m,1,0\n", "line 2: 0 is not a power factor"),
        ('offset,power_kw\n0s,"1,5"\n60s,"2,75"\n', "line 2: '1,5' is not a power"),
        ('offset_s,power_w\n"0,900",100\n1800,200\n', "line 2: '0,900' is not a number"),
        ('offset,power_w\n0s,1.5\n60s,"2,3"\n', "line 3: '2,3' is not a power"),
        ("offset,power_w,power_factor\n1m,1,1.5\n", "line 2: 1.5 is not a power factor"),
    ],
)
def test_an_error_names_its_line_and_what_is_allowed(text: str, says: str) -> None:
    with pytest.raises(QuantityError) as error:
        parse_rows(text)
    assert says in str(error.value)


def test_an_error_after_many_plain_pieces_names_its_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load_csv, "_PIECE", 64)
    lines = [f"{number}m,{number}" for number in range(500)]
    lines[321] = "320m,1"
    with pytest.raises(QuantityError, match="line 323: 320m does not come after"):
        parse_rows("offset,power_w\n" + "\n".join(lines))


POWERS = st.decimals(-5000, 5000, places=3)


@given(
    rows=st.lists(st.tuples(st.integers(1, 10**6), POWERS), min_size=1, max_size=40),
    piece=st.integers(1, 200),
    spelling=st.sampled_from(["{:f}", "{:.3f}", "{:.1f}", "{:.0f}", "+{:.2f}", " {:f} "]),
    dated=st.booleans(),
)
@settings(max_examples=150, deadline=None)
def test_reading_in_pieces_and_by_column_gives_the_values_of_each_row(
    rows: list[tuple[int, Decimal]], piece: int, spelling: str, dated: bool
) -> None:
    at_s, lines, wanted = 0, [], []
    for step_s, power in rows:
        text = spelling.format(abs(power) if spelling.startswith("+") else power)
        value = Decimal(text)
        at_s += step_s
        days, rest_s = divmod(at_s, 86_400)
        stamp = f"{2026 + days // 28 // 12}-{days // 28 % 12 + 1:02d}-{days % 28 + 1:02d}"
        clock = f"T{rest_s // 3600:02d}:{rest_s // 60 % 60:02d}:{rest_s % 60:02d}Z"
        lines.append(f"{stamp + clock if dated else at_s},{text}")
        wanted.append(int(value * 1000))
    header = "time,power_w" if dated else "offset_s,power_w"
    held, load_csv._PIECE = load_csv._PIECE, piece
    try:
        found = parse_rows("\n".join([header, *lines]))
    finally:
        load_csv._PIECE = held
    assert [found.demand(index, 1).phases[0] for index in range(len(found))] == wanted
    if not dated:
        assert list(found.starts_ms)[-1] == at_s * 1000


def test_a_year_of_minutes_is_packed() -> None:
    lines = (f"{minute}m,{minute % 4999}.{minute % 10}" for minute in range(10_000))
    rows = parse_rows("offset,power_w\n" + "\n".join(lines))
    assert isinstance(rows.starts_ms, range)
    assert [column.itemsize for column in rows.columns] == [4]
    assert rows.factors is None


# ---- after the last row


def test_repeated_rows_recur_with_their_last_step() -> None:
    load = parse_load("offset,power_w\n0h,1\n1h,2\n3h,3\n", 1, 0, OnEnd.REPEAT)
    assert demands(load, 5) == [
        (0, Demand((1000,))),
        (HOUR, Demand((2000,))),
        (3 * HOUR, Demand((3000,))),
        (5 * HOUR, Demand((1000,))),
        (6 * HOUR, Demand((2000,))),
    ]


def test_rows_that_begin_later_hold_before_their_beginning() -> None:
    load = parse_load("offset,power_w\n2h,1\n3h,2\n", 1, 0, OnEnd.HOLD)
    assert load.at(0) == (Demand((1000,)), 2 * HOUR)


def test_nothing_flows_after_the_end_of_rows_that_end_in_zero() -> None:
    load = parse_load("offset,power_w\n0h,1\n1h,2\n", 3, 0, OnEnd.ZERO)
    assert load.at(HOUR) == (Demand((668, 666, 666)), 2 * HOUR)
    assert load.at(2 * HOUR) == (Demand((0, 0, 0)), None)


def test_one_row_holds_whatever_comes_after_it() -> None:
    for on_end in OnEnd:
        assert parse_load("offset,power_w\n0h,1\n", 1, 0, on_end).at(9 * DAY) == (
            Demand((1000,)),
            None,
        )


@pytest.mark.parametrize(
    "text",
    [
        "time,power_w,power_factor\n2026-01-01T00:00:00Z,1,0.9\n2026-01-01T01:00:00Z,-2.5,1\n",
        "time,power_w,power_factor\n2026-01-01T00:00:00Z,1,0.9\n\n2026-01-01T01:00:00Z,-2.5,1\n",
        "time,power_w,power_factor\n"
        "2026-01-01T01:00:00+01:00,1,0.9\n2025-12-31T20:00:00.000-05:00,-2.5,1\n",
    ],
    ids=["plain", "with an empty line", "with other offsets"],
)
def test_rows_that_are_not_plain_are_read_like_plain_ones(text: str) -> None:
    rows = parse_rows(text)
    assert list(rows.starts_ms) == [EPOCH_MS, EPOCH_MS + HOUR]
    assert [list(column) for column in rows.columns] == [[1000, -2500]]
    assert rows.factors is not None
    assert list(rows.factors) == [9000, 10_000]


@pytest.mark.parametrize("first", ["0", "+0", "-5"])
def test_the_first_offset_may_be_zero_or_earlier(first: str) -> None:
    rows = parse_rows(f"offset_s,power_w\n{first},1\n7,2\n")
    assert list(rows.starts_ms) == [1000 * int(first), 7000]


@pytest.mark.parametrize("sign", ["", "-"])
def test_a_power_of_one_gigawatt_is_read_and_none_above_it(sign: str) -> None:
    for column, limit, above in (
        ("power_w", "1000000000", "1000000000.001"),
        ("power_kw", "1000000", "1000000.000001"),
    ):
        rows = parse_rows(f"offset_s,{column}\n0,{sign}{limit}\n")
        assert rows.columns[0][0] == int(f"{sign}{10**12}")
        with pytest.raises(QuantityError, match="at most 1 GW"):
            parse_rows(f"offset_s,{column}\n0,{sign}{above}\n")


@pytest.mark.parametrize(
    ("times", "starts_ms"),
    [
        (("time", "2026-01-01T00:00:00Z", "2026-01-02T23:59:58Z"), [0, 2 * DAY - 2000]),
        (("time", "2026-01-01T10:20:30Z", "2026-01-01T11:00:00Z"), [37_230_000, 11 * HOUR]),
        (("offset", "15m", "16m"), [15 * MINUTE, 16 * MINUTE]),
        (("offset_s", "900.000", "900.001"), [900_000, 900_001]),
        (("offset_s", "-1.5", "2"), [-1500, 2000]),
    ],
)
@pytest.mark.parametrize("power", ["1000000000", "-1000000000", "0.001"])
def test_a_plain_file_is_read_by_column(
    times: tuple[str, str, str], starts_ms: list[int], power: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(load_csv._Reader, "_row_by_row")
    name, first, second = times
    rows = parse_rows(f"{name},power_w\n{first},{power}\n{second},7\n")
    origin = EPOCH_MS if rows.is_dated else 0
    assert [at - origin for at in rows.starts_ms] == starts_ms
    assert list(rows.columns[0]) == [int(Decimal(power) * 1000), 7000]


@pytest.mark.parametrize("phases", [1, 2, 3])
def test_a_file_has_a_column_for_each_of_up_to_three_phases(phases: int) -> None:
    names = ",".join(f"power_l{phase}_w" for phase in range(1, phases + 1))
    values = ",".join(str(phase) for phase in range(1, phases + 1))
    rows = parse_rows(f"offset_s,{names}\n0,{values}\n")
    assert [column[0] for column in rows.columns] == [1000 * n for n in range(1, phases + 1)]
    with pytest.raises(QuantityError, match="power columns"):
        parse_rows(f"offset_s,{names},power_l{phases + 2}_w\n0,{values},1\n")


def test_without_an_origin_offsets_begin_with_the_meter() -> None:
    text = "offset_s,power_w\n1,1\n2,2\n"
    for load in (place(parse_rows(text), 1, 0, OnEnd.HOLD), parse_load(text, 1, 0, OnEnd.HOLD)):
        assert [load.at(ms)[1] for ms in (0, 1000, 2000)] == [1000, 2000, None]


# ---- files as spreadsheets write them

PLAIN = "time,power_w\n2026-01-01T00:00:00Z,100.5\n2026-01-01T00:15:00Z,-2000\n"


@pytest.mark.parametrize(
    "text",
    [
        PLAIN.replace(",", ";"),
        PLAIN.replace(",", "\t"),
        PLAIN.replace(",", ";").replace(".", ","),
        PLAIN.replace(",", "\t").replace(".", ","),
        "sep=;\n" + PLAIN.replace(",", ";"),
        "\n\n" + PLAIN + "\n\n",
        ";;\n" + PLAIN.replace(",", ";").replace("\n", ";;\n") + ";;;\n",
        PLAIN.replace("\n", ",,\n") + ",,,,\n",
        PLAIN.replace("2026", '"2026').replace("Z", 'Z"').replace("time", '"Time"'),
        PLAIN.replace("100.5\n", "100.5,,\n\n , \n"),
    ],
    ids=[
        "semicolons", "tabs", "decimal commas", "tabs and decimal commas", "sep=", "empty lines",
        "empty cells", "empty columns", "quotes", "an empty line and cells in the middle",
    ],
)  # fmt: skip
@pytest.mark.parametrize("piece", [1, 60, 1 << 16])
def test_a_file_of_a_spreadsheet_is_read_as_the_plain_one(
    text: str, piece: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(load_csv, "_PIECE", piece)
    found, plain = parse_rows(text), parse_rows(PLAIN)
    assert found.is_dated
    assert [*found.starts_ms] == [*plain.starts_ms]
    assert [found.demand(n, 1) for n in range(2)] == [Demand((100_500,)), Demand((-2_000_000,))]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("offset;power_w\n0m;1,5\n1m;2.5", "line 3: '2.5' has the decimal sign '.', numbers bef"),
        ("offset;power_w\n0m;1.5\n1m;2,5", "line 3: '2,5' has the decimal sign ',', numbers bef"),
        ("offset;power_w\n0m;1.234,5", "line 2: '1.234,5' has separators of thousands"),
        ('offset,power_w\n0m,"1,500"', "line 2: '1,500' is not a power"),
        ('\n\noffset,power_w\n0m,"1\n1m,2\n', "line 4: a quotation mark is not closed"),
        ("\n\nwhen,power_w\n", "line 3: the first column is 'when'"),
        ("time,power_w\n01.01.2026 00:00,1\n", "line 2: '01.01.2026 00:00' is no time: write 2026"),
    ],
)
def test_what_could_mean_two_things_is_refused_by_line(text: str, says: str) -> None:
    with pytest.raises(QuantityError) as caught:
        parse_rows(text)
    assert str(caught.value).startswith(says)


def test_wrong_lines_are_named_at_once_and_the_others_counted() -> None:
    lines = [f"{minute}m,{'x' if minute % 2 else minute}" for minute in range(1, 40)]
    with pytest.raises(QuantityError) as caught:
        parse_rows("offset,power_w\n" + "\n".join(lines))
    told = str(caught.value).splitlines()
    assert [line.partition(":")[0] for line in told[:-1]] == [f"line {n}" for n in range(2, 12, 2)]
    assert told[-1] == "15 more lines are wrong"


@pytest.mark.parametrize("delimiter", [";", "\t"])
@pytest.mark.parametrize("last", ["2.000", "999", "-1.250", " 12.000"])
def test_points_that_may_be_separators_of_thousands_are_refused(delimiter: str, last: str) -> None:
    rows = ["offset;power_w", "", "0m;800", "1m;1.500", *(f"{n}m;2.000" for n in range(2, 9))]
    text = "\n".join([*rows, f"9m;{last}"]).replace(";", delimiter)
    told = "line 4: '1.500' may be thousands or decimals.*write 1500, or 1,500 with a decimal comma"
    with pytest.raises(QuantityError, match=told):
        parse_rows(text)
    with pytest.raises(QuantityError, match=told):
        parse_rows(line + "\n" for line in text.splitlines())


@pytest.mark.parametrize("last", ["0.250", "1.5", "1234.500", "-0.000", "2.00"])
def test_one_number_that_cannot_be_thousands_makes_all_points_decimal(last: str) -> None:
    text = f"offset;power_w\n0m;1.500\n1m;2.000\n2m;{last}"
    for pieces in (text, [line + "\n" for line in text.splitlines()]):
        assert list(parse_rows(pieces).columns[0])[:2] == [1500, 2000]


def test_three_decimals_are_plain_where_commas_separate_cells_or_are_the_decimal_sign() -> None:
    for text in ("offset,power_w\n0m,1.500", "offset;power_w\n0m;1,500"):
        assert list(parse_rows(text).columns[0]) == [1500]


@pytest.mark.parametrize("cell", ["1,5", '"1,5"'])
def test_a_comma_in_a_number_of_a_file_with_commas_is_named_as_the_trouble(cell: str) -> None:
    with pytest.raises(QuantityError, match=r"line 2: .*; commas separate the cells here: write 1"):
        parse_rows(f"offset,power_w\n0m,{cell}")


def test_a_step_back_within_an_hour_of_local_time_is_told_the_cure() -> None:
    told = "line 3: .* does not come after the row before it; .* write offsets after all times"
    for first, second in (("T02:45", "T02:00"), ("T02:00", "T02:00")):
        with pytest.raises(QuantityError, match=told):
            parse_rows(f"time,power_w\n2026-10-25{first},1\n2026-10-25{second},2")
    for first, second in (("T04:00", "T02:00"), ("T02:45Z", "T02:00Z")):
        with pytest.raises(QuantityError, match=r"the row before it$"):
            parse_rows(f"time,power_w\n2026-10-25{first},1\n2026-10-25{second},2")
    whole = "time,power_w\n2026-10-25T02:45+02:00,1\n2026-10-25T02:00+01:00,2"
    assert len(parse_rows(whole).starts_ms) == 2
