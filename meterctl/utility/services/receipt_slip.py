"""The slip of a receipt of the desk: its rows in English, Chinese, or both. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from meterctl.slips.chinese_amounts import chinese_amount
from meterctl.slips.slip import Row, Slip, plain
from protocols.quantities import CENT, format_money


@dataclass(frozen=True, slots=True)
class Words:
    """The words of a receipt in one language; `tag` is that of HTML (BCP 47)."""

    tag: str
    titles: Mapping[str, str]
    rows: Mapping[str, str]
    states: Mapping[str, str]
    carriers: Mapping[str, str]
    copy: str
    copy_again: str
    cancelled: str
    specimen: str
    spelled: str

    def texts(self) -> list[str]:
        """Return every text."""
        groups = (self.titles, self.rows, self.states, self.carriers)
        single = (self.copy, self.copy_again, self.cancelled, self.specimen, self.spelled)
        return [*single, *(text for group in groups for text in group.values())]


ENGLISH = Words(
    tag="en",
    titles={
        "sale": "Purchase of electricity",
        "bills": "Payment",
        "payout": "Money paid out",
        "refund": "Money paid out",
    },
    rows={
        "receipt_number": "Receipt no.",
        "paid_at": "Date",
        "agreement": "Agreement",
        "point": "Customer no.",
        "customer": "Name",
        "address": "Address",
        "meter": "Meter",
        "sale": "Sale",
        "key": "Key",
        "amount": "Amount, CNY",
        "to_overdraft_exact": "  of which overdraft",
        "to_debt_exact": "  of which debt",
        "credit_after_exact": "Credit after",
        "carrier": "Carrier",
        "card": "Card",
        "sequence": "Sequence",
        "state": "State",
        "bill": "  for bill {bill}",
        "in_advance": "  in advance",
        "vendor": "Cashier",
        "printed_at": "Printed",
    },
    states={
        "taken": "paid, delivery pending",
        "sending": "paid, delivery pending",
        "unknown": "paid, delivery pending",
        "on_card": "on the card",
        "delivered": "in the meter",
        "hand_delivered": "in the meter, by a person's word",
        "cancelled": "cancelled",
        "dead": "not delivered, owed to you",
        "hand_dead": "not delivered, owed to you",
        "repaid": "not delivered, paid out",
        "replaced": "not delivered, sold again",
    },
    carriers={"wire": "wire", "card": "card"},
    copy="COPY {number}",
    copy_again="COPY",
    cancelled="CANCELLED",
    specimen="SPECIMEN - NOT A RECEIPT",
    spelled="",
)
CHINESE = Words(
    tag="zh-CN",
    titles={
        "sale": "购电凭证",
        "bills": "缴费凭证",
        "payout": "退款凭证",
        "refund": "退款凭证",
    },
    rows={
        "receipt_number": "凭证号",
        "paid_at": "办理时间",
        "agreement": "协议编号",
        "point": "户号",
        "customer": "户名",
        "address": "用电地址",
        "meter": "表号",
        "sale": "业务号",
        "key": "业务编码",
        "amount": "金额（元）",
        "to_overdraft_exact": "其中：冲抵透支",
        "to_debt_exact": "其中：抵扣欠费",
        "credit_after_exact": "交易后剩余金额",
        "carrier": "购电方式",
        "card": "购电卡",
        "sequence": "交易序号",
        "state": "状态",
        "bill": "其中：账单 {bill}",
        "in_advance": "其中：预收",
        "vendor": "收费员",
        "printed_at": "打印时间",
    },
    states={
        "taken": "已收款，待下发",
        "sending": "已收款，待下发",
        "unknown": "已收款，待下发",
        "on_card": "已写卡",
        "delivered": "已入表",
        "hand_delivered": "已入表（人工确认）",
        "cancelled": "已撤销",
        "dead": "未入表，待退款",
        "hand_dead": "未入表，待退款",
        "repaid": "未入表，已退款",
        "replaced": "未入表，已改售",
    },
    carriers={"wire": "远程", "card": "购电卡"},
    copy="补打 第{number}次",
    copy_again="补打",
    cancelled="已撤销",
    specimen="样张 非正式凭证",
    spelled="人民币大写",
)


def _beside(english: Mapping[str, str], chinese: Mapping[str, str]) -> dict[str, str]:
    return {name: f"{text} {chinese[name]}" for name, text in english.items()}


BOTH = Words(
    tag=CHINESE.tag,
    titles=_beside(ENGLISH.titles, CHINESE.titles),
    rows=_beside(ENGLISH.rows, CHINESE.rows),
    states=_beside(ENGLISH.states, CHINESE.states),
    carriers=_beside(ENGLISH.carriers, CHINESE.carriers),
    copy=f"{ENGLISH.copy} {CHINESE.copy}",
    copy_again=f"{ENGLISH.copy_again} {CHINESE.copy_again}",
    cancelled=f"{ENGLISH.cancelled} {CHINESE.cancelled}",
    specimen=f"{ENGLISH.specimen} {CHINESE.specimen}",
    spelled=CHINESE.spelled,
)
WORDS = {"both": BOTH, "en": ENGLISH, "zh": CHINESE}
LANGUAGES = tuple(WORDS)
_IDENTITY = (
    "receipt_number", "paid_at", "agreement", "point", "customer", "address", "meter", "sale",
)  # fmt: skip
_PROOF = ("carrier", "card", "sequence", "key", "state")
_PARTS = ("to_overdraft_exact", "to_debt_exact")


def slip_of(
    told: Mapping[str, Any],
    words: Words,
    zone: ZoneInfo,
    *,
    is_specimen: bool = False,
    is_repeated: bool = False,
) -> Slip:
    """Return the slip of a receipt.

    Args:
        told: what `services.receipts.print_receipt` returned.
        zone: the company's, in which its times are printed.
        is_specimen: it was not counted.
        is_repeated: its request was done before, so it may have been printed already.
    """
    groups = (
        [_row(told, words, zone, name) for name in _IDENTITY],
        _money(told, words),
        [_row(told, words, zone, name) for name in _PROOF],
        [_row(told, words, zone, name) for name in ("vendor", "printed_at")],
    )
    kept = [[row for row in group if row.value] for group in groups]
    return Slip(
        words.tag,
        [plain(line) for line in (told["company"], told["station"])],
        words.titles[told["purpose"]],
        _marks(told, words, is_specimen=is_specimen, is_repeated=is_repeated),
        [group for group in kept if group],
    )


def _marks(
    told: Mapping[str, Any], words: Words, *, is_specimen: bool, is_repeated: bool
) -> list[str]:
    marks = [words.cancelled] if told["cancelled"] else []
    if is_specimen:
        return [*marks, words.specimen]
    if told["copy"]:
        return [*marks, words.copy.format(number=told["copy"])]
    return [*marks, words.copy_again] if is_repeated else marks


def _row(told: Mapping[str, Any], words: Words, zone: ZoneInfo, name: str) -> Row:
    """Return the row of a field; without a value where it has none."""
    value = told.get(name)
    if value is None:
        return Row(words.rows[name], "")
    match name:
        case "paid_at" | "printed_at":
            moment = datetime.fromtimestamp(value // 1000, UTC).astimezone(zone)
            text = moment.strftime("%Y-%m-%d %H:%M:%S")
        case "state":
            text = words.states[value]
        case "carrier":
            text = words.carriers[value]
        case _:
            text = plain(str(value))
    return Row(words.rows[name], text)


def _money(told: Mapping[str, Any], words: Words) -> list[Row]:
    """Return the amount, what of it went where, and the credit that the meter proved."""
    rows = [Row(words.rows["amount"], _shown(told["amount"] * CENT), is_total=True)]
    if words.spelled:
        rows.append(Row(words.spelled, chinese_amount(told["amount"])))
    for name in _PARTS:
        if told[name]:
            rows.append(Row(words.rows[name], _shown(told[name])))
    for bill in told["bills"]:
        name = words.rows["bill"].format(bill=plain(bill["bill"]))
        rows.append(Row(name, _shown(bill["amount"] * CENT)))
    rest = told["amount"] - sum(bill["amount"] for bill in told["bills"])
    if told["purpose"] == "bills" and rest and told["bills"]:
        rows.append(Row(words.rows["in_advance"], _shown(rest * CENT)))
    if told["credit_after_exact"] is not None:
        rows.append(Row(words.rows["credit_after_exact"], _shown(told["credit_after_exact"])))
    return rows


def _shown(exact: int) -> str:
    return format_money(exact)
