"""A plan and its rehearsal."""

from __future__ import annotations

from meterctl.operations.card.planning import Planned


def test_a_plan_is_carried_out_only_when_it_is_told_to_be() -> None:
    done: list[str] = []
    planned = Planned("sell", lambda: done.append("sold"))
    planned.rehearse()
    assert done == []
    planned.carry_out()
    assert done == ["sold"]
