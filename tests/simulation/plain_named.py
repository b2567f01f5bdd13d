"""What a journal may be held to of the plain credit that it names."""

from __future__ import annotations

from meterctl.journal import Journal
from meterctl.operations.plain_credit import AUDITED


def named_plainly(journal: Journal, serial: str, epoch: int, *, was_set_back: bool) -> int:
    """Return the credit of a storage that a journal names as plain and could tell apart, 0.01.

    A journal that has not seen a set-back cannot tell later sales of others from plain credit: of
    a storage that was set back count the lines behind the first sign of it.
    """
    lines = journal.audit_mentioning(serial, f"epoch {epoch:08x}")
    if was_set_back:
        signs = [at for at, line in enumerate(lines) if line.what.startswith("set_back")]
        lines = lines[signs[0] :] if signs else []
    return sum(line.amount for line in lines if line.what == AUDITED)
