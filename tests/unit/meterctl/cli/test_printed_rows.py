"""Rows and records of commands: JSON Lines for scripts, tables for people."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from meterctl.cli.clock import nearest_s
from meterctl.errors import UsageError
from meterctl.journal import EntryState, Journal
from protocols.card.applet import Card
from tests.support.setup import METER, SERIAL, Setup
from tests.unit.meterctl.cli.conftest import Run

AT = "2026-01-01T00:00:00.000Z"
ENTRY_HEADING = [
    *("id", "meter", "epoch", "sequence", "kind", "amount"),
    *("state", "outcome", "created", "changed", "card"),
]


def cells(out: str) -> list[list[str]]:
    """Return the cells of a table, its heading first."""
    rows = [line for line in out.splitlines() if line[0] in "┃│"]
    return [[cell.strip() for cell in line[1:-1].replace("┃", "│").split("│")] for line in rows]


def test_a_record_is_one_object_or_a_table_of_its_items(run: Run) -> None:
    assert run("clock", "clock", "show", json=True).out == (
        f'{{"clock": "{AT}", "utc_offset_minutes": 0, "elapsed_ms": 0, '
        f'"host_clock": "{AT}", "difference_s": 0}}\n'
    )
    assert run("clock", "clock", "show").out == (
        "┏━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━━━━━━━━┓\n"
        "┃ item               ┃                    value ┃\n"
        "┡━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━━━━━━━━┩\n"
        "│ clock              │ 2026-01-01T00:00:00.000Z │\n"
        "│ utc_offset_minutes │                        0 │\n"
        "│ elapsed_ms         │                        0 │\n"
        "│ host_clock         │ 2026-01-01T00:00:00.000Z │\n"
        "│ difference_s       │                        0 │\n"
        "└────────────────────┴──────────────────────────┘\n"
    )


def test_items_are_printed_with_their_units(run: Run) -> None:
    assert run("reading", "read", "debt", "active_power_kw", json=True).out == (
        '{"debt": 0.00, "active_power_kw": 0.000000}\n'
    )
    assert run("reading", "read", "debt", "active_power_kw").out == (
        "┏━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━┓\n"
        "┃ item            ┃       value ┃\n"
        "┡━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━┩\n"
        "│ debt            │        0.00 │\n"
        "│ active_power_kw │ 0.000000 kW │\n"
        "└─────────────────┴─────────────┘\n"
    )
    account = run("account", "account", "show", json=True).out
    assert account.startswith(
        '{"account_state": "open", "customer_number": "000000001001", "account_unit": "CNY", '
        '"available_credit_exact": 30.0000000000, '
    )
    rows = cells(run("account", "account", "show").out)
    assert rows[:4] == [
        ["item", "value"],
        ["account_state", "open"],
        ["customer_number", "000000001001"],
        ["account_unit", "CNY"],
    ]
    assert len(rows) == 1 + len(json.loads(account))


def test_limits_and_items_have_their_meaning_in_the_table_only(run: Run) -> None:
    shown = json.loads(run("limits", "limits", "show", json=True).out)
    assert (shown["overdraft_limit"], shown["max_credit"]) == (0.0, None)
    heading, *rows = cells(run("limits", "limits", "show").out)
    assert heading == ["setting", "value", "meaning"]
    assert [row[0] for row in rows] == list(shown)
    assert ["max_credit", "off", "A top-up that would exceed it is refused."] in rows
    listed = [json.loads(line) for line in run("item_list", "items", json=True).out.splitlines()]
    assert listed[0] == {
        "name": "serial_number",
        "unit": "",
        "settable": False,
        "allowed": None,
        "codes": None,
        "meaning": "Serial number of the meter, 12 digits.",
        "term": "表号",
    }
    heading, first, *_ = cells(run("item_list", "items").out)
    assert heading == ["item", "unit", "limits", "meaning", "term"]
    assert first == ["serial_number", "", "", "Serial number of the meter, 12 digits.", "表号"]


def test_entries_of_the_journal_are_a_line_each_and_absent_values_are_empty(run: Run) -> None:
    assert run("journal", "journal", "list", json=True).out == (
        '{"id": 1, "meter": "000000000042", "serial_number": "000000000042", '
        '"epoch": "000000e0", "sequence": 1, "kind": "open", "amount": 30.00, '
        '"state": "confirmed", "outcome": "accepted", '
        f'"created": "{AT}", "changed": "{AT}", "card": "0011223344556677"}}\n'
    )
    words = f"1 {METER} 000000e0 1 open 30.00 confirmed accepted {AT} {AT} {SERIAL.hex()}".split()
    assert cells(run("journal", "journal", "list").out) == [ENTRY_HEADING, words]
    assert run("journal", "journal", "audit", json=True).out == (
        f'{{"id": 1, "at": "{AT}", "what": "card_formatted", "meter": null, '
        '"serial_number": null, "card": "0011223344556677", "amount": 0.00, "detail": ""}\n'
        f'{{"id": 2, "at": "{AT}", "what": "sold", "meter": "000000000042", '
        '"serial_number": "000000000042", "card": "0011223344556677", "amount": 30.00, '
        '"detail": "entry 1"}\n'
    )
    assert cells(run("journal", "journal", "audit").out)[:2] == [
        ["id", "at", "what", "meter", "card", "amount", "detail"],
        ["1", AT, "card_formatted", "", SERIAL.hex(), "0.00", ""],
    ]


def test_an_empty_journal_is_an_empty_table_and_an_empty_log_a_message(
    run: Run, tmp_path: Path
) -> None:
    new = tmp_path / "new.sqlite"
    Journal(new).close()
    assert cells(run("journal", "journal", "list", journal=new).out) == [ENTRY_HEADING]
    assert run("journal", "journal", "list", json=True, journal=new).out == ""
    assert run("journal", "journal", "audit", journal=new) == ("", "nothing was audited\n")
    assert run("journal", "journal", "audit", json=True, journal=new) == ("", "")


def test_one_entry_is_printed_whole(run: Run, setup: Setup, card: Card) -> None:
    entry = setup.sell(card, 1000)
    shown = json.loads(run("journal", "journal", "show", "2", json=True).out)
    assert (shown["id"], shown["sale"], shown["code"]) == (2, None, entry.code.hex())
    lines = run("journal", "journal", "show", "2").out.splitlines()
    assert lines[0] == "id               2"
    assert [line.split()[0] for line in lines] == list(shown)
    assert lines[12] == "sale             -"


@pytest.mark.parametrize("as_json", [True, False])
def test_an_entry_that_is_closed_by_hand_is_printed_with_its_result(
    run: Run, setup: Setup, card: Card, as_json: bool
) -> None:
    setup.sell(card, 1000)
    printed = run("journal", "journal", "resolve", "2", "--as", "refused", json=as_json)
    if as_json:
        shown = json.loads(printed.out)
        assert (shown["state"], shown["result"], shown["entry"]) == ("refused", "done", 2)
    else:
        assert cells(printed.out)[1][:7] == [
            "2",
            METER,
            "000000e0",
            "2",
            "credit",
            "10.00",
            "refused",
        ]
    assert setup.journal.entry(2).state is EntryState.REFUSED


def test_the_log_of_a_card_shows_absent_values_as_a_dash(run: Run) -> None:
    assert run("card", "card", "history", json=True).out == (
        f'{{"at": "{AT}", "actor": "meter", "card_type": null, "outcome": "accepted", '
        '"error": null, "error_name": null, "sequence": 1, "amount": 30.00, '
        '"available_credit": 30.00}\n'
        f'{{"at": "{AT}", "actor": "vending", "card_type": "open", "outcome": null, '
        '"error": null, "error_name": null, "sequence": 1, "amount": 30.00, '
        '"available_credit": null}\n'
    )
    assert cells(run("card", "card", "history").out)[2] == [
        *(AT, "vending", "open", "-", "-", "-", "1", "30.00", "-")
    ]


def test_readers_and_keys(run: Run, setup: Setup) -> None:
    assert run("card", "card", "readers", json=True).out == '{"reader": "Reader 1"}\n'
    assert cells(run("card", "card", "readers").out) == [["reader"], ["Reader 1"]]
    shown = json.loads(run("keys", "keys", "show", "--meter", METER, json=True).out)
    assert shown == {
        "version": 1,
        "source": str(setup.ring.path),
        "retired": False,
        "daily_limit": None,
        "meter": METER,
        "serial_number": METER,
        "key_check_value": f"{setup.ring.meter_keys(METER, 1).check_value:06x}",
    }
    heading, row = cells(run("keys", "keys", "show").out)
    assert heading == ["version", "source", "retired", "daily_limit"]
    assert (row[0], row[2:]) == ("1", ["false", "-"])


def test_purchases_and_events(run: Run) -> None:
    purchase = json.loads(run("records", "purchases", json=True).out)
    heading, row = cells(run("records", "purchases").out)
    assert heading == [
        *("number", "at", "kind", "amount", "to_overdraft", "to_debt", "credit_before"),
        *("credit_after", "cumulative", "sequence", "carrier"),
    ]
    assert set(heading) <= set(purchase)
    assert row == f"1 {AT} open 30.00 0.00 0.00 0.00 30.00 30.00 1 card".split()
    assert run("records", "events", json=True).out.splitlines()[0] == (
        f'{{"number": 1, "at": "{AT}", "event": "account_opened", "elapsed_ms": 0, '
        '"amount": 30.00, "sequence": 1}'
    )
    assert cells(run("records", "events").out)[:2] == [
        ["number", "at", "event", "details"],
        ["1", AT, "account_opened", "amount=30.00 sequence=1"],
    ]


def test_results_are_one_object_or_a_table_of_fields(run: Run) -> None:
    shown = json.loads(run("journal", "journal", "renew", json=True).out)
    assert list(shown) == [
        *("old", "number", "result", "outcome", "serial_number", "entry", "exit_code", "message")
    ]
    assert (shown["result"], shown["outcome"], shown["exit_code"]) == ("done", None, 0)
    title, *_ = (out := run("journal", "journal", "renew").out).splitlines()
    assert title.strip() == "journal"
    assert [row[0] for row in cells(out)] == ["field", "old", "number"]
    card = run("card", "card", "read").out
    assert card.splitlines()[0].strip() == "card"
    assert cells(card)[:3] == [["field", "value"], ["card", SERIAL.hex()], ["card_type", "open"]]


def test_limits_are_printed_as_read_back(run: Run) -> None:
    words = ("limits", "set", "overdraft_limit=1.00")
    assert run("limits", *words).out == (
        "┏━━━━━━━━━━━━━━━━━┳━━━━━━━━┳━━━━━━━━━━━┓\n"
        "┃ setting         ┃ before ┃ read back ┃\n"
        "┡━━━━━━━━━━━━━━━━━╇━━━━━━━━╇━━━━━━━━━━━┩\n"
        "│ overdraft_limit │   0.00 │      1.00 │\n"
        "└─────────────────┴────────┴───────────┘\n"
    )
    assert run("limits", *words, json=True).out == (
        '{"overdraft_limit": 1.00, "result": "done", "outcome": "accepted", '
        '"serial_number": "000000000042", "entry": null, "exit_code": 0, "message": ""}\n'
    )


@pytest.mark.parametrize(
    ("meter_ms", "host_ms", "shown"),
    [
        (59_991, 60_000, 0),
        (60_009, 60_000, 0),
        (60_500, 60_000, 1),
        (59_500, 60_000, -1),
        (59_501, 60_000, 0),
        (55_000, 60_000, -5),
    ],
)
def test_the_difference_of_clocks_is_rounded(meter_ms: int, host_ms: int, shown: int) -> None:
    assert nearest_s(meter_ms - host_ms) == shown


def test_a_card_names_its_meter_under_one_key(run: Run) -> None:
    shown = json.loads(run("card", "card", "read", json=True).out)
    assert (shown["meter"], shown["serial_number"]) == (METER, METER)


def test_every_item_names_its_unit_and_its_limits(run: Run) -> None:
    listed = map(json.loads, run("item_list", "items", json=True).out.splitlines())
    items = {item["name"]: item for item in listed}
    units = {name: item["unit"] for name, item in items.items()}
    assert (units["power_limit_kw"], units["step_limit_3_kwh"]) == ("kW", "kWh")
    assert (units["elapsed_ms"], units["trip_delay_minutes"]) == ("ms", "min")
    assert {units[name] for name in ("debt", "available_credit", "max_credit")} == {"account_unit"}
    assert units["price_1"] == "account_unit per kWh"
    assert items["max_credit"]["allowed"] == "off or 0.00 to 999999.99"
    assert items["debt"]["allowed"] is None
    assert items["supply_state"]["codes"] == {
        "0": "connected", "1": "ready_for_reconnection", "2": "disconnected",
    }  # fmt: skip
    assert items["supply_causes"]["codes"]["32"] == "account"
    assert items["debt"]["codes"] is None
    for name, item in items.items():
        assert item["unit"] or not name.endswith(("_kw", "_kwh", "_v", "_a", "_ms", "_s", "_exact"))


def test_terms_are_left_out_where_the_output_has_none(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("meterctl.cli.item_list.stdout_encoding", lambda: "latin-1")
    assert cells(run("item_list", "items").out)[0] == ["item", "unit", "limits", "meaning"]


def test_lists_are_filtered_and_limited(run: Run, setup: Setup, card: Card) -> None:
    setup.sell(card, 1000)

    def listed(*words: str) -> list[int]:
        out = run("journal", "journal", *words, json=True).out
        return [json.loads(line)["id"] for line in out.splitlines()]

    assert listed("list") == [1, 2]
    assert listed("list", "--state", "on_card") == [2]
    assert listed("list", "--open") == [2]
    assert listed("list", "--limit", "1") == [2]
    assert listed("list", "--meter", "000000000043") == []
    assert listed("list", "--since", "2026-01-01") == [1, 2]
    assert listed("list", "--since", "2026-01-02") == []
    assert listed("audit", "--meter", METER, "--limit", "1") == [3]
    out = run("journal", "journal", "list", "--csv").out.splitlines()
    assert (
        out[0] == "id,serial_number,epoch,sequence,kind,amount,state,outcome,created,changed,card"
    )
    assert out[2].startswith(f"2,{METER},000000e0,2,credit,10.00,on_card,,{AT}")
    with pytest.raises(UsageError, match="--state open: allowed are prepared, on_card"):
        run("journal", "journal", "list", "--state", "open")


def test_purchases_and_events_are_limited_and_written_as_csv(run: Run) -> None:
    assert run("records", "events", "--limit", "1").err == (
        "2 older rows are not shown: --all shows all\n"
    )
    assert run("records", "events", "--csv").out.splitlines()[:2] == [
        "number,at,event,details",
        f"1,{AT},account_opened,amount=30.00 sequence=1",
    ]
    assert run("records", "purchases", "--csv").out.splitlines()[1].startswith(f"1,{AT},open,30.00")


@pytest.mark.usefixtures("card")
def test_csv_of_the_audit_log_has_each_column_once(run: Run) -> None:
    heading, first, *_ = run("journal", "journal", "audit", "--csv").out.splitlines()
    assert heading == "id,at,what,serial_number,card,amount,detail"
    assert first.startswith("1,")


@pytest.mark.usefixtures("card")
def test_a_wrong_word_of_a_closing_by_hand_is_named(run: Run) -> None:
    with pytest.raises(UsageError, match=r"--as confirmd: did you mean confirmed\?"):
        run("journal", "journal", "resolve", "1", "--as", "confirmd")
