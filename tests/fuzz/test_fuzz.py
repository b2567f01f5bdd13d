"""Any bytes into every target, every known input, and proof that the targets can fail.

`make fuzz SECONDS=n` searches further, guided by coverage; the corpus keeps its findings, which
these tests replay.
"""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from protocols.sealed_message import MessageKind
from tests.fuzz import benches, corpus, runs, servers
from tests.fuzz.corpus import HangError
from tests.fuzz.runs import limited
from tests.fuzz.seeds import seeds
from tests.fuzz.source import Source, damaged
from tests.fuzz.targets import TARGETS
from tests.support.meters import Host

many = settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.too_slow])


def inputs(name: str) -> st.SearchStrategy[bytes]:
    """Return any bytes, and bytes near a seed."""
    near = st.builds(
        lambda seed, steps: damaged(seed, Source(steps)),
        st.sampled_from(seeds()[name]),
        st.binary(max_size=48),
    )
    return st.binary(max_size=300) | near


@pytest.mark.parametrize("name", TARGETS)
@many
@given(st.data())
def test_any_bytes_give_a_value_silence_or_a_protocol_error(name: str, data: st.DataObject) -> None:
    drawn = data.draw(inputs(name))
    with limited():
        TARGETS[name](drawn)


@pytest.mark.parametrize("name", TARGETS)
def test_every_known_input_passes(name: str) -> None:
    known = {path.name: path.read_bytes() for path in corpus.files(name)}
    known |= {f"seed {index}": data for index, data in enumerate(seeds()[name])}
    broken = {}
    for which, data in known.items():
        try:
            with limited():
                TARGETS[name](data)
        except Exception as error:
            broken[which] = f"{type(error).__name__}: {str(error)[:200]}"
    assert not broken


def test_the_corpus_belongs_to_targets_and_is_small() -> None:
    assert {path.name for path in corpus.FOLDER.iterdir()} <= set(TARGETS)
    assert all(len(corpus.files(name)) <= corpus.MOST_FILES + 10 for name in TARGETS)


@pytest.mark.parametrize("make", [servers.rtu_server, servers.tcp_server])
def test_credit_that_moves_is_seen(make: benches.MakeServer) -> None:
    """The check must fail for a genuine message, which moves credit."""
    bench = benches.Bench(2)
    message = Host(bench.meters[0]).seal(MessageKind.CREDIT, amount=1)
    server = make(bench.rack)
    for pdu in servers.parts(Source(b""), message):
        assert server.receive(servers.frame(make, 0, 1, pdu), 0)
    with pytest.raises(AssertionError, match="account, sequences, last, rows moved"):
        bench.check()


def test_a_reply_with_a_wrong_crc_is_seen() -> None:
    server = servers.rtu_server(benches.Bench().rack)
    with pytest.raises(AssertionError, match="wrong CRC"):
        benches.check_replies(server, bytes((1, 0x83, 2, 0, 0)))


def test_a_crash_is_named_by_its_place_and_shortened() -> None:
    def target(data: bytes) -> None:
        if b"x" in data and b"y" in data:
            raise ValueError(data)

    assert sorted(corpus.shortened(target, b"..x" * 50 + b"....y...")) == sorted(b"xy")
    with pytest.raises(ValueError, match="y") as caught:
        target(b"xy")
    assert corpus.crash_name(caught.value) == "crash-ValueError-assertion-"


def test_a_hang_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "HANG_S", 0.05)

    def hang() -> None:
        while True:
            pass

    with pytest.raises(HangError), limited():
        hang()


def test_an_input_is_known_by_what_it_reaches() -> None:
    short, long = (corpus.reach(TARGETS["answer"], data) for data in (b"", seeds()["answer"][0]))
    assert short
    assert long - short
    assert corpus.reach(TARGETS["answer"], b"") == short
