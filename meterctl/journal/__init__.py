"""The journal: sealed messages with their outcomes, and the proved state of meters (METER.md 8)."""

from meterctl.journal.entries import BY_HAND, AuditLine, Entry, EntryState, SeenWriteBack
from meterctl.journal.journal import NOWHERE, Journal, default_path
from meterctl.journal.layout import LAYOUT
from meterctl.journal.proofs import ProvedStorage

__all__ = [
    "BY_HAND",
    "LAYOUT",
    "NOWHERE",
    "AuditLine",
    "Entry",
    "EntryState",
    "Journal",
    "ProvedStorage",
    "SeenWriteBack",
    "default_path",
]
