"""What an interrupt of a command leaves: nothing, an open entry, or an unknown outcome."""

from __future__ import annotations

import signal
import subprocess
import sys
from unittest.mock import patch

import pytest

from meterctl.cli.account_change import RequestedTopUp, change_account
from meterctl.cli.interruption import EarlyInterruptError, carrying_out, restoring_on_quit
from meterctl.cli.options import Options
from meterctl.drivers.table import MODBUS
from meterctl.errors import UnknownOutcomeError
from meterctl.operations.exactly_once import Sale
from protocols.sealed_message import MessageKind
from tests.support.setup import METER, Setup


def test_a_quit_restores_the_terminal_and_kills() -> None:
    program = (
        "import os, resource, signal\n"
        "from meterctl.cli.interruption import restoring_on_quit\n"
        "resource.setrlimit(resource.RLIMIT_CORE, (0, 0))\n"
        "signal.signal(signal.SIGQUIT, signal.SIG_DFL)  # a background job begins with it ignored\n"
        "with restoring_on_quit(lambda: os.write(1, b'restored')):\n"
        "    os.kill(os.getpid(), signal.SIGQUIT)\n"
        "print('went on')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], check=False, capture_output=True, timeout=60
    )
    assert (done.returncode, done.stdout) == (-signal.SIGQUIT, b"restored")


def test_a_quit_that_is_ignored_stays_so() -> None:
    before = signal.signal(signal.SIGQUIT, signal.SIG_IGN)
    try:
        with restoring_on_quit(lambda: None):
            assert signal.getsignal(signal.SIGQUIT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGQUIT, before)


def test_an_interrupt_before_anything_was_sealed_is_no_unknown_outcome(setup: Setup) -> None:
    with (
        pytest.raises(EarlyInterruptError, match="nothing was sealed, nothing was sent") as raised,
        carrying_out(f"meter {METER}", setup.journal, meter=METER),
    ):
        raise KeyboardInterrupt
    assert raised.value.serial_number == METER


def test_an_interrupt_after_a_message_was_made_is_an_unknown_outcome(setup: Setup) -> None:
    setup.journal.numbers.draw_origin()
    with (
        pytest.raises(UnknownOutcomeError, match="journal list --open") as raised,
        carrying_out(f"meter {METER}", setup.journal, meter=METER),
    ):
        raise KeyboardInterrupt
    assert (raised.value.serial_number, raised.value.entry) == (METER, None)


def test_an_interrupt_of_a_command_that_goes_on_is_an_unknown_outcome(setup: Setup) -> None:
    with (
        pytest.raises(UnknownOutcomeError),
        carrying_out("journal entry 1", setup.journal, meter=METER, begun=True),
    ):
        raise KeyboardInterrupt


@pytest.mark.usefixtures("card", "run")
def test_an_interrupted_top_up_names_its_open_entry_and_none_if_there_is_none(
    setup: Setup,
) -> None:
    given = Options(
        None, MODBUS, 1, None, setup.journal.path, 1000, False, False, True, False, False
    )
    wanted = RequestedTopUp(Sale(MessageKind.CREDIT, 500), "top up", None, set_back=False)
    before = setup.journal.last_id()
    asked, sent = (f"meterctl.operations.exactly_once.{s}" for s in ("ask_status", "settle"))
    with (
        patch(asked, side_effect=KeyboardInterrupt),
        pytest.raises(KeyboardInterrupt, match="nothing was sent"),
    ):
        change_account(given, wanted)
    assert setup.journal.last_id() == before
    with (
        patch(sent, side_effect=KeyboardInterrupt),
        pytest.raises(UnknownOutcomeError, match="stays open") as raised,
    ):
        change_account(given, wanted)
    assert (raised.value.serial_number, raised.value.entry) == (METER, before + 1)
