"""Refusals and dry runs name their meter and entry in the result object, not in the text alone."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from meterctl.errors import NotPermittedError, UsageError
from meterctl.journal import EntryState
from meterctl.key_ring import KeyRing
from meterctl.operations.resolution import close_by_hand, resolve
from meterctl.operations.status import ask_status, require_payee
from tests.support.setup import METER, NOW, Setup
from tests.unit.meterctl.cli.conftest import Run

OTHER = "000000000009"


@pytest.mark.usefixtures("card")
def test_another_meter_than_the_payee_is_named(setup: Setup) -> None:
    session = replace(setup.session(), payee=OTHER)
    with pytest.raises(NotPermittedError, match=f"--meter names {OTHER}") as raised:
        require_payee(session, setup.journal, METER)
    assert raised.value.serial_number == METER


@pytest.mark.usefixtures("card")
def test_a_meter_of_other_keys_is_named(setup: Setup) -> None:
    ring = KeyRing({1: bytes(16)}, Path("keys.json"))
    session = replace(setup.session(), ring=ring)
    with pytest.raises(NotPermittedError, match="right --keys") as raised:
        ask_status(session, setup.journal, session.identify())
    assert raised.value.serial_number == METER


def test_a_card_of_another_meter_and_a_settled_entry_are_named(run: Run, setup: Setup) -> None:
    with pytest.raises(NotPermittedError, match="is for meter") as raised:
        run("card", "card", "sell", "5", "--meter", OTHER)
    assert raised.value.serial_number == METER
    entry = setup.journal.entry(1)
    with pytest.raises(UsageError, match="already") as closed:
        close_by_hand(setup.journal, entry, EntryState.REFUSED, NOW)
    assert (closed.value.serial_number, closed.value.entry) == (METER, 1)
    assert resolve(setup.session(), setup.journal) == []


def test_a_planned_sale_on_a_card_names_its_meter(run: Run) -> None:
    planned = json.loads(run("card", "card", "sell", "5", json=True, dry_run=True).out)
    assert (planned["result"], planned["serial_number"]) == ("planned", METER)


def test_what_would_be_settled_is_planned_with_its_meter(run: Run) -> None:
    planned = json.loads(run("journal", "journal", "resolve", json=True, dry_run=True).out)
    assert (planned["result"], planned["serial_number"]) == ("planned", METER)
    assert f"open entries of meter {METER}: " in planned["message"]
