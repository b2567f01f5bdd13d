"""A worker as a process: it sells what other processes take, and ends between two orders."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from sqlalchemy import select

from firmware_sim import PrepaidMeter
from meterctl.utility.model.metering import Meter
from meterctl.utility.model.money import Sale
from meterctl.utility.model.organisation import GrantState, Organisation, Staff, StaffGrant
from meterctl.utility.rules.rights import Role
from meterctl.utility.store.authentication import hash_of
from meterctl.utility.store.engine import Database
from meterctl.utility.store.unit_of_work import WORKER, unit_of_work
from tests.support.desk_sales import a_port, a_sale, balances
from tests.support.desk_world import NOON, TODAY, World, a_person, a_world, opened
from tests.support.field_wires import field_port

PROGRAM = Path(sys.executable).parent / "meterctl"


def _desk(url: str, port: str) -> tuple[Database, World]:
    """Return a desk with a meter at a port, and an admin whose token is "admin"."""
    database = opened(url)
    world = a_world(database)
    with unit_of_work(database, WORKER, NOON) as work:
        company = work.session.get_one(Organisation, world.company)
        a_person(work, "admin", (Role.ADMIN, company))
        person = work.session.scalars(select(Staff).where(Staff.number == "admin")).one()
        person.token_hash = hash_of("admin")
        work.add(
            StaffGrant(
                staff_id=person.id, role=Role.ADMIN, node_id=company.id, from_on=TODAY,
                state=GrantState.ACTIVE,
            )
        )  # fmt: skip
        a_port(work, world, port)
        assert work.session.get_one(Meter, world.meter).serial == "000000000001"
    return database, world


def test_a_worker_sells_what_others_take_and_a_signal_ends_it_between_orders(
    sqlite_desk_url: str, tmp_path: Path
) -> None:
    with PrepaidMeter() as meter:
        database, world = _desk(sqlite_desk_url, field_port(meter, "tcp"))
        environment = {
            **os.environ, "METERCTL_DESK_TOKEN": "admin", "METERCTL_DESK_URL": sqlite_desk_url,
            "XDG_STATE_HOME": str(tmp_path),
        }  # fmt: skip
        with subprocess.Popen(
            [PROGRAM, "desk", "work"], env=environment, cwd=tmp_path, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        ) as process:  # fmt: skip
            assert process.stdout is not None
            for n in range(1, 3):
                with unit_of_work(database, WORKER, NOON) as work:
                    a_sale(work, world, key=f"K{n}")
                assert process.stdout.readline() == (
                    f"O{n} sale S{n}, meter 000000000001: delivered\n"
                )
            process.send_signal(signal.SIGTERM)
            out, err = process.communicate(timeout=60)
        assert (process.returncode, out) == (0, ""), err
        assert "Traceback" not in err
        assert balances(database) == {"cash/1": 100_00, "in_meter/1": 100_00}
        with database.reading() as session:
            assert [sale.sequence for sale in session.scalars(select(Sale).order_by(Sale.id))] == [
                1, 2,
            ]  # fmt: skip
        database.close()
