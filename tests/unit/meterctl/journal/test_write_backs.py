"""The totals that cards brought back: the last ones of each card, meter and epoch."""

from __future__ import annotations

import pytest

from meterctl.journal import Journal, SeenWriteBack

METER, EPOCH = "000000000042", 0xE0


def test_the_last_write_back_of_a_card_is_kept(journal: Journal) -> None:
    seen = SeenWriteBack(1, 2, 3, 4)
    journal.write_backs.keep(METER, EPOCH, "card", seen, 0)
    assert journal.write_backs.last(METER, EPOCH, "card") == seen
    assert journal.write_backs.last(METER, EPOCH, "other") is None


def test_a_later_write_back_takes_the_place_of_the_earlier_one(journal: Journal) -> None:
    for seen in (SeenWriteBack(1, 2, 3, 4), SeenWriteBack(5, 6, 7, 8)):
        journal.write_backs.keep(METER, EPOCH, "card", seen, 0)
    assert journal.write_backs.last(METER, EPOCH, "card") == SeenWriteBack(5, 6, 7, 8)


@pytest.mark.parametrize("key", [("000000000043", EPOCH, "card"), (METER, 0xE1, "card")])
def test_another_meter_or_epoch_has_none(journal: Journal, key: tuple[str, int, str]) -> None:
    journal.write_backs.keep(METER, EPOCH, "card", SeenWriteBack(1, 2, 3, 4), 0)
    assert journal.write_backs.last(*key) is None
