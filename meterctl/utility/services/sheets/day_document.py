"""The sheet of a date as it is printed. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from zoneinfo import ZoneInfo

from meterctl.utility.services.sheets import words
from meterctl.utility.services.sheets.document import (
    Cell,
    Document,
    Section,
    age,
    exact,
    instant,
    money,
)
from meterctl.utility.services.sheets.figures import (
    BankFigures,
    ChannelFigures,
    DaySheet,
    MeterFigures,
    OpenSale,
    SaleTotal,
    SealFigures,
    TillFigures,
)
from meterctl.utility.services.sheets.words import Word


def day_document(sheet: DaySheet, seal: SealFigures | None, zone: ZoneInfo) -> Document:
    """Return the sheet of a date, of a closed one with its seal."""
    marks = [words.PART_OF_COMPANY] if sheet.node else [] if seal else [words.NOT_CLOSED]
    marks += [words.BROKEN] if any(check.broken for check in sheet.checks) else []
    return Document(
        words.DAY_TITLE,
        sheet.on.isoformat(),
        marks,
        (
            (Word("Company", "单位"), sheet.company),
            *_node(sheet),
            (Word("As of", "截至"), _as_of(sheet, zone)),
            (Word("Made", "制表时间"), instant(sheet.made_at, zone)),
            (Word("Entries, transfers", "凭证、分录"), f"{sheet.entries}, {sheet.transfers}"),
        ),
        (
            _accounts(sheet),
            channels_section(sheet.channels),
            _tills(sheet),
            _banks(sheet.banks),
            _meters(sheet.meters),
            sales_section(sheet.undelivered, Word("Sales on their way to meters", "在途售电")),
            _open_sales(sheet.open_sales),
            _checks(sheet, zone),
        ),
        tuple(_sealed(seal, zone)),
        (words.ACCOUNTANT, words.CHECKED_BY),
    )


def _node(sheet: DaySheet) -> Iterator[tuple[Word, Cell]]:
    if sheet.node is not None:
        yield Word("Node and below", "机构"), sheet.node


def _as_of(sheet: DaySheet, zone: ZoneInfo) -> Word:
    """Return the moment that the sheet is of."""
    if sheet.has_ended:
        return Word(f"the end of {sheet.on.isoformat()}", "日终")
    return Word(f"{instant(sheet.as_of, zone)}, not ended", "当日未结束")


def channels_section(channels: tuple[ChannelFigures, ...]) -> Section:
    """Return receipts beside what was booked, by channel."""
    return Section(
        Word("Receipts and payouts by channel", "收付款"),
        (
            Word("channel", "方式"), Word("receipts", "笔数"), Word("received", "收款"),
            Word("booked", "入账"), Word("differ", "差额"), Word("given back", "退回"),
            Word("paid out", "付款"),
        ),
        [
            (
                words.CHANNELS[each.channel], str(each.receipts), money(each.received),
                money(each.booked), money(each.difference), money(each.given_back),
                money(each.paid_out),
            )
            for each in channels
        ],
    )  # fmt: skip


def sales_section(totals: tuple[SaleTotal, ...], title: Word) -> Section:
    """Return sales by state with their sum."""
    rows = [(words.SALES[each.state], str(each.sales), money(each.amount)) for each in totals]
    total = (
        Word("all", "合计"),
        str(sum(each.sales for each in totals)),
        money(sum(each.amount for each in totals)),
    )
    columns = (Word("state", "状态"), Word("sales", "笔数"), Word("amount", "金额"))
    return Section(title, columns, [*rows, total], last_is_total=True)


def _accounts(sheet: DaySheet) -> Section:
    total = (
        Word("all", "合计"), "",
        money(sum(each.debit for each in sheet.accounts)),
        money(sum(each.credit for each in sheet.accounts)), "",
    )  # fmt: skip
    rows = [
        (
            words.ACCOUNTS[each.kind], money(each.opening), money(each.debit), money(each.credit),
            money(each.closing),
        )
        for each in sheet.accounts
    ]  # fmt: skip
    return Section(
        Word("Accounts", "科目"),
        (
            Word("account", "科目"), Word("opening", "期初"), Word("debit", "借方"),
            Word("credit", "贷方"), Word("closing", "期末"),
        ),
        [*rows, total],
        last_is_total=True,
    )  # fmt: skip


def _tills(sheet: DaySheet) -> Section:
    """Return the tills that moved; a difference names its task below."""
    notes = [
        Word(
            f"{each.shift}: {words.over_or_short(each.difference).en} "
            f"{money(abs(each.difference))}, task {each.task or 'none'}",
            words.over_or_short(each.difference).zh,
        )
        for each in sheet.tills
        if each.difference
    ]
    return Section(
        Word("Tills", "班次现金"),
        (
            Word("shift", "班次"), Word("received", "收入"), Word("paid out", "支出"),
            Word("differ", "长短款"), Word("banked", "解款"), Word("left", "余额"),
        ),
        [
            (
                _till_name(each),
                money(each.received), money(each.paid_out), money(each.difference),
                money(each.banked), money(each.left),
            )
            for each in sheet.tills
        ],
        notes,
    )  # fmt: skip


def _banks(banks: tuple[BankFigures, ...]) -> Section:
    """Return each bank beside its statement; what one side alone has names its task below."""
    notes = [
        Word(
            f"{each.bank} {item.reference}: books {_amount(item.ours)}, bank "
            f"{_amount(item.banks)}, task {item.task or 'none'}",
            "单边账",
        )
        for each in banks
        for item in each.one_sided
    ]
    return Section(
        Word("Banks: books and statement", "银行对账"),
        (
            Word("bank", "银行"), Word("on both sides", "双方一致"), Word("books only", "我方单边"),
            Word("bank only", "银行单边"), Word("differ", "不符"),
            Word("statement", "对账单余额"),
        ),
        [
            (
                each.title or each.bank,
                f"{each.both}: {money(each.both_amount)}",
                f"{each.ours_only}: {money(each.ours_only_amount)}",
                f"{each.banks_only}: {money(each.banks_only_amount)}",
                str(each.differing),
                money(each.statement),
            )
            for each in banks
        ],
        notes,
    )  # fmt: skip


def _amount(amount: int | None) -> str:
    return "-" if amount is None else money(amount)


def _meters(meters: MeterFigures) -> Section:
    """Return booked credit beside read credit, and how old the readings are."""
    difference, bound = exact(meters.difference), money(meters.bound)
    ages = [(words.AGES[each.age], each.meters) for each in meters.ages]
    notes = [
        Word(
            f"difference {difference}; where all agree it is from 0.00 to below {bound}; "
            f"{meters.differ} differ",
            f"差额{difference}，全部相符时不小于0.00且小于{bound}；不符{meters.differ}块",
        ),
        Word(
            "readings: " + ", ".join(f"{age.en} {number}" for age, number in ages),
            "抄表：" + "，".join(f"{age.zh} {number}块" for age, number in ages),
        ),
    ]
    return Section(
        Word("Credit in meters: booked and read", "表内余额核对"),
        (
            Word("meters", "电表"), Word("number", "块数"), Word("booked", "账面"),
            Word("read", "抄见"),
        ),
        [
            (
                Word("compared", "已核对"), str(meters.compared), money(meters.in_meter),
                exact(meters.credit_read),
            ),
            (
                Word("sold to since, or not read", "未核对"), str(meters.others),
                money(meters.others_in_meter), "-",
            ),
        ],
        notes,
    )  # fmt: skip


def _open_sales(sales: tuple[OpenSale, ...]) -> Section:
    return Section(
        Word("Deliveries not proved, the oldest first", "未确认下发"),
        (
            Word("sale", "售电"), Word("agreement", "协议"), Word("meter", "电表"),
            Word("amount", "金额"), Word("age", "时长"),
        ),
        [
            (
                _with_state(each.sale, words.SALES[each.state]), each.agreement, each.meter,
                money(each.amount), age(each.age_s),
            )
            for each in sales
        ],
    )  # fmt: skip


def _whole_check(sheet: DaySheet, zone: ZoneInfo) -> Iterator[Word]:
    """Yield the last check of the whole database, where there was one."""
    if sheet.whole_check is not None:
        at, rows = instant(sheet.whole_check.at, zone), sheet.whole_check.rows
        found = ", ".join(sheet.whole_check.broken) or "all hold"
        yield Word(f"I1 to I12 of the whole database, {at}: {rows} rows, {found}", "全库核对")


def _checks(sheet: DaySheet, zone: ZoneInfo) -> Section:
    """Return every invariant: those that are looked at with counts, the others with the reason."""
    return Section(
        Word("Invariants", "核对"),
        (Word("invariant", "不变量"), Word("looked at", "核对行数"), Word("broken", "不符")),
        [
            (
                Word(f"{each.invariant} {each.rows}", words.CHECKED.get(each.invariant, "")),
                str(each.count), str(each.broken),
            )
            for each in sheet.checks
        ]
        + [(Word(each.invariants, "未核对"), "-", "-") for each in sheet.not_looked_at],
        [
            *(
                Word(f"{each.invariants}: not on this sheet: {each.reason}", "不在本单")
                for each in sheet.not_looked_at
            ),
            *_whole_check(sheet, zone),
        ],
    )  # fmt: skip


def _till_name(till: TillFigures) -> Word:
    """Return a shift with its bank's slip, or with its state while it is not closed."""
    if till.slip is not None:
        return Word(f"{till.shift} slip {till.slip}")
    return _with_state(till.shift, words.SHIFTS[till.state])


def _with_state(name: str, state: Word) -> Word:
    return Word(f"{name} {state.en}", state.zh)


def _sealed(seal: SealFigures | None, zone: ZoneInfo) -> Iterator[tuple[Word, str]]:
    if seal is None:
        return
    yield Word("Closed", "日结"), f"{instant(seal.closed_at, zone)}, {seal.closed_by}"
    yield Word("Seal", "封签"), seal.seal
    yield Word("Before", "上封签"), seal.previous_seal
