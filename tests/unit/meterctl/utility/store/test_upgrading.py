"""Layouts: which databases are brought to today's, and which are refused unchanged."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, inspect, text

from meterctl.utility.errors import Invalid, NotFound
from meterctl.utility.store import migrations
from meterctl.utility.store.engine import connect
from meterctl.utility.store.layout import (
    LAYOUT,
    TABLE,
    LayoutState,
    layout_state,
    require_current_layout,
)
from meterctl.utility.store.upgrading import upgrade

ROOT = Path(__file__).resolve().parents[5]
AT_ONCE = """
import sys
from meterctl.utility.store.engine import connect
from meterctl.utility.store.upgrading import upgrade
engine = connect(sys.argv[1])
sys.stdin.readline()
print(upgrade(engine)[0])
"""


@pytest.fixture
def engine(empty_url: str) -> Iterator[Engine]:
    made = connect(empty_url)
    yield made
    made.dispose()


def state_of(engine: Engine) -> LayoutState:
    with engine.connect() as connection:
        return layout_state(connection)


def tables_of(engine: Engine) -> set[str]:
    return set(inspect(engine).get_table_names())


def set_layout(engine: Engine, number: str) -> None:
    with engine.begin() as connection:
        connection.execute(text(f"UPDATE {TABLE} SET version_num = '{number}'"))


def test_todays_layout_is_the_last_step_and_every_step_has_the_next_number() -> None:
    scripts = ScriptDirectory(str(Path(migrations.__file__).parent))
    assert scripts.get_heads() == [LAYOUT]
    steps = [step.revision for step in scripts.walk_revisions()][::-1]
    assert steps == [f"{number:04d}" for number in range(1, len(steps) + 1)]


def test_an_empty_database_becomes_a_desk_and_stays_one(engine: Engine) -> None:
    assert state_of(engine) is LayoutState.EMPTY
    with pytest.raises(NotFound, match="no desk is in this database; make one"):
        require_current_layout(engine)
    assert upgrade(engine) == (None, LAYOUT)
    assert state_of(engine) is LayoutState.CURRENT
    require_current_layout(engine)
    before = tables_of(engine)
    assert upgrade(engine) == (LAYOUT, LAYOUT)
    assert tables_of(engine) == before


def test_a_database_of_another_program_is_left_alone(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE customer (id BIGINT)"))
    assert state_of(engine) is LayoutState.FOREIGN
    for use in (upgrade, require_current_layout):
        with pytest.raises(NotFound, match="another program's"):
            use(engine)
    assert tables_of(engine) == {"customer"}


def test_a_newer_layout_is_refused_and_left_alone(engine: Engine) -> None:
    upgrade(engine)
    set_layout(engine, "9999")
    for use in (upgrade, require_current_layout):
        with pytest.raises(Invalid, match=r"layout is 9999, newer than .* newer meterctl"):
            use(engine)
    assert state_of(engine) is LayoutState.NEWER


def test_an_older_layout_is_named_with_the_command_that_upgrades_it(engine: Engine) -> None:
    upgrade(engine)
    set_layout(engine, "0000")
    with pytest.raises(Invalid, match="meterctl desk upgrade"):
        require_current_layout(engine)


def test_a_refusal_shows_no_password(postgresql_desk_url: str) -> None:
    engine = connect(postgresql_desk_url.replace("postgres@", "postgres:secret@"))
    set_layout(engine, "0000")
    with pytest.raises(Invalid) as refused:
        require_current_layout(engine)
    assert "secret" not in str(refused.value)
    assert "postgres:***@" in str(refused.value)
    engine.dispose()


def test_of_two_processes_at_once_the_second_has_nothing_to_do(empty_url: str) -> None:
    command = [sys.executable, "-c", AT_ONCE, empty_url]
    both = [
        subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    for each in both:
        assert each.stdin is not None
        each.stdin.write("go\n")
        each.stdin.flush()
    answers = [each.communicate()[0].strip() for each in both]
    assert [each.returncode for each in both] == [0, 0]
    assert sorted(answers) == [LAYOUT, "None"]


def test_a_step_that_fails_leaves_the_database_as_it_was(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = MigrationContext.run_migrations

    def run_and_fail(context: MigrationContext, **options: Any) -> None:
        run(context, **options)
        raise ValueError("a step failed")

    monkeypatch.setattr(MigrationContext, "run_migrations", run_and_fail)
    with pytest.raises(ValueError, match="a step failed"):
        upgrade(engine)
    assert tables_of(engine) == set()
    monkeypatch.undo()
    assert upgrade(engine) == (None, LAYOUT)
