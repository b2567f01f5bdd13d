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


def test_the_example_takes_a_serial_number_and_a_unit(tmp_path: Path) -> None:
    plain, own = tmp_path / "plain.toml", tmp_path / "own.toml"
    write_example(plain)
    write_example(own, {"serial_number": "000000000042", "unit": "247"})
    (described,) = describe(MeterFlags((str(own),)))
    assert (described.description.serial_number, described.description.unit) == (
        "000000000042",
        247,
    )
    changed = [
        (before, after)
        for before, after in zip(
            plain.read_text().splitlines(), own.read_text().splitlines(), strict=True
        )
        if before != after
    ]
    assert [after.split()[0] for _, after in changed] == ["serial_number", "unit"]
    assert all(before.index("#") == after.index("#") for before, after in changed)


@pytest.mark.parametrize(
    "given",
    [{"unit": "0"}, {"unit": "248"}, {"unit": "x"}, {"serial_number": "12"}, {"unit": ""}],
)
def test_a_serial_number_or_a_unit_that_no_meter_has_writes_no_file(
    tmp_path: Path, given: dict[str, str]
) -> None:
    with pytest.raises(HostingError, match=r".*nothing was changed"):
        write_example(tmp_path / "m.toml", given)
    assert not (tmp_path / "m.toml").exists()
