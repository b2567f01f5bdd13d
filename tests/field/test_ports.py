"""The ports of this machine, with the virtual ones of a running meter-sim."""

from __future__ import annotations

from pathlib import Path

from tests.support.field_wires import on_a_screen, too_wide
from tests.support.programs import meterctl_json, running


def test_the_virtual_port_of_a_running_meter_is_listed_and_free(tmp_path: Path) -> None:
    with running("--modbus-rtu", "m1.tty", cwd=tmp_path) as ready:
        found = {one["port"]: one for one in meterctl_json("ports", "m1.tty", cwd=tmp_path)}
        assert found["m1.tty"]["usable"] is True
        if Path("/proc/self/fdinfo").exists():
            assert f"({ready['pid']})" in found["m1.tty"]["description"]
        assert not too_wide(on_a_screen("ports", cwd=tmp_path).stdout)
