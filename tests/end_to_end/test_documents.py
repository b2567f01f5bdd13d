"""The commands of README.md and of pages of docs/ work as written and show what the pages show."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.programs import BIN

ROOT = Path(__file__).parents[2]
PAGE_S = 120


def blocks(page: str) -> list[str]:
    """Return the blocks of meterctl and meter-sim commands of a page, in order."""
    found = re.findall(
        r"^```(\w*)\n(.*?)^```$", (ROOT / page).read_text(), re.MULTILINE | re.DOTALL
    )
    return [
        block
        for language, block in found
        if not language and re.match(r"meterctl |meter-sim ", block)
    ]


def shown_lines(page: str) -> list[str]:
    """Return the lines that a page says are on the screen: its blocks of text."""
    found = re.findall(r"^```text\n(.*?)^```$", (ROOT / page).read_text(), re.MULTILINE | re.DOTALL)
    return "".join(found).splitlines()


@pytest.mark.parametrize(
    ("page", "least"), [("README.md", 5), ("docs/card.md", 1), ("docs/tariffs.md", 1)]
)
def test_every_command_of_a_page_works_in_the_order_of_the_page(
    tmp_path: Path, page: str, least: int
) -> None:
    found = blocks(page)
    assert len(found) >= least
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    # Other tests load the machine at the same time.
    text = "".join(found).replace("5020", port).replace("sleep 1", "sleep 4")
    (tmp_path / "script").write_text("set -ex\n" + text)
    environment = {
        **os.environ,
        "PATH": f"{BIN}:{os.environ['PATH']}",
        "XDG_STATE_HOME": str(tmp_path),
    }
    with (tmp_path / "told").open("w") as told:
        bash = subprocess.Popen(
            ["bash", "script"],
            cwd=tmp_path,
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
    text = (tmp_path / "told").read_text()
    assert code == 0, text[-3000:]
    assert "internal fault" not in text
    told = text.splitlines()
    on_screen = [line for line in shown_lines(page) if line in told]
    assert on_screen == shown_lines(page)
    assert page != "README.md" or "supply_connected" in "".join(on_screen)
