"""Sales in bulk: the CSV file, keys of sales, and interrupted runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from meterctl.errors import UnknownOutcomeError, UsageError
from meterctl.operations.card.bulk import Done, RequestedSale, parse_sales, sell_all
from protocols.card.applet import Card
from tests.attacks.cards import NEIGHBOUR
from tests.support.setup import OTHER, Contacts, Setup


@pytest.mark.parametrize("interrupted_at", range(0, 30, 3))
def test_an_interrupt_ends_a_bulk_sale_and_the_next_run_sells_each_once(
    setup: Setup, card: Card, interrupted_at: int
) -> None:
    setup.read(card)
    neighbour = setup.formatted(OTHER)
    setup.open(neighbour, 100, meter=NEIGHBOUR)
    contacts = Contacts(card)

    def tap(command: bytes) -> bytes:
        if contacts.count > interrupted_at:
            raise KeyboardInterrupt
        return command

    cards = {Path("a"): card, Path("b"): neighbour}
    wanted = [RequestedSale("s1", Path("a"), 500), RequestedSale("s2", Path("b"), 600)]
    contacts.tap = tap
    done: list[Done] = []
    with pytest.raises(KeyboardInterrupt):
        done.extend(
            sell_all(
                wanted,
                setup.journal,
                lambda file: setup.presented(cards[file], contacts),
            )
        )
    assert [type(one.error) for one in done] in ([], [UnknownOutcomeError])
    again = list(sell_all(wanted, setup.journal, lambda file: setup.presented(cards[file])))
    assert again[0].error is None
    assert again[1].error is not None, "its opening was not taken yet"
    setup.insert(card)
    assert setup.credit == 3500


def test_a_bulk_row_whose_key_is_another_customers_is_no_sale_before(
    setup: Setup, card: Card
) -> None:
    setup.sell(card, 1000, reference="k1")
    setup.insert(card)
    setup.read(card)
    neighbour = setup.formatted(OTHER)
    setup.open(neighbour, 100, meter=NEIGHBOUR)
    cards = {Path("a"): card, Path("b"): neighbour}

    def sold(name: str) -> Any:
        def opened(file: Path) -> Any:
            if file not in cards:
                raise UsageError(f"card {file}: No such file or directory")
            return setup.presented(cards[file])

        (done,) = sell_all([RequestedSale("k1", Path(name), 1000)], setup.journal, opened)
        return done

    assert isinstance(sold("b").error, UsageError)
    assert sold("a").before
    assert sold("gone").before, "its card is with the customer"


def test_a_csv_as_spreadsheets_write_it(tmp_path: Path) -> None:
    (one,) = parse_sales("\ufeffsale, file, amount\nk, c.img, 5.00\n", tmp_path)
    assert one == RequestedSale("k", tmp_path / "c.img", 500)
    for text, told in (
        ("sale;file;amount\n", "no sale"),
        ("sale,file,amount\n", "no sale"),
        ("sale,file,amount\n" + "x" * 200_000 + ",a,1\n", "larger than field limit"),
        ("sale,file,amount\n ,a,1.00\n", "key"),
    ):
        with pytest.raises(UsageError, match=told):
            parse_sales(text, tmp_path)
