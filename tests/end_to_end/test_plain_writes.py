"""Plain writes end to end: a map of a user, a master that is not ours, and what meterctl says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pymodbus.client import ModbusTcpClient

from tests.support.programs import meter_sim, meterctl, meterctl_json, running

COUNT, CONTROL, LIMIT = 0x46, 0x57, 0x100
INTERRUPT = 0xAAAA
MAP = """
format = 1
name = "bench"
title = "A meter on a bench"
register = [
  { address = 0, item = "serial_number", type = "bcd", size = 3 },
  { address = 3, item = "epoch", type = "u32" },
  { address = 5, item = "key_version", type = "u16" },
  { address = 6, item = "key_check_value", type = "u32" },
  { address = 8, item = "status", type = "u32" },
  { address = 10, item = "account_state", type = "u16" },
  { address = 11, item = "account_unit", type = "u16" },
  { address = 12, item = "customer_number", type = "bcd", size = 3 },
  { address = 15, item = "available_credit", type = "s32", decimals = 2 },
  { address = 17, item = "credit_sequence", type = "u32" },
  { address = 19, item = "command_sequence", type = "u32" },
  { address = 21, item = "clock", type = "u64" },
  { address = 25, item = "utc_offset_minutes", type = "s16" },
  { address = 0x46, item = "purchase_count", type = "u16" },
  { address = 0x47, item = "remaining_credit", type = "u32", decimals = 2 },
  { address = 0x100, item = "low_credit_threshold_1", type = "u16", writable = true, off = 0xFFFF },
]
[[source]]
text = "this test"
confidence = "documented"
[defaults]
area = ["holding", "input"]
[requests]
windows = 0x1400
[credit]
address = 0x46
count = { type = "u16" }
amount = { type = "u32", decimals = 2 }
[control]
area = "holding"
address = 0x57
interrupt = [0xAAAA]
permit = [0x5555]
"""


@contextmanager
def served(folder: Path, *words: str) -> Iterator[tuple[dict[str, Any], ModbusTcpClient]]:
    """Run a meter with the map and a state file; yield its ready line and another master."""
    (folder / "bench.toml").write_text(MAP)
    with running(
        *("--map", "./bench.toml", "--modbus-tcp", "127.0.0.1:0", "--control", "./c.sock"),
        *("--state", "./m.nv", "--speed", "0", *words),
        cwd=folder,
    ) as ready:
        host, port = ready["modbus_tcp"][0].split(":")
        with ModbusTcpClient(host, port=int(port), retries=0) as master:
            yield ready, master


def write(master: ModbusTcpClient, address: int, *numbers: int) -> int:
    """Return the exception code that answers a write of function 16, 0 where it is confirmed."""
    reply = master.write_registers(address, list(numbers), device_id=1)
    return reply.exception_code if reply.isError() else 0


def state(folder: Path) -> dict[str, Any]:
    """Return what the meter shows on its control socket."""
    told = meter_sim("control", "./c.sock", "state", cwd=folder).stdout
    shown: dict[str, Any] = json.loads(told)
    return shown


def test_a_master_credits_sets_and_switches_and_meterctl_names_the_credit(tmp_path: Path) -> None:
    with served(tmp_path, "--unsafe-writes") as (ready, master):
        assert ready["meters"][0]["unsafe_writes"] is True
        port = ("--port", f"tcp://{ready['modbus_tcp'][0]}", "--map", "./bench.toml")
        first = meterctl(*port, "topup", "10.00", "--yes", cwd=tmp_path)
        assert "plain write" not in first.stderr
        assert write(master, COUNT, 2, 0, 5000) == write(master, COUNT, 2, 0, 5000) == 0
        assert write(master, COUNT, 2, 0, 5001) == write(master, COUNT, 2, 0) == 3
        assert master.read_holding_registers(COUNT, count=3, device_id=1).registers == [2, 0, 8000]
        second = meterctl(*port, "topup", "5.00", "--yes", cwd=tmp_path)
        assert "credit of 50.00 came by no sealed message: by a plain write" in second.stderr
        (line,) = meterctl_json("journal", "audit", cwd=tmp_path)
        assert (line["what"], line["amount"]) == ("plain_credit", 50.00)
        assert write(master, COUNT, 3, 0, 5000) == 3, "a sealed purchase moves the count"
        assert write(master, CONTROL, INTERRUPT) == write(master, LIMIT, 8) == 0
    with served(tmp_path, "--unsafe-writes") as (_, master):
        assert write(master, COUNT, 2, 0, 5000) == 0, "a repeat after a restart credits nothing"
        assert write(master, COUNT, 4, 0, 100) == 0
    with served(tmp_path) as (ready, master):
        assert "unsafe_writes" not in ready["meters"][0]
        assert [write(master, COUNT, count, 0, 100) for count in (4, 5)] == [2, 2]
        shown = state(tmp_path)
        assert (shown["available_credit"], shown["purchase_count"], shown["credit_sequence"]) == (
            86.00,
            4,
            2,
        )
        assert (shown["supply_causes"], shown["low_credit_threshold_1"]) == (["remote"], 8.00)
