"""The printed agreement: its clauses and its notice in both languages, what is kept of a print."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from sqlalchemy import update

from meterctl.utility.errors import NotFound, NotPermitted
from meterctl.utility.meters.gateway import Terms as MeterTerms
from meterctl.utility.meters.terms_of_orders import terms_text
from meterctl.utility.model.agreement import AgreementMode, AgreementVersion
from meterctl.utility.model.party import CustomerClass, Party, SupplyPoint
from meterctl.utility.model.work import Order, OrderKind
from meterctl.utility.rules.terms import Terms
from meterctl.utility.rules.transitions import CommandState, VersionState
from meterctl.utility.services import agreements, documents
from meterctl.utility.services.printed_agreement.chinese import chinese_paper
from meterctl.utility.services.printed_agreement.english import english_paper
from meterctl.utility.services.printed_agreement.facts import LONGEST, Facts, PriceFacts
from meterctl.utility.services.printed_agreement.page import agreement_page
from meterctl.utility.services.printed_agreement.printing import Language, print_agreement
from meterctl.utility.store.unit_of_work import WORKER, unit_of_work
from protocols.data_model.tariff import DayTables, Prices, Steps, Tariff, TariffChange
from tests.support.desk_agreements import Office, desk_of
from tests.support.desk_databases import ENGINES
from tests.support.desk_world import NOON

BOTH = (chinese_paper, english_paper)
FACTS = Facts(
    company="Lakeside Power", station="East station", number="0101-2026-000002", version=1,
    mode=AgreementMode.METER, effective_on=date(2026, 9, 21), party_number="C2",
    name="韩梅梅", id_number="110101********1234", point="010100000025", address="7 Main Street",
    customer_class=CustomerClass.RESIDENT, capacity_mw=8_000_000, boundary="the pole fuse",
    meter="000000000002", read_day=3, due_days=15, lowest_sale=1_00,
    terms=Terms(
        way_of_buying="card", low_credit_threshold_1=20_00, low_credit_threshold_2=5_00,
        overdraft_limit=30_00, max_credit=700_00, reconnect_threshold=8_00,
        power_limit_mw=6_500_000, standing_charge=50, debt_share_percent=25, debt_instalment=2_00,
    ),
    price=PriceFacts(Prices((5283,)), Steps((2_760_000_000,), (0, 500), True), DayTables()),
)  # fmt: skip
on_each_engine = pytest.mark.parametrize("office", ENGINES, indirect=True)


@pytest.fixture
def office(request: pytest.FixtureRequest) -> Iterator[Office]:
    """The office, on SQLite where a test names no engine."""
    with desk_of(request) as database:
        yield Office.of(database)


def printed(office: Office, agreement: str, language: Language = Language.ENGLISH) -> str:
    """Print an agreement and return the page."""
    told = office.act(print_agreement, agreement=agreement, language=language)
    return content(office, told["document"])


def content(office: Office, document: str) -> str:
    with office.desk.reading() as session:
        return documents.content_of(session, office.clerk, document).decode()


@pytest.mark.parametrize("of", BOTH)
def test_a_sheet_has_all_facts_of_the_agreement(of: Any) -> None:
    page = agreement_page(of(FACTS))
    for fact in (
        "Lakeside Power", "East station", "0101-2026-000002", "韩梅梅", "C2", "110101********1234",
        "010100000025", "7 Main Street", "8 kW", "the pole fuse", "000000000002", "2026-09-21",
        "20.00", "5.00", "30.00", "700.00", "8.00", "6.5 kW", "0.50", "25", "2.00", "1.00",
        "17:00-09:00", "0.5283", "2760 kWh", "0.0500", "95598",
    ):  # fmt: skip
        assert fact in page, fact


@pytest.mark.parametrize(
    ("of", "words"),
    [
        (
            chinese_paper,
            "购电协议 产权分界 计量 结算 电价 交费方式和时间 供电方义务 用电方义务 违约责任 "
            "用户须知 余额等级 不停电时段 如何购电 如何恢复供电 退费 购电卡丢失 现行电价 服务热线",
        ),
        (
            english_paper,
            "Boundary Metering Settlement Price Payment Duties Liability notice Levels Hours buy "
            "returns back Lost Prices Help",
        ),
    ],
)
def test_a_sheet_has_every_clause_and_the_notice(of: Any, words: str) -> None:
    page = agreement_page(of(FACTS))
    assert [word for word in words.split() if word not in page] == []


@pytest.mark.parametrize("of", BOTH)
@pytest.mark.parametrize("mode", AgreementMode)
@pytest.mark.parametrize("trip_mode", ["two_stage", "direct", "delayed"])
@pytest.mark.parametrize("way", ["wire", "card", None])
def test_every_kind_of_agreement_is_printed(
    of: Any, mode: AgreementMode, trip_mode: str, way: str | None
) -> None:
    terms = Terms(way_of_buying=way, trip_mode=trip_mode, friendly_hours="off")
    page = agreement_page(of(replace(FACTS, mode=mode, terms=terms)))
    assert "None" not in page.replace("None: credit that is used up", "")
    assert "two_stage" not in page


def test_levels_are_told_as_the_meter_acts() -> None:
    def levels(**terms: Any) -> str:
        return english_paper(replace(FACTS, terms=Terms(**terms))).notice[0].text

    assert levels() == "No warning level is agreed.\nAt 0.00: interrupted until you buy."
    assert levels(low_credit_threshold_1=10_00, low_credit_threshold_2=2_00) == (
        "At 10.00 or less: the warning lamp is lit.\n"
        "At 2.00: the supply is interrupted once to remind; press the button.\n"
        "At 0.00: interrupted until you buy."
    )
    overdraft = levels(overdraft_limit=20_00, low_credit_threshold_1=10_00)
    assert overdraft.splitlines()[1:] == [
        "At 0.00: interrupted once more to remind; press the button.",
        "At an overdraft of 20.00: interrupted until you buy.",
    ]
    delayed = levels(trip_mode="delayed", low_credit_threshold_1=10_00, low_credit_threshold_2=1)
    assert "At 0.01: a second warning." in delayed
    assert "after the delay that the meter is set to" in delayed


@pytest.mark.parametrize("of", BOTH)
def test_what_is_not_known_is_named(of: Any) -> None:
    unknown = replace(FACTS, price=PriceFacts(), boundary="", meter=None, id_number=None)
    page = agreement_page(of(unknown))
    named = {
        chinese_paper: ("电价在此尚不明确", "尚未载明", "尚未装表"),
        english_paper: ("prices are not known here", "not written down yet", "none is installed"),
    }
    assert [text for text in named[of] if text not in page] == []
    assert "identity" not in page.replace("identity document", "")
    partly = agreement_page(of(replace(FACTS, price=PriceFacts(Prices((5283,))))))
    assert "0.5283" in partly
    assert ("是否分阶梯" in partly) or ("whether steps apply is not known" in partly)


@pytest.mark.parametrize("of", BOTH)
def test_nothing_of_the_books_is_markup_or_comes_from_outside(of: Any) -> None:
    hostile = '"><script src=//x.test/a.js></script><img src=x onerror=1>\u202egnp.\x1b[2J'
    page = agreement_page(
        of(
            replace(
                FACTS, company=hostile, station=hostile, name=hostile, address=hostile,
                boundary=hostile, party_number=hostile,
            )
        )
    )  # fmt: skip
    assert "<script" not in page
    assert "<img" not in page
    assert "\u202e" not in page
    assert "\x1b" not in page
    assert "\\u202e" in page
    assert "http" not in page.replace("http-equiv", "")
    assert "default-src 'none'" in page


@on_each_engine
def test_the_same_version_is_printed_with_the_same_bytes(office: Office) -> None:
    number = office.draft()["agreement"]
    first = office.act(print_agreement, agreement=number, language=Language.ENGLISH)
    with unit_of_work(office.desk, WORKER, NOON + 86_400_000) as work:
        again = print_agreement(work, agreement=number, language=Language.ENGLISH)
    assert again == first
    assert (first["version"], first["version_state"], first["language"]) == (1, "draft", "en")
    assert office.version(number).print_sha256 == first["sha256"]
    chinese = office.act(print_agreement, agreement="000000000001")
    assert office.version(number).print_sha256 == chinese["sha256"] != first["sha256"]


def test_a_signed_version_is_printed_as_it_was_signed(office: Office) -> None:
    number = office.draft()["agreement"]
    before = printed(office, number, Language.CHINESE)
    office.act(agreements.sign, agreement=number, name="A Customer")
    with unit_of_work(office.desk, WORKER, NOON) as work:
        work.session.execute(update(Party).values(name="Another Name"))
    signed = office.version(number).print_sha256
    assert printed(office, number, Language.CHINESE) == before
    assert "Another Name" in printed(office, number)
    assert office.version(number).print_sha256 == signed


def test_a_version_that_was_taken_over_is_printed_without_a_signature(office: Office) -> None:
    number = office.draft()["agreement"]
    with unit_of_work(office.desk, WORKER, NOON) as work:
        work.session.execute(update(AgreementVersion).values(state=VersionState.ACTIVE))
    told = office.act(print_agreement, agreement=number)
    assert office.version(number).print_sha256 == told["sha256"]


def test_a_version_is_chosen_by_its_number(office: Office) -> None:
    number = office.draft()["agreement"]
    assert office.act(print_agreement, agreement=number, version=1)["version"] == 1
    with pytest.raises(NotFound, match="has no version 2"):
        office.act(print_agreement, agreement=number, version=2)
    with pytest.raises(NotPermitted):
        office.act(print_agreement, by=office.world.vendor, agreement=number)


def test_the_prices_of_an_agreed_tariff_are_printed(office: Office) -> None:
    text = 'prices = ["0.5000", "0.2500"]\nactivation = "2026-10-01T00:00:00"\n'
    number = office.draft(tariff="t.toml", tariff_text=text)["agreement"]
    page = printed(office, number)
    assert "rate 1: 0.5000, rate 2: 0.2500" in page
    assert "by the tariff&#x27;s calendar" in page
    assert "whether steps apply is not known here (agreed)" in page


@on_each_engine
def test_the_prices_that_the_meter_was_read_to_have_are_printed(office: Office) -> None:
    number = office.draft()["agreement"]
    assert "prices are not known here" in printed(office, number)
    tariff = Tariff(prices=Prices((5283,)), steps=Steps((2_760_000_000,), (0, 3000)))
    current = TariffChange(tuple((0, part) for part in tariff.parts))
    read = MeterTerms("000000000001", 7, 1, NOON, {}, current, TariffChange(()))
    office.act(agreements.compare, agreement=number)
    with unit_of_work(office.desk, WORKER, NOON) as work:
        (order,) = work.session.query(Order).filter(Order.kind == OrderKind.READ)
        order.command_state, order.outcome = CommandState.DONE, terms_text(read)
    page = printed(office, number)
    assert "0.5283 CNY a kWh; added by steps of a month: to 2760 kWh 0.0000, above 0.3000" in page
    assert "(as read from the meter on 2026-09-21)" in page


def test_long_names_are_cut_with_an_ellipsis(office: Office) -> None:
    number = office.draft()["agreement"]
    with unit_of_work(office.desk, WORKER, NOON) as work:
        work.session.execute(update(Party).values(name="\u202e" * 300))
        work.session.execute(update(SupplyPoint).values(address="路" * 300))
    page = printed(office, number)
    assert "路" * (LONGEST - 1) + "…" in page
    assert page.count("\\u202e") == (LONGEST - 1) // len("\\u202e")
