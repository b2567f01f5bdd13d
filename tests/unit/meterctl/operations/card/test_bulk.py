"""Sales in bulk: the rows of a CSV, failed rows, rehearsal, a second run (DESIGN.md 5.2)."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from meterctl.errors import NotPermittedError, UnknownOutcomeError, UsageError
from meterctl.operations.card.bulk import Done, RequestedSale, parse_sales, sell_all
from meterctl.operations.card.presented import PresentedCard
from protocols.card.applet import Card
from tests.support.setup import OTHER, Contacts, Setup

FOLDER = Path("/cards")
HEAD = "sale,file,amount\n"
FIRST, SECOND = RequestedSale("s1", Path("a"), 500), RequestedSale("s2", Path("b"), 600)


def opener(
    setup: Setup, cards: dict[str, Card]
) -> Callable[[Path], AbstractContextManager[PresentedCard]]:
    def open_(file: Path) -> AbstractContextManager[PresentedCard]:
        if str(file) not in cards:
            raise UsageError(f"card {file}: No such file or directory")
        return setup.presented(cards[str(file)])

    return open_


@pytest.fixture
def cards(setup: Setup, card: Card) -> dict[str, Card]:
    """The opened card a, and card b whose opening was not inserted."""
    other = setup.formatted(OTHER)
    setup.open(other, 100, meter="000000000043")
    return {"a": card, "b": other}


def summary(done: list[Done]) -> list[tuple[str, bool, type | None]]:
    return [(one.wanted.sale, one.before, type(one.error) if one.error else None) for one in done]


def test_rows_are_read_in_order_with_files_relative_to_the_folder() -> None:
    text = HEAD + "s1,a.img,5.00\ns2,/else/b.img,0.01\n"
    assert parse_sales(text, FOLDER) == [
        RequestedSale("s1", FOLDER / "a.img", 500),
        RequestedSale("s2", Path("/else/b.img"), 1),
    ]


def test_quoted_values_and_a_byte_order_mark_are_read() -> None:
    (one,) = parse_sales("\ufeffsale, file, amount\n" + '"s,1", "a b.img", 5.00\n', FOLDER)
    assert one == RequestedSale("s,1", FOLDER / "a b.img", 500)


@pytest.mark.parametrize(
    "text",
    [
        "\nsale;file;amount\ns1;a.img;5,00\n;;\ns2;b.img;1234,5\n",
        "sep=;\nsale;file;amount;\ns1;a.img;5.00;\ns2;b.img;1234.50;\n",
        'sale\tfile\tamount\n"s1"\ta.img\t5\n\ns2\tb.img\t1234,50\n\n',
    ],
)
def test_a_list_is_read_as_a_spreadsheet_writes_it(text: str) -> None:
    wanted = [RequestedSale("s1", Path("a.img"), 500), RequestedSale("s2", Path("b.img"), 123_450)]
    assert parse_sales(text, Path()) == wanted


@pytest.mark.parametrize("amount", ["1,000", "1.000,00", "1,000.00"])
def test_an_amount_with_separators_of_thousands_is_refused(amount: str) -> None:
    with pytest.raises(UsageError, match=r"^line 2: .*1"):
        parse_sales(f"sale;file;amount\ns1;a.img;{amount}\n", FOLDER)


def test_all_wrong_rows_are_named_with_the_lines_on_which_they_stand() -> None:
    with pytest.raises(UsageError) as caught:
        parse_sales(HEAD + 's1,a.img,x\n\ns2,b.img,"1\ns3,,1\n', FOLDER)
    told = str(caught.value).splitlines()
    assert [line.partition(":")[0] for line in told] == ["line 2", "line 4", "line 5"]
    with pytest.raises(UsageError, match="10 more lines are wrong"):
        parse_sales(HEAD + "s,a,x\n" * 30, FOLDER)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "line 1: it is ''"),
        ("sale,amount,file\n", "line 1: it is 'sale,amount,file'"),
        (HEAD, "no sale in it"),
        (HEAD + "s1,a.img\n", "line 2: 3 columns"),
        (HEAD + "s1,a.img,1.00,x\n", "line 2: 3 columns"),
        (HEAD + "s1,a.img,much\n", "line 2: .*much"),
        (HEAD + "s1,a.img,1.001\n", "line 2: .*1.001"),
        (HEAD + "s1,a.img,0.00\n", "line 2: .*0.00"),
        (HEAD + "s1,a.img,-1.00\n", "line 2: .*-1.00"),
        (HEAD + "s1,,1.00\n", "line 2: file"),
        (HEAD + ",a.img,1.00\n", "line 2: sale"),
        (HEAD + "s1,a.img,1.00\ns1,b.img,1.00\n", "line 3: .*a key of its own"),
    ],
)
def test_a_row_that_cannot_be_sold_is_named_by_its_line(text: str, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        parse_sales(text, FOLDER)


def test_a_failed_row_is_reported_and_the_run_goes_on(setup: Setup, cards: dict[str, Card]) -> None:
    done = list(sell_all([SECOND, FIRST], setup.journal, opener(setup, cards)))
    assert summary(done) == [("s2", False, NotPermittedError), ("s1", False, None)]
    assert done[1].entry is not None
    assert (done[1].entry.reference, done[1].entry.amount) == ("s1", 500)


def test_a_rehearsal_checks_every_row_and_sells_none(setup: Setup, cards: dict[str, Card]) -> None:
    entries = setup.journal.entries()
    done = list(sell_all([FIRST, SECOND], setup.journal, opener(setup, cards), rehearsal=True))
    assert summary(done) == [("s1", False, None), ("s2", False, NotPermittedError)]
    assert done[0].entry is None
    assert setup.journal.entries() == entries


def test_a_second_run_sells_nothing_twice(setup: Setup, cards: dict[str, Card]) -> None:
    for before in (False, True):
        (done,) = sell_all([FIRST], setup.journal, opener(setup, cards))
        assert (done.before, done.error) == (before, None)
    setup.insert(cards["a"])
    assert setup.credit == 3500


def test_a_row_whose_card_is_with_the_customer_is_done_where_its_sale_was_proved(
    setup: Setup, cards: dict[str, Card]
) -> None:
    absent = opener(setup, {})
    list(sell_all([FIRST], setup.journal, opener(setup, cards)))
    (open_sale,) = sell_all([FIRST], setup.journal, absent)
    assert isinstance(open_sale.error, UsageError)
    setup.insert(cards["a"])
    setup.read(cards["a"])
    (proved,) = sell_all([FIRST], setup.journal, absent)
    assert (proved.before, proved.error) == (True, None)
    (other,) = sell_all([RequestedSale("s1", Path("a"), 501)], setup.journal, absent)
    assert isinstance(other.error, UsageError)


def test_a_card_that_is_pulled_leaves_its_entry_with_the_error(
    setup: Setup, cards: dict[str, Card]
) -> None:
    contacts = Contacts(cards["a"])

    def pull(command: bytes) -> bytes:
        if setup.journal.find_reference("s1"):
            contacts.breaks_after = 0
        return command

    contacts.tap = pull
    (done,) = sell_all([FIRST], setup.journal, lambda _: setup.presented(cards["a"], contacts))
    assert isinstance(done.error, UnknownOutcomeError)
    assert done.entry == setup.journal.find_reference("s1")


def test_an_interrupt_in_the_middle_of_a_sale_reports_it_and_ends_the_run(
    setup: Setup, cards: dict[str, Card]
) -> None:
    contacts = Contacts(cards["a"])

    def interrupt(command: bytes) -> bytes:
        if setup.journal.find_reference("s1"):
            raise KeyboardInterrupt
        return command

    contacts.tap = interrupt
    first = RequestedSale("s0", Path("a"), 500)
    sales = sell_all(
        [FIRST, RequestedSale("s3", Path("b"), 600), first],
        setup.journal,
        lambda file: setup.presented(
            cards[str(file)], contacts if str(file) == "a" else cards["b"].apdu
        ),
    )
    done = next(sales)
    assert isinstance(done.error, UnknownOutcomeError)
    assert done.entry == setup.journal.find_reference("s1")
    with pytest.raises(KeyboardInterrupt):
        next(sales)
    assert setup.journal.find_reference("s3") is None
