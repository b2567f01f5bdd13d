"""The pytest plugin in a user's test run: fixtures, the option, the report of a failing test."""

from __future__ import annotations

from decimal import Decimal

import pytest

pytest_plugins = ["pytester"]


def test_a_failing_test_shows_events_and_frames(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import socket

        def test_it(meter):
            meter.load("5kW")
            meter.advance("40h")
            with socket.create_connection(meter.tcp) as wire:
                wire.sendall(bytes.fromhex("000100000006010300000002"))
                assert len(wire.recv(100)) == 13
            assert meter.value("supply_state") == "connected"
        """
    )
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*meter 1*",
            "*supply_state = *",
            "*last events:*",
            "*supply_disconnected*",
            "*last frames*",
            "*-> 00 01 00 00 00 06 01 03 00 00 00 02*",
            "*<- 00 01 00 00 00 07 01 03 04 50 50 4d 31*",
        ]
    )


def test_the_meter_is_described_by_an_option(pytester: pytest.Pytester) -> None:
    pytester.makefile(".toml", m='credit = "7.00"\nunit = 9\noverdraft_limit = "3.00"\n')
    pytester.makepyfile(
        """
        from decimal import Decimal

        def test_it(meter):
            assert meter.unit == 9
            assert meter.value("available_credit") == Decimal("7.00")
            assert meter.value("overdraft_limit") == 3
        """
    )
    pytester.runpytest_subprocess("--meter-config", "m.toml").assert_outcomes(passed=1)
    pytester.runpytest_subprocess("--meter-config", "absent.toml").assert_outcomes(errors=1)


def test_it_runs_in_parallel(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.parametrize("hours", range(8))
        def test_it(meter, hours):
            meter.load("1kW")
            meter.advance(f"{hours}h")
            assert meter.value("energy_import_kwh") == hours
        """
    )
    pytester.runpytest_subprocess("-n", "2").assert_outcomes(passed=8)


def test_a_refused_order_and_a_wrong_word_say_what_is_wrong(meter_factory) -> None:
    from firmware_sim.hosting.live import RefusedError
    from protocols.errors import QuantityError

    meter = meter_factory(max_credit="120.00", credit="100.00")
    with pytest.raises(RefusedError, match="exceeds_max_credit"):
        meter.topup("50.00")
    with pytest.raises(RefusedError, match=r"out_of_range \(allowed is off, or a date after 2026"):
        meter.order("moratorium", "2020-01-01")
    with pytest.raises(QuantityError, match="advance"):
        meter.command("fly")
    with pytest.raises(QuantityError, match="no fault"):
        meter.inject("flop")
    meter.order("limits", "max_credit=off")
    meter.topup("50.00")
    assert meter.value("available_credit") == 150


def test_a_storage_that_fails_is_raised_in_the_test(meter_factory) -> None:
    from firmware_sim.meter import MeterStoppedError

    meter = meter_factory()
    meter.inject("flush_fails", count=1)
    with pytest.raises(MeterStoppedError):
        meter.topup("1.00")


def test_twenty_meters_have_ports_of_their_own(meter_factory) -> None:
    meters = [meter_factory(serial_number=f"{n:012d}", unit=n) for n in range(1, 21)]
    assert len({meter.port for meter in meters} | {meter.tcp for meter in meters}) == 40


def test_meters_by_default_are_told_apart(meter, meter_factory) -> None:
    others = [meter_factory(), meter_factory(credit=5)]
    assert len({m.serial_number for m in (meter, *others)}) == 3


def test_words_and_numbers_are_taken_as_they_come(meter) -> None:  # type: ignore[no-untyped-def]
    from protocols.errors import QuantityError

    meter.topup(5)
    meter.order("limits overdraft_limit=3.00")
    assert (meter.value("available_credit"), meter.value("overdraft_limit")) == (105, 3)
    with pytest.raises(QuantityError):
        meter.advance(5)
    with pytest.raises(QuantityError, match="an amount is"):
        meter.topup("99999999.00")
    with pytest.raises(QuantityError, match="did you mean available_credit"):
        meter.value("available_credits")


def test_a_power_cut_in_the_middle_of_time_says_so(meter) -> None:  # type: ignore[no-untyped-def]
    from firmware_sim.rack import CommandFailedError

    meter.inject("torn_write", count=1)
    with pytest.raises(CommandFailedError, match="restarted"):
        meter.advance("20m")
    assert meter.event_names()[-1] == "restart"


def test_a_meter_that_was_put_away_does_nothing_more(meter_thread, tmp_path) -> None:
    import time

    from firmware_sim import PrepaidMeter
    from firmware_sim.meter_description import MeterDescription

    meter = PrepaidMeter(MeterDescription(), thread=meter_thread)
    meter.command("speed", "100000")
    meter.close()
    state = meter._meter.state
    before = state.elapsed_ms
    time.sleep(0.1)
    assert state.elapsed_ms == before


def test_an_order_comes_at_the_present(meter) -> None:  # type: ignore[no-untyped-def]
    """No other event advances the meter: its first deadline is 90 s of wall time away."""
    import time

    from firmware_sim.errors import CommandFailedError

    began = time.monotonic()
    meter.command("speed", "10")
    time.sleep(0.2)
    meter.topup("1.00")
    assert meter.events()[-1].name == "credit_accepted"
    assert meter.events()[-1].elapsed_ms >= 2000
    meter.command("fault", "torn_write", "on", "--count", "1")
    time.sleep(0.2)
    with pytest.raises(CommandFailedError):
        meter.topup("1.00")
    meter.command("speed", "0")
    assert meter.value("elapsed_ms") <= (time.monotonic() - began) * 10_000, "time was invented"


def test_a_pair_that_was_closed_writes_nowhere(meter_thread, tmp_path) -> None:
    import os
    import time

    from firmware_sim import SerialPair

    pair = SerialPair(tmp_path, thread=meter_thread)
    pair.inject("delay", value="100ms")
    line = os.open(pair.a, os.O_RDWR | os.O_NOCTTY)
    os.write(line, b"ABCDWXYZ")
    time.sleep(0.03)
    pair.close()
    os.close(line)
    files = [(tmp_path / f"f{n}").open("w+b") for n in range(8)]
    time.sleep(0.15)
    assert [(tmp_path / f"f{n}").read_bytes() for n in range(8)] == [b""] * 8
    for file in files:
        file.close()


def test_each_end_of_a_pair_hears_itself_and_the_other_in_packets(serial_pair) -> None:  # type: ignore[no-untyped-def]
    import serial

    serial_pair.inject("echo")
    serial_pair.inject("meter_echo")
    serial_pair.inject("packets", value=3)
    serial_pair.inject("stall", value="100ms", count=1)
    with (
        serial.Serial(serial_pair.a, 9600, timeout=20) as a,
        serial.Serial(serial_pair.b, 9600, timeout=20) as b,
    ):
        a.write(b"01234567")
        assert [a.read(8), b.read(8)] == [b"01234567"] * 2
        b.write(b"abcd")
        assert [b.read(4), a.read(4)] == [b"abcd"] * 2
        serial_pair.heal()
        b.write(b"efgh")
        assert a.read(4) == b"efgh"
        assert not b.in_waiting


def test_a_card_is_bought_inserted_and_bought_again(meter_factory) -> None:
    from protocols.errors import QuantityError

    meter = meter_factory(account="unopened")
    card = meter.buy_card("30.00")
    assert meter.insert(card)["display"] == "30.00"
    assert meter.value("card_serial") == card.state.serial.hex()
    meter.buy_card("0.01", card)
    assert [meter.insert(card)["outcome"] for _ in range(2)] == ["accepted", "already_accepted"]
    assert [purchase.carrier for purchase in meter.purchases()] == [1, 1]
    other = meter_factory(serial_number="000000000099", credit="5.00")
    assert other.insert(card)["error_name"] == "meter_number"
    own = other.buy_card("1.00")
    assert other.insert(own)["display"] == "6.00"
    with pytest.raises(QuantityError):
        meter.buy_card("0.00")


def test_no_second_card_is_bought_before_the_first_is_in_and_a_new_one_replaces_it(
    meter_factory,
) -> None:  # type: ignore[no-untyped-def]
    from protocols.errors import QuantityError

    meter = meter_factory(account="unopened")
    card = meter.buy_card("30.00")
    for again in (card, None):
        with pytest.raises(QuantityError, match="insert"):
            meter.buy_card("5.00", again)
    meter.insert(card)
    meter.advance("1h")
    new = meter.buy_card("5.00")
    assert new.state.serial != card.state.serial
    told = meter.insert(new)
    assert (told["card_type"], told["outcome"]) == ("replacement", "accepted")
    assert told["available_credit"] == Decimal("35.00")
    assert meter.insert(card)["error_name"] == "card_serial"


def test_a_card_in_a_file_goes_in_by_its_command(meter, tmp_path) -> None:
    from firmware_sim.hosting.errors import HostingError

    for insert in (lambda path: meter.command("card", "insert", str(path)), meter.insert):
        with pytest.raises(HostingError, match="No such file"):
            insert(tmp_path / "gone.img")
    assert meter.command("card", "remove") == {}


def test_a_load_that_is_not_for_the_meters_time_is_a_warning(meter_factory, tmp_path) -> None:
    load = tmp_path / "l.csv"
    load.write_text("time,power_w\n2031-01-01T00:00:00Z,1\n")
    with pytest.warns(UserWarning, match="its rows begin at 2031"):
        meter = meter_factory(load=str(load))
    with pytest.warns(UserWarning, match="its rows begin at 2031"):
        meter.load(str(load))
