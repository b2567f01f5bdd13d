"""`meter-sim card serve` ends on a signal, as a background job too."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.programs import TIMEOUT_S, meter_sim

SERVE = """
import signal
import sys
signal.signal(signal.SIGINT, signal.SIG_IGN)
from firmware_sim.cli import main
from firmware_sim.hosting.cards import vpcd
vpcd.FIRST_PORT = int(sys.argv.pop(1))
main()
"""
"""The program with SIGINT ignored, as a shell without job control starts a background job."""
ASK_ANSWER_TO_RESET = b"\0\1\4"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_served_card_ends_on_a_signal_also_as_a_background_job(
    tmp_path: Path, number: signal.Signals
) -> None:
    meter_sim("card", "new", "a.ppc", "--card-serial", "00" * 7 + "01", cwd=tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as reader:
        port = str(reader.getsockname()[1])
        process = subprocess.Popen(
            [sys.executable, "-c", SERVE, port, "card", "serve", "a.ppc"],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        wire, _ = reader.accept()
        with wire:
            wire.sendall(ASK_ANSWER_TO_RESET)
            assert process.stdout is not None
            assert process.stdout.readline().startswith("ready: card")
            process.send_signal(number)
            _, said = process.communicate(timeout=TIMEOUT_S)
    assert (process.returncode, said) == (0, "")
