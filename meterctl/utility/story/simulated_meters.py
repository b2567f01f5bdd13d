"""The meters of the story: one `meter-sim run`, a TCP port a station, time that stands still."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from meterctl.demo.processes import running_simulator
from meterctl.utility.meters.simulator import tell
from meterctl.utility.story.plan import CREDIT, START_MS, UTC_OFFSET_MINUTES, Home, Plan
from protocols.quantities import CENT, format_moment, format_money

SOCKET = "meters.sock"


@dataclass(frozen=True, slots=True)
class SimulatedMeters:
    """The running meters: the URL of each port, and the socket through which people act on them."""

    urls: tuple[str, ...]
    socket: Path

    def tell(self, *words: str, meter: str | None = None) -> dict[str, Any]:
        """Do something to one meter, or to all; returns the first answer."""
        answers = tell(self.socket, words, meter)
        return answers[0] if answers else {}

    def credit(self, serial: str) -> str:
        """Return the credit on the display of a meter, such as "20.00"."""
        shown: str = self.tell("state", meter=serial)["available_credit"]
        return shown

    def supply(self, serial: str) -> str:
        """Return the state of a meter's supply control switch, such as "connected"."""
        state: str = self.tell("state", meter=serial)["supply_state"]
        return state


@contextmanager
def running_meters(folder: Path, plan: Plan) -> Iterator[SimulatedMeters]:
    """Run all meters of a plan until the end of the block.

    Raises:
        UsageError: meter-sim is not installed, or did not start.
    """
    described = folder / "meters"
    described.mkdir()
    options = ["--control", str(folder / SOCKET), "--speed", "0", "--quiet"]
    for home in plan.homes():
        path = described / f"{home.serial}.toml"
        path.write_text(_description(home))
        options += ["--config", str(path)]
    for _ in range(plan.stations):
        options += ["--modbus-tcp", "127.0.0.1:0"]
    with running_simulator(folder, options) as ready:
        urls = tuple(f"tcp://{address}" for address in ready["modbus_tcp"])
        yield SimulatedMeters(urls, folder / SOCKET)


def _description(home: Home) -> str:
    """Return a meter's description in TOML."""
    keys: dict[str, Any] = {
        "serial_number": home.serial,
        "unit": home.unit,
        "load": home.load,
        "start": format_moment(START_MS),
        "utc_offset_minutes": UTC_OFFSET_MINUTES,
    }
    keys |= {"account": "unopened"} if home.is_new else {"credit": format_money(CREDIT * CENT)}
    return "".join(f"{name} = {json.dumps(value)}\n" for name, value in keys.items())
