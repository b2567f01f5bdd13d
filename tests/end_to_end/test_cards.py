"""A card end to end, as people type it: sold, inserted, read back, sold again."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest

from protocols.card.memory import BytesMemory, CardMemory
from tests.support.programs import BIN, meter_sim, meterctl, meterctl_json, running

RING = ("--keys", "keys.json")
CARD = ("--file", "c.img", *RING)
SERIAL = "0011223344556677"
METER = "000000000042"
RUN = (
    "--serial-number",
    METER,
    "--unopened",
    "--keys",
    "meter-keys.json",
    "--modbus-rtu",
    "./m.tty",
    "--control",
    "./m.sock",
    "--speed",
    "0",
    "--state",
    "./m.nv",
)


@pytest.fixture
def seller(tmp_path: Path) -> Path:
    """A folder with a key ring, one meter's own keys, and an opening card of 30.00."""
    meterctl("keys", "init", "--out", "keys.json", cwd=tmp_path)
    meterctl("card", "format", "--card-serial", SERIAL, *CARD, cwd=tmp_path)
    meterctl(
        "card",
        "open",
        "--meter",
        METER,
        "--customer",
        "000000001001",
        "--amount",
        "30.00",
        "--yes",
        *CARD,
        cwd=tmp_path,
    )
    meterctl("keys", "export", "--meter", METER, *RING, "--out", "meter-keys.json", cwd=tmp_path)
    return tmp_path


def insert(folder: Path, *more: str) -> dict[str, Any]:
    told = meter_sim("control", "./m.sock", "card", "insert", "c.img", *more, cwd=folder).stdout
    result: dict[str, Any] = json.loads(told)
    return result


def files_of(image: Path) -> tuple[bytes, ...]:
    return CardMemory(BytesMemory(image.read_bytes())).state.files


def card_json(folder: Path, *words: str, check: int = 0) -> dict[str, Any]:
    done = meterctl("card", *words, *CARD, "--json", cwd=folder, check=check)
    result: dict[str, Any] = json.loads(done.stdout)
    assert result.get("exit_code", 0) == check, "a refusal ends with one object too"
    return result


def test_a_card_is_sold_carried_inserted_and_read_back(seller: Path) -> None:
    with running(*RUN, cwd=seller):
        first = insert(seller)
        assert (first["outcome"], first["error"], first["display"]) == ("accepted", None, "30.00")
        (read,) = meterctl_json("--port", "./m.tty", *RING, "read", "available_credit", cwd=seller)
        assert read == {"available_credit": 30.00}
        back = card_json(seller, "read")
        assert (back["state"], back["available_credit"], back["cumulative_purchased"]) == (
            "accepted",
            30.00,
            30.00,
        )
        sold = card_json(seller, "sell", "12.50", "--yes")
        assert (sold["outcome"], sold["sequence"], sold["amount"]) == ("on_card", 2, 12.50)
        assert "unconsumed" in card_json(seller, "sell", "12.50", "--yes", check=6)["message"]
        assert insert(seller, "--pull-after", "10")["error_name"] == "pulled_early"
        again = insert(seller)
        assert (again["outcome"], again["available_credit"]) == ("already_accepted", 42.50)
        meter_sim("control", "./m.sock", "card", "remove", cwd=seller)
        (purchase, opening) = meterctl_json("--port", "./m.tty", *RING, "purchases", cwd=seller)
        assert (purchase["carrier"], purchase["amount"], opening["kind"]) == ("card", 12.50, "open")
        events = [
            event["event"]
            for event in meterctl_json("--port", "./m.tty", *RING, "events", cwd=seller)
        ]
        assert events.count("card_accepted") == 3
        assert "card_pulled_early" in events
    assert card_json(seller, "read")["credit_sequence"] == 2
    states = [entry["state"] for entry in meterctl_json("journal", "list", cwd=seller)]
    assert states == ["confirmed", "confirmed"]
    history = meterctl_json("card", "history", *CARD, cwd=seller)
    assert [row["actor"] for row in history[:2]] == ["meter", "vending"]
    audit = [line["what"] for line in meterctl_json("journal", "audit", cwd=seller)]
    assert audit == ["card_formatted", "sold", "sold"]


def test_a_wire_top_up_beside_a_sold_card_is_refused_and_void_card_ends_that(seller: Path) -> None:
    port = ("--port", "./m.tty", *RING)
    with running(*RUN, cwd=seller):
        insert(seller)
        card_json(seller, "read")
        card_json(seller, "sell", "12.50", "--yes")
        refused = meterctl(*port, "topup", "5.00", "--yes", cwd=seller, check=6)
        assert SERIAL in refused.stderr
        dry = meterctl(*port, "topup", "5.00", "--dry-run", "--void-card", cwd=seller)
        assert f"void what was sold on cards: card {SERIAL} carries 12.50" in dry.stderr
        done = meterctl(*port, "topup", "5.00", "--yes", "--void-card", "--json", cwd=seller)
        assert "12.50 is owed to the customer" in done.stderr
        receipt = json.loads(done.stdout)
        assert receipt["owed"] == 12.50
        assert receipt["withdrawn"] == [{"id": 2, "card": SERIAL, "outcome": "voided"}]
        lost = insert(seller)
        assert (lost["outcome"], lost["error"], lost["display"]) == (
            "sequence_conflict",
            17,
            "Err-34",
        )
        assert lost["available_credit"] == 35.00
        card_json(seller, "sell", "2.00", "--yes")
        meterctl(*port, "limits", "set", "max_credit=40.00", "--yes", cwd=seller)
        words = (*port, "topup", "30.00", "--yes", "--void-card", "--json")
        failed = json.loads(meterctl(*words, cwd=seller, check=3).stdout)
        assert failed["outcome"] == "exceeds_max_credit"
        assert "Cards were voided before: 2.00 is owed to the customer" in failed["message"]
        meterctl(*port, "limits", "set", "max_credit=off", "--yes", cwd=seller)
        card_json(seller, "sell", "7.00", "--yes")
        meterctl("card", "erase", "--yes", *CARD, cwd=seller)
        done = meterctl(*port, "topup", "1.00", "--yes", cwd=seller)
        assert "7.00 is owed to the customer" in done.stderr, (
            "an erased card's sale is voided by itself"
        )


@pytest.mark.parametrize("more", [("--dry-run",), ("--yes",)])
def test_a_replacement_asks_a_silent_meter_first_and_leaves_the_card(
    seller: Path, more: tuple[str, ...]
) -> None:
    meterctl("card", "format", "--card-serial", "aa" * 8, "--file", "new.img", *RING, cwd=seller)
    before = (seller / "new.img").read_bytes()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
        words = ("--port", port, "--timeout", "50ms", "card", "replace", "--meter", METER)
        meterctl(*words, "--file", "new.img", *RING, *more, cwd=seller, check=4)
    assert (seller / "new.img").read_bytes() == before


def test_presets_come_with_the_card(seller: Path) -> None:
    (seller / "p.toml").write_text(
        '[limits]\nlow_credit_threshold_1 = "9.00"\n[tariff]\nprices = ["0.7000"]\n'
    )
    with running(*RUN, cwd=seller):
        assert (
            "has not written back"
            in card_json(seller, "preset", "p.toml", "--yes", check=6)["message"]
        )
        insert(seller)
        preset = card_json(seller, "preset", "p.toml", "--yes")
        assert preset["commands"] == ["limits", "tariff"]
        assert insert(seller)["command_outcome"] == "accepted"
        (read,) = meterctl_json(
            "--port",
            "./m.tty",
            *RING,
            "read",
            "low_credit_threshold_1",
            "current_price",
            cwd=seller,
        )
        assert read == {"low_credit_threshold_1": 9.00, "current_price": 0.7000}


def test_sales_in_bulk_go_on_where_they_were_interrupted(seller: Path) -> None:
    with running(*RUN, cwd=seller):
        insert(seller)
    meterctl("card", "read", *CARD, cwd=seller)
    (seller / "s.csv").write_text("sale,file,amount\na1,c.img,5.00\na2,gone.img,6.00\n")
    done = meterctl(
        "card", "sell", "--from", "s.csv", "--yes", "--json", *RING, cwd=seller, check=2
    )
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["outcome"] for row in rows] == ["sold", "failed", None]
    assert (rows[-1]["result"], rows[-1]["exit_code"]) == ("usage", 2)
    assert "gone.img" in done.stderr
    done = meterctl(
        "card", "sell", "--from", "s.csv", "--yes", "--json", *RING, cwd=seller, check=2
    )
    assert [json.loads(line)["outcome"] for line in done.stdout.splitlines()] == [
        "sold_before",
        "failed",
        None,
    ]
    assert card_json(seller, "sell", "5.00", "--sale", "a1", "--yes")["id"] == 2
    assert len(meterctl_json("journal", "list", cwd=seller)) == 2


@pytest.mark.parametrize(
    "words",
    [
        ("card", "format", "--file", "new.img", "--card-serial", "0102030405060708"),
        ("card", "format", "--file", "c.img", "--again"),
        ("card", "service", "--file", "b.img", "--meter", METER),
        (
            "card",
            "open",
            "--file",
            "b.img",
            "--meter",
            METER,
            "--customer",
            "000000001001",
            "--again",
        ),
        ("card", "sell", "5.00", "--file", "c.img"),
        ("card", "erase", "--file", "c.img"),
        ("keys", "init", "--out", "new.json"),
        ("keys", "export", "--meter", METER, "--out", "new.json"),
    ],
    ids=lambda words: " ".join(words[:2]),
)
def test_a_dry_run_writes_nothing(seller: Path, words: tuple[str, ...]) -> None:
    with running(*RUN, cwd=seller):
        insert(seller)
    meterctl("card", "read", *CARD, cwd=seller)
    meterctl(
        "card", "format", "--file", "b.img", "--card-serial", "0807060504030201", *RING, cwd=seller
    )
    names, journal = sorted(os.listdir(seller)), meterctl_json("journal", "list", cwd=seller)
    cards = [(seller / name).read_bytes() for name in ("b.img", "c.img")]
    done = meterctl(*words, "--dry-run", *RING, cwd=seller)
    assert "dry run, nothing is sent or written" in done.stderr
    assert done.stdout == ""
    assert sorted(os.listdir(seller)) == names
    assert meterctl_json("journal", "list", cwd=seller) == journal
    # Reading a card counts its authentications, so the content of these files is compared.
    for before, name in zip(cards, ("b.img", "c.img"), strict=True):
        (seller / "before.img").write_bytes(before)
        assert files_of(seller / name) == files_of(seller / "before.img")


def test_without_pyscard_a_reader_is_refused_with_what_to_install(seller: Path) -> None:
    (seller / "smartcard").mkdir()
    (seller / "smartcard" / "__init__.py").write_text("raise ImportError('not here')")
    for words in (
        ("card", "readers"),
        ("card", "read"),
        ("card", "sell", "5.00", "--reader", "x", "--yes"),
    ):
        command = [BIN / "meterctl", *words, *RING]
        environment = {**os.environ, "PYTHONPATH": str(seller), "XDG_STATE_HOME": str(seller)}
        done = subprocess.run(
            command, cwd=seller, env=environment, capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stdout) == (2, "")
        assert "pip install 'prepaid-meter[card]'" in done.stderr


def test_apdus_are_traced_by_name_and_no_key_is_shown(seller: Path) -> None:
    traced = meterctl("card", "read", "--trace", *CARD, cwd=seller).stderr
    assert re.search(r"^-> 00 84 00 00 08  GET CHALLENGE$", traced, re.MULTILINE)
    assert "READ BINARY credit, secured" in traced
    assert "9000 ok" in traced
    meter_sim("card", "new", "b.img", "--card-serial", "0102030405060708", cwd=seller)
    issued = meterctl("card", "format", "--file", "b.img", *RING, "--trace", cwd=seller).stderr
    assert issued.count("the key is not shown") == 2
    master = json.loads((seller / "keys.json").read_text())["masters"]["1"]
    assert master not in issued.replace(" ", "")


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("card", "read", "--file", "gone.img"), 2, "No such file"),
        (("card", "read", "--file", "keys.json"), 2, "there is no card in it"),
        (("card", "read", "--file", "."), 2, "directory"),
        (("card", "sell", "-5", "--file", "c.img", "--yes"), 2, ""),
        (("card", "sell", "0.00", "--file", "c.img", "--yes"), 2, "allowed is 0.01"),
        (("card", "sell", "5.001", "--file", "c.img", "--yes"), 2, "more than 2 decimals"),
        (("card", "sell", "--file", "c.img", "--yes"), 2, "give AMOUNT"),
        (("card", "format", "--file", "c.img"), 6, "formatted already"),
        (("card", "format", "--file", "new.img"), 2, "--card-serial"),
        (
            ("card", "format", "--file", "new.img", "--card-serial", "12"),
            2,
            "16 hexadecimal digits",
        ),
        (
            (
                "card",
                "open",
                "--file",
                "c.img",
                "--meter",
                "42",
                "--customer",
                "000000001001",
                "--yes",
            ),
            2,
            "12 decimal digits",
        ),
        (("card", "read", "--file", "c.img", "--reader", "x"), 2, "not both"),
        (("card", "preset", "gone.toml", "--file", "c.img", "--yes"), 2, "gone.toml"),
        (("card", "sell", "--from", "gone.csv", "--yes"), 2, "gone.csv"),
        (
            ("card", "replace", "--meter", "000000000077", "--file", "c.img", "--yes"),
            6,
            "bound to meter",
        ),
    ],
)
def test_what_cannot_be_done_says_why_and_changes_nothing(
    seller: Path, words: tuple[str, ...], code: int, told: str
) -> None:
    before = files_of(seller / "c.img")
    done = meterctl(*words, *RING, cwd=seller, check=code)
    assert told in done.stderr
    assert not (seller / "new.img").exists()
    assert len(meterctl_json("journal", "list", cwd=seller)) == 1
    assert files_of(seller / "c.img") == before


def test_a_card_without_the_right_ring_or_held_by_another_is_refused(seller: Path) -> None:
    meterctl("keys", "init", "--out", "other.json", cwd=seller)
    wrong = meterctl("card", "read", "--file", "c.img", "--keys", "other.json", cwd=seller, check=6)
    assert "not this ring's" in wrong.stderr
    with running(*RUN, cwd=seller):
        no_card = meter_sim(
            "control", "./m.sock", "card", "insert", "keys.json", cwd=seller, check=2
        )
        assert "there is no card in it" in no_card.stderr
        meter_sim("control", "./m.sock", "card", "insert", "gone.img", cwd=seller, check=2)
        (read,) = meterctl_json("--port", "./m.tty", *RING, "read", "account_state", cwd=seller)
        assert read == {"account_state": "unopened"}


def test_row_19_masters_are_refused_and_none_is_in_the_meters_memory_or_state(seller: Path) -> None:
    refused = meter_sim(
        "run", "--keys", "keys.json", "--modbus-rtu", "./x.tty", cwd=seller, check=2
    )
    assert "masters" in refused.stderr
    master = bytes.fromhex(json.loads((seller / "keys.json").read_text())["masters"]["1"])
    own = bytes.fromhex(json.loads((seller / "meter-keys.json").read_text())["keys"][0]["card"])
    with running(*RUN, cwd=seller) as ready:
        insert(seller)
        memory = _memory_of(int(ready["pid"]))
    state = (seller / "m.nv").read_bytes()
    assert own in memory, "positive control: the meter's own key is found"
    for found in (memory, state, (seller / "meter-keys.json").read_bytes()):
        assert master not in found
        assert master.hex().encode() not in found.lower()


def _memory_of(pid: int) -> bytes:
    """Return all writable memory of a process; skip if that is not permitted."""
    pieces = []
    try:
        with open(f"/proc/{pid}/mem", "rb", 0) as memory, open(f"/proc/{pid}/maps") as maps:
            for line in maps:
                span, rights = line.split()[:2]
                if not rights.startswith("rw"):
                    continue
                start, end = (int(word, 16) for word in span.split("-"))
                memory.seek(start)
                try:
                    pieces.append(memory.read(end - start))
                except OSError:
                    continue  # an unreadable page, such as vvar
    except PermissionError:
        pytest.skip("reading another process's memory is not allowed here")
    return b"".join(pieces)
