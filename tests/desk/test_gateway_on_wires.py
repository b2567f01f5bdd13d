"""The desk's gateway on real ports, beside the commands that use the same journal."""

from __future__ import annotations

from pathlib import Path

import pytest

from firmware_sim import PrepaidMeter
from meterctl.utility.meters.gateway import CreditKind, Gateway, JournalWord, MeterPlace
from protocols.quantities import LEDGER
from tests.support.field_wires import KINDS, Kind, field_port
from tests.support.programs import meterctl_json

SERIAL = "000000000001"


@pytest.mark.parametrize("kind", KINDS)
def test_a_meter_is_sold_to_and_read_over_every_wire(tmp_path: Path, kind: Kind) -> None:
    gateway = Gateway(tmp_path / "journal.sqlite")
    with PrepaidMeter(load="1kW") as meter:
        place = MeterPlace(SERIAL, field_port(meter, kind))
        with gateway.wire(place.url) as wire:
            outcomes = [
                wire.sell(place, f"S-{number}", CreditKind.CREDIT, 500) for number in range(3)
            ]
            meter.advance("1h")
            told = wire.reading(place)
    assert [outcome.state for outcome in outcomes] == [JournalWord.CONFIRMED] * 3
    assert told.value is not None, told
    assert told.value.energy_mwh == 1_000_000
    assert told.value.credit_exact == 35 * LEDGER - told.value.consumption_exact


def test_a_sale_of_the_desk_is_the_same_sale_for_a_command(tmp_path: Path) -> None:
    gateway = Gateway(tmp_path / "journal.sqlite")
    with PrepaidMeter() as meter:
        place = MeterPlace(SERIAL, field_port(meter, "tcp"))
        words = ("--journal", "journal.sqlite", "--port", place.url, "topup", "5.00", "--yes")
        with gateway.wire(place.url) as wire:
            mine = wire.sell(place, "S-1", CreditKind.CREDIT, 500)
            (same,) = meterctl_json(*words, "--sale", "S-1", cwd=tmp_path)
            assert (same["id"], same["credit_after"]) == (mine.entry, 25.0)
            (theirs,) = meterctl_json(*words, "--sale", "S-2", cwd=tmp_path)
            told = wire.sell(place, "S-2", CreditKind.CREDIT, 500)
            assert (told.entry, told.state) == (theirs["id"], JournalWord.CONFIRMED)
            told_reading = wire.reading(place)
    assert told_reading.value is not None
    assert told_reading.value.credit_exact == 30 * LEDGER
