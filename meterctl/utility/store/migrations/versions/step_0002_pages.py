"""The second layout: sign-in to the pages, bank files, mandates, documents, runs of the check."""

from __future__ import annotations

from alembic import op
from sqlalchemy import JSON, Date, Index, LargeBinary, String, Table, UniqueConstraint

from meterctl.utility.store.migrations.append_only import keep_rows
from meterctl.utility.store.migrations.columns import (
    BIG,
    WORD,
    column,
    index_where,
    new_layout,
    owner,
    row_id,
    unique_where,
    where_set,
)

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_layout = new_layout()
_EARLIER = {
    name: Table(name, _layout, row_id()) for name in ("agreement", "bill", "payment", "staff")
}
"""Tables of the first layout that those of this one name."""
Table(
    "bank",
    _layout,
    row_id(),
    column("code", String(), unique=True),
    column("title", String()),
    column("account", BIG, unique=True),
    column("description", String()),
    column("version", BIG),
)
Table(
    "bank_file",
    _layout,
    row_id(),
    column("bank", String()),
    column("kind", WORD),
    column("name", String()),
    column("sha256", String(), unique=True),
    column("lines", BIG),
    column("amount", BIG),
    column("for_on", Date()),
    column("result", JSON()),
    column("at_ms", BIG),
    owner("staff", nullable=True, index=False),
)
Table(
    "bank_line",
    _layout,
    row_id(),
    owner("bank_file", "file_id"),
    column("bank", String()),
    column("kind", WORD),
    column("reference", String()),
    column("party", String()),
    column("amount", BIG),
    column("paid_at", BIG),
    column("paid_on", Date()),
    column("state", WORD),
    owner("agreement", nullable=True),
    owner("payment", nullable=True),
    owner("bill", nullable=True),
    owner("mandate", nullable=True),
    column("tries", BIG),
    column("not_before_on", Date(), nullable=True),
    column("cause", String()),
    column("version", BIG),
    UniqueConstraint("bank", "kind", "reference"),
    Index("ix_bank_line_paid_on", "bank", "paid_on"),
    index_where("ix_bank_line_suspense", ("paid_on",), "state = 'suspense'"),
    unique_where("uq_bank_line_debit", ("bill_id",), "kind = 'debits' AND state = 'sent'"),
)
Table(
    "check_run",
    _layout,
    row_id(),
    column("at_ms", BIG),
    column("took_ms", BIG),
    column("broken", JSON()),
    column("looked_at", BIG),
    owner("staff", nullable=True, index=False),
)
Table(
    "document",
    _layout,
    row_id(),
    column("subject_kind", String()),
    column("subject_id", BIG),
    column("kind", String()),
    column("name", String()),
    column("media_type", String()),
    column("size", BIG),
    column("sha256", String()),
    column("at_ms", BIG),
    owner("staff", nullable=True, index=False),
    UniqueConstraint("subject_kind", "subject_id", "kind", "sha256"),
    Index("ix_document_subject", "subject_kind", "subject_id"),
)
Table(
    "document_content",
    _layout,
    column("sha256", String(), primary_key=True),
    column("content", LargeBinary()),
)
Table(
    "mandate",
    _layout,
    row_id(),
    owner("agreement"),
    column("bank", String()),
    column("reference", String()),
    column("payer_account", String()),
    column("from_on", Date()),
    column("to_on", Date(), nullable=True),
    column("state", WORD),
    owner("document", nullable=True, index=False),
    column("version", BIG),
    UniqueConstraint("bank", "reference"),
    unique_where("uq_mandate_live", ("agreement_id",), "state = 'live'"),
)
Table(
    "web_session",
    _layout,
    row_id(),
    column("cookie_hash", String(), unique=True),
    owner("staff"),
    column("made_at", BIG),
    column("seen_at", BIG),
)
TABLES = [table for name, table in _layout.tables.items() if name not in _EARLIER]
"""The tables that this step makes."""


_OF_SALES = (
    where_set("ix_sale_card", "card"),
    index_where("ix_sale_on_card", ("changed_at",), "state = 'on_card'"),
)
_OF_ORDERS = (
    index_where(
        "ix_meter_order_no_sale", ("changed_at",), "credit_state IS NOT NULL AND kind <> 'sale'"
    ),
)
INDEXES = (*_OF_SALES, *_OF_ORDERS)
"""Further indexes: a sale on a wire and its order are in none of them."""
_EARLIER["sale"] = Table(
    "sale",
    _layout,
    row_id(),
    column("card", String(), nullable=True),
    column("changed_at", BIG),
    *_OF_SALES,
)
_EARLIER["meter_order"] = Table(
    "meter_order",
    _layout,
    row_id(),
    column("kind", String()),
    column("credit_state", String(), nullable=True),
    column("changed_at", BIG),
    *_OF_ORDERS,
)


def upgrade() -> None:
    """Make the tables and indexes, and keep what is written once."""
    _layout.create_all(op.get_bind(), tables=TABLES, checkfirst=False)
    for index in INDEXES:
        index.create(op.get_bind())
    keep_rows("bank_file", "id", "sha256")
    keep_rows("document", "id", "subject_kind, subject_id, kind, sha256")
    keep_rows("document_content", "sha256")
    keep_rows("check_run", "id")
