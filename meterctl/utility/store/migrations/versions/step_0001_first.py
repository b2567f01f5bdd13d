"""The first layout: every table of UTILITY 3 that sold energy needs, and the rows that stay.

Written once, from the tables as they were; later layouts are later steps, so nothing is imported
from `model`.
"""

from __future__ import annotations

from typing import Any

from alembic import op
from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    text,
)

from meterctl.utility.store.migrations.append_only import keep_rows

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}
_BIG = BigInteger().with_variant(Integer, "sqlite")
_WORD = String(32)
"""A word of an enum."""


def _column(name: str, kind: Any, *more: Any, **options: Any) -> Column[Any]:
    return Column(name, kind, *more, **{"nullable": False, **options})


def _id(name: str = "id") -> Column[Any]:
    return _column(name, _BIG, primary_key=True)


def _owner(
    table: str, name: str = "", *, nullable: bool = False, index: bool = True
) -> Column[Any]:
    """Return a column with the `id` of a row of another table."""
    key = ForeignKey(f"{table}.id")
    return _column(name or f"{table}_id", _BIG, key, index=index, nullable=nullable)


def _where_set(name: str, *columns: str) -> Index:
    where = text(f"{columns[0]} IS NOT NULL")
    return Index(name, *columns, sqlite_where=where, postgresql_where=where)


def _unique_where(name: str, columns: tuple[str, ...], condition: str) -> Index:
    where = text(condition)
    return Index(name, *columns, unique=True, sqlite_where=where, postgresql_where=where)


_layout = MetaData(naming_convention=_NAMES)

Table(
    "account",
    _layout,
    _id(),
    _column("kind", _WORD),
    _column("owner_id", _BIG),
    UniqueConstraint("kind", "owner_id"),
)
Table(
    "closing_balance",
    _layout,
    _column("account_id", _BIG, primary_key=True),
    _column("on_date", Date(), primary_key=True),
    _column("balance", _BIG),
)
Table("day", _layout, _column("on_date", Date(), primary_key=True), _column("state", _WORD))
Table(
    "desk",
    _layout,
    _id(),
    _column("zone", String()),
    _column("simulated", Boolean()),
    _column("clock", _BIG, nullable=True),
    _column("made_at", _BIG),
)
Table("holiday", _layout, _column("on_date", Date(), primary_key=True), _column("works", Boolean()))
Table(
    "organisation",
    _layout,
    _id(),
    _owner("organisation", "parent_id", nullable=True),
    _column("kind", _WORD),
    _column("code", String(), unique=True),
    _column("name", String()),
    _column("path", String(), unique=True),
    _column("version", _BIG),
)
Table(
    "party",
    _layout,
    _id(),
    _column("number", String(), unique=True),
    _column("name", String()),
    _column("id_number", String(), nullable=True),
    _column("phones", JSON()),
    _column("protected", Boolean()),
    _column("version", _BIG),
)
Table(
    "staff",
    _layout,
    _id(),
    _column("number", String(), unique=True),
    _column("name", String()),
    _column("state", _WORD),
    _column("password_hash", String(), nullable=True),
    _column("token_hash", String(), unique=True, nullable=True),
    _column("version", _BIG),
)
Table(
    "worker",
    _layout,
    _id(),
    _column("journal_number", _BIG, unique=True),
    _column("journal", String()),
    _column("lease_holder", String(), nullable=True),
    _column("lease_until", _BIG, nullable=True),
)
Table(
    "audit",
    _layout,
    _id(),
    _column("at_ms", _BIG, index=True),
    _owner("staff", nullable=True, index=False),
    _column("action", String()),
    _column("subject", String(), index=True),
    _column("before_values", JSON(), nullable=True),
    _column("after_values", JSON(), nullable=True),
    _column("reason", String()),
    _column("key", String()),
)
Table(
    "day_close",
    _layout,
    _column("on_date", Date(), primary_key=True),
    _column("closed_at", _BIG),
    _owner("staff", nullable=True, index=False),
    _column("entries", _BIG),
    _column("transfers", _BIG),
    _column("last_audit_id", _BIG),
    _column("previous_seal", String()),
    _column("seal", String()),
    _column("figures", JSON()),
)
Table(
    "duty",
    _layout,
    _id(),
    _owner("staff"),
    _owner("organisation", "node_id"),
    _column("kind", _WORD),
    _column("from_on", Date()),
    _column("to_on", Date(), nullable=True),
)
Table(
    "port",
    _layout,
    _id(),
    _owner("organisation", "node_id"),
    _column("name", String(), unique=True),
    _column("url", String()),
    _column("protocol", String()),
    _column("baud", _BIG),
    _column("lease_holder", String(), nullable=True),
    _column("lease_until", _BIG, nullable=True),
    _column("version", _BIG),
)
Table(
    "request",
    _layout,
    _column("key", String(), primary_key=True),
    _owner("staff", nullable=True, index=False),
    _column("route", String()),
    _column("body_sha256", String()),
    _column("answer", JSON()),
    _column("at_ms", _BIG),
    _column("money", Boolean()),
)
Table(
    "setting",
    _layout,
    _id(),
    _column("code", String()),
    _owner("organisation", "node_id"),
    _column("customer_class", String()),
    _column("from_on", Date()),
    _column("value", JSON()),
    _owner("staff", nullable=True),
    _column("set_at", _BIG),
    UniqueConstraint("code", "node_id", "customer_class", "from_on", "id"),
)
Table(
    "shift",
    _layout,
    _id(),
    _column("number", String(), unique=True),
    _owner("staff", "vendor_id"),
    _owner("organisation", "node_id"),
    _column("state", _WORD),
    _column("opened_at", _BIG),
    _column("opened_on", Date()),
    _column("float_amount", _BIG),
    _column("limit_amount", _BIG),
    _column("counted", _BIG, nullable=True),
    _column("counted_at", _BIG, nullable=True),
    _owner("staff", "counter_id", nullable=True, index=False),
    _column("closed_at", _BIG, nullable=True),
    _column("slip", String(), nullable=True),
    _column("receipts", _BIG),
    _column("version", _BIG),
    _unique_where("uq_shift_vendor_now", ("vendor_id",), "state <> 'closed'"),
)
Table(
    "staff_grant",
    _layout,
    _id(),
    _owner("staff"),
    _column("role", _WORD),
    _owner("organisation", "node_id"),
    _column("from_on", Date()),
    _column("to_on", Date(), nullable=True),
    _column("state", _WORD),
    _owner("staff", "proposer_id", nullable=True),
    _owner("staff", "approver_id", nullable=True),
)
Table(
    "supply_point",
    _layout,
    _id(),
    _column("number", String(), unique=True),
    _owner("organisation", "node_id"),
    _column("address", String()),
    _column("customer_class", _WORD),
    _column("capacity_mw", _BIG),
    _column("boundary", String()),
    _column("route", String(), index=True),
    _column("read_day", _BIG),
    _column("version", _BIG),
)
Table(
    "task",
    _layout,
    _id(),
    _column("kind", _WORD),
    _column("subject_kind", String()),
    _column("subject_id", _BIG),
    _owner("organisation", "node_id"),
    _column("role", _WORD),
    _owner("staff", nullable=True, index=False),
    _column("state", _WORD),
    _column("due_on", Date()),
    _owner("staff", "proposer_id", nullable=True),
    _column("proposal", JSON(), nullable=True),
    _column("outcome", String()),
    _column("made_at", _BIG),
    _column("changed_at", _BIG),
    _column("version", _BIG),
    _unique_where(
        "uq_task_open",
        (
            "kind",
            "subject_kind",
            "subject_id",
        ),
        "state IN ('open', 'taken')",
    ),
)
Table(
    "agreement",
    _layout,
    _id(),
    _column("number", String(), unique=True),
    _owner("party"),
    _owner("supply_point", "point_id"),
    _column("mode", _WORD),
    _column("state", _WORD),
    _column("version", _BIG),
)
Table(
    "meter",
    _layout,
    _id(),
    _column("serial", String(), unique=True),
    _owner("port", nullable=True),
    _column("unit", _BIG),
    _column("epoch", _BIG, nullable=True),
    _column("proved_sequence", _BIG, nullable=True),
    _column("proved_cumulative", _BIG, nullable=True),
    _column("proved_energy_mwh", _BIG, nullable=True),
    _column("proved_elapsed", _BIG, nullable=True),
    _column("proved_at", _BIG, nullable=True),
    _column("explained_before", _BIG),
    _column("to_debt_exact", _BIG),
    _column("stopped", String(), nullable=True),
    _column("version", _BIG),
)
Table(
    "agreement_version",
    _layout,
    _id(),
    _owner("agreement"),
    _column("n", _BIG),
    _column("state", _WORD),
    _column("effective_on", Date()),
    _column("terms", JSON()),
    _column("signed_at", _BIG, nullable=True),
    _column("signed_by", String(), nullable=True),
    _column("print_sha256", String(), nullable=True),
    _column("cause", String()),
    UniqueConstraint("agreement_id", "n"),
)
Table(
    "bill",
    _layout,
    _id(),
    _column("number", String(), unique=True),
    _owner("agreement"),
    _column("kind", _WORD),
    _column("state", _WORD),
    _column("month", String()),
    _column("amount", _BIG),
    _column("issued_at", _BIG),
    _column("due_on", Date()),
    _owner("bill", "cancels_id", nullable=True),
    _column("note", String()),
)
Table(
    "finding",
    _layout,
    _id(),
    _column("rule", String()),
    _column("subject_kind", String()),
    _column("subject_id", _BIG),
    _owner("agreement", nullable=True),
    _column("value", String()),
    _column("limit_value", String()),
    _column("note", String()),
    _column("state", _WORD),
    _column("first_seen", _BIG),
    _column("last_seen", _BIG),
    _unique_where(
        "uq_finding_open",
        (
            "rule",
            "subject_kind",
            "subject_id",
        ),
        "state = 'open'",
    ),
)
Table(
    "payment",
    _layout,
    _id(),
    _owner("agreement"),
    _owner("shift", nullable=True),
    _column("channel", _WORD),
    _column("purpose", _WORD),
    _column("state", _WORD),
    _column("amount", _BIG),
    _column("paid_at", _BIG),
    _column("bank_reference", String(), nullable=True),
    _owner("staff", nullable=True, index=False),
)
Table(
    "reading",
    _layout,
    _id(),
    _owner("meter"),
    _owner("agreement", nullable=True),
    _column("state", _WORD),
    _column("source", _WORD),
    _column("taken_at", _BIG),
    _column("for_on", Date()),
    _column("meter_clock", _BIG, nullable=True),
    _column("epoch", _BIG),
    _column("elapsed", _BIG),
    _column("credit_sequence", _BIG),
    _column("command_sequence", _BIG),
    _column("energy_mwh", _BIG),
    _column("credit_exact", _BIG),
    _column("debt_exact", _BIG),
    _column("consumption_exact", _BIG),
    _column("standing_exact", _BIG),
    _column("instalments_exact", _BIG),
    _column("refunds_exact", _BIG),
    _column("cumulative_exact", _BIG),
    _column("to_debt_exact", _BIG),
    _column("debt_entered_exact", _BIG),
    _column("opening_exact", _BIG),
    _column("supply_state", String()),
    _column("causes", JSON()),
    _column("more", JSON()),
    UniqueConstraint("meter_id", "epoch", "taken_at", "source"),
)
Table(
    "installation",
    _layout,
    _id(),
    _owner("meter"),
    _owner("supply_point", "point_id"),
    _column("from_at", _BIG),
    _column("to_at", _BIG, nullable=True),
    _owner("reading", "reading_in_id", nullable=True),
    _owner("reading", "reading_out_id", nullable=True),
    _unique_where("uq_installation_meter_now", ("meter_id",), "to_at IS NULL"),
    _unique_where("uq_installation_point_now", ("point_id",), "to_at IS NULL"),
)
Table(
    "receipt",
    _layout,
    _id(),
    _owner("shift", index=False),
    _column("number", _BIG),
    _owner("payment"),
    _column("copies", _BIG),
    _column("printed", Boolean()),
    UniqueConstraint("shift_id", "number"),
)
Table(
    "sale",
    _layout,
    _id(),
    _column("key", String(), unique=True),
    _owner("agreement"),
    _owner("meter"),
    _owner("shift", nullable=True),
    _owner("payment", nullable=True),
    _column("kind", _WORD),
    _column("amount", _BIG),
    _column("source", _WORD),
    _column("carrier", _WORD),
    _column("state", _WORD, index=True),
    _column("cause", String()),
    _column("epoch", _BIG, nullable=True),
    _column("sequence", _BIG, nullable=True),
    _column("to_debt_exact", _BIG, nullable=True),
    _column("to_overdraft_exact", _BIG, nullable=True),
    _column("credit_after_exact", _BIG, nullable=True),
    _column("supply_state", String(), nullable=True),
    _column("causes", JSON(), nullable=True),
    _column("card", String(), nullable=True),
    _column("taken_at", _BIG),
    _column("changed_at", _BIG),
    _column("proved_at", _BIG, nullable=True),
    _owner("sale", "follows_id", nullable=True, index=False),
    _where_set("ix_sale_follows_id", "follows_id"),
)
Table(
    "transfer",
    _layout,
    _column("entry_id", _BIG, primary_key=True),
    _column("n", _BIG, primary_key=True),
    _column("debit_id", _BIG),
    _column("credit_id", _BIG),
    _column("amount", _BIG),
    _owner("bill", nullable=True, index=False),
    _column("booked_on", Date()),
    CheckConstraint("debit_id <> credit_id", name="accounts"),
    CheckConstraint("amount > 0", name="amount"),
    Index("ix_transfer_credit_booked", "credit_id", "booked_on", "amount"),
    Index("ix_transfer_debit_booked", "debit_id", "booked_on", "amount"),
    _where_set("ix_transfer_bill_id", "bill_id"),
)
Table(
    "entry",
    _layout,
    _id(),
    _column("key", String(), unique=True),
    _column("kind", String()),
    _column("booked_at", _BIG),
    _column("booked_on", Date(), index=True),
    _column("for_on", Date()),
    _owner("agreement", nullable=True),
    _owner("sale", nullable=True),
    _owner("payment", nullable=True),
    _owner("bill", nullable=True, index=False),
    _owner("reading", nullable=True, index=False),
    _owner("staff", nullable=True, index=False),
    _where_set("ix_entry_bill_id", "bill_id"),
    _where_set("ix_entry_reading_id", "reading_id"),
)
Table(
    "meter_order",
    _layout,
    _id(),
    _column("key", String(), unique=True),
    _owner("meter"),
    _owner("agreement", nullable=True),
    _owner("agreement_version", nullable=True, index=False),
    _owner("sale", nullable=True),
    _column("kind", _WORD),
    _column("parameters", JSON()),
    _column("credit_state", _WORD, nullable=True),
    _column("command_state", _WORD, nullable=True),
    _column("tries", _BIG),
    _column("not_before", _BIG),
    _column("expires", _BIG, nullable=True),
    _owner("worker", nullable=True, index=False),
    _column("journal_entry", _BIG, nullable=True),
    _column("outcome", JSON(), nullable=True),
    _column("cause", String()),
    _column("made_at", _BIG),
    _column("changed_at", _BIG),
    _owner("staff", nullable=True, index=False),
    CheckConstraint("(credit_state IS NULL) <> (command_state IS NULL)", name="one_state"),
    _where_set("ix_meter_order_command", "command_state", "not_before"),
    Index("ix_meter_order_credit", "credit_state", "not_before"),
    _unique_where(
        "uq_meter_order_live_credit",
        ("meter_id",),
        "credit_state IN ('on_card', 'sending', 'unknown')",
    ),
    _where_set("ix_meter_order_agreement_version_id", "agreement_version_id"),
)


def upgrade() -> None:
    """Make the tables, and keep what is written once."""
    _layout.create_all(op.get_bind(), checkfirst=False)
    keep_rows("entry", "id", "key")
    keep_rows("transfer", "entry_id, n")
    keep_rows("audit", "id")
    keep_rows("day_close", "on_date")
    keep_rows("closing_balance", "account_id, on_date")
    keep_rows("setting", "id")
    keep_rows("bill", "id", "number", may_change=("state",))
