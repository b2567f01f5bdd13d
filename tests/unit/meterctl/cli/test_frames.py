"""`frames decode` on a command line."""

from __future__ import annotations

import io
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from meterctl.cli.options import Options
from meterctl.cli.program import main
from meterctl.errors import UsageError
from tests.support.field_wires import too_wide
from tests.unit.meterctl.cli.conftest import Run

READ = "01 03 00 40 00 02 c5 df"
REPLY = "01 03 04 00 00 07 d0 f9 9f"
WRONG = "01 03 00 40 00 02 c5 de"
Main = Callable[..., tuple[int, str, str]]


@pytest.fixture
def meterctl(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Main:
    """Run the program in this process; return exit code, stdout and stderr."""
    monkeypatch.setattr("meterctl.cli.program.signal.signal", lambda *_: None)

    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["meterctl", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        return int(ended.value.code or 0), printed.out, printed.err

    return run


def test_a_frame_is_explained_byte_by_byte(run: Run) -> None:
    out = run("frames", "frames", "decode", READ).out
    assert "1  request  RTU unit 1, read holding registers, 64-65 (available_credit)" in out
    for row in ("01", "03", "00 40", "00 02", "c5 df"):
        assert f" {row} " in out


def test_words_and_one_word_are_the_same_bytes(run: Run) -> None:
    whole = run("frames", "frames", "decode", READ, json=True).out
    assert run("frames", "frames", "decode", *READ.split(), json=True).out == whole


def test_a_trace_begins_with_an_arrow(run: Run) -> None:
    (found,) = run("frames", "frames", "decode", f"-> {READ}", json=True).out.splitlines()
    assert json.loads(found)["direction"] == "request"


def test_pairs_are_named_in_both(run: Run) -> None:
    out = run("frames", "frames", "decode", READ + REPLY, "--short").out
    assert out.splitlines()[0].endswith("answered by 2")
    assert out.splitlines()[1].endswith("available_credit 20.00 account_unit, answers 1")


def test_the_exit_code_says_whether_all_bytes_are_frames(meterctl: Main) -> None:
    assert meterctl("frames", "decode", READ)[0] == 0
    code, out, err = meterctl("frames", "decode", WRONG, "--json")
    assert code == 5
    assert json.loads(out)["decoded"]["crc_expected"] == "c5 df"
    assert err == "meterctl: 8 of 8 bytes are no frame without a fault\n"
    assert len(out.splitlines()) == 1, "frames alone are on stdout"


def test_what_is_not_hexadecimal_is_named(meterctl: Main) -> None:
    code, out, err = meterctl("frames", "decode", "01 0g")
    assert (code, out) == (2, "")
    assert "line 1, column 4: '0g' is not hexadecimal" in err
    assert meterctl("frames", "decode", READ, "--framin", "rtu")[0] == 2
    assert meterctl("frames", "decode", READ, "--framing", "dlt")[0] == 2
    assert meterctl("frames", "decode", READ, "--request", "--reply")[0] == 2
    assert meterctl("frames", "decode", READ, "--address", "x")[0] == 2


def test_frames_of_other_units_are_left_out_where_a_unit_is_named(meterctl: Main) -> None:
    both = f"{READ} 02 03 00 40 00 02 c5 ec"
    assert len(meterctl("frames", "decode", both, "--short")[1].splitlines()) == 2
    code, out, err = meterctl("--unit", "2", "frames", "decode", both, "--short")
    assert code == 0
    assert "unit 2" in out
    assert len(out.splitlines()) == 1
    assert "1 of 2 are of other units" in err


def test_registers_are_named_by_the_map(meterctl: Main) -> None:
    _, out, _ = meterctl(
        "--map", "sdm630", "frames", "decode", "01 04 00 00 00 02 71 cb", "--short"
    )
    assert "voltage_l1_v" in out


def test_files_and_stdin_are_read(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = run("frames", "frames", "decode", READ, "--short").out
    text = tmp_path / "trace.txt"
    text.write_text(f"# a trace\n-> {READ}\n")
    assert run("frames", "frames", "decode", str(text), "--short").out == expected
    binary = tmp_path / "raw"
    binary.write_bytes(bytes.fromhex(READ))
    assert run("frames", "frames", "decode", str(binary), "--short").out == expected
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(READ.encode())))
    assert run("frames", "frames", "decode", "-", "--short").out == expected


def test_a_file_that_is_not_there_is_named(run: Run, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"gone\.pcap: No such file.*nothing was decoded"):
        run("frames", "frames", "decode", str(tmp_path / "gone.pcap"))
    with pytest.raises(UsageError, match=r"directory|not a regular file"):
        run("frames", "frames", "decode", str(tmp_path))


def test_40_columns_are_kept(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    for words in ((READ + REPLY,), (READ + REPLY + "ff" * 40, "--short")):
        assert not too_wide(run("frames", "frames", "decode", *words).out)


def test_directions_have_colours_at_a_terminal_only(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "\x1b" not in run("frames", "frames", "decode", READ).out
    monkeypatch.setattr("protocols.command_line.stdout.is_styled", lambda: True)
    assert "\x1b[36m" in run("frames", "frames", "decode", READ).out


def test_no_port_is_opened(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def session(*_: object, **__: object) -> None:
        raise AssertionError("a port was opened")

    monkeypatch.setattr(Options, "session", session)
    run("frames", "frames", "decode", READ)


def test_the_examples_of_the_page_and_of_the_help_are_decoded(run: Run) -> None:
    page = (Path(__file__).parents[4] / "docs" / "frames.md").read_text()
    found = re.findall(r"^meterctl (frames decode [0-9a-f].*)$", page, re.MULTILINE)
    assert len(found) == 2
    for line in found:
        assert "available_credit" in run("frames", *line.split()).out


FOREIGN = ("03 03 00 00 00 02 c5 e9", "03 03 04 00 00 00 00 d9 f3")


def test_another_mark_than_that_of_the_map_is_said_once(meterctl: Main) -> None:
    code, out, err = meterctl("frames", "decode", " ".join(FOREIGN * 2), "--short")
    assert code == 0
    assert err.count("unit 3 has not the map native") == 1
    assert "mark of the map" in out.splitlines()[0]
    assert "mark of the map" not in "".join(out.splitlines()[1:])


def test_each_unit_is_named_by_a_map_of_its_own(
    meterctl: Main, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    words = ("frames", "decode", " ".join((*FOREIGN, READ, REPLY)), "--short")
    _, out, err = meterctl(*words, "--map", "acrel-prepaid@3")
    assert err == ""
    assert "energy_import_kwh" in out.splitlines()[1]
    assert "available_credit" in out.splitlines()[3]
    monkeypatch.setenv("METERCTL_MAP", str(tmp_path / "a name.toml"))
    code, _, err = meterctl(*words)
    assert code == 2
    assert f"map {tmp_path}/a name.toml: No such file" in err
