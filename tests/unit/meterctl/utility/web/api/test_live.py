"""Events of what changes: told once, to those who may see it, until the caller goes."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import anyio

from meterctl.utility.errors import NotPermitted
from meterctl.utility.rules.rights import Role
from meterctl.utility.rules.transitions import SaleEvent
from meterctl.utility.store.sale_books import move
from meterctl.utility.store.unit_of_work import Actor
from meterctl.utility.web.api.live import BEAT, LiveEvents
from meterctl.utility.web.people import Visitor
from tests.support.desk_api import Script, problem_of, script_of
from tests.support.desk_pages import Pages

SALE = {"agreement": "A1", "amount": "50.00"}


def _visitor(pages: Pages, actor: Actor) -> Visitor:
    database = pages.counter.database
    return Visitor(pages.app._app.state.office, database, actor, pages.counter.at, "")


def _told(
    visitor: Visitor,
    steps: list[Callable[[], Any]],
    last: int | None = None,
    look_up: Callable[[], Visitor] | None = None,
) -> list[tuple[str, str, dict[str, Any]]]:
    """Return the events of a stream; before each look one step is done, then the caller goes."""
    left = iter(steps)

    async def listen() -> list[str]:
        gone = False

        async def sleep(_: float) -> None:
            nonlocal gone
            step = next(left, None)
            if step is None:
                gone = True
            else:
                step()

        async def has_gone() -> bool:
            return gone

        live = LiveEvents(visitor, look_up or (lambda: visitor), has_gone, sleep, last)
        return [text async for text in live.events()]

    found = []
    for text in anyio.run(listen):
        fields = dict(line.split(": ", 1) for line in text.strip().splitlines() if line[0] != ":")
        if fields:
            found.append((fields["event"], fields["id"], json.loads(fields["data"])))
    return found


def test_a_sale_is_told_when_it_is_taken_and_when_it_moves(pages: Pages, vendor: Script) -> None:
    told = _told(
        _visitor(pages, pages.counter.world.vendor),
        [
            lambda: vendor.post("/sales", SALE),
            lambda: None,
            lambda: pages.counter.work(lambda work: move(work, 1, SaleEvent.RUN)),
        ],
    )
    assert [(name, values["sale"], values["state"]) for name, _, values in told] == [
        ("sale", "S1", "taken"),
        ("sale", "S1", "sending"),
    ]
    assert told[0][2]["amount"] == "50.00"


def test_a_caller_who_comes_again_gets_what_was_missed(pages: Pages, vendor: Script) -> None:
    vendor.post("/sales", SALE)
    first = _told(_visitor(pages, pages.counter.world.vendor), [lambda: None], last=0)
    number = int(first[0][1])
    vendor.post("/sales", SALE)
    missed = _told(_visitor(pages, pages.counter.world.vendor), [lambda: None], last=number)
    assert [values["sale"] for _, _, values in missed] == ["S2"]


def test_an_order_is_told_and_who_may_see_neither_gets_nothing(
    pages: Pages, vendor: Script
) -> None:
    pages.counter.serve_wire()
    admin = pages.counter.person(Role.ADMIN)
    steps: list[Callable[[], Any]] = [
        lambda: vendor.post("/sales", SALE),
        lambda: vendor.post("/readings", {"of": "A1"}),
    ]
    told = _told(_visitor(pages, admin), steps)
    assert [(name, values["kind"]) for name, _, values in told] == [("order", "read")]
    tariffs = pages.counter.person(Role.TARIFF_EDITOR)
    assert _told(_visitor(pages, tariffs), steps) == []


def test_a_stream_ends_when_the_caller_may_not_see_it_any_more(pages: Pages) -> None:
    def signed_out() -> Visitor:
        raise NotPermitted("signed_out", "you are signed out")

    looked: list[int] = []
    steps = [lambda: looked.append(1) for _ in range(2 * BEAT)]
    visitor = _visitor(pages, pages.counter.world.vendor)
    assert _told(visitor, steps, look_up=signed_out) == []
    assert len(looked) == BEAT


def test_events_are_for_those_who_are_signed_in(pages: Pages) -> None:
    assert problem_of(script_of(pages, None).get("/live"))[0] == 401
