"""Words for the states of a supply, in English and Chinese."""

from __future__ import annotations

from meterctl.utility.services.sheets.words import Word

SUPPLY_STATES = {
    "connected": Word("connected: the supply is on", "通电"),
    "ready_for_reconnection": Word("ready: the customer closes the switch", "合闸允许，待用户合闸"),
    "disconnected": Word("disconnected: the supply is off", "停电"),
}
"""By the meter's word of the state (`protocols.data_model.words.SupplyState`)."""
CAUSES = {
    "credit_reminder": Word("the credit is low: press the button to go on", "余额不足，提醒跳闸"),
    "credit_exhausted": Word("the credit is used up", "余额用尽"),
    "remote": Word("interrupted by the utility", "远程停电"),
    "overload": Word("more power than agreed", "超功率"),
    "tamper": Word("a cover was opened, or a magnet held there", "开盖或强磁"),
    "account": Word("the account is not open", "未开户或已销户"),
}
"""By the meter's word of a cause (`protocols.data_model.words.Cause`)."""
UNKNOWN_STATE = Word("not read yet", "未抄读")
