"""The map of docs/maps.md on a running meter."""

from __future__ import annotations

import re
import socket
from pathlib import Path

from tests.support.programs import meterctl_json, running

PAGE = (Path(__file__).parents[2] / "docs" / "maps.md").read_text()


def input_registers(address: str, first: int, count: int) -> list[int]:
    """Return input registers as a program that is not ours reads them."""
    host, port = address.rsplit(":", 1)
    request = b"\0\1\0\0\0\6\1\4" + first.to_bytes(2, "big") + count.to_bytes(2, "big")
    with socket.create_connection((host, int(port)), timeout=30) as wire:
        wire.sendall(request)
        reply = b""
        while len(reply) < 9 + 2 * count:
            reply += wire.recv(300)
    assert reply[7] == 4
    return [int.from_bytes(reply[at : at + 2], "big") for at in range(9, len(reply), 2)]


def test_the_map_of_the_page_is_a_meter_that_two_readers_read_alike(tmp_path: Path) -> None:
    found = re.search(r"^```toml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert found is not None
    (tmp_path / "shop.toml").write_text(found[1])
    wires = ("--modbus-tcp", "127.0.0.1:0", "--load", "2kW", "--speed", "0")
    with running("--map", "./shop.toml", *wires, cwd=tmp_path) as ready:
        (address,) = ready["modbus_tcp"]
        numbers = input_registers(address, 0, 8)
        host = ("--port", f"tcp://{address}", "--map", "shop.toml")
        (read,) = meterctl_json(*host, "read", cwd=tmp_path)
    assert (numbers[0], read["voltage_l1_v"]) == (2300, 230)
    assert (numbers[2] << 16 | numbers[3], read["active_power_kw"]) == (2000, 2)
    assert (numbers[4], read["frequency_hz"]) == (5000, 50)
