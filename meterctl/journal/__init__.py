"""The journal: sealed messages with their outcomes, and the proved state of meters (METER.md 8)."""

from meterctl.journal.audit import AuditLine
from meterctl.journal.database import NOWHERE
from meterctl.journal.entries import Entry
from meterctl.journal.journal import Journal, default_path
from meterctl.journal.layout import LAYOUT
from meterctl.journal.lists import AuditFilter, EntryFilter
from meterctl.journal.prints import Print
from meterctl.journal.proofs import ProvedStorage
from meterctl.journal.states import EntryEvent, EntryOutcome, EntryState
from meterctl.journal.write_backs import SeenWriteBack

__all__ = [
    "LAYOUT",
    "NOWHERE",
    "AuditFilter",
    "AuditLine",
    "Entry",
    "EntryEvent",
    "EntryFilter",
    "EntryOutcome",
    "EntryState",
    "Journal",
    "Print",
    "ProvedStorage",
    "SeenWriteBack",
    "default_path",
]
