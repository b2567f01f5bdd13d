"""The tables of the desk (UTILITY 3), one module a part; `metadata` has them all."""

from __future__ import annotations

from meterctl.utility.model import (
    agreement,
    banking,
    evidence,
    metering,
    money,
    organisation,
    party,
    work,
)
from meterctl.utility.model.base import Base

__all__ = [
    "agreement",
    "banking",
    "evidence",
    "metadata",
    "metering",
    "money",
    "organisation",
    "party",
    "work",
]

metadata = Base.metadata
