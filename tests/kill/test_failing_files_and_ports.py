"""Full disks, damaged or locked files, lost ports: a clear error, and no loss.

Every test ends with an audit of both sides.
"""

from __future__ import annotations

import os
import resource
import sqlite3
import tty
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from firmware_sim.storage.store import FIRST_RING, FIRST_SLOT, SLOT_SIZE, SLOTS
from tests.kill.audit import Auditor
from tests.kill.site import Ended, Site, end, limit_files

TOPUP = ("topup", "5.00", "--yes", "--json")
SLOW_MS = 300
"""The delay of answers where an event must occur while one is awaited."""

full_disk = pytest.mark.skipif(
    not hasattr(resource, "prlimit"), reason="the size of files cannot be limited here"
)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with Site(tmp_path) as site:
        yield site


@pytest.fixture
def slow(tmp_path: Path) -> Iterator[Site]:
    with Site(tmp_path, SLOW_MS) as site:
        site.start_meter()
        yield site


def fails(ended: Ended, code: int, *said: str) -> None:
    """Check the exit code of a program, its error text and its JSON error object."""
    assert ended.code == code, ended
    assert [row["exit_code"] for row in ended.rows()] in ([], [code]), ended
    assert "Traceback" not in ended.err
    assert "internal fault" not in ended.err
    for text in said:
        assert text in ended.err, ended.err


def states(site: Site) -> list[str]:
    """Return the states of the journal's entries, oldest first."""
    return [entry.state for entry in site.entries()]


def top_up(site: Site) -> None:
    """Check that a top-up works."""
    ended = site.host(*TOPUP, port=site.tcp)
    assert ended.code == 0, ended


def settle(site: Site) -> None:
    """Check that all open entries can be settled."""
    ended = site.host("journal", "resolve", port=site.tcp)
    assert ended.code == 0, ended


def audit(site: Site) -> None:
    """Check that the meter accepts a further top-up, and that both sides agree."""
    top_up(site)
    assert not Auditor(site).audit()
    assert "Traceback" not in site.log.read_text()


# ---- full disks


@full_disk
def test_no_room_for_the_journal_sends_nothing(site: Site) -> None:
    site.start_meter()
    fails(site.host(*TOPUP, file_size=0), 2, str(site.journal), "nothing was sent")
    top_up(site)
    fails(site.host(*TOPUP, file_size=0), 2, str(site.journal))
    assert states(site) == ["confirmed"]
    audit(site)


@full_disk
def test_no_room_for_the_receipt_leaves_the_entry_open(slow: Site) -> None:
    process = slow.start_host(*TOPUP)
    slow.wait_until_applied(process)
    limit_files(0, process.pid)
    fails(end(process), 7, "journal resolve")
    assert states(slow) == ["prepared"]
    settle(slow)
    audit(slow)


@full_disk
def test_no_room_for_the_meter_refuses_the_top_up(site: Site) -> None:
    site.start_meter()
    top_up(site)
    limit_files(0, site.meter.pid)
    fails(site.host(*TOPUP), 7, "storage_fault", "journal resolve")
    assert site.meter.poll() is None, "the meter goes on"
    limit_files(resource.RLIM_INFINITY, site.meter.pid)
    settle(site)
    audit(site)


@full_disk
def test_no_room_for_a_new_meter_leaves_nothing_behind(site: Site) -> None:
    for size in (0, FIRST_SLOT, FIRST_SLOT + 100):
        fails(site.start_meter_in_vain(file_size=size), 2, str(site.state), "nothing was changed")
        assert not os.listdir(site.folder)
    site.start_meter()
    audit(site)


# ---- state files


def test_an_empty_or_foreign_state_file_is_left_alone(site: Site) -> None:
    site.start_meter()
    top_up(site)
    site.kill_meter()
    whole = site.state.read_bytes()
    for size, said in ((0, "empty"), (10, "not a meter's")):
        site.state.write_bytes(whole[:size])
        fails(site.start_meter_in_vain(), 2, str(site.state), said, "nothing was changed")
        assert site.state.read_bytes() == whole[:size]
    site.state.write_bytes(whole)
    site.start_meter()
    audit(site)


def test_the_state_file_of_another_version_is_left_alone(site: Site) -> None:
    site.start_meter()
    top_up(site)
    site.kill_meter()
    whole = site.state.read_bytes()
    other = bytearray(whole[:20])
    other[8] ^= 0x40
    site.state.write_bytes(bytes(other) + zlib.crc32(other).to_bytes(4, "big") + whole[24:])
    damaged = site.state.read_bytes()
    fails(site.start_meter_in_vain(), 2, str(site.state), "a later version", "nothing was changed")
    assert site.state.read_bytes() == damaged
    site.state.write_bytes(whole)
    site.start_meter()
    audit(site)


def test_a_state_file_without_its_slots_refuses_messages(site: Site) -> None:
    site.start_meter()
    top_up(site)
    site.kill_meter()
    whole = site.state.read_bytes()
    site.state.write_bytes(whole[:FIRST_SLOT])
    site.start_meter()
    assert "storage_lost" in site.log.read_text()
    fails(site.host(*TOPUP), 3, "lost its storage")
    site.kill_meter()
    assert site.state.read_bytes() == whole[:FIRST_SLOT]
    site.state.write_bytes(whole)
    site.start_meter()
    top_up(site)
    audit(site)


def test_a_state_file_that_lost_its_rings_keeps_the_newest(site: Site) -> None:
    site.start_meter()
    top_up(site)
    site.kill_meter()
    os.truncate(site.state, FIRST_RING)
    site.start_meter()
    audit(site)


def test_a_state_file_cut_in_its_newest_slot_is_a_meter_set_back_and_is_sold_nothing(
    site: Site,
) -> None:
    site.start_meter()
    top_up(site)
    while newest_slot(site) == 0:
        top_up(site)
    site.kill_meter()
    whole = site.state.read_bytes()
    os.truncate(site.state, FIRST_SLOT + newest_slot(site) * SLOT_SIZE + 100)
    site.start_meter()
    fails(site.host(*TOPUP), 6, "set back", "Nothing was sealed")
    site.kill_meter()
    site.state.write_bytes(whole)
    site.start_meter()
    audit(site)


def newest_slot(site: Site) -> int:
    """Return the slot of the state file with the highest generation.

    The generation is a number of 8 bytes after the slot's length.
    """
    data = site.state.read_bytes()
    heads = [FIRST_SLOT + slot * SLOT_SIZE for slot in range(SLOTS)]
    generations = [int.from_bytes(data[head + 4 : head + 12], "big") for head in heads]
    return generations.index(max(generations))


# ---- journals


def test_a_locked_journal_sends_nothing(site: Site) -> None:
    site.start_meter()
    top_up(site)
    holder = sqlite3.connect(site.journal, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    fails(site.host(*TOPUP), 2, str(site.journal), "locked", "nothing was sent")
    holder.close()
    assert states(site) == ["confirmed"]
    audit(site)


def test_a_journal_locked_after_sending_leaves_the_entry_open(slow: Site) -> None:
    process = slow.start_host(*TOPUP)
    slow.wait_until_applied(process)
    holder = sqlite3.connect(slow.journal, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    fails(end(process), 7, "locked", "journal resolve")
    holder.close()
    assert states(slow) == ["prepared"]
    settle(slow)
    audit(slow)


@pytest.mark.parametrize(
    "script",
    ["PRAGMA user_version = 2", "PRAGMA user_version = 99", "CREATE TABLE notes (text)", None],
)
def test_a_journal_that_is_not_ours_is_left_alone(site: Site, script: str | None) -> None:
    site.start_meter()
    if script is None:
        site.journal.write_bytes(b"this is not a database\n" * 100)
    else:
        database = sqlite3.connect(site.journal)
        database.executescript(script)
        database.close()
    before = site.journal.read_bytes()
    fails(site.host(*TOPUP), 2, str(site.journal))
    assert site.journal.read_bytes() == before
    site.journal.unlink()
    audit(site)


# ---- ports


def test_a_port_that_went_away_between_two_commands(site: Site) -> None:
    site.start_meter()
    top_up(site)
    tcp = site.tcp
    site.kill_meter()
    assert site.link.is_symlink(), "a killed process leaves its link"
    for port in (str(site.link), tcp):
        for words in (TOPUP, ("status",)):
            fails(site.host(*words, port=port), 2, port, "nothing was sent")
    site.link.unlink()
    fails(site.host(*TOPUP), 2, str(site.link), "nothing was sent")
    assert states(site) == ["confirmed"]
    site.start_meter()
    audit(site)


def test_a_hang_up_in_the_middle_of_a_top_up(slow: Site) -> None:
    process = slow.start_host(*TOPUP)
    slow.wait_until_applied(process)
    slow.kill_meter()
    fails(end(process), 7, "journal resolve")
    assert states(slow) == ["unknown"]
    slow.start_meter()
    settle(slow)
    audit(slow)


def test_a_hang_up_before_anything_was_sealed(site: Site) -> None:
    master, slave = os.openpty()
    tty.setraw(slave)
    site.link.symlink_to(os.ttyname(slave))
    process = site.start_host(*TOPUP)
    assert os.read(master, 256), "meterctl asks who is there"
    os.close(master)
    fails(end(process), 4)
    os.close(slave)
    assert states(site) == []
    site.link.unlink()
    site.start_meter()
    audit(site)
