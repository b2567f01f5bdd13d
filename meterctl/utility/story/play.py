"""The whole story, from an empty folder to a closed date."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from meterctl.transports.wires import monotonic_ms
from meterctl.utility.services.founding import ADMIN_NUMBER
from meterctl.utility.story.office import DATABASE, Office, Run, run_program
from meterctl.utility.story.plan import Plan
from meterctl.utility.story.scenes import (
    afternoon,
    bank_day,
    founding,
    mishaps,
    selling,
    signing,
    taking_over,
)
from meterctl.utility.story.scenes import closing as ending
from meterctl.utility.story.screen import Teller
from meterctl.utility.story.simulated_meters import running_meters


def play(plan: Plan, out: Callable[[str], None] = print, run: Run = run_program) -> bool:
    """Play the story of a plan in a fresh folder; return whether everything was proved.

    Args:
        out: takes each line that is told.
        run: runs the commands that people type.

    Raises:
        MeterctlError: the story cannot go on.
    """
    teller = Teller(out)
    with tempfile.TemporaryDirectory(prefix="meterctl-desk-") as name:
        folder = Path(name)
        token = founding.new_desk(f"sqlite:///{folder / DATABASE}")
        with (
            running_meters(folder, plan) as meters,
            closing(Office(folder, teller, meters, {ADMIN_NUMBER: token}, run)) as office,
        ):
            _play(office, plan)
    return teller.end()


def _play(office: Office, plan: Plan) -> None:
    founding.set_up(office, plan)
    taken_over = taking_over.take_over(office, plan)
    numbers = signing.sign(office, plan, taken_over)
    signing.find_drifted(office, plan, numbers)
    selling.open_shifts(office, plan)
    selling.sell_by_wire(office, plan, numbers)
    selling.sell_by_card(office, plan, numbers)
    sale, home = mishaps.kill_a_sale(office, plan, numbers)
    killed_at_ms = monotonic_ms()
    mishaps.sell_to_a_silent_meter(office, plan, numbers)
    mishaps.move_a_sale(office, plan, numbers)
    mishaps.settle_the_killed(office, plan, sale, home, killed_at_ms)
    afternoon.sell_to_a_workshop(office, plan, numbers)
    ending.count_tills(office, plan)
    ending.read_all(office, plan, numbers)
    ending.close_day(office, plan)
    bank_day.reconcile_bank(office, plan, numbers)
    ending.check(office)
