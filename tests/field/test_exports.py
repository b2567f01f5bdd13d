"""Tables as CSV over every wire; with a meter that does not answer, and on a full disk."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from firmware_sim import PrepaidMeter
from tests.support.field_wires import KINDS, Kind, field_port
from tests.support.programs import meterctl


@pytest.mark.parametrize("kind", KINDS)
def test_a_table_is_written_for_a_spreadsheet(
    meter: PrepaidMeter, tmp_path: Path, kind: Kind
) -> None:
    done = meterctl("--port", field_port(meter, kind), "status", "--csv-excel", cwd=tmp_path)
    (row,) = csv.DictReader(io.StringIO(done.stdout.removeprefix("\ufeff")))
    assert row["serial_number"] == f'="{meter.serial_number}"'
    assert row["available_credit"] == "100.00"


def test_a_meter_that_does_not_answer_leaves_no_table(meter: PrepaidMeter, tmp_path: Path) -> None:
    words = ("--port", field_port(meter, "tcp"), "--unit", "9", "--timeout", "50ms")
    done = meterctl(*words, "status", "--csv", cwd=tmp_path, check=4)
    assert done.stdout == ""
