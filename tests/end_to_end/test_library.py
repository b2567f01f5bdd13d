"""The library outside pytest: meters in a program, their records, restarts and errors."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import threading
from dataclasses import fields
from decimal import Decimal
from pathlib import Path

import pytest

import firmware_sim
import meterctl
from firmware_sim import HostingError, LoopThread, PrepaidMeter, SerialPair, errors
from firmware_sim.errors import MeterStoppedError, QuantityError, RefusedError
from protocols.data_model.tables import Event, Freeze, ProfileRecord, Purchase
from protocols.quantities import LEDGER
from tests.support.programs import BIN

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "library.md"


def ran(program: str, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *options, "-c", program],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        timeout=120,
    )


def test_the_code_of_the_page_runs_without_pytest(tmp_path: Path) -> None:
    code = "\n".join(re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.M | re.S))
    assert code.count("PrepaidMeter(") >= 3
    blocked = "import sys\nsys.modules['pytest'] = sys.modules['_pytest'] = None\n"
    (tmp_path / "page.py").write_text(blocked + code)
    done = subprocess.run(
        [sys.executable, "-W", "error", "page.py"],
        cwd=tmp_path,
        env={**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", "XDG_STATE_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_program_reads_energies_of_phases_where_it_asked_for_them() -> None:
    described = {"meter_type": "three_phase", "load": "3kW"}
    with (
        PrepaidMeter(phase_energies=True, **described) as asked,
        PrepaidMeter(**described) as other,
    ):
        for meter in (asked, other):
            meter.advance("1h")
        assert asked.value("energy_import_l2_kwh") == Decimal("1.000000")
        assert asked.value("energy_total_l3_kwh") == Decimal("1.000000")
        assert asked.value("energy_reactive_total_kvarh") == 0
        assert other.value("energy_import_l2_kwh") is None
        assert other.value("voltage_l12_v") == Decimal("398.371")


def test_importing_the_package_imports_nothing_but_it() -> None:
    program = (
        "import sys, firmware_sim, meterctl\n"
        "ours = sorted(n for n in sys.modules if n.partition('.')[0] in "
        "('firmware_sim', 'meterctl', 'protocols', 'pydantic', 'asyncio'))\n"
        "assert ours == ['firmware_sim', 'meterctl'], ours\n"
    )
    done = ran(program)
    assert done.returncode == 0, done.stderr


def test_every_name_of_the_package_can_be_imported() -> None:
    for name in firmware_sim.__all__:
        assert getattr(firmware_sim, name) is not None
    assert set(firmware_sim.__all__) <= set(dir(firmware_sim))
    assert firmware_sim.__version__ == meterctl.__version__
    assert re.fullmatch(r"\d+\.\d+\.\d+", meterctl.__version__)
    with pytest.raises(AttributeError, match="PrepaidMeters"):
        firmware_sim.PrepaidMeters  # noqa: B018
    for name in errors.__all__:
        assert issubclass(getattr(errors, name), Exception)
        assert name in (errors.__doc__ or "")


def test_a_meter_lives_from_with_to_its_end() -> None:
    before = threading.active_count()
    with PrepaidMeter(credit="20.00", price="0.5000") as meter:
        meter.load("3kW")
        meter.advance("2h")
        assert meter.value("available_credit") == Decimal("17.00")
        assert Path(meter.port).is_symlink()
        with socket.create_connection(meter.tcp) as wire:
            wire.sendall(bytes.fromhex("000100000006010300000002"))
            assert wire.recv(100)[-4:] == b"PPM1"
    assert threading.active_count() == before
    assert not Path(meter.port).parent.exists()
    meter.close()
    with pytest.raises(HostingError, match="closed"):
        meter.value("clock")


def test_several_meters_share_a_thread_and_have_names_of_ones_own(tmp_path: Path) -> None:
    with LoopThread() as thread:
        meters = [
            PrepaidMeter(thread=thread, unit=unit, modbus_rtu=tmp_path / f"{unit}.tty")
            for unit in (1, 2)
        ]
        assert [Path(meter.port).name for meter in meters] == ["1.tty", "2.tty"]
        assert sum(each.name == "meters" for each in threading.enumerate()) >= 1
        for meter in meters:
            meter.close()
        assert not list(tmp_path.iterdir())


def test_time_runs_where_a_speed_is_given() -> None:
    with PrepaidMeter(speed=100_000, load="2kW") as meter:
        first = meter.value("elapsed_ms")
        while meter.value("elapsed_ms") == first:
            pass
        assert meter.values()["energy_import_kwh"] > 0


def test_a_project_with_its_own_protocols_is_told_so_by_the_import(tmp_path: Path) -> None:
    (tmp_path / "protocols.py").write_text("")
    done = subprocess.run(
        [sys.executable, "-c", "from firmware_sim import PrepaidMeter"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": f"{tmp_path}:{ROOT}"},
        capture_output=True,
        text=True,
        check=False,
    )
    last = done.stderr.splitlines()[-1]
    assert "needs its own package `protocols`" in last
    assert str(tmp_path / "protocols.py") in last


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"pricee": "0.50"}, "did you mean 'price'"),
        ({"zzz": 1}, "meter-sim new FILE"),
        ({"price": "much"}, "price"),
        ({"config": "absent.toml"}, "absent.toml"),
        ({"keys": "absent.json"}, "absent.json"),
        ({"modbus_tcp": "nowhere"}, "nowhere"),
        ({"modbus_rtu": "/dev/ttyS99?baud=9600"}, "ttyS99"),
        ({"speed": "fast"}, "fast"),
    ],
)
def test_what_cannot_be_a_meter_leaves_nothing_behind(keys: dict[str, str], said: str) -> None:
    before = threading.active_count()
    with pytest.raises((HostingError, QuantityError), match=re.escape(said)) as raised:
        PrepaidMeter(**keys)  # type: ignore[arg-type]
    assert threading.active_count() == before
    assert raised.value.__suppress_context__
    assert len(str(raised.value).splitlines()) == 1


def test_profile_and_freezes_are_the_records_of_the_meter() -> None:
    with PrepaidMeter(
        credit="100.00", tariff={"prices": ["0.5"], "billing_day": "0200"}, load="2kW"
    ) as meter:
        meter.advance("50h")
        profile, daily, billing = meter.profile(), meter.freezes(), meter.freezes("billing")
        assert [row.import_mwh for row in profile] == [500_000] * 200
        ends = [row.end for row in profile]
        assert ends == list(range(ends[0], ends[0] + 200 * 900_000, 900_000))
        assert [row.energy_import_kwh for row in daily] == [48_000_000, 96_000_000]
        assert daily[1].available_credit == 52 * LEDGER
        assert [row.consumption_charged_exact for row in daily] == [24 * LEDGER, 48 * LEDGER]
        assert [row.energy_import_kwh for row in billing] == [48_000_000]
        with pytest.raises(QuantityError, match="daily and billing"):
            meter.freezes("weekly")


def test_a_restart_keeps_all_and_a_kill_what_was_saved() -> None:
    with PrepaidMeter(credit="100.00", price="0.5000", load="2kW") as meter:
        meter.advance("1h")
        host, port = meter.tcp
        with socket.create_connection((host, port)) as wire:
            meter.advance("7m")
            before = meter.values()
            meter.restart()
            after = meter.values()
            told = {"event_number"}
            assert {name for name in before if before[name] != after[name]} == told
            assert meter.event_names()[-1] == "restart"
            meter.advance("1m")
            meter.topup("5.00")
            meter.restart(killed=True)
            assert meter.value("purchase_count") == 1, "an acknowledged top-up is never lost"
            wire.sendall(bytes.fromhex("000100000006010300000002"))
            assert wire.recv(100)[-4:] == b"PPM1", "the line goes on"
        assert meter.value("active_power_kw") == 2


def test_a_meter_whose_storage_fails_is_not_restarted() -> None:
    with PrepaidMeter() as meter:
        meter.inject("flush_fails", count=1)
        with pytest.raises(MeterStoppedError):
            meter.topup("1.00")
        with pytest.raises(MeterStoppedError):
            meter.restart()


def test_values_are_as_a_host_reads_them_after_a_roll_over() -> None:
    """Energy wraps at 1,000,000 kWh and money saturates, as `meterctl read` shows them."""
    with PrepaidMeter(overdraft_limit="999999.00", price="9.0000", load="999kW") as meter:
        meter.advance("1001h")
        meter.advance("2h")
        port = f"tcp://{meter.tcp[0]}:{meter.tcp[1]}"
        done = subprocess.run(
            [BIN / "meterctl", "--port", port, "--json", "read", "energy_import_kwh"],
            capture_output=True,
            text=True,
            check=True,
        )
        shown = meter.value("energy_import_kwh")
        assert f'"energy_import_kwh": {shown}' in done.stdout
        assert meter.command("state")["energy_import_kwh"] == shown
        assert shown < 1_000_000


def test_a_pair_needs_no_thread_and_no_folder() -> None:
    before = threading.active_count()
    with SerialPair() as pair:
        a, b = os.open(pair.a, os.O_RDWR | os.O_NOCTTY), os.open(pair.b, os.O_RDWR | os.O_NOCTTY)
        os.write(a, b"to b\n")
        assert os.read(b, 100) == b"to b\n"
        os.close(a)
        os.close(b)
    assert threading.active_count() == before
    assert not Path(pair.a).exists()


def test_an_order_that_is_refused_names_its_outcome() -> None:
    with PrepaidMeter(credit="10.00", max_credit="12.00") as meter:
        with pytest.raises(RefusedError, match="exceeds_max_credit") as raised:
            meter.topup(5)
        assert raised.value.outcome is not None


def test_the_page_lists_every_field_of_the_rows() -> None:
    page = PAGE.read_text()
    table = page[page.index("| call | order |") : page.index("`advance` saves the meter")]
    for row in (Event, Freeze, ProfileRecord, Purchase):
        rated = {f"energy_rate_{rate}_kwh" for rate in (2, 3)}  # "1 to 4"
        for field in {each.name for each in fields(row)} - rated:
            assert f"`{field}`" in table
