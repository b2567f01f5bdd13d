"""Daily limits: the sum of what one key ring sells in a day (UTC)."""

from __future__ import annotations

from meterctl.errors import OverDailyLimitError
from meterctl.journal.audit import AuditLog
from meterctl.journal.database import Database
from meterctl.journal.states import EntryOutcome
from meterctl.key_ring import DailyLimit
from protocols.quantities import CENT, format_money

DAY_S = 86_400


class DailyLimits:
    """The daily limits, held against the sales of a journal.

    A sale that was refused does not count. One that a person closed as refused does: its bytes can
    still be accepted.
    """

    def __init__(self, db: Database, audit: AuditLog) -> None:
        self._db, self._audit = db, audit

    def hold(self, limit: DailyLimit, meter: str, card: str, amount: int, now: int) -> None:
        """Refuse a sale of `amount` (0.01) that would exceed the daily limit; audited.

        Raises:
            OverDailyLimitError: the daily limit of the key ring would be exceeded.
        """
        try:
            self.require_within(limit, meter, amount, now)
        except OverDailyLimitError as error:
            self.audit_refusal(error, meter, card, amount, now)
            raise

    def require_within(self, limit: DailyLimit, meter: str, amount: int, now: int) -> None:
        """Raise OverDailyLimitError as `hold`, without an audit line."""
        if limit.amount is None:
            return
        day = now // DAY_S * DAY_S
        (sold,) = self._db.row(
            "SELECT COALESCE(SUM(amount), 0) FROM entries INDEXED BY sold_of_ring WHERE ring = ?"
            " AND created >= ? AND created < ? AND (state != 'refused' OR outcome = ?)"
            " AND kind IN ('open', 'credit')",
            limit.ring,
            day,
            day + DAY_S,
            EntryOutcome.BY_HAND.value,
        )
        if sold + amount > limit.amount:
            raise OverDailyLimitError(
                f"meter {meter}: {format_money(amount * CENT)} would pass the daily limit: "
                f"{format_money(sold * CENT)} sold today with this key "
                f"ring, its daily limit is {format_money(limit.amount * CENT)}. Nothing was sold",
                serial_number=meter,
            )

    def audit_refusal(
        self, error: OverDailyLimitError, meter: str, card: str, amount: int, now: int
    ) -> None:
        """Append the audit line of a refused sale."""
        self._audit.append(
            "over_daily_limit", now, meter=meter, card=card, amount=amount, detail=str(error)
        )
