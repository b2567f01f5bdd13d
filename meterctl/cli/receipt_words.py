"""The words of a printed receipt; the Chinese terms are those of fee control (docs/glossary.md)."""

from __future__ import annotations

from dataclasses import dataclass, fields

from protocols.sealed_message import MessageKind

LANGUAGES = ("en", "zh")


@dataclass(frozen=True, slots=True)
class Terms:
    """The names of amounts: one set for accounts in money, one for accounts in kWh."""

    bought: str
    refunded: str
    debt_added: str
    to_overdraft: str
    to_debt: str
    to_credit: str
    before: str
    after: str
    unchanged: str
    paid_back: str
    still_due: str
    cumulative: str


@dataclass(frozen=True, slots=True)
class Words:
    """The words of one language; `tag` is that of HTML (BCP 47).

    `created` names the host's time, `at` that of the meter's clock. `spelled` names the amount in
    words, by account unit.
    """

    tag: str
    titles: dict[MessageKind, str]
    number: str
    created: str
    at: str
    meter: str
    customer: str
    sale: str
    money: Terms
    energy: Terms
    spelled: dict[str, str]
    purchase_count: str
    debt: str
    debt_left: str
    voided: str
    check: str
    sequence: str
    carrier_of_sale: str
    carrier: str
    wire: str
    card: str
    proof: str
    proofs: dict[str, str]
    code: str
    seal: str
    cashier: str
    printed: str
    reprint: str
    first_printed: str
    specimen: str
    units: dict[str, str]

    def texts(self) -> list[str]:
        """Return every text."""
        return _texts(self)


def _texts(words: Words | Terms) -> list[str]:
    found: list[str] = []
    for field in fields(words):
        value = getattr(words, field.name)
        if isinstance(value, Terms):
            found += _texts(value)
        else:
            found += value.values() if isinstance(value, dict) else (value,)
    return found


ENGLISH = Words(
    tag="en",
    titles={
        MessageKind.OPEN: "Account opening",
        MessageKind.CREDIT: "Purchase of electricity",
        MessageKind.REFUND: "Refund",
        MessageKind.DEBT: "Debt entered",
        MessageKind.CLOSE: "Account closing",
        MessageKind.VOID: "Void",
    },
    number="Receipt no.",
    created="Entered",
    at="Meter's time",
    meter="Meter",
    customer="Customer",
    sale="Sale",
    money=Terms(
        bought="Amount",
        refunded="Amount refunded",
        debt_added="Debt added",
        to_overdraft="of which overdraft",
        to_debt="of which debt",
        to_credit="of which credit",
        before="Credit before",
        after="Credit after",
        unchanged="Credit, unchanged",
        paid_back="Balance to pay back",
        still_due="Balance still due",
        cumulative="Purchases in all",
    ),
    energy=Terms(
        bought="Energy bought",
        refunded="Energy taken back",
        debt_added="Debt added",
        to_overdraft="of which overdraft",
        to_debt="of which debt",
        to_credit="of which for use",
        before="Energy before",
        after="Energy after",
        unchanged="Energy, unchanged",
        paid_back="Energy to give back",
        still_due="Energy still due",
        cumulative="Energy bought in all",
    ),
    spelled={},
    purchase_count="Purchase no.",
    debt="Debt, if any",
    debt_left="not settled by this",
    voided="Voids no.",
    check="Check",
    sequence="Sequence",
    carrier_of_sale="Carrier",
    carrier="Carrier",
    wire="wire",
    card="card",
    proof="Proof",
    proofs={
        "receipt": "sealed by the meter",
        "status": "the meter's sealed status",
        "by_hand": "closed by hand, without the meter's proof",
    },
    code="Code",
    seal="Seal of the meter",
    cashier="Cashier",
    printed="Printed",
    reprint="REPRINT {number}",
    first_printed="First printed",
    specimen="SPECIMEN - NOT A RECEIPT",
    units={},
)
CHINESE = Words(
    tag="zh-CN",
    titles={
        MessageKind.OPEN: "开户购电凭证",
        MessageKind.CREDIT: "购电凭证",
        MessageKind.REFUND: "退费凭证",
        MessageKind.DEBT: "欠费录入凭证",
        MessageKind.CLOSE: "销户凭证",
        MessageKind.VOID: "作废凭证",
    },
    number="凭证号",
    created="办理时间",
    at="电表时间",
    meter="表号",
    customer="客户编号",
    sale="业务号",
    money=Terms(
        bought="购电金额",
        refunded="退费金额",
        debt_added="新增欠费",
        to_overdraft="其中：冲抵透支",
        to_debt="其中：抵扣欠费",
        to_credit="其中：计入余额",
        before="交易前剩余金额",
        after="交易后剩余金额",
        unchanged="剩余金额（未变）",
        paid_back="退还余额",
        still_due="应补金额",
        cumulative="累计购电金额",
    ),
    energy=Terms(
        bought="购电量",
        refunded="退还电量",
        debt_added="新增欠费电量",
        to_overdraft="其中：冲抵透支",
        to_debt="其中：抵扣欠费",
        to_credit="其中：计入电量",
        before="交易前剩余电量",
        after="交易后剩余电量",
        unchanged="剩余电量（未变）",
        paid_back="退还电量",
        still_due="应补电量",
        cumulative="累计购电量",
    ),
    spelled={"CNY": "人民币大写"},
    purchase_count="购电次数",
    debt="欠费（如有）",
    debt_left="不在本次结算内",
    voided="作废凭证号",
    check="核对",
    sequence="交易序号",
    carrier_of_sale="购电方式",
    carrier="办理方式",
    wire="远程",
    card="购电卡",
    proof="凭据",
    proofs={
        "receipt": "电表加密回执（已验证）",
        "status": "电表加密状态（已验证）",
        "by_hand": "人工确认，无电表凭据",
    },
    code="校验码",
    seal="电表验证码",
    cashier="收费员",
    printed="打印时间",
    reprint="补打 第{number}次",
    first_printed="首次打印",
    specimen="样张 非正式凭证",
    units={"CNY": "元", "kWh": "千瓦时"},
)


def words_of(language: str) -> Words:
    """Return the words of one of the LANGUAGES."""
    return CHINESE if language == "zh" else ENGLISH
