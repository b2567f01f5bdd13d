"""The wires of these tests carry a meter, and lie where they are told to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from firmware_sim import PrepaidMeter
from tests.support.field_wires import KINDS, Kind, field_port, lie, on_a_screen, too_wide
from tests.support.programs import meterctl_json


@pytest.mark.parametrize("kind", KINDS)
def test_a_meter_is_read_over_every_wire(meter: PrepaidMeter, tmp_path: Path, kind: Kind) -> None:
    port = field_port(meter, kind)
    (read,) = meterctl_json("--port", port, "read", "serial_number", cwd=tmp_path)
    assert read == {"serial_number": meter.serial_number}


def test_a_line_that_lies_changes_what_passes(
    meter_factory: Callable[..., PrepaidMeter], tmp_path: Path
) -> None:
    meter = meter_factory(seed=3)
    lie(meter, 0.5)
    done = on_a_screen("--port", field_port(meter, "rtu"), "--timeout", "200ms", "status",
                       "--trace", cwd=tmp_path)  # fmt: skip
    assert "<?" in done.stderr


def test_a_screen_of_40_columns_is_kept(meter: PrepaidMeter, tmp_path: Path) -> None:
    done = on_a_screen("--port", field_port(meter, "tcp"), "status", cwd=tmp_path)
    assert done.returncode == 0
    assert not too_wide(done.stdout)
