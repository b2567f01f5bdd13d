"""The services whose proposals a second person approves: to import them fills `tasks.APPROVALS`."""

from __future__ import annotations

from meterctl.utility.services import (
    bank_lines,
    epoch_ends,
    explanations,
    grants,
    payouts,
    sale_moves,
    settings,
    settling,
    takeover,
)

SERVICES = (
    bank_lines,
    epoch_ends,
    explanations,
    grants,
    payouts,
    sale_moves,
    settings,
    settling,
    takeover,
)
"""A service with functions named by `tasks.approval` stands here."""
