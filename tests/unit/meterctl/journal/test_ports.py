"""Ports: the meter that was last proved on each."""

from __future__ import annotations

from meterctl.journal import Journal

METER, OTHER = "000000000042", "000000000043"


def test_a_port_keeps_its_last_meter(journal: Journal) -> None:
    assert journal.ports.meter_of("tty") == ""
    for meter in (METER, OTHER, OTHER):
        journal.ports.keep("tty", meter, 1)
    assert journal.ports.meter_of("tty") == OTHER


def test_every_port_has_its_own_meter(journal: Journal) -> None:
    journal.ports.keep("tty", METER, 1)
    journal.ports.keep("tcp", OTHER, 2)
    assert [journal.ports.meter_of(port) for port in ("tty", "tcp", "")] == [METER, OTHER, ""]
