"""Words of the desk and of meters as people read them: English, Chinese.

A word that is not named here is shown as it is, with its underscores as spaces.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from meterctl.utility.services.sheets import words as of_sheets

Pairs = Mapping[str, tuple[str, str]]


def _of_sheet(words: Mapping[Any, of_sheets.Word]) -> Pairs:
    """Return words of the sheets."""
    return {str(word): (pair.en.replace("_", " "), pair.zh) for word, pair in words.items()}


WORDS: Mapping[str, Pairs] = {
    "sale": {
        "taken": ("paid, waits to be sent", "已收款，待下发"),
        "sending": ("being sent", "下发中"),
        "on_card": ("on a card", "已写卡"),
        "unknown": ("delivery pending", "待确认"),
        "delivered": ("in the meter", "已入表"),
        "cancelled": ("cancelled", "已撤销"),
        "dead": ("not delivered, owed", "未入表，待退"),
        "hand_delivered": ("in the meter, by hand", "人工认定已入表"),
        "hand_dead": ("not delivered, by hand", "人工认定未入表"),
        "repaid": ("paid out", "已退款"),
        "replaced": ("sold again", "已改售"),
    },
    "supply": {
        "connected": ("supplied", "供电"),
        "ready_for_reconnection": ("press the button at the meter", "待按键合闸"),
        "disconnected": ("cut off", "停电"),
    },
    "cause": {
        "credit_reminder": ("credit is low", "余额不足提醒"),
        "credit_exhausted": ("credit is used up", "余额用尽"),
        "remote": ("cut by an order", "远程停电"),
        "overload": ("too much load", "过负荷"),
        "tamper": ("the meter was opened", "开盖"),
        "account": ("the account is not open", "未开户"),
    },
    "mode": {
        "meter": ("credit in the meter", "表内预付"),
        "account": ("credit at the desk", "远程费控"),
        "bill": ("billed afterwards", "后付"),
    },
    "agreement": {
        "new": ("new", "新建"),
        "active": ("active", "有效"),
        "suspended": ("suspended", "暂停"),
        "closing": ("closing", "销户中"),
        "closed": ("closed", "已销户"),
    },
    "version": {
        "draft": ("draft", "草稿"),
        "signed": ("signed", "已签"),
        "provisioning": ("being set", "下发中"),
        "active": ("in force", "执行中"),
        "replaced": ("replaced", "已替换"),
        "withdrawn": ("withdrawn", "已撤回"),
    },
    "carrier": {"wire": ("wire", "远程"), "card": ("card", "购电卡")},
    "settled": {"delivered": ("in the meter", "已入表"), "dead": ("not delivered", "未入表")},
    "task": {
        "approval": ("approval", "审批"),
        "slip": ("visit", "现场工单"),
        "card_old": ("old card", "久未插表"),
        "set_back": ("meter set back", "表计回退"),
        "unknown_credit": ("credit without a sale", "不明充值"),
        "till_difference": ("till over or short", "长短款"),
        "claim": ("claim", "追收"),
        "bank_difference": ("bank file differs", "银行文件不符"),
        "suspense": ("money without an owner", "待查款"),
        "one_sided": ("on one side only", "单边账"),
        "debit_given_up": ("debit given up", "代扣失败"),
    },
    "task_state": {
        "open": ("open", "待办"),
        "taken": ("taken", "办理中"),
        "done": ("done", "已办"),
        "cancelled": ("cancelled", "已取消"),
    },
    "action": {
        "sale_move": ("move a sale", "转户"),
        "sale_settle": ("settle a sale by hand", "人工认定售电"),
        "payout": ("pay money out", "退款"),
        "pay_refund": ("give money back", "退预收"),
        "bank_send_back": ("send money back to a bank", "退回待查款"),
        "credit_explain": ("book credit without a sale", "入账不明充值"),
        "epoch_end": ("end a meter's storage", "表计存储终结"),
        "takeover_propose": ("take customers over", "接收用户"),
        "grant_propose": ("give a person a role", "授予岗位"),
        "legal_setting_propose": ("change a legal setting", "修改法定参数"),
    },
    "role": {
        "vendor": ("vendor", "售电员"),
        "accountant": ("accountant", "账务"),
        "collector": ("collector", "抄催员"),
        "reviewer": ("reviewer", "核算员"),
        "clerk": ("clerk", "业扩"),
        "field": ("field", "外勤"),
        "station_head": ("station head", "所长"),
        "branch_manager": ("branch manager", "分公司经理"),
        "company_manager": ("company manager", "公司经理"),
        "tariff_editor": ("tariff editor", "电价编制"),
        "tariff_approver": ("tariff approver", "电价审批"),
        "auditor": ("auditor", "审计"),
        "admin": ("admin", "管理员"),
    },
    "staff": {"active": ("active", "在岗"), "deactivated": ("deactivated", "停用")},
    "day": {"open": ("open", "未日结"), "closed": ("closed", "已日结")},
    "figure": {
        "sold_yesterday": ("Sold yesterday", "昨日售电"),
        "sold_today": ("Sold today", "今日售电"),
        "cash": ("Cash not banked", "未缴现金"),
        "waiting": ("Waiting to be sent", "待下发"),
        "unknown": ("Not known", "待确认"),
        "on_card": ("Long on cards", "卡上超期"),
        "suspense": ("Long in suspense", "待查超期"),
        "terms_differ": ("Terms that differ", "参数不符"),
        "findings": ("Other findings", "其他异常"),
        "tasks_late": ("Tasks late", "逾期待办"),
    },
    "what": {},
    "event": {
        "sale": ("sale", "售电"),
        "delivered": ("in the meter", "入表"),
        "payment": ("payment", "收付款"),
        "reading": ("reading", "抄表"),
        "bill": ("bill", "账单"),
        "order": ("order", "指令"),
        "finding": ("finding", "异常"),
        "document": ("document", "文件"),
        "audit": ("change", "变更"),
    },
    "field": {
        "credit": ("credit", "余额"),
        "credit_after": ("credit after", "之后余额"),
        "debt": ("debt", "欠费"),
        "to_debt": ("of it debt", "抵扣欠费"),
        "sequence": ("sequence", "序号"),
        "epoch": ("epoch", "周期"),
    },
    "bill": {
        "taken_over": ("taken over", "期初"),
        "energy": ("energy", "电费"),
        "estimated": ("estimated", "估算"),
        "correction": ("correction", "更正"),
        "final": ("final", "结清"),
        "penalty": ("penalty", "违约金"),
        "claim": ("claim", "追收"),
    },
    "document": {
        "printed_agreement": ("printed agreement", "打印协议"),
        "signed_agreement": ("signed agreement", "签字协议"),
        "mandate": ("mandate for debits", "代扣授权"),
        "identity": ("identity paper", "身份证件"),
        "ruling": ("ruling", "判决裁定"),
        "photo": ("photo", "照片"),
        "other": ("other", "其他"),
    },
    "bank_file": {
        "collected": ("money taken for customers", "代收"),
        "statement": ("the bank's statement", "对账单"),
        "returns": ("answers to our debits", "代扣回盘"),
        "debits": ("debits that we asked for", "代扣"),
    },
    "side": {
        "ours_only": ("Only in our books", "我方单边"),
        "banks_only": ("Only at the bank", "银行单边"),
        "differing": ("On both sides, with other amounts", "金额不符"),
        "both": ("On both sides", "双方一致"),
    },
    "found_by": {
        "agreement": ("agreement", "协议编号"),
        "point": ("customer no.", "户号"),
        "meter": ("meter", "表号"),
        "card": ("card", "卡号"),
        "customer": ("customer", "客户编号"),
        "phone": ("phone", "电话"),
        "point_begins": ("customer no. begins so", "户号开头"),
        "meter_begins": ("meter begins so", "表号开头"),
        "name": ("name", "户名"),
        "address": ("address", "地址"),
    },
    "shift": _of_sheet(of_sheets.SHIFTS),
    "account": _of_sheet(of_sheets.ACCOUNTS),
    "channel": _of_sheet(of_sheets.CHANNELS),
    "purpose": _of_sheet(of_sheets.PURPOSES),
    "payment": _of_sheet(of_sheets.PAYMENTS),
}
"""Group -> word of the desk -> the word in English and in Chinese."""
