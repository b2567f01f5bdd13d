"""Tests of the head-end against a simulated meter: no sleeps, no hardware, reproducible."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import pytest
from head_end import SerialHeadEnd, TcpHeadEnd


@pytest.fixture
def serial_head_end(meter) -> Iterator[SerialHeadEnd]:
    head_end = SerialHeadEnd(meter.port)
    yield head_end
    head_end.close()


@pytest.fixture
def tcp_head_end(meter) -> Iterator[TcpHeadEnd]:
    head_end = TcpHeadEnd(*meter.tcp)
    yield head_end
    head_end.close()


def test_it_reads_the_credit(meter, serial_head_end):
    assert serial_head_end.credit() == 100.00
    meter.load("3kW")
    meter.advance("2h")
    assert meter.value("energy_import_kwh") == Decimal("6.000000")
    assert serial_head_end.credit() == float(meter.value("available_credit")) == 96.83


def test_it_sees_the_trip_at_the_exact_instant(meter_factory):
    """20.00 at 0.5283 and 2.345 kW last exactly 58,117,785 ms."""
    meter = meter_factory(credit="20.00", price="0.5283", trip_mode="direct", load="2.345kW")
    head_end = SerialHeadEnd(meter.port)
    meter.advance("58117784ms")
    assert head_end.supply_state() == "connected"
    meter.advance("1ms")
    assert head_end.supply_state() == "disconnected"
    assert meter.event_names()[-1] == "supply_disconnected"
    head_end.close()


def test_it_calls_the_customer_in_time(meter, tcp_head_end):
    meter.load("1kW")
    hours = 0
    while not tcp_head_end.customers_to_call(below=10.00):
        meter.advance("6h")
        hours += 6
    assert hours == 174
    assert meter.value("supply_state") == "connected"
    meter.topup("50.00")
    assert not tcp_head_end.customers_to_call(below=10.00)


def test_a_year_in_a_second(meter):
    meter.topup("9000.00")
    meter.load("household")
    meter.advance("365d")
    assert meter.value("energy_import_kwh") == Decimal("3500.000000")
    assert meter.value("supply_state") == "connected"


def test_two_meters_on_two_ports(meter_factory):
    one, two = (
        meter_factory(credit="1.00"),
        meter_factory(serial_number="000000000002", unit=2, credit="2.00"),
    )
    for meter, credit in ((one, 1.00), (two, 2.00)):
        head_end = SerialHeadEnd(meter.port, meter.unit)
        assert head_end.credit() == credit
        head_end.close()
