"""The printed agreement and its user notice in Chinese: 购电协议, 用户须知. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from meterctl.utility.model.agreement import AgreementMode
from meterctl.utility.model.party import CustomerClass
from meterctl.utility.rules.terms import WayOfBuying
from meterctl.utility.services.printed_agreement.english import HOTLINE
from meterctl.utility.services.printed_agreement.facts import Facts
from meterctl.utility.services.printed_agreement.paper import (
    AgreementPaper,
    Pair,
    Part,
    kilowatt_hours,
    kilowatts,
    money,
    price,
    times,
)

_CLASSES = {
    CustomerClass.RESIDENT: "居民",
    CustomerClass.OTHER: "非居民",
    CustomerClass.IMPORTANT: "重要用户",
}
_TRIP_MODES = {"two_stage": "两级跳闸", "direct": "直接跳闸", "delayed": "延时跳闸"}


def chinese_paper(facts: Facts) -> AgreementPaper:
    """Return the sheet in Chinese."""
    return AgreementPaper(
        language="zh-CN",
        title="供用电合同" if facts.mode is AgreementMode.BILL else "购电协议",
        subject=f"{facts.number} 第{facts.version}版",
        head=tuple(_head(facts)),
        clauses=tuple(_clauses(facts)),
        signatures=("供电方（签章）", "用电方（签字，已收须知）"),
        signed_on="日期",
        notice_title="用户须知",
        notice=tuple(_notice(facts)),
    )


def _head(facts: Facts) -> Iterator[Pair]:
    yield Pair("供电方", f"{facts.company} {facts.station}")
    identity = "" if facts.id_number is None else f"，证件号 {facts.id_number}"
    yield Pair("用电方", f"{facts.name}，客户编号 {facts.party_number}{identity}")
    yield Pair("户号", facts.point)
    yield Pair("用电地址", facts.address)
    capacity = f"{_CLASSES[facts.customer_class]}，{kilowatts(facts.capacity_mw)} kW"
    yield Pair("类别、容量", capacity)
    yield Pair("电能表号", facts.meter or "尚未装表")
    yield Pair("生效日期", f"{facts.effective_on.isoformat()}，自电能表按本版设定并核对时起")


def _clauses(facts: Facts) -> Iterator[Part]:
    boundary = facts.boundary or "尚未载明，须在签字前填写"
    yield Part(
        "产权分界",
        f"产权分界点：{boundary}。分界点电源侧设施由供电方维护，负荷侧设施由用电方维护。",
    )
    meter = f"表号 {facts.meter} 的电能表" if facts.meter else "所装电能表"
    yield Part(
        "计量",
        f"以{meter}计量电量。对计量有疑问的一方可申请检定，检定前按表计数据结算，"
        "确有误差的据实退补。除供电方外任何人不得开启封印。",
    )
    yield Part("结算", _settlement(facts))
    yield Part("电价", "现行电价见下方用户须知；电价调整的，事先公布后执行。")
    yield Part("交费方式和时间", _payment(facts))
    if facts.mode is AgreementMode.METER:
        yield Part("供电与余额", _supply(facts))
    if facts.terms.power_limit_mw is not None:
        limit = kilowatts(facts.terms.power_limit_mw)
        yield Part("功率", f"用电功率超过 {limit} kW 时，电能表中断供电。")
    yield Part(
        "供电方义务",
        "除法律和本协议规定的情形外连续供电；将每笔购电送达并出具凭证；"
        "维护自有设施；保护用电方信息。",
    )
    yield Part(
        "用电方义务",
        "按时交费；不改动电能表、封印和接线；不超容量用电；配合供电方人员到表检查；"
        "名称、地址、用电性质变更时及时告知。",
    )
    yield Part(
        "违约责任",
        "一方违约造成对方损失的，依法赔偿。按本协议中断供电不属违约。已收款而未到达电能表的购电，"
        "由供电方送达或者退还。",
    )
    yield Part(
        "变更与终止",
        "变更另立新版，双方签字，电能表按新版设定并读回核对后生效。"
        "终止时抄表结清，余额退还，欠费补交。",
    )


def _settlement(facts: Facts) -> str:
    match facts.mode:
        case AgreementMode.METER:
            text = "余额存于电能表内，随用随扣；每次购电先冲抵透支和约定的欠费。"
        case AgreementMode.ACCOUNT:
            text = "余额存于用电方在供电方的账户，每日抄表，按用电量扣除。"
        case AgreementMode.BILL:
            text = f"每月 {facts.read_day} 日抄表，按月出账。"
    if facts.mode is AgreementMode.METER and facts.terms.standing_charge:
        text += f"另按每日 {money(facts.terms.standing_charge)} 元收取基本费。"
    return text


def _price(facts: Facts) -> str:
    """Return the prices in CNY a kWh, with where they are known from."""
    known = facts.price
    if known.prices is None:
        return "电价在此尚不明确（未约定电价，电能表电价未抄），须在签字前告知。"
    rates = known.prices.prices
    if len(rates) == 1:
        text = f"每千瓦时 {price(rates[0])} 元"
    else:
        named = "，".join(f"费率{n} {price(rate)}" for n, rate in enumerate(rates, 1))
        table = None if known.day_tables is None else times(known.day_tables)
        when = "时段按电价表的日历" if table is None else f"每日起始时刻和费率 {table}"
        text = f"每千瓦时（元）{named}，{when}"
    if known.steps is None:
        text += "；是否分阶梯在此尚不明确"
    elif known.steps.limits:
        period = "年" if known.steps.yearly else "月"
        limits = [f"至 {kilowatt_hours(limit)} kWh" for limit in known.steps.limits] + ["以上"]
        added = zip(limits, known.steps.additions, strict=True)
        text += f"；按{period}阶梯加价：" + "，".join(
            f"{step} {price(addition)}" for step, addition in added
        )
    source = "约定" if known.read_on is None else f"{known.read_on} 抄自电能表"
    return f"{text}（{source}）。"


def _payment(facts: Facts) -> str:
    terms = facts.terms
    if facts.mode is AgreementMode.BILL:
        return f"账单自出账起 {facts.due_days} 日内交清，可用现金、转账或代扣。"
    if facts.mode is AgreementMode.ACCOUNT:
        return "在供电方营业网点预先交费，记入账户。"
    ways = {
        WayOfBuying.WIRE.value: "在供电方营业网点预先交费，由线路送入电能表",
        WayOfBuying.CARD.value: "在供电方营业网点预先交费并写入购电卡，插入电能表",
    }
    text = ways.get(terms.way_of_buying or "", "预先交费，方式尚未约定")
    text += f"；每次不少于 {money(facts.lowest_sale)} 元。"
    if terms.max_credit is not None:
        text += f"购电后余额将超过 {money(terms.max_credit)} 元的，不予售电。"
    if terms.debt_share_percent:
        text += f"每次购电的 {terms.debt_share_percent}% 抵扣表内欠费。"
    if terms.debt_instalment:
        text += f"表内欠费每日扣 {money(terms.debt_instalment)} 元。"
    return text


def _supply(facts: Facts) -> str:
    mode = _TRIP_MODES[facts.terms.trip_mode]
    before = "不供电" if facts.terms.unopened_supply == "disconnected" else "供电"
    notice = "预警和中断供电按用户须知，须知是本协议的组成部分。"
    return f"跳闸方式：{mode}；{notice}首次购电前{before}。"


def _notice(facts: Facts) -> Iterator[Part]:
    if facts.mode is AgreementMode.METER:
        yield Part("余额等级", "\n".join(_levels(facts)))
        yield Part("不停电时段", _hours(facts))
        yield Part("如何购电", _buying(facts))
        yield Part("如何恢复供电", _return(facts))
    else:
        yield Part(
            "余额",
            "电能表内不存余额。因欠费中断供电前，供电方依法通知；交清后恢复供电。",
        )
    yield Part(
        "退费",
        "协议终止或者提出申请时，未用余额扣除应交款项后在营业网点退还，请带凭证和身份证件。",
    )
    if facts.terms.way_of_buying == WayOfBuying.CARD:
        yield Part(
            "购电卡丢失",
            "请立即到营业网点补卡，尚未进入电能表的购电写入新卡，旧卡随即作废。",
        )
    yield Part("现行电价", _price(facts))
    yield Part(
        "服务热线",
        f"{HOTLINE}，昼夜受理停电、电能表或封印损坏、投诉。请保存每张凭证；注明“待下发”的凭证有效，"
        "请勿重复购电。",
    )


def _levels(facts: Facts) -> Iterator[str]:
    """Yield what the meter does as the credit falls (METER 4)."""
    terms, two_stage = facts.terms, facts.terms.trip_mode == "two_stage"
    if terms.low_credit_threshold_1 is None:
        yield "未约定报警金额。"
    else:
        yield f"余额不高于 {money(terms.low_credit_threshold_1)} 元：报警灯亮。"
    if terms.low_credit_threshold_2 is not None:
        low = money(terms.low_credit_threshold_2)
        if two_stage:
            yield f"{low} 元：断电一次作提醒，按电能表按钮恢复。"
        else:
            yield f"{low} 元：再次报警。"
    limit = terms.overdraft_limit
    if limit and two_stage:
        yield "0.00 元：再次断电作提醒，按按钮恢复。"
    end = f"透支 {money(limit)} 元" if limit else "0.00 元"
    delay = "在电能表设定的延时后" if terms.trip_mode == "delayed" else ""
    yield f"{end}：{delay}断电，购电后恢复。"


def _hours(facts: Facts) -> str:
    terms = facts.terms
    free = [] if terms.friendly_hours == "off" else [f"每日 {terms.friendly_hours}"]
    free += ["周末"] if terms.friendly_weekends else []
    free += ["电能表所设的节假日"] if terms.friendly_holidays else []
    if not free:
        return "无：余额用尽随时断电。"
    then = "其间用电计为透支，下次购电先行冲抵；时段结束即按余额等级执行。"
    return f"{'、'.join(free)}不因余额断电；{then}"


def _buying(facts: Facts) -> str:
    match facts.terms.way_of_buying:
        case WayOfBuying.CARD.value:
            return "持购电卡到营业网点交费，取凭证，将卡插入电能表，待显示新余额后取出。"
        case WayOfBuying.WIRE.value:
            return "到营业网点报户号或表号交费，取凭证；金额经线路进入电能表，凭证注明是否已入表。"
        case _:
            return "购电方式尚未约定。"


def _return(facts: Facts) -> str:
    terms = facts.terms
    least = money(terms.reconnect_threshold)
    until = f"不低于 {least} 元" if terms.reconnect_threshold else "高于 0.00 元"
    if terms.reconnect_mode == "automatic":
        return f"购电至余额{until}，供电自动恢复，请先关闭有危险的电器。"
    return f"购电至余额{until}，再按电能表按钮或者插卡。"
