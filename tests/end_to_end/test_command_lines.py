"""The command lines end to end, over a virtual port and TCP, as users type them (DESIGN.md 5)."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from tests.support.programs import meter_sim, meterctl, meterctl_json, running

METER = (
    "--modbus-rtu",
    "./m1.tty",
    "--modbus-tcp",
    "127.0.0.1:0",
    "--control",
    "./m1.sock",
    "--credit",
    "20.00",
    "--price",
    "0.5000",
    "--load",
    "2kW",
    "--speed",
    "0",
    "--state",
    "./m1.nv",
)
PORT = ("--port", "./m1.tty")


def test_the_first_hour(tmp_path: Path) -> None:
    with running(*METER, cwd=tmp_path) as ready:
        assert ready["event"] == "ready"
        assert ready["modbus_rtu"] == ["./m1.tty"]
        assert ready["meters"] == [{"serial_number": "000000000001", "unit": 1}]
        tcp = ("--port", f"tcp://{ready['modbus_tcp'][0]}")
        (read,) = meterctl_json(*PORT, "read", "available_credit", "supply_state", cwd=tmp_path)
        assert read == {"available_credit": 20.00, "supply_state": "connected"}
        meter_sim("control", "./m1.sock", "advance", "5h", cwd=tmp_path)
        assert "15.00" in meterctl(*PORT, "status", cwd=tmp_path).stdout
        (receipt,) = meterctl_json(*tcp, "topup", "50.00", "--yes", cwd=tmp_path)
        assert (receipt["outcome"], receipt["sequence"], receipt["credit_after"]) == (
            "accepted",
            1,
            65.00,
        )
        (purchase,) = meterctl_json(*PORT, "purchases", cwd=tmp_path)
        assert (purchase["amount"], purchase["credit_before"], purchase["carrier"]) == (
            50.00,
            15.00,
            "wire",
        )
        meterctl(
            *PORT,
            "limits",
            "set",
            "low_credit_threshold_1=10",
            "low_credit_threshold_2=5",
            "overdraft_limit=20",
            "--yes",
            cwd=tmp_path,
        )
        meterctl(*PORT, "switch", "interrupt", "--yes", cwd=tmp_path)
        (status,) = meterctl_json(*PORT, "status", cwd=tmp_path)
        assert (status["supply_state"], status["supply_causes"]) == ("disconnected", ["remote"])
        meterctl(*PORT, "switch", "restore", "--yes", cwd=tmp_path)
        (clock,) = meterctl_json(*PORT, "clock", "show", cwd=tmp_path)
        assert clock["elapsed_ms"] == 18_000_000
        names = [event["event"] for event in meterctl_json(*PORT, "events", cwd=tmp_path)]
        if names[0] == "billing_period_ended":  # five hours on, in the last evening of a month
            del names[0]
        assert names == ["credit_accepted", "limits_set", "supply_disconnected", "supply_connected"]
        (entry,) = meterctl_json("journal", "list", cwd=tmp_path)
        assert (entry["kind"], entry["amount"], entry["state"]) == ("credit", 50.00, "confirmed")
    assert not (tmp_path / "m1.tty").is_symlink()
    assert not (tmp_path / "m1.sock").exists()


def test_numbers_are_written_with_fixed_decimals(tmp_path: Path) -> None:
    with running(*METER, cwd=tmp_path):
        line = meterctl(
            *PORT,
            "read",
            "--json",
            "available_credit",
            "available_credit_exact",
            "energy_import_kwh",
            "current_price",
            "low_credit_threshold_1",
            cwd=tmp_path,
        ).stdout
    assert line == (
        '{"available_credit": 20.00, "available_credit_exact": 20.0000000000, '
        '"energy_import_kwh": 0.000000, '
        '"current_price": 0.5000, "low_credit_threshold_1": null}\n'
    )


def test_a_meter_goes_on_after_an_orderly_stop_and_after_a_kill(tmp_path: Path) -> None:
    with running(*METER, cwd=tmp_path):
        meter_sim("control", "./m1.sock", "advance", "1h30m", cwd=tmp_path)
        meterctl(*PORT, "topup", "5.00", "--yes", cwd=tmp_path)
    with running(*METER, cwd=tmp_path, kill=True):
        (read,) = meterctl_json(*PORT, "read", "available_credit", "elapsed_ms", cwd=tmp_path)
        assert read == {"available_credit": 23.50, "elapsed_ms": 5_400_000}
        meterctl(*PORT, "topup", "7.00", "--yes", cwd=tmp_path)
    with running(*METER, cwd=tmp_path):
        (read,) = meterctl_json(*PORT, "read", "available_credit", "purchase_count", cwd=tmp_path)
        assert read == {"available_credit": 30.50, "purchase_count": 2}
        names = [event["event"] for event in meterctl_json(*PORT, "events", cwd=tmp_path)]
        assert names.count("restart") == 2


def test_keys_keep_other_hosts_out(tmp_path: Path) -> None:
    serial = "000000000042"
    meterctl("keys", "init", "--out", "keys.json", cwd=tmp_path)
    assert stat.S_IMODE((tmp_path / "keys.json").stat().st_mode) == 0o600
    meterctl("keys", "init", "--out", "keys.json", cwd=tmp_path, check=2)
    meterctl("keys", "init", "--out", "other.json", cwd=tmp_path)
    meterctl(
        "keys", "export", "--meter", serial, "--keys", "keys.json", "--out", "m.json", cwd=tmp_path
    )
    master = next(iter(json.loads((tmp_path / "keys.json").read_text())["masters"].values()))
    assert master not in (tmp_path / "m.json").read_text()
    shown = meterctl(
        "keys", "show", "--keys", "keys.json", "--meter", serial, "--json", cwd=tmp_path
    ).stdout
    assert master not in shown
    words = ("run", "--serial-number", serial, "--control", "c.sock", "--keys")
    assert "keys.json" in meter_sim(*words, "keys.json", cwd=tmp_path, check=2).stderr
    with running(
        "--serial-number",
        serial,
        "--keys",
        "m.json",
        "--modbus-rtu",
        "m.tty",
        "--speed",
        "0",
        cwd=tmp_path,
    ):
        port = ("--port", "m.tty")
        (read,) = meterctl_json(*port, "read", "key_check_value", "key_version", cwd=tmp_path)
        assert read["key_check_value"] == json.loads(shown)["key_check_value"]
        for keys in ((), ("--keys", "other.json")):
            done = meterctl(*port, *keys, "topup", "1.00", "--yes", cwd=tmp_path, check=6)
            assert "Nothing was sealed" in done.stderr
        meterctl(*port, "--keys", "keys.json", "topup", "1.00", "--yes", cwd=tmp_path)


def test_refusals_have_exit_3_and_change_nothing(tmp_path: Path) -> None:
    with running(*METER, cwd=tmp_path):
        meterctl(*PORT, "limits", "set", "max_credit=25", "--yes", cwd=tmp_path)
        done = meterctl(*PORT, "topup", "6.00", "--yes", cwd=tmp_path, check=3)
        assert "exceeds_max_credit" in done.stderr
        kinds = [(e["kind"], e["state"]) for e in meterctl_json("journal", "list", cwd=tmp_path)]
        assert kinds == [("credit", "refused"), ("void", "confirmed")]
        bad = ("low_credit_threshold_1=1", "low_credit_threshold_2=2")
        done = meterctl(*PORT, "limits", "set", *bad, "--yes", cwd=tmp_path, check=3)
        assert "low_credit_threshold_1 is below low_credit_threshold_2" in done.stderr
        assert "nothing was sent" in done.stderr
        meter_sim("control", "./m1.sock", "advance", "48h", cwd=tmp_path)
        done = meterctl(*PORT, "switch", "restore", "--yes", cwd=tmp_path, check=3)
        assert "credit_exhausted" in done.stderr
        assert "amount_to_reconnect" in done.stderr
        (read,) = meterctl_json(
            *PORT, "read", "purchase_count", "cumulative_purchased", cwd=tmp_path
        )
        assert read == {"purchase_count": 0, "cumulative_purchased": 0.00}


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--port", "nowhere.tty", "status"), 2, "nothing was sent"),
        (("--port", "tcp://127.0.0.1:1", "topup", "5.00", "--yes"), 2, "nothing was sent"),
        (("status",), 2, "METERCTL_PORT"),
        (("--port", "x", "read", "availabel_credit"), 2, "available_credit"),
        (("--port", "x", "topup", "-5.00"), 2, ""),
        (("--port", "x", "topup", "5.001"), 2, "decimals"),
        (("--port", "x", "topup", "0.00"), 2, "nothing was sent"),
        (("--port", "x", "--unit", "0", "status"), 2, "1 to 247"),
        (("--port", "x", "--unit", "255", "status"), 2, "and 255 on tcp://"),
        (("--port", "x", "limits", "set", "nonsense=1"), 2, "nothing was sent"),
        (("--port", "x", "limits", "set", "debt_share_percent=101"), 2, "0 to 100"),
        (("--journal", ".", "journal", "list"), 2, "journal"),
        (("--journal", "deep/none.sqlite", "journal", "audit"), 2, "there is no such file"),
        (("--journal", "none.sqlite", "card", "read", "--file", "none.img"), 2, "none.img"),
        (("keys", "show", "--keys", "absent.json"), 2, "absent.json"),
    ],
)
def test_bad_input_is_exit_2_and_says_so(
    tmp_path: Path, words: tuple[str, ...], code: int, said: str
) -> None:
    assert said in meterctl(*words, cwd=tmp_path, check=code).stderr
    assert list(tmp_path.iterdir()) == [], "nothing is made, no journal and no folder"


def test_no_answer_is_4_and_a_prompt_needs_a_terminal(tmp_path: Path) -> None:
    with running(*METER, cwd=tmp_path):
        meterctl(*PORT, "--unit", "9", "--timeout", "200ms", "status", cwd=tmp_path, check=4)
        done = meterctl(*PORT, "topup", "5.00", cwd=tmp_path, check=2)
        assert "--yes" in done.stderr
        done = meterctl("topup", "5.00", *PORT, "--dry-run", cwd=tmp_path)
        assert "nothing is sent or written" in done.stderr
        assert meterctl_json("journal", "list", cwd=tmp_path) == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("run", "--credit", "1", "--unopened"), "--unopened"),
        (("run", "--config", "absent.toml"), "absent.toml"),
        (("run", "--load", "2MW"), "allowed"),
        (("run", "--load", "absent.csv"), "absent.csv"),
        (("run", "--serial-number", "12"), "12 decimal digits"),
        (("run", "--price", "-1"), "price"),
        (("run", "--speed", "100001"), "100000"),
        (("run", "--modbus-tcp", "nowhere"), "HOST:PORT"),
        (("run", "--modbus-rtu", "folder"), "nothing was touched"),
        (("run", "--control", "file"), "nothing was touched"),
        (("run", "--control", "c", "--state", "file"), "state file file"),
        (("run", "--control", "c", "--state", "folder/absent/m.nv"), "absent"),
        (("run",), "nothing could reach the meter"),
        (("control", "absent.sock", "state"), "absent.sock"),
        (("control", "absent.sock", "dance"), "did you mean advance"),
        (("simulate", "--for", "3"), "duration"),
        (("simulate", "--for", "1h", "--topup", "nonsense"), "WHEN:AMOUNT"),
        (("new", "file"), "nothing was changed"),
    ],
)
def test_meter_sim_says_what_is_wrong(tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("this is not a meter\n")
    assert said in meter_sim(*words, cwd=tmp_path, check=2).stderr
    assert (tmp_path / "file").read_text() == "this is not a meter\n"


def test_a_damaged_state_file_is_left_alone_and_refuses_messages(tmp_path: Path) -> None:
    with running(*METER, cwd=tmp_path):
        pass
    damaged = bytearray((tmp_path / "m1.nv").read_bytes())
    damaged[4096:] = bytes(len(damaged) - 4096)
    (tmp_path / "m1.nv").write_bytes(damaged)
    with running(*METER, cwd=tmp_path):
        (status,) = meterctl_json(*PORT, "status", cwd=tmp_path)
        assert "storage_lost" in status["status"]
        meterctl(*PORT, "topup", "5.00", "--yes", cwd=tmp_path, check=None)
        (read,) = meterctl_json(*PORT, "read", "available_credit", cwd=tmp_path)
        assert read == {"available_credit": 0.00}
    assert (tmp_path / "m1.nv").read_bytes() == bytes(damaged)


def test_several_meters_on_every_wire(tmp_path: Path) -> None:
    for unit in (1, 2):
        (tmp_path / f"{unit}.toml").write_text(
            f'serial_number = "00000000000{unit}"\nunit = {unit}\ncredit = "{unit}.00"\n'
        )
    words = (
        "--config",
        "1.toml",
        "--config",
        "2.toml",
        "--modbus-rtu",
        "m.tty",
        "--state",
        "nv",
        "--speed",
        "0",
    )
    with running(*words, "--control", "c.sock", cwd=tmp_path) as ready:
        assert len(ready["meters"]) == 2
        for unit in ("1", "2"):
            (read,) = meterctl_json(
                "--port",
                "m.tty",
                "--unit",
                unit,
                "read",
                "serial_number",
                "available_credit",
                cwd=tmp_path,
            )
            assert read == {"serial_number": f"00000000000{unit}", "available_credit": float(unit)}
        state = meter_sim(
            "control", "c.sock", "--meter", "000000000002", "state", cwd=tmp_path
        ).stdout
        assert json.loads(state)["serial_number"] == "000000000002"
        meter_sim("control", "c.sock", "--meter", "000000000009", "state", cwd=tmp_path, check=2)
    assert sorted(os.listdir(tmp_path / "nv")) == ["000000000001.nv", "000000000002.nv"]


def test_a_live_port_is_left_alone_and_a_dead_link_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "m1.tty").symlink_to("/dev/pts/99999")
    with running("--modbus-rtu", "m1.tty", "--speed", "0", cwd=tmp_path):
        target = os.readlink(tmp_path / "m1.tty")
        assert target != "/dev/pts/99999"
        meter_sim("run", "--modbus-rtu", "m1.tty", cwd=tmp_path, check=2)
        assert os.readlink(tmp_path / "m1.tty") == target
    with running(
        "--modbus-rtu", "m1.tty", "--control", "c.sock", "--speed", "0", cwd=tmp_path, kill=True
    ):
        pass
    assert (tmp_path / "m1.tty").is_symlink(), "a killed process leaves its link"
    with running("--modbus-rtu", "m1.tty", "--control", "c.sock", "--speed", "0", cwd=tmp_path):
        assert meterctl_json("--port", "m1.tty", "read", "supply_state", cwd=tmp_path)


def test_the_control_socket_does_what_no_wire_can(tmp_path: Path) -> None:
    with running(*METER, "--start", "2026-03-02T08:00:00Z", cwd=tmp_path):

        def control(*words: str) -> str:
            return meter_sim("control", "m1.sock", *words, cwd=tmp_path).stdout

        control("load", "0kW")
        control("load", "-1.5kW")
        control("advance", "1h")
        (read,) = meterctl_json(
            *PORT, "read", "energy_export_kwh", "available_credit", cwd=tmp_path
        )
        assert read == {"energy_export_kwh": 1.5, "available_credit": 20.00}
        control("power", "cut")
        meterctl(*PORT, "--timeout", "150ms", "status", cwd=tmp_path, check=4)
        control("advance", "2h")
        control("power", "return")
        control("cover", "open")
        names = [e["event"] for e in meterctl_json(*PORT, "events", cwd=tmp_path)]
        assert names == ["power_lost", "power_restored", "cover_opened"]
        control("speed", "1000")
        control("stop")


def test_simulate_gives_json_lines_in_order(tmp_path: Path) -> None:
    done = meter_sim(
        "simulate",
        "--credit",
        "20.00",
        "--price",
        "0.5283",
        "--load",
        "2.345kW",
        "--trip-mode",
        "direct",
        "--for",
        "20h",
        "--topup",
        "19h:5.00",
        "--json",
        cwd=tmp_path,
    )
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["event"] for row in rows] == [
        "supply_disconnected",
        "credit_accepted",
        "supply_connected",
        "end",
    ]
    assert (
        rows[0]["elapsed_ms"],
        rows[0]["energy_import_kwh"],
        rows[0]["at"],
        rows[0]["cause"],
    ) == (
        58_117_785,
        37.857279,
        "2026-01-01T16:08:37.785Z",
        "credit_exhausted",
    )
    assert all(
        set(row)
        >= {"event", "at", "elapsed_ms", "available_credit", "energy_import_kwh", "supply_state"}
        for row in rows
    )


def test_new_writes_an_example_that_runs_and_a_plot_can_be_drawn(tmp_path: Path) -> None:
    meter_sim("new", "meter.toml", cwd=tmp_path)
    meter_sim(
        "simulate", "--config", "meter.toml", "--for", "3d", "--plot", "curve.svg", cwd=tmp_path
    )
    assert (tmp_path / "curve.svg").read_text().lstrip().startswith("<?xml")


def test_every_example_meter_runs() -> None:
    examples = Path(__file__).resolve().parents[2] / "examples"
    meters = sorted((examples / "meters").glob("*.toml"))
    assert len(meters) >= 3
    for meter in meters:
        meter_sim("simulate", "--config", str(meter), "--for", "2d", cwd=examples)


@pytest.mark.parametrize(
    ("price", "load", "credit"), [(None, None, None), ("1.2500", "7.3kW", "11.00")]
)
def test_the_demo_plays_and_its_books_balance(
    tmp_path: Path, price: str | None, load: str | None, credit: str | None
) -> None:
    words = ["demo"]
    for name, value in (("--price", price), ("--load", load), ("--credit", credit)):
        words += [name, value] if value is not None else []
    out = meterctl(*words, cwd=tmp_path).stdout
    names = [line.split()[0] for line in out.splitlines()]
    for name in ("vending", "card", "warning", "disconnected", "button", "connected", "write-back"):
        assert name in names
    assert "balanced to the last unit" in out
    assert names[-1] == "books:"


def test_faults_by_plan_and_by_command(tmp_path: Path) -> None:
    (tmp_path / "plan.toml").write_text('seed = 3\n[[fault]]\nname = "busy"\ncount = 4\n')
    words = [
        "--modbus-rtu",
        "m.tty",
        "--control",
        "c",
        "--faults",
        "plan.toml",
        "--state",
        "m.nv",
        "--speed",
        "0",
    ]
    with running(*words, cwd=tmp_path):
        asked = ["--port", "m.tty", "read", "available_credit", "--json"]
        assert "06" in meterctl(*asked, cwd=tmp_path, check=3).stderr
        # three tries were refused; of the next three the first
        assert json.loads(meterctl(*asked, cwd=tmp_path).stdout) == {"available_credit": 20.0}
        meter_sim("control", "c", "fault", "reply_lost", "on", "--count", "2", cwd=tmp_path)
        meterctl(*asked, cwd=tmp_path)
        listed = json.loads(meter_sim("control", "c", "fault", "list", cwd=tmp_path).stdout)[
            "faults"
        ]
        assert [(f["name"], f["left"], f["struck"]) for f in listed] == [
            ("busy", 0, 4),
            ("reply_lost", 0, 2),
        ]
        meter_sim(
            "control",
            "c",
            "fault",
            "hang_up",
            "on",
            "--count",
            "1",
            "--value",
            "300ms",
            cwd=tmp_path,
        )
        back = meterctl(*asked, cwd=tmp_path)
        assert "port m.tty: it went away" in back.stderr
        assert "port m.tty: it is back" in back.stderr
        meter_sim("control", "c", "fault", "torn_write", "on", "--count", "1", cwd=tmp_path)
        done = meterctl("--port", "m.tty", "topup", "5.00", "--yes", "--json", cwd=tmp_path)
        assert json.loads(done.stdout)["outcome"] == "accepted"
        assert json.loads(meterctl(*asked, cwd=tmp_path).stdout) == {"available_credit": 25.0}
        meter_sim("control", "c", "fault", "off", cwd=tmp_path)
        assert json.loads(meter_sim("control", "c", "fault", "list", cwd=tmp_path).stdout) == {
            "faults": []
        }
        for words in (
            ["no_such", "on"],
            ["flip", "on", "--value", "3"],
            ["busy", "on", "--unit", "9"],
            ["flip"],
        ):
            assert meter_sim("control", "c", "fault", *words, cwd=tmp_path, check=2).stderr


def test_a_plan_of_faults_that_cannot_be_is_exit_2(tmp_path: Path) -> None:
    (tmp_path / "plan.toml").write_text('[[fault]]\nname = "flop"\n')
    done = meter_sim("run", "--modbus-rtu", "m.tty", "--faults", "plan.toml", cwd=tmp_path, check=2)
    assert "flop" in done.stderr
    assert "flip" in done.stderr
    assert not (tmp_path / "m.tty").is_symlink()
    meter_sim("run", "--modbus-rtu", "m.tty", "--faults", "absent.toml", cwd=tmp_path, check=2)


def test_an_entry_that_nothing_can_prove_is_closed_by_hand(tmp_path: Path) -> None:
    """A person closes an entry whose meter is lost: its successor has another epoch."""
    with running("--modbus-rtu", "m.tty", "--control", "c", "--state", "m.nv", cwd=tmp_path):
        meter_sim("control", "c", "fault", "storage_full", "on", cwd=tmp_path)
        meterctl("--port", "m.tty", "topup", "5.00", "--yes", cwd=tmp_path, check=7)
    (tmp_path / "m.nv").unlink()
    with running("--modbus-rtu", "m.tty", "--state", "m.nv", cwd=tmp_path):
        meterctl("--port", "m.tty", "journal", "resolve", cwd=tmp_path, check=6)
        assert (
            "confirmed"
            in meterctl("journal", "resolve", "1", "--as", "sold", cwd=tmp_path, check=2).stderr
        )
        meterctl("journal", "resolve", "--as", "refused", cwd=tmp_path, check=2)
        meterctl("journal", "resolve", "1", "--as", "refused", cwd=tmp_path, check=2)
        closed = meterctl_json("journal", "resolve", "1", "--as", "refused", "--yes", cwd=tmp_path)
        assert [(entry["state"], entry["outcome"]) for entry in closed] == [("refused", "by_hand")]
        meterctl("journal", "resolve", "1", "--as", "confirmed", "--yes", cwd=tmp_path, check=2)
        assert meterctl_json("journal", "list", "--open", cwd=tmp_path) == []
        meterctl("--port", "m.tty", "topup", "5.00", "--yes", cwd=tmp_path)
