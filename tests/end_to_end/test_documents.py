"""The commands of README.md and of pages of docs/ work as written and show what the pages show."""

from __future__ import annotations

import csv
import io
import os
import re
import signal
import socket
import subprocess
from contextlib import nullcontext, suppress
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from xml.etree import ElementTree
from zoneinfo import ZoneInfo

import pytest

from tests.support.imported_meterctl import ASKING, imported_meterctl
from tests.support.programs import BIN

ROOT = Path(__file__).parents[2]
PAGE_S = 300
DESK, BANKS, API = "docs/desk.md", "docs/desk-bank.md", "docs/desk-api.md"
"""The pages with the most commands: they are run as children of a process that has imported all."""


def blocks(page: str) -> list[str]:
    """Return the blocks of meterctl and meter-sim commands of a page, in order."""
    found = re.findall(
        r"^```(\w*)\n(.*?)^```$", (ROOT / page).read_text(), re.MULTILINE | re.DOTALL
    )
    return [
        block
        for language, block in found
        if not language and re.match(r"meterctl |meter-sim |printf |export ", block)
    ]


def shown_lines(page: str) -> list[str]:
    """Return the lines that a page says are on the screen: its blocks of text."""
    found = re.findall(r"^```text\n(.*?)^```$", (ROOT / page).read_text(), re.MULTILINE | re.DOTALL)
    return _dated("".join(found)).splitlines()


def _dated(text: str) -> str:
    """Return a text with today's date and year in place of those of the page of the desk."""
    today = datetime.now(ZoneInfo("Asia/Shanghai")).date()
    text = text.replace("close day 2026-12-01", f"close day {today}")
    text = text.replace("sheet day 2026-12-01", f"sheet day {today}")
    return text.replace("0101-2026-", f"0101-{today.year}-")


_SLEEP = r"""sleep() {
    { set +x; } 2> /dev/null
    command sleep 0.5
    for _ in $(seq 200); do
        [ "$(grep -cE '^ready: |: hosts connect here' told)" -ge \
            "$(grep -cE '^\+ (meter-sim run|meterctl .* monitor)' told)" ] && break
        command sleep 0.1
    done
    set -x
}
"""
"""In place of a sleep, which is too short on a loaded machine: until all that began is ready."""


def told_by(page: str, least: int, folder: Path) -> list[str]:
    """Run the commands of a page in a folder; return the lines that they print."""
    found = blocks(page)
    assert len(found) >= least
    (folder / "examples").symlink_to(ROOT / "examples")
    text = _dated("".join(found))
    # Other tests have ports at the same time.
    for port in sorted(set(re.findall(r"127\.0\.0\.1:(\d+)", text))):
        with socket.create_server(("127.0.0.1", 0)) as free:
            text = text.replace(f":{port}", f":{free.getsockname()[1]}")
    calls = folder / "calls"
    asking = ASKING if page in (DESK, BANKS) else ""
    (folder / "script").write_text(f"set -ex\n{_SLEEP}{asking}{text}")
    environment = {
        **os.environ,
        "CALLS": str(calls),
        "PATH": f"{BIN}:{os.environ['PATH']}",
        "XDG_STATE_HOME": str(folder),
    }
    serving = imported_meterctl(calls) if page in (DESK, BANKS) else nullcontext()
    with serving, (folder / "told").open("a") as told:
        bash = subprocess.Popen(
            ["bash", "script"],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=told,
            stderr=told,
            start_new_session=True,
        )
        try:
            code = bash.wait(PAGE_S)
        finally:
            # Ends the meters that a failed command left running.
            with suppress(ProcessLookupError):
                os.killpg(bash.pid, signal.SIGKILL)
    text = (folder / "told").read_text()
    assert code == 0, text[-3000:]
    assert "internal fault" not in text
    return text.splitlines()


@pytest.mark.parametrize(
    ("page", "least"),
    [
        ("README.md", 5),
        ("docs/card.md", 1),
        ("docs/tariffs.md", 1),
        ("docs/field-work.md", 9),
        (DESK, 10),
        (API, 3),  # not as a child: it serves to the end
        (BANKS, 5),
    ],
)
def test_every_command_of_a_page_works_in_the_order_of_the_page(
    tmp_path: Path, page: str, least: int
) -> None:
    told = told_by(page, least, tmp_path)
    on_screen = [line for line in shown_lines(page) if line in told]
    assert on_screen == shown_lines(page)
    assert page != "README.md" or "supply_connected" in "".join(on_screen)
    if page == "docs/field-work.md":
        _check_what_a_technician_takes_home(tmp_path)


def _check_what_a_technician_takes_home(folder: Path) -> None:
    """Check the files of the page: tables that open, pictures, a slip, a capture."""
    table = (folder / "profile.csv").read_bytes()
    assert table.startswith(b"\xef\xbb\xbfnumber,begin,end,import_kwh,")
    rows = list(csv.DictReader(io.StringIO(table.decode("utf-8-sig"), newline="")))
    assert len(rows) == 2 * 96
    assert sum(Decimal(row["import_kwh"]) for row in rows) == Decimal("16.168050")
    (watched,) = csv.DictReader((folder / "watch.csv").read_text().splitlines())
    assert watched["available_credit"] == "35.55"
    for picture in ("profile.svg", "freezes.svg"):
        assert ElementTree.parse(folder / picture).getroot().tag.endswith("svg")
    assert "50.00" in (folder / "slip.html").read_text()
    assert (folder / "line.pcap").read_bytes().startswith(b"\xd4\xc3\xb2\xa1")
