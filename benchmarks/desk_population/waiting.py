"""What waits for a person: findings, tasks, lines of a bank."""

from __future__ import annotations

from datetime import timedelta

from benchmarks.desk_population.bulk import Bulk
from benchmarks.desk_population.plan import AMOUNT, STATIONS, Plan
from protocols.quantities import DAY, HOUR
from tests.support.desk_world import NOON, TODAY

FINDINGS, TASKS, LINES = 300, 200, 40


def write_work(bulk: Bulk, plan: Plan) -> None:
    """Write findings of meters, slips of which half are done, and a bank's file."""
    findings = [
        (n, "terms_differ" if n % 3 == 0 else "books_differ", "meter", n, n, "[]", "", "", "open",
         NOON - n * HOUR, NOON)
        for n in range(1, FINDINGS + 1)
    ]  # fmt: skip
    bulk.fill(
        "finding",
        "id rule subject_kind subject_id agreement_id value limit_value note state first_seen "
        "last_seen",
        findings,
    )
    tasks = [
        (n, "slip", "meter", n, plan.station_node(n % STATIONS), "field",
         "open" if n % 2 else "done", (TODAY + timedelta(n % 10 - 5)).isoformat(), "", NOON, NOON,
         1)
        for n in range(1, TASKS + 1)
    ]  # fmt: skip
    bulk.fill(
        "task",
        "id kind subject_kind subject_id node_id role state due_on outcome made_at changed_at "
        "version",
        tasks,
    )
    whole, on = LINES * AMOUNT, TODAY.isoformat()
    bulk.fill(
        "bank_file",
        "id bank kind name sha256 lines amount for_on result at_ms",
        [(1, "icbc", "collected", "f.csv", "0", LINES, whole, on, "{}", NOON)],
    )
    lines = [
        (n, 1, "icbc", "collected", f"R{n}", "?", AMOUNT, NOON - n * DAY,
         (TODAY - timedelta(n)).isoformat(), "suspense" if n % 4 else "matched", 0, "", 1)
        for n in range(1, LINES + 1)
    ]  # fmt: skip
    bulk.fill(
        "bank_line",
        "id file_id bank kind reference party amount paid_at paid_on state tries cause version",
        lines,
    )
