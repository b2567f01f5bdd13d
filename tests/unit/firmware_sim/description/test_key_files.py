"""Key files: older exports without a card key, and files that are none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from firmware_sim.description.key_files import read_keys
from firmware_sim.hosting.errors import HostingError


def test_keys_of_an_older_export_have_no_card_key_and_a_wrong_one_is_refused(
    tmp_path: Path,
) -> None:
    row = {"version": 1, "credit": "00" * 16, "command": "11" * 16}
    path = tmp_path / "keys.json"
    path.touch(0o600)
    path.write_text(json.dumps({"serial_number": "000000000001", "keys": [row]}))
    keys, serial_number, _ = read_keys(path)
    assert keys is not None
    assert (keys[1].card, serial_number) == (b"", "000000000001")
    path.write_text(
        json.dumps({"serial_number": "000000000001", "keys": [{**row, "card": "22" * 16}]})
    )
    keys, _, _ = read_keys(path)
    assert keys is not None
    assert keys[1].card == b"\x22" * 16
    for wrong in ({**row, "card": "22"}, {**row, "credit": ""}, {"version": 1, "card": "22" * 16}):
        path.write_text(json.dumps({"serial_number": "000000000001", "keys": [wrong]}))
        with pytest.raises(HostingError):
            read_keys(path)


def test_further_names_with_hexadecimal_digits_are_keys_of_other_proofs(tmp_path: Path) -> None:
    row = {
        "version": 1,
        "credit": "00" * 16,
        "command": "11" * 16,
        "token_decoder": "aB" * 8,
        "note": "of the bench",
        "exported": 5,
    }
    path = tmp_path / "keys.json"
    path.touch(0o600)
    path.write_text(json.dumps({"serial_number": "000000000001", "keys": [row]}))
    keys, _, _ = read_keys(path)
    assert keys is not None
    assert keys[1].further == {"token_decoder": b"\xab" * 8}
    assert "ab" not in repr(keys[1])
