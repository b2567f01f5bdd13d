"""`meter-sim new`: the example is a meter that runs, and no file is overwritten."""

from __future__ import annotations

from pathlib import Path

import pytest

from firmware_sim.assembly import build
from firmware_sim.description.files import describe
from firmware_sim.description.flags import MeterFlags
from firmware_sim.hosting.errors import HostingError
from firmware_sim.programs.new import write_example


def test_the_example_describes_a_meter(tmp_path: Path) -> None:
    path = tmp_path / "meter.toml"
    write_example(path)
    (described,) = describe(MeterFlags((str(path),)))
    assert described.load_text == "household"
    assert build(described.description).state.settings.overdraft_limit > 0


def test_an_existing_file_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "meter.toml"
    path.write_text("mine")
    with pytest.raises(HostingError, match="nothing was changed"):
        write_example(path)
    assert path.read_text() == "mine"
