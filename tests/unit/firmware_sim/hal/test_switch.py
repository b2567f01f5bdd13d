"""The simulated switch: its position follows its drive, but for its defects."""

from __future__ import annotations

import pytest

from firmware_sim.hal.switch import SimulatedSwitch, SwitchDefect


@pytest.mark.parametrize("driven", [True, False])
@pytest.mark.parametrize(
    ("defect", "position"),
    [(SwitchDefect.NONE, None), (SwitchDefect.WELDED, True), (SwitchDefect.STUCK_OPEN, False)],
)
def test_a_defect_determines_the_position(
    driven: bool, defect: SwitchDefect, position: bool | None
) -> None:
    switch = SimulatedSwitch()
    assert switch.closed
    switch.defect = defect
    wanted = driven if position is None else position
    assert switch.position_if(driven) is wanted
    assert switch.closed, "only a drive moves it"
    switch.drive(driven)
    assert switch.closed is wanted
