"""The words of sheets, each in English with its Chinese term."""

from __future__ import annotations

from typing import NamedTuple

from meterctl.utility.model.money import PaymentChannel, PaymentPurpose, PaymentState
from meterctl.utility.rules.postings import AccountKind
from meterctl.utility.rules.transitions import SaleState, ShiftState


class Word(NamedTuple):
    """A word in both languages; `zh` is empty where the English one is a number or a name."""

    en: str
    zh: str = ""

    def __str__(self) -> str:
        return f"{self.en} {self.zh}".strip()


ACCOUNTS = {
    AccountKind.CASH: Word("cash", "现金"),
    AccountKind.TRANSIT: Word("transit", "在途"),
    AccountKind.BANK: Word("bank", "银行存款"),
    AccountKind.RECEIVABLE: Word("receivable", "应收"),
    AccountKind.METER_DEBT: Word("meter_debt", "表内陈欠"),
    AccountKind.UNDELIVERED: Word("undelivered", "待下发"),
    AccountKind.IN_METER: Word("in_meter", "表内余额"),
    AccountKind.ADVANCE: Word("advance", "预收"),
    AccountKind.PAYABLE: Word("payable", "应退"),
    AccountKind.SUSPENSE: Word("suspense", "待查"),
    AccountKind.REVENUE_ENERGY: Word("revenue_energy", "电费收入"),
    AccountKind.REVENUE_STANDING: Word("revenue_standing", "基本费收入"),
    AccountKind.REVENUE_PENALTY: Word("revenue_penalty", "违约金收入"),
    AccountKind.REBATE: Word("rebate", "退补"),
    AccountKind.FEES: Word("fees", "手续费"),
    AccountKind.TILL_DIFFERENCE: Word("till_difference", "长短款"),
    AccountKind.BAD_DEBT: Word("bad_debt", "坏账"),
    AccountKind.TAKEN_OVER: Word("taken_over", "期初"),
}
CHANNELS = {
    PaymentChannel.CASH: Word("cash", "现金"),
    PaymentChannel.TRANSFER: Word("transfer", "转账"),
    PaymentChannel.BANK_DEBIT: Word("bank_debit", "代扣"),
    PaymentChannel.DEPUTED: Word("deputed", "代收"),
}
SALES = {
    SaleState.TAKEN: Word("taken", "已收款"),
    SaleState.SENDING: Word("sending", "下发中"),
    SaleState.ON_CARD: Word("on_card", "在卡"),
    SaleState.UNKNOWN: Word("unknown", "未知"),
    SaleState.DELIVERED: Word("delivered", "已下发"),
    SaleState.CANCELLED: Word("cancelled", "已撤销"),
    SaleState.DEAD: Word("dead", "未下发"),
    SaleState.HAND_DELIVERED: Word("hand_delivered", "人工认定已下发"),
    SaleState.HAND_DEAD: Word("hand_dead", "人工认定未下发"),
    SaleState.REPAID: Word("repaid", "已退款"),
    SaleState.REPLACED: Word("replaced", "已重售"),
}
SHIFTS = {
    ShiftState.OPEN: Word("open", "营业中"),
    ShiftState.COUNTED: Word("counted", "已清点"),
    ShiftState.CLOSED: Word("closed", "已交班"),
}
PURPOSES = {
    PaymentPurpose.SALE: Word("sale", "购电"),
    PaymentPurpose.BILLS: Word("bills", "电费"),
    PaymentPurpose.PAYOUT: Word("payout", "退款"),
    PaymentPurpose.REFUND: Word("refund", "退预收"),
}
PAYMENTS = {
    PaymentState.TAKEN: Word("taken", "有效"),
    PaymentState.CANCELLED: Word("cancelled", "作废"),
    PaymentState.BOUNCED: Word("bounced", "未到账冲回"),
    PaymentState.MOVED: Word("moved", "已转户"),
}

AGES = {
    "under 1 day": Word("under 1 day", "1天内"),
    "1 to 7 days": Word("1 to 7 days", "1至7天"),
    "8 to 30 days": Word("8 to 30 days", "8至30天"),
    "older": Word("older", "30天以上"),
    "never": Word("never", "未抄"),
}
CHECKED = {
    "I1": "余额不为负",
    "I2": "待下发等于在途售电",
    "I3": "表内余额账实相符",
    "I5": "每表至多一笔在途",
    "I12": "收款与入账相符",
}
OVER = Word("over", "长款")
SHORT = Word("short", "短款")
NO_DIFFERENCE = Word("over or short", "长短款")

DAY_TITLE = Word("Day sheet", "日结单")
SHIFT_TITLE = Word("Shift sheet", "交班单")
NOT_CLOSED = Word("NOT CLOSED: these figures may still change", "未日结")
NOT_COUNTED = Word("NOT COUNTED: these figures may still change", "未清点")
PART_OF_COMPANY = Word("PART OF THE COMPANY: this sheet has no seal", "部分数据，无封签")
BROKEN = Word("AN INVARIANT IS BROKEN: see below", "账实不符")
ACCOUNTANT = Word("Accountant", "会计")
CHECKED_BY = Word("Checked by", "复核")
VENDOR = Word("Vendor", "售电员")
COUNTED_BY = Word("Counted by", "清点人")
SIGNED_ON = Word("date", "日期")


def over_or_short(difference: int) -> Word:
    """Return the word of a till's difference, whose amount is shown without a sign."""
    return OVER if difference > 0 else SHORT
