"""Codes: the word of each number, of flags that of each bit."""

from __future__ import annotations

from protocols.data_model import items
from protocols.data_model.codes import codes


def test_words_flags_switches_and_units_have_codes_and_numbers_have_none() -> None:
    assert codes(items.TRIP_MODE.kind) == {0: "two_stage", 1: "direct", 2: "delayed"}
    assert codes(items.TAMPER_TRIP.kind) == {1: "cover", 2: "terminal_cover", 4: "magnet"}
    assert codes(items.GUARANTEE.kind) == {0: "off", 1: "on"}
    assert codes(items.ACCOUNT_UNIT.kind)[978] == "EUR"
    assert codes(items.CLOCK.kind) == codes(items.MAX_CREDIT.kind) == {}
