"""The words of a printed receipt; the Chinese terms are those of fee control (docs/glossary.md)."""

from __future__ import annotations

from dataclasses import dataclass

from protocols.sealed_message import MessageKind

LANGUAGES = ("en", "zh")


@dataclass(frozen=True, slots=True)
class Words:
    """The words of one language; `tag` is that of HTML (BCP 47)."""

    tag: str
    titles: dict[MessageKind, str]
    number: str
    at: str
    meter: str
    customer: str
    sale: str
    amount: str
    to_overdraft: str
    to_debt: str
    to_credit: str
    credit_before: str
    credit_after: str
    settlement: str
    cumulative: str
    voided: str
    check: str
    sequence: str
    carrier: str
    wire: str
    card: str
    proof: str
    proofs: dict[str, str]
    code: str
    seal: str
    printed: str
    reprint: str
    first_printed: str
    specimen: str
    units: dict[str, str]

    def texts(self) -> list[str]:
        """Return every text."""
        fields = (getattr(self, name) for name in self.__slots__)
        return [
            text
            for each in fields
            for text in (each.values() if isinstance(each, dict) else (each,))
        ]


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
    at="Date",
    meter="Meter",
    customer="Customer",
    sale="Sale",
    amount="Amount",
    to_overdraft="of which overdraft",
    to_debt="of which debt",
    to_credit="of which credit",
    credit_before="Credit before",
    credit_after="Credit after",
    settlement="Balance settled",
    cumulative="Purchases in all",
    voided="Voids no.",
    check="Check",
    sequence="Sequence",
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
    at="时间",
    meter="表号",
    customer="客户编号",
    sale="业务号",
    amount="金额",
    to_overdraft="其中: 冲抵透支",
    to_debt="其中: 偿还欠费",
    to_credit="其中: 计入余额",
    credit_before="交易前剩余金额",
    credit_after="交易后剩余金额",
    settlement="结清金额",
    cumulative="累计购电金额",
    voided="作废凭证号",
    check="核对",
    sequence="交易序号",
    carrier="载体",
    wire="远程",
    card="购电卡",
    proof="凭据",
    proofs={
        "receipt": "电表密封回执",
        "status": "电表密封状态",
        "by_hand": "人工确认, 无电表凭据",
    },
    code="校验码",
    seal="电表签章",
    printed="打印时间",
    reprint="补打 第{number}次",
    first_printed="首次打印",
    specimen="样张 非正式凭证",
    units={"CNY": "元", "kWh": "千瓦时"},
)


def words_of(language: str) -> Words:
    """Return the words of one of the LANGUAGES."""
    return CHINESE if language == "zh" else ENGLISH
