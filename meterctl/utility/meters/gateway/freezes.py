"""The daily freezes of a proved meter."""

from __future__ import annotations

from dataclasses import dataclass

from meterctl.journal import Journal
from meterctl.operations.paging import paged
from meterctl.session import Session
from meterctl.utility.meters.gateway.proved_reads import between_statuses
from protocols.data_model.tables import DAILY_FREEZES, Freeze


@dataclass(frozen=True, slots=True)
class Freezes:
    """Rows of the daily freezes, oldest first, read between two sealed statuses.

    Proved are serial number and epoch; the rows are not sealed. A row has a number that rises by
    one and is never used twice, its instant by the meter's clock (ms, UTC), mWh that never wrap,
    and `consumption_charged_exact`, what was charged for energy until then (None in rows of older
    builds). A number that is skipped is a row that the meter does not keep any more.
    """

    serial: str
    epoch: int
    rows: tuple[Freeze, ...]


def read_freezes(session: Session, journal: Journal, since: int) -> Freezes:
    """Return the daily freezes from a number on; 1 is the oldest that is kept.

    Raises:
        UsageError: the map has no such table.
        MeterctlError: as `between_statuses`.
    """
    rows, proved = between_statuses(
        session, journal, lambda: tuple(paged(session.driver, DAILY_FREEZES, since))
    )
    return Freezes(proved.serial_number, proved.epoch, rows)
