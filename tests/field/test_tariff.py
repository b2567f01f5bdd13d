"""A tariff over every wire of a technician: set once, read back, shown; a wire that is bad."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from firmware_sim import PrepaidMeter
from tests.support.field_wires import KINDS, Kind, field_port, lie, on_a_screen, too_wide
from tests.support.programs import BIN, meterctl, meterctl_json

FILE = Path(__file__).parents[2] / "examples" / "tariffs" / "three-rate-shop.toml"


@pytest.mark.parametrize("kind", KINDS)
def test_a_tariff_is_set_on_a_narrow_screen_and_shown_over_every_wire(
    meter: PrepaidMeter, tmp_path: Path, kind: Kind
) -> None:
    port = ("--port", field_port(meter, kind))
    words = (*port, "tariff", "set", str(FILE), "--activate", "2026-02-01", "--yes")
    done = on_a_screen(*words, cwd=tmp_path)
    assert (done.returncode, too_wide(done.stdout)) == (0, [])
    assert "waits for" in done.stdout
    (shown,) = meterctl_json(*port, "tariff", "show", cwd=tmp_path)
    assert shown["current"]["prices"] == [0.5283]
    assert shown["pending"]["prices"] == [0.198, 0.312, 0.445]
    assert meter.event_names().count("tariff_set") == 1


def test_a_meter_that_does_not_answer_is_exit_4_and_nothing_was_sent(
    meter: PrepaidMeter, tmp_path: Path
) -> None:
    port = field_port(meter, "tcp")
    meter.inject("request_lost")
    words = ("--port", port, "--timeout", "50ms", "tariff")
    done = meterctl(*words, "set", str(FILE), "--yes", "--json", cwd=tmp_path, check=4)
    assert json.loads(done.stdout)["result"] == "no_answer"
    assert "tariff_set" not in meter.event_names()


def test_over_a_line_that_lies_a_tariff_is_set_once_or_the_outcome_is_told(
    meter_factory: Callable[..., PrepaidMeter], tmp_path: Path
) -> None:
    meter = meter_factory(seed=5)
    lie(meter, 0.04)
    words = ("--port", field_port(meter, "rtu"), "--timeout", "200ms", "tariff", "set", str(FILE))
    done = meterctl(*words, "--yes", "--json", cwd=tmp_path, check=None)
    assert json.loads(done.stdout)["exit_code"] == done.returncode
    executed = meter.event_names().count("tariff_set")
    assert executed in {0: (1,), 7: (0, 1)}.get(done.returncode, (0,)), done.stderr


def test_a_full_disk_for_the_file_of_a_set_is_exit_2(meter: PrepaidMeter, tmp_path: Path) -> None:
    words = ("--port", field_port(meter, "tcp"), "tariff", "show", "--toml")
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [BIN / "meterctl", *words],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            cwd=tmp_path,
        )
    assert (done.returncode, "No space left on device" in done.stderr) == (2, True)
