"""`meter-sim simulate`: events on stdout, warnings on stderr, one meter, top-ups that are ones."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from firmware_sim.description.flags import MeterFlags
from firmware_sim.hosting.errors import HostingError
from firmware_sim.programs.simulate import parse_top_up, simulate
from protocols.errors import QuantityError
from protocols.quantities import DAY, HOUR, MINUTE

FLAGS = MeterFlags(values={"credit": "1.00", "load": "2kW", "trip_mode": "direct"})


def test_each_event_is_a_line_of_json(capsys: pytest.CaptureFixture[str]) -> None:
    simulate(FLAGS, 2 * HOUR, ("1h30m:5.00",), None, as_json=True)
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    names = [row["event"] for row in rows]
    assert names.index("supply_disconnected") < names.index("supply_connected")
    assert (rows[-1]["event"], rows[-1]["elapsed_ms"]) == ("end", 2 * HOUR)


def test_a_line_for_people_names_instant_event_and_credit(
    capsys: pytest.CaptureFixture[str],
) -> None:
    simulate(FLAGS, HOUR, (), None, as_json=False)
    *_, last = capsys.readouterr().out.splitlines()
    assert last.startswith("2026-01-01T01:00:00.000Z  end ")
    assert last.endswith("disconnected")


def test_it_takes_one_meter(tmp_path: Path) -> None:
    for number in (1, 2):
        (tmp_path / f"{number}.toml").write_text(
            f'serial_number = "00000000000{number}"\nunit = {number}'
        )
    flags = MeterFlags((str(tmp_path / "1.toml"), str(tmp_path / "2.toml")))
    with pytest.raises(HostingError, match="takes one meter"):
        simulate(flags, HOUR, (), None, as_json=False)


def test_a_top_up_is_an_instant_and_an_amount() -> None:
    assert parse_top_up("1h30m:5.00", 90 * MINUTE) == (90 * MINUTE, 500)


def test_a_top_up_after_the_end_is_refused_and_names_the_end() -> None:
    with pytest.raises(
        QuantityError, match="it is after the end, --for 30d; nothing was simulated"
    ):
        parse_top_up("31d:1.00", 30 * DAY)
    with pytest.raises(QuantityError, match=r"allowed is 0\.01 to 999999\.99"):
        parse_top_up("1d:1000000.00", 30 * DAY)


@pytest.mark.parametrize("text", ["5.00", "1h:0.00", "1h:-1", "1:5.00", "1h:5.001"])
def test_what_is_no_top_up_is_refused_before_anything_is_printed(
    text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(QuantityError):
        simulate(FLAGS, HOUR, (text,), None, as_json=False)
    assert capsys.readouterr().out == ""
