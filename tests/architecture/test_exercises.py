"""An exercise of the house, done for real: the files that a new item needs (docs/adr/0008)."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.support.programs import meterctl_json, running

ROOT = Path(__file__).parents[2]
PACKAGES = ("protocols", "firmware_sim", "meterctl")
NEW_ITEM = {
    "protocols/data_model/items.py": (
        "EVENT_NUMBER = Item(",
        'PENDING_PARTS = Item("tariff_parts_pending", COUNT, "Parts of the pending tariff.")\n'
        "EVENT_NUMBER = Item(",
    ),
    "firmware_sim/readings.py": (
        "    items.OVERLOAD_COUNT:",
        "    items.PENDING_PARTS: lambda m: len(m.state.pending),\n    items.OVERLOAD_COUNT:",
    ),
    "protocols/modbus/native_map.py": (
        "        (items.OVERLOAD_COUNT, U16, 0),\n",
        "        (items.OVERLOAD_COUNT, U16, 0),\n        (items.PENDING_PARTS, U16, 0),\n",
    ),
}
"""File -> old and new text: the item, the key of its getter, its row in the native map."""


def test_a_new_item_needs_three_files_and_is_read_on_the_wire(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for package in PACKAGES:
        shutil.copytree(
            ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__")
        )
    for name, (old, new) in NEW_ITEM.items():
        file = tmp_path / name
        assert file.read_text().count(old) == 1, name
        file.write_text(file.read_text().replace(old, new))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with running("--modbus-rtu", "./m.tty", cwd=tmp_path):
        (read,) = meterctl_json("--port", "./m.tty", "read", "tariff_parts_pending", cwd=tmp_path)
        (all_items,) = meterctl_json("--port", "./m.tty", "read", cwd=tmp_path)
    assert read["tariff_parts_pending"] == 0
    assert "tariff_parts_pending" in all_items
