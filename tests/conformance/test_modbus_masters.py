"""Third-party masters on TCP and on a virtual serial port: pymodbus, pyserial and mbpoll."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from collections.abc import Iterator

import pytest
import serial
from pymodbus.client import ModbusSerialClient, ModbusTcpClient

from meterctl.drivers.pymodbus_client import UNIT
from protocols.errors import IllegalAddressError, IllegalFunctionError
from protocols.modbus.native_map import NATIVE_MAP
from tests.conformance.conftest import UNITS
from tests.conformance.running import Running
from tests.conformance.wire import read, rtu
from tests.support.maps import EVENT_WINDOW, PLACES, SCRATCH

MBPOLL = shutil.which("mbpoll")
CREDIT = next(place.address for place in PLACES if place.item.name == "available_credit")
IDENTITY = [0x5050, 0x4D31, 0, 0, 1]
"""PPM1, then serial number 000000000001."""
Client = ModbusTcpClient | ModbusSerialClient


def tcp_client(meters: Running) -> ModbusTcpClient:
    """Return pymodbus's client on TCP, without retries."""
    host, port = meters.tcp
    return ModbusTcpClient(host, port=port, timeout=3, retries=0)


def serial_client(meters: Running) -> ModbusSerialClient:
    """Return pymodbus's client on the virtual serial port, without retries.

    Never with a parity: it sets the port twice within microseconds, which glibc refuses with EINVAL
    on every pty that clears PARENB (measured on a bare pty too). `TestPyserial` opens with a
    parity.
    """
    return ModbusSerialClient(str(meters.pty), baudrate=115200, timeout=3, retries=0)


@pytest.fixture(params=["tcp", "serial"])
def client(request: pytest.FixtureRequest, one_meter: Running) -> Iterator[Client]:
    """Yield each of pymodbus's clients, connected to unit 1."""
    made = tcp_client(one_meter) if request.param == "tcp" else serial_client(one_meter)
    try:
        assert made.connect()
        yield made
    finally:
        made.close()  # type: ignore[no-untyped-call]
    one_meter.assert_well()


class TestPymodbus:
    def test_identity(self, client: Client) -> None:
        assert client.read_holding_registers(0, count=5).registers == IDENTITY
        assert client.read_input_registers(0, count=5).registers == IDENTITY

    def test_available_credit(self, client: Client) -> None:
        read = client.read_holding_registers(CREDIT, count=2).registers
        assert client.convert_from_registers(read, client.DATATYPE.INT32) == 2000

    def test_125_registers(self, client: Client) -> None:
        whole = client.read_holding_registers(0, count=125).registers
        assert len(whole) == 125
        assert whole[:5] == IDENTITY

    def test_scratch_registers(self, client: Client) -> None:
        values = [0x0102 * n for n in range(16)]
        written = client.write_registers(SCRATCH.address, values)
        assert not written.isError()
        assert client.read_holding_registers(SCRATCH.address, count=16).registers == values
        assert not client.write_register(SCRATCH.address + 7, 0xCAFE).isError()
        values[7] = 0xCAFE
        assert client.read_input_registers(SCRATCH.address, count=16).registers == values

    def test_scratch_coils(self, client: Client) -> None:
        values = [n % 3 == 0 for n in range(16)]
        assert not client.write_coils(0, values).isError()
        assert client.read_coils(0, count=16).bits[:16] == values
        assert not client.write_coil(1, True).isError()
        values[1] = True
        assert client.read_coils(0, count=16).bits[:16] == values

    def test_discrete_inputs(self, client: Client) -> None:
        assert client.read_discrete_inputs(0, count=32).bits == [False] * 32

    def test_function_23(self, client: Client) -> None:
        assert not client.write_registers(SCRATCH.address, [1, 2, 3, 4]).isError()
        reply = client.readwrite_registers(
            read_address=SCRATCH.address,
            read_count=4,
            write_address=SCRATCH.address + 1,
            values=[0xAAAA, 0xBBBB],
        )
        assert reply.registers == [1, 0xAAAA, 0xBBBB, 4]

    def test_function_23_on_the_event_window(self, client: Client) -> None:
        reply = client.readwrite_registers(
            read_address=EVENT_WINDOW.read_address,
            read_count=EVENT_WINDOW.read_registers,
            write_address=EVENT_WINDOW.address,
            values=[0, 0],
        )
        assert len(reply.registers) == EVENT_WINDOW.read_registers

    def test_diagnose(self, client: Client) -> None:
        assert not client.diag_query_data(b"\x12\x34").isError()

    def test_bits_of_a_register(self, client: Client) -> None:
        assert not client.write_register(SCRATCH.address, 0x12).isError()
        written = client.mask_write_register(address=SCRATCH.address, and_mask=0xF2, or_mask=0x25)
        assert not written.isError()
        assert client.read_holding_registers(SCRATCH.address, count=1).registers == [0x17]

    def test_server_identifier(self, client: Client) -> None:
        ask = getattr(client, "report_device_id", None) or client.report_slave_id  # before 3.10
        reply = ask()
        assert not reply.isError()
        # pymodbus takes a byte for the running state, which V1.1b3 has behind the identifier
        name = b"\x50\xffSimulated prepaid electricity meter "
        assert vars(reply)["identifier"].startswith(name)

    @pytest.mark.parametrize(
        ("code", "objects"), [(1, (0, 1, 2)), (2, (0, 1, 2, 4, 5))], ids=["basic", "regular"]
    )
    def test_identify(self, client: Client, code: int, objects: tuple[int, ...]) -> None:
        reply = client.read_device_information(read_code=code, object_id=0)
        assert not reply.isError()
        assert vars(reply)["information"] == {
            number: NATIVE_MAP.identification[number] for number in objects
        }

    def test_refusals(self, client: Client) -> None:
        assert (
            client.read_holding_registers(0xF000, count=1).exception_code
            == IllegalAddressError.code
        )
        assert client.write_register(0, 1).exception_code == IllegalAddressError.code
        assert client.read_exception_status().exception_code == IllegalFunctionError.code
        assert client.diag_get_comm_event_counter().exception_code == IllegalFunctionError.code
        assert client.read_holding_registers(0, count=5).registers == IDENTITY

    @pytest.mark.parametrize("kind", ["tcp", "serial"])
    def test_two_units(self, two_meters: Running, kind: str) -> None:
        client = tcp_client(two_meters) if kind == "tcp" else serial_client(two_meters)
        try:
            assert client.connect()
            for unit in (*UNITS, *UNITS):
                credit = client.read_holding_registers(CREDIT, count=2, **{UNIT: unit}).registers
                assert credit == [0, 100 * unit + 25]
        finally:
            client.close()  # type: ignore[no-untyped-call]

    def test_broadcast(self, two_meters: Running) -> None:
        client = serial_client(two_meters)
        try:
            assert client.connect()
            client.write_registers(
                SCRATCH.address, [0xB0, 0xB1], no_response_expected=True, **{UNIT: 0}
            )
            for unit in UNITS:
                assert client.read_holding_registers(
                    SCRATCH.address, count=2, **{UNIT: unit}
                ).registers == [0xB0, 0xB1]
        finally:
            client.close()  # type: ignore[no-untyped-call]


class TestPyserial:
    """A pty clears PARENB; glibc refuses it if no other setting changes (facts/modbus.md 7)."""

    @pytest.fixture
    def port(self, one_meter: Running) -> str:
        """Return the virtual serial port after an exchange without parity."""
        with serial.Serial(str(one_meter.pty), 115200, timeout=3) as line:
            self.exchange(line)
        return str(one_meter.pty)

    @staticmethod
    def exchange(line: serial.Serial) -> None:
        """Read the identity mark, PPM1."""
        line.write(rtu(1, read(3, 0, 2)))
        assert line.read(9) == rtu(1, b"\x03\x04PPM1")

    @pytest.mark.parametrize("baudrate", [1200, 9600, 115200])
    @pytest.mark.parametrize("parity", ["N", "E", "O"])
    def test_it_opens_and_exchanges_again_and_again(
        self, port: str, parity: str, baudrate: int
    ) -> None:
        for _ in range(6):
            with serial.Serial(port, baudrate, parity=parity, timeout=3) as line:
                self.exchange(line)

    @pytest.mark.parametrize("parity", ["N", "E", "O"])
    def test_it_opens_again_after_it_was_closed_without_a_word(
        self, port: str, parity: str
    ) -> None:
        for _ in range(4):
            serial.Serial(port, 9600, parity=parity, timeout=3).close()
            time.sleep(0.3)
        with serial.Serial(port, 9600, parity=parity, timeout=3) as line:
            self.exchange(line)


LINES = ["tcp", "rtu-none", "rtu-even"]


@pytest.mark.skipif(MBPOLL is None, reason="mbpoll is not installed")
class TestMbpoll:
    @pytest.fixture(params=LINES)
    def line(self, request: pytest.FixtureRequest, one_meter: Running) -> Iterator[list[str]]:
        """Yield the options by which mbpoll reaches unit 1."""
        yield _line(one_meter, request.param)
        one_meter.assert_well()

    def test_identity(self, line: list[str]) -> None:
        assert _poll(line, "-r", "0", "-c", "5", "-t", "4:hex") == [
            "0x5050",
            "0x4D31",
            "0x0000",
            "0x0000",
            "0x0001",
        ]

    def test_available_credit(self, line: list[str]) -> None:
        assert _poll(line, "-r", str(CREDIT), "-t", "3:int", "-B") == ["2000"]

    def test_scratch_registers(self, line: list[str]) -> None:
        _write(line, "-r", str(SCRATCH.address), "-t", "4", values=["11", "22", "33"])
        assert _poll(line, "-r", str(SCRATCH.address), "-c", "3", "-t", "4") == ["11", "22", "33"]
        _write(line, "-r", str(SCRATCH.address + 1), "-t", "4", values=["44"])
        assert _poll(line, "-r", str(SCRATCH.address), "-c", "3", "-t", "3") == ["11", "44", "33"]

    def test_scratch_coils(self, line: list[str]) -> None:
        _write(line, "-r", "0", "-t", "0", values=["1", "0", "1", "1"])
        assert _poll(line, "-r", "0", "-c", "4", "-t", "0") == ["1", "0", "1", "1"]
        _write(line, "-r", "1", "-t", "0", values=["1"])
        assert _poll(line, "-r", "0", "-c", "4", "-t", "0") == ["1", "1", "1", "1"]

    def test_discrete_inputs(self, line: list[str]) -> None:
        assert _poll(line, "-r", "0", "-c", "32", "-t", "1") == ["0"] * 32

    def test_a_refusal_is_named(self, line: list[str]) -> None:
        done = _mbpoll(line, "-r", "61440", "-t", "4")
        assert "Illegal data address" in done.stdout + done.stderr

    @pytest.mark.parametrize("kind", LINES)
    def test_two_units(self, two_meters: Running, kind: str) -> None:
        for unit in UNITS:
            line = [*_line(two_meters, kind), "-a", str(unit)]
            assert _poll(line, "-r", str(CREDIT), "-t", "4:int", "-B") == [str(100 * unit + 25)]


def _line(meters: Running, kind: str) -> list[str]:
    if kind == "tcp":
        host, port = meters.tcp
        return [host, "-m", "tcp", "-p", str(port)]
    return [str(meters.pty), "-m", "rtu", "-b", "9600", "-P", kind.removeprefix("rtu-")]


def _mbpoll(
    line: list[str], *options: str, values: list[str] | None = None
) -> subprocess.CompletedProcess[str]:
    assert MBPOLL is not None
    command = [MBPOLL, "-0", "-1", "-o", "3", *line[1:], *options, line[0], *(values or [])]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=10)


def _poll(line: list[str], *options: str) -> list[str]:
    """Return the values read by mbpoll."""
    done = _mbpoll(line, *options)
    assert done.returncode == 0, done.stdout + done.stderr
    return re.findall(r"^\[\d+\]:\s+(\S+)", done.stdout, re.MULTILINE)


def _write(line: list[str], *options: str, values: list[str]) -> None:
    """Write by mbpoll, which must receive the reply."""
    done = _mbpoll(line, *options, values=values)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"Written {len(values)} references" in done.stdout, done.stdout + done.stderr
