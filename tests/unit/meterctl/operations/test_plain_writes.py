"""Writes without a seal: checked before they are sent, sent once, read back."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from meterctl.drivers import ReadBack
from meterctl.errors import (
    CorruptAnswerError,
    MeterctlError,
    NoAnswerError,
    RefusedError,
    StillWorkingError,
    UnknownOutcomeError,
    UsageError,
)
from meterctl.operations.plain_writes import (
    plain_writes,
    read_all,
    write_each,
)
from protocols.data_model import items
from protocols.modbus.areas import Area
from protocols.modbus.native_map import NATIVE_MAP
from protocols.modbus.register_map import RegisterMap
from protocols.modbus.register_parts import Register, Section, Span
from protocols.modbus.value_layout import Layout, ValueType
from protocols.quantities import CENT

MAP = RegisterMap(
    "tried",
    (
        Section(
            "All",
            (
                Register(
                    Area.HOLDING,
                    0x10,
                    items.LOW_CREDIT_1,
                    Layout(ValueType.U16, 1, off=0xFFFF),
                    writable=True,
                ),
                Register(Area.HOLDING, 0x11, items.TRIP_MODE, Layout(ValueType.U16), writable=True),
                Register(
                    Area.COIL, 3, items.STRICT_SUSPENSION, Layout(ValueType.BOOL), writable=True
                ),
                Register(Area.HOLDING, 0x12, items.RECONNECT_MODE, Layout(ValueType.U16)),
            ),
        ),
    ),
    scratch=(Span(Area.HOLDING, 0x100, 4), Span(Area.COIL, 8, 2)),
)
Places = dict[tuple[Area, int], int]


class ScriptedWriter:
    """Registers and coils of which writes and reads fail as told."""

    def __init__(self) -> None:
        self.places: Places = {}
        self.sent: list[int] = []
        self.keeps: Callable[[int], int] = lambda number: number
        self.fails: MeterctlError | None = None
        self.applies = True
        self.silent = False
        self.is_certain = True
        self.reads = self.rests = self.rests_until_applied = 0
        self.held: Places = {}

    def write_once(self, area: Area, address: int, numbers: Sequence[int]) -> None:
        self.sent.append(address)
        written = {(area, address + i): self.keeps(n) for i, n in enumerate(numbers)}
        if self.rests_until_applied:
            self.held = written
        elif self.applies:
            self.places |= written
        if self.fails is not None:
            raise self.fails

    def read_back(self, area: Area, address: int, count: int) -> ReadBack:
        self.reads += 1
        return ReadBack(self.read_numbers(area, address, count), self.is_certain)

    def rest(self) -> None:
        self.rests += 1
        if self.rests == self.rests_until_applied:
            self.places |= self.held

    def read_numbers(self, area: Area, address: int, count: int) -> Sequence[int]:
        if self.silent:
            raise NoAnswerError("silence")
        return tuple(self.places.get((area, address + i), 0) for i in range(count))


def texts(*words: str) -> list[str]:
    """Return what each setting word would write."""
    return [f"{one.address:x}={one.numbers}" for one in plain_writes(MAP, words)]


def test_settings_are_written_where_and_as_the_map_has_them() -> None:
    assert texts("low_credit_threshold_1=10.50", "trip_mode=direct", "strict_suspension=on") == [
        "10=(105,)",
        "11=(1,)",
        "3=(1,)",
    ]
    assert texts("low_credit_threshold_1=off") == ["10=(65535,)"]


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("trip_mod=direct", "'trip_mod' is no item; did you mean trip_mode?"),
        ("reconnect_mode=manual", "map tried does not mark reconnect_mode writable; writable are"),
        ("trip_mode", "trip_mode has no value: write trip_mode=VALUE, with one ="),
        ("trip_mode=never", "trip_mode: 'never' is not one of two_stage, direct, delayed"),
        ("low_credit_threshold_1=-1", "low_credit_threshold_1: -1 is out of range"),
        (
            "low_credit_threshold_1=10.55",
            "low_credit_threshold_1: its u16 at 0010 does not hold 10.55, it would be 10.50",
        ),
        (
            "low_credit_threshold_1=6553.5",
            "low_credit_threshold_1: its u16 at 0010 does not hold 6553.50, it would be 6553.40",
        ),
    ],
)
def test_a_wrong_value_is_refused_before_anything_is_sent(word: str, text: str) -> None:
    with pytest.raises(UsageError) as raised:
        plain_writes(MAP, [word])
    assert str(raised.value).startswith(text)
    assert str(raised.value).endswith("; nothing was sent")


def test_every_wrong_word_is_told_at_once() -> None:
    with pytest.raises(UsageError) as raised:
        plain_writes(MAP, ["trip_mode=never", "trip_mode=direct", "trip_mode=direct", "x=1"])
    first, second, third = str(raised.value).splitlines()
    assert first.startswith("trip_mode: 'never'")
    assert second == "trip_mode is given twice"
    assert third.startswith("'x' is no item")


def test_wrong_words_of_settings_registers_and_coils_are_told_in_one_round() -> None:
    with pytest.raises(UsageError) as raised:
        plain_writes(MAP, ["nix=1", "trip_mode=direct"], ["5=1"], ["20=2", "8=1", "30=1"])
    told = str(raised.value).splitlines()
    assert [line.split(":")[0] for line in told] == [
        "'nix' is no item; writable are low_credit_threshold_1, trip_mode, strict_suspension",
        "--register 5=1",
        "--coil 20=2",
        "--coil 30=1",
    ]
    assert [line.endswith("; nothing was sent") for line in told] == [False, False, False, True]


def test_a_float_that_is_no_number_is_shown_as_absent_and_never_read_back_as_off() -> None:
    register = Register(
        Area.HOLDING, 0x10, items.LOW_CREDIT_1, Layout(ValueType.F32, off=0), writable=True
    )
    (write,) = plain_writes(
        RegisterMap("floats", (Section("All", (register,)),)), ["low_credit_threshold_1=off"]
    )
    writer = ScriptedWriter()
    writer.keeps = lambda _: 0xFFFF
    writer.places[Area.HOLDING, 0x10] = 0x7FC0
    (before,) = read_all(writer, [write])
    assert write.text(before) == "-"
    with pytest.raises(RefusedError, match="and - is read back"):
        write_each(writer, [write], [before])


def test_a_map_with_windows_names_the_sealed_command() -> None:
    with pytest.raises(UsageError, match="marks none; `meterctl limits set trip_mode=VALUE`"):
        plain_writes(NATIVE_MAP, ["trip_mode=direct"])


def test_scratch_takes_numbers_within_its_addresses() -> None:
    (registers,) = plain_writes(MAP, registers=["0x102=1,0xffff"])
    assert (registers.name, registers.address, registers.numbers) == (
        "register 0102",
        258,
        (1, 65535),
    )
    assert registers.text(registers.value) == "0001,FFFF"
    (coil,) = plain_writes(MAP, coils=["9=1"])
    assert (coil.name, coil.numbers, coil.json(coil.value)) == ("coil 0009", (1,), "[1]")


@pytest.mark.parametrize(
    ("area", "word", "text"),
    [
        (Area.HOLDING, "0x100", "'0x100': write ADDRESS=VALUE"),
        (Area.HOLDING, "0x10=1", "map tried has its scratch registers at 0100 to 0103"),
        (Area.HOLDING, "0x103=1,2", "map tried has its scratch registers at 0100 to 0103"),
        (Area.HOLDING, "0x100=0x10000", "value '0x10000': allowed is 0 to 65535"),
        (Area.HOLDING, "here=1", "address 'here': allowed is 0 to 65535"),
        (Area.COIL, "8=2", "value '2': allowed is 0 to 1"),
        (Area.COIL, "0=1", "map tried has its scratch coils at 0008 to 0009"),
    ],
)
def test_other_addresses_and_numbers_are_no_scratch(area: Area, word: str, text: str) -> None:
    with pytest.raises(UsageError) as raised:
        plain_writes(MAP, **{"coils" if area is Area.COIL else "registers": [word]})
    assert text in str(raised.value)


def test_what_is_written_is_read_back() -> None:
    writer = ScriptedWriter()
    writes = plain_writes(MAP, ["low_credit_threshold_1=10", "strict_suspension=on"])
    before = read_all(writer, writes)
    done = write_each(writer, writes, before)
    assert [(each.before, each.after) for each in done] == [(0, 10 * 100 * CENT), (0, 1)]
    assert writer.sent == [0x10, 3]


def failing(writer: ScriptedWriter) -> MeterctlError:
    """Return the error of two writes, the first of which fails; the second is never sent."""
    writes = plain_writes(MAP, ["low_credit_threshold_1=10", "trip_mode=direct"])
    with pytest.raises(MeterctlError) as raised:
        write_each(writer, writes, [0, 0])
    assert writer.sent == [0x10], "a write is sent once"
    assert str(raised.value).endswith("; trip_mode was not sent")
    return raised.value


def test_an_exception_of_the_meter_is_a_refusal_that_names_the_item() -> None:
    writer = ScriptedWriter()
    writer.applies, writer.fails = False, RefusedError("Modbus exception 03; nothing was changed")
    error = failing(writer)
    assert type(error) is RefusedError
    assert str(error).startswith("low_credit_threshold_1: Modbus exception 03; it was not changed")


def test_another_value_that_is_read_back_is_a_refusal() -> None:
    writer = ScriptedWriter()
    writer.keeps = lambda number: number + 1
    error = failing(writer)
    assert type(error) is RefusedError
    assert "the write of 10.00 was confirmed, and 10.10 is read back" in str(error)


@pytest.mark.parametrize("lost", [NoAnswerError("silence"), CorruptAnswerError("a wrong CRC")])
def test_a_lost_answer_is_resolved_by_reading_back(lost: MeterctlError) -> None:
    writer = ScriptedWriter()
    writer.fails = lost
    writes = plain_writes(MAP, ["low_credit_threshold_1=10"])
    assert [each.after for each in write_each(writer, writes, [0])] == [10 * 100 * CENT]
    assert writer.sent == [0x10], "a write is sent once"
    writer = ScriptedWriter()
    writer.fails, writer.applies = lost, False
    error = failing(writer)
    assert type(error) is RefusedError
    assert f"was not answered ({lost}), and 0.00 is read back" in str(error)


def test_the_outcome_is_unknown_only_where_reading_back_is_not_answered_either() -> None:
    writer = ScriptedWriter()
    writer.fails, writer.silent = NoAnswerError("silence"), True
    error = failing(writer)
    assert type(error) is UnknownOutcomeError
    assert "it may have been written or not: silence; reading back: silence" in str(error)
    writer = ScriptedWriter()
    writer.silent = True
    error = failing(writer)
    assert type(error) is NoAnswerError
    assert "the meter confirmed the write; reading back: silence" in str(error)


def test_a_failure_names_what_was_written_before_it() -> None:
    writer = ScriptedWriter()
    writes = plain_writes(MAP, ["low_credit_threshold_1=10", "trip_mode=direct"])
    writer.keeps = lambda number: 0 if number == 1 else number
    with pytest.raises(RefusedError, match="two_stage is read back; low_credit_threshold_1 was wr"):
        write_each(writer, writes, [0, 0])


def test_an_exception_is_no_proof_that_nothing_was_changed() -> None:
    writer = ScriptedWriter()
    writer.fails = RefusedError("Modbus exception 04; nothing was changed")
    writes = plain_writes(MAP, ["low_credit_threshold_1=10"])
    (done,) = write_each(writer, writes, [0])
    assert done.after == 10 * 100 * CENT
    assert done.note == "low_credit_threshold_1: Modbus exception 04; 10.00 is read back"
    assert (writer.sent, writer.reads) == ([0x10], 1)


def test_after_an_exception_the_value_that_stands_is_told() -> None:
    writer = ScriptedWriter()
    writer.fails, writer.applies = RefusedError("Modbus exception 04; nothing was changed"), False
    assert "exception 04; it was not changed: 0.00 is read back" in str(failing(writer))
    writer = ScriptedWriter()
    writer.fails, writer.keeps = RefusedError("Modbus exception 04"), lambda number: number + 1
    error = failing(writer)
    assert type(error) is RefusedError
    assert "exception 04; 10.10 is read back" in str(error)
    writer = ScriptedWriter()
    writer.fails, writer.silent = RefusedError("Modbus exception 04"), True
    error = failing(writer)
    assert type(error) is UnknownOutcomeError
    assert "it may have been written or not: Modbus exception 04; reading back" in str(error)


def test_an_exception_is_a_refusal_where_the_value_stood_there_before() -> None:
    writer = ScriptedWriter()
    writer.fails = RefusedError("Modbus exception 02; nothing was changed")
    writes = plain_writes(MAP, ["low_credit_threshold_1=10"])
    with pytest.raises(RefusedError, match=r"02; it was not changed: 10\.00 is read back"):
        write_each(writer, writes, [10 * 100 * CENT])


@pytest.mark.parametrize("answer", [None, StillWorkingError("exception 05"), NoAnswerError("none")])
def test_a_write_that_takes_effect_later_is_seen(answer: MeterctlError | None) -> None:
    writer = ScriptedWriter()
    writer.fails, writer.rests_until_applied = answer, 2
    writes = plain_writes(MAP, ["low_credit_threshold_1=10"])
    (done,) = write_each(writer, writes, [0])
    assert (done.after, done.note) == (10 * 100 * CENT, "")
    assert (writer.sent, writer.reads, writer.rests) == ([0x10], 3, 2)


def test_the_outcome_of_a_write_that_the_meter_works_on_still_is_unknown() -> None:
    writer = ScriptedWriter()
    writer.fails, writer.applies = StillWorkingError("exception 05"), False
    error = failing(writer)
    assert type(error) is UnknownOutcomeError
    assert "it may be written yet: exception 05; 0.00 is read back" in str(error)
    assert writer.reads == 3


@pytest.mark.parametrize("answer", [None, NoAnswerError("silence"), RefusedError("exception 04")])
def test_a_reply_that_may_be_of_the_read_before_proves_no_failure(
    answer: MeterctlError | None,
) -> None:
    writer = ScriptedWriter()
    writer.fails, writer.applies, writer.is_certain = answer, False, False
    error = failing(writer)
    assert type(error) is UnknownOutcomeError
    assert "0.00 is read back, which may be a late reply to the read before" in str(error)
    writer = ScriptedWriter()
    writer.is_certain = False
    writes = plain_writes(MAP, ["low_credit_threshold_1=10"])
    assert write_each(writer, writes, [0])[0].after == 10 * 100 * CENT


def test_an_error_lists_what_was_written_and_what_was_not_sent() -> None:
    writer = ScriptedWriter()
    writer.keeps = lambda number: 0 if number == 1 else number
    words = ["low_credit_threshold_1=10", "trip_mode=direct", "strict_suspension=on"]
    with pytest.raises(RefusedError) as raised:
        write_each(writer, plain_writes(MAP, words), [0, 0, 0])
    assert raised.value.fields == {
        "written": ["low_credit_threshold_1"],
        "not_sent": ["strict_suspension"],
    }


def test_scratch_that_is_given_twice_is_refused() -> None:
    words = ["0x100=1,2", "0x101=3", "0x103=1", "0x103=2"]
    with pytest.raises(UsageError) as raised:
        plain_writes(MAP, registers=words, coils=["8=1"])
    assert str(raised.value).splitlines() == [
        "register 0101 overlaps the 2 from register 0100 on",
        "register 0103 is given twice; nothing was sent",
    ]
    with pytest.raises(UsageError, match="register 0101 overlaps the 2 from register 0100 on"):
        plain_writes(MAP, registers=["0x101=3", "0x100=1,2"])
    assert len(plain_writes(MAP, registers=["0x100=1", "0x101=1"], coils=["8=1"])) == 3
