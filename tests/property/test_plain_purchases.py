"""Plain writes against a model: a purchase counts once, and a refused request changes nothing."""

from __future__ import annotations

from struct import pack

from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_sim.assembly import build
from firmware_sim.meter import Meter
from firmware_sim.meter_description import MeterDescription
from firmware_sim.rack.rack import Rack
from firmware_sim.servers.modbus.server import ModbusTcpServer
from firmware_sim.settings import Settings
from protocols.modbus import tcp
from protocols.modbus.pdu import write_request
from protocols.quantities import CENT, LEDGER
from protocols.sealed_message import MessageKind, Outcome
from tests.support.meters import Host
from tests.support.prepaid_map import CONTROL, CREDIT, LIMITS, PREPAID
from tests.support.racks import tcp_server

MAX_CREDIT = 60 * LEDGER
FUNCTIONS = st.sampled_from([5, 6, 15, 16, 22, 23])
ADDRESSES = st.one_of(
    st.integers(CREDIT - 2, CREDIT + 4),
    st.integers(CONTROL - 1, CONTROL + 1),
    st.integers(LIMITS - 1, LIMITS + 13),
    st.integers(0x1E, 0x26),
)
KEPT = 10
"""Purchases that a meter keeps."""
PURCHASES = st.tuples(
    st.booleans(), st.integers(-2, 2), st.sampled_from([0, 1, 100, 2000, 2001, 4000, 4001])
)


def server_of(meter: Meter) -> ModbusTcpServer:
    """Return a server of a meter under the map."""
    rack = Rack([(1, meter)], 0)
    rack.stations[0].register_map = PREPAID
    return tcp_server(rack)


def make() -> Meter:
    """Return a meter that takes plain writes."""
    settings_ = Settings(max_credit=MAX_CREDIT)
    return build(MeterDescription(unsafe_writes=True, settings=settings_))


@settings(deadline=None, max_examples=40)
@given(st.lists(PURCHASES, max_size=24))
def test_purchases_in_any_order_are_those_of_the_model(
    steps: list[tuple[bool, int, int]],
) -> None:
    """The model: the amounts of plain purchases by their count, and the number of purchases."""
    meter = make()
    server, host = server_of(meter), Host(meter)
    plain: dict[int, int] = {}
    purchases, credit = 0, 20 * LEDGER
    for is_sealed, offset, cents in steps:
        fits = 0 < cents * CENT <= MAX_CREDIT - credit
        if is_sealed:
            taken = host.send(MessageKind.CREDIT, amount=cents).outcome is Outcome.ACCEPTED
            assert taken == fits
            purchases, credit = purchases + taken, credit + taken * cents * CENT
            continue
        count = max(0, purchases + 1 + offset)
        written = write_request(CREDIT, pack(">HI", count, cents))
        reply = server.receive(tcp.encode(1, 1, written), 0)[tcp.HEADER_SIZE :]
        if count in plain and count > purchases - KEPT:
            assert (reply == written[:5]) == (plain[count] == cents and cents > 0)
        elif count == purchases + 1 and fits:
            assert reply == written[:5]
            plain[count], purchases, credit = cents, count, credit + cents * CENT
        else:
            assert reply == b"\x90\x03"
    account, security = meter.state.account, meter.state.security
    assert (account.purchases, account.credit) == (purchases, credit)
    assert account.imbalance() == (0, 0)
    assert security.credit_sequence == purchases - len(plain)


@settings(deadline=None, max_examples=150)
@given(FUNCTIONS, ADDRESSES, st.binary(min_size=2, max_size=14))
def test_any_write_is_confirmed_or_refused_and_a_refused_one_changes_nothing(
    function: int, address: int, data: bytes
) -> None:
    meter = make()
    server = server_of(meter)
    state = meter.state
    before = (state.account, state.settings, state.supply, state.numbers[:])
    pdu = request(function, address, data)
    reply = server.receive(tcp.encode(1, 1, pdu), 0)[tcp.HEADER_SIZE :]
    assert reply[0] & 0x7F == function
    state = meter.state
    assert state.account.imbalance() == (0, 0)
    assert not state.settings.problems()
    if reply[0] & 0x80:
        assert reply[1] in (2, 3)
        assert (state.account, state.settings, state.supply, state.numbers) == before
    if function in (22, 23):
        assert (state.account, state.settings, state.supply, state.numbers) == before


def request(function: int, address: int, data: bytes) -> bytes:
    """Return a well-formed write of a function with some data."""
    whole = data[: len(data) // 2 * 2]
    if function in (5, 6):
        return pack(">BH", function, address) + data[:2]
    if function == 15:
        count = 1 + data[0] % 8
        return pack(">BHHB", 15, address, count, 1) + data[1:2]
    if function == 22:
        return pack(">BH", 22, address) + (data + bytes(4))[:4]
    if function == 23:
        head = pack(">BHHHHB", 23, CREDIT, 1, address, len(whole) // 2, len(whole))
        return head + whole
    return write_request(address, whole)
