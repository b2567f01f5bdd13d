"""The gateway of a command that carries out orders itself: its journal, its keys, its clock."""

from __future__ import annotations

from pathlib import Path

from meterctl.cli.desk.signed_in import SignedIn
from meterctl.cli.output import say
from meterctl.utility.meters.gateway import Clocks, Gateway
from meterctl.utility.services import approvals
from meterctl.utility.store import takeover_books

assert approvals.SERVICES  # imported for what goes on after their orders (`order_books.FOLLOWING`)
assert takeover_books.TAKE_OVER


def gateway_of(desk: SignedIn, journal: Path | None = None) -> Gateway:
    """Open the gateway of a journal, with --keys and --timeout.

    Args:
        journal: its file; None is that of --journal, else the one beside the database.

    Raises:
        UsageError: the journal or the key ring cannot be used.
        NotPermittedError: others may write the key ring.
    """
    common = desk.given.common
    clocks = Clocks(now_ms=desk.database.now) if desk.database.simulated else Clocks()
    path = journal or journal_of(desk)
    gateway = Gateway(path, common.keys, clocks, timeout_ms=common.timeout_ms)
    if gateway.is_new:
        say(f"journal {gateway.journal_path}: new")
    return gateway


def journal_of(desk: SignedIn) -> Path:
    """Return the file of the desk's journal: of --journal, else beside the database's file."""
    common, url = desk.given.common, desk.database.engine.url
    if common.journal is None and url.get_backend_name() == "sqlite" and url.database:
        return Path(url.database).with_name(common.journal_path.name)
    return common.journal_path
