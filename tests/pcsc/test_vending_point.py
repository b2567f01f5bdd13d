"""A vending point with a PC/SC reader, and a meter whose slot is the second reader."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from firmware_sim.hosting.cards.card_file import open_card
from tests.pcsc import cards
from tests.pcsc.stack import READERS, Pcscd
from tests.support.programs import meter_sim, meterctl, meterctl_json, running

SLOT, COUNTER = READERS
RING = ("--keys", "keys.json")
METER = "000000000042"


def card(folder: Path, *words: str) -> dict[str, Any]:
    (told,) = meterctl_json("card", *words, "--reader", COUNTER, *RING, cwd=folder)
    return told


def test_a_card_is_sold_in_one_reader_and_inserted_in_another(tmp_path: Path) -> None:
    meterctl("keys", "init", "--out", "keys.json", cwd=tmp_path)
    meterctl("keys", "export", "--meter", METER, *RING, "--out", "meter.json", cwd=tmp_path)
    assert [row["reader"] for row in meterctl_json("card", "readers", cwd=tmp_path)] == list(
        READERS
    )
    empty = meterctl("card", "read", "--reader", COUNTER, *RING, cwd=tmp_path, check=4)
    assert "no card" in empty.stderr
    meter_sim("card", "new", "c.img", "--card-serial", "0102030405060708", cwd=tmp_path)
    with cards.serving(tmp_path / "c.img", 1):
        card(tmp_path, "format")
        sold = card(
            tmp_path,
            "open",
            "--meter",
            METER,
            "--customer",
            "000000001001",
            "--amount",
            "30.00",
            "--yes",
        )
        assert (sold["outcome"], sold["amount"]) == ("on_card", 30.00)
    run = (
        "--serial-number",
        METER,
        "--unopened",
        "--keys",
        "meter.json",
        "--modbus-rtu",
        "./m.tty",
        "--control",
        "./m.sock",
        "--speed",
        "0",
    )
    with running(*run, cwd=tmp_path):
        with cards.serving(tmp_path / "c.img", 0):
            words = ("control", "./m.sock", "card", "insert", "--reader", SLOT)
            told = json.loads(meter_sim(*words, cwd=tmp_path).stdout)
        assert (told["outcome"], told["display"]) == ("accepted", "30.00")
    with cards.serving(tmp_path / "c.img", 1):
        back = card(tmp_path, "read")
        assert (back["state"], back["available_credit"]) == ("accepted", 30.00)
        assert card(tmp_path, "sell", "5.00", "--yes")["sequence"] == 2
        history = meterctl_json("card", "history", "--reader", COUNTER, *RING, cwd=tmp_path)
        assert [row["actor"] for row in history] == ["vending", "meter", "vending"]
    states = [entry["state"] for entry in meterctl_json("journal", "list", cwd=tmp_path)]
    assert states == ["confirmed", "on_card"]


def test_a_card_that_says_nothing_is_no_wait_without_end(tmp_path: Path) -> None:
    file = cards.make(tmp_path / "c.img")
    with open_card(file) as inside, cards.ScriptedCard(inside, 1, answer=lambda _: None):
        began = time.monotonic()
        silent = meterctl("card", "read", "--reader", COUNTER, cwd=tmp_path, check=4)
        assert "no response within 3 s" in silent.stderr
        assert time.monotonic() - began < 10


def test_without_a_name_the_only_reader_with_a_card_is_meant(tmp_path: Path) -> None:
    nowhere = meterctl("card", "read", cwd=tmp_path, check=2)
    assert all(reader in nowhere.stderr for reader in READERS)
    with cards.serving(cards.make(tmp_path / "c.img"), 1):
        (told,) = meterctl_json("card", "read", cwd=tmp_path)
    assert told["card"] == cards.SERIAL.hex()


def test_a_slot_that_has_a_card_takes_no_other(tmp_path: Path) -> None:
    cards.make(tmp_path / "c.img")
    cards.make(tmp_path / "d.img")
    with cards.serving(tmp_path / "c.img", 1):
        second = meter_sim("card", "serve", "d.img", "--slot", "1", cwd=tmp_path, check=2)
    assert "another card is in this slot" in second.stderr
    assert "ready" not in second.stdout


def test_a_reader_that_is_not_there_and_a_pcscd_that_is_gone_are_named(
    tmp_path: Path, pcscd: Pcscd
) -> None:
    missing = meterctl("card", "read", "--reader", "No such reader", cwd=tmp_path, check=2)
    assert "found none" in missing.stderr
    pcscd.end()
    gone = meterctl("card", "readers", cwd=tmp_path, check=2)
    assert "is pcscd running?" in gone.stderr
