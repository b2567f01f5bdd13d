"""Scenario files on the command line: checked in virtual time, or played live on wires."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from xml.etree import ElementTree

from firmware_sim.assembly import rack_of
from firmware_sim.description.files import Described, beside, described_by_keys
from firmware_sim.description.keys import LOAD_KIND
from firmware_sim.description.loads import load_for
from firmware_sim.hosting.cards.slot import insert_file
from firmware_sim.hosting.clock import line_time
from firmware_sim.hosting.errors import HostingError
from firmware_sim.hosting.event_loop import event_loop, finish
from firmware_sim.hosting.host import Host
from firmware_sim.hosting.named_files import read_text
from firmware_sim.meter import Meter, MeterStoppedError
from firmware_sim.meter_description import DEFAULT_START
from firmware_sim.metrology.load import Load
from firmware_sim.programs.ready import ready_line
from firmware_sim.rack.operator import Operator, ReadLoad
from firmware_sim.rack.rack import Rack
from firmware_sim.scenarios.play import ExpectationResult, Play, check
from firmware_sim.scenarios.script import Scenario, ScenarioError, parse_scenario
from firmware_sim.wire_kinds import Wires
from protocols.control import Speed
from protocols.data_model.json_lines import line
from protocols.errors import QuantityError
from protocols.quantities import format_duration, format_fixed
from protocols.toml_text import parse_toml, with_lines

EXIT_WRONG_FILE, EXIT_NOT_HELD = 2, 3
UNFOLDED = 2**14
"""Width without a terminal and without COLUMNS: each row is a line, as scripts read it."""


@dataclass(frozen=True, slots=True)
class Checked:
    """A scenario file, its results, and the wall time that it was played in, us."""

    path: str
    scenario: Scenario
    results: list[ExpectationResult]
    took_us: int

    @property
    def held(self) -> bool:
        """Whether every expectation held."""
        return all(result.held for result in self.results)


def read_scenario(path: str) -> Scenario:
    """Return the scenario of a file; raises HostingError."""
    text = read_text(path, "scenario")
    try:
        return parse_scenario(text)
    except ScenarioError as error:
        told = [f"{path}: {line}" for line in str(error).splitlines()]
        raise HostingError("\n".join([*told, *_mistakes_of_meter(path, text)])) from error


def _mistakes_of_meter(path: str, text: str) -> list[str]:
    """Return the mistakes of the meter of a scenario that has others: all are told at once."""
    try:
        meter = parse_toml(text).get("meter")
        if isinstance(meter, dict):
            _described(path, meter, text)
    except QuantityError:
        return []
    except HostingError as error:
        return str(error).splitlines()
    return []


def make_rack(path: str, scenario: Scenario) -> Rack:
    """Return a rack with the scenario's meter, its time standing, on a storage in memory.

    Files that the scenario names are found beside it.
    """
    described = _described(path, scenario.meter, scenario.source)
    for warning in described.warnings:
        print(f"{path}: {warning}", file=sys.stderr)
    return rack_of(described.description, 0, scenario.seed)


def _described(path: str, meter: dict[str, Any], source: str) -> Described:
    try:
        return described_by_keys(None, beside(path, meter), DEFAULT_START)
    except HostingError as error:
        told = (f"meter.{line}" for line in str(error).splitlines())
        named = with_lines(told, source)
        raise HostingError("\n".join(f"{path}: {line}" for line in named)) from error


def loads_beside(path: str) -> ReadLoad:
    """Return a reader of loads that finds files beside a scenario."""
    folder = Path(path).parent

    def read(text: str, meter: Meter) -> Load:
        return load_for(str(folder / text) if LOAD_KIND.names_file(text) else text, meter)

    return read


def check_file(path: str) -> Checked:
    """Play a file in virtual time; raises HostingError for a bad one."""
    began_us = line_time()
    scenario = read_scenario(path)
    operator = Operator(make_rack(path, scenario), loads_beside(path), lambda: 0, insert_file)
    results = check(scenario, operator)
    return Checked(path, scenario, results, line_time() - began_us)


def check_files(paths: Sequence[str], junit_file: Path | None, as_json: bool) -> int:
    """Play files in virtual time and print the results; return the exit code of the program.

    Raises:
        HostingError: the file of JUnit XML cannot be written.
    """
    checked, errors = [], {}
    for path in paths:
        try:
            checked.append(check_file(path))
        except HostingError as error:
            errors[path] = str(error)
        except QuantityError as error:
            errors[path] = f"{path}: {error}"
    report(checked, as_json)
    for path, message in errors.items():
        if as_json:
            print(line({"file": json.dumps(path), "held": "false", "error": json.dumps(message)}))
        print(f"meter-sim: {message}", file=sys.stderr)
    if junit_file is not None:
        try:
            junit_file.write_text(junit(checked, errors), encoding="utf-8")
        except OSError as error:
            raise HostingError(
                f"{junit_file}: {error.strerror}; the results were not written"
            ) from error
    if errors:
        return EXIT_WRONG_FILE
    return 0 if all(one.held for one in checked) else EXIT_NOT_HELD


def junit(checked: list[Checked], errors: dict[str, str]) -> str:
    """Return the results as JUnit XML: a suite a file, a case an expectation; errors by file.

    `time` is wall time in seconds. A file is played at once, so its cases share its time equally.
    """
    root = ElementTree.Element("testsuites", name="meter-sim scenario check")
    for path, error in errors.items():
        suite = _suite(root, path, tests=1, failures=0, errors=1, took_us=0)
        case = ElementTree.SubElement(
            suite, "testcase", classname=path, name="the file", time=_seconds(0)
        )
        ElementTree.SubElement(case, "error", message=error)
    for one in checked:
        failures = sum(not result.held for result in one.results)
        count = len(one.results)
        suite = _suite(root, one.scenario.name, count, failures, errors=0, took_us=one.took_us)
        for number, result in enumerate(one.results):
            shared_us = one.took_us * (number + 1) // count - one.took_us * number // count
            case = ElementTree.SubElement(
                suite,
                "testcase",
                classname=one.path,
                name=f"step {result.step} at +{format_duration(result.at)}: {result.wanted}",
                time=_seconds(shared_us),
            )
            if not result.held:
                ElementTree.SubElement(case, "failure", message=f"found {result.found}")
    for name in ("tests", "failures", "errors"):
        root.set(name, str(sum(int(suite.get(name, "0")) for suite in root)))
    root.set("time", _seconds(sum(one.took_us for one in checked)))
    ElementTree.indent(root)
    return ElementTree.tostring(root, "unicode", xml_declaration=True) + "\n"


def _suite(
    root: ElementTree.Element, name: str, tests: int, failures: int, errors: int, took_us: int
) -> ElementTree.Element:
    return ElementTree.SubElement(
        root,
        "testsuite",
        name=name,
        tests=str(tests),
        failures=str(failures),
        errors=str(errors),
        time=_seconds(took_us),
    )


def _seconds(us: int) -> str:
    return format_fixed(us, 6, 6)


def play_live(
    path: str,
    wires: Wires,
    control: str | None,
    speed: int,
    as_json: bool,
) -> Checked:
    """Play a scenario on wires until its end, or until a signal, and print the results.

    Raises:
        HostingError: a wrong file, a port that cannot be used, or speed 0.
    """
    began_us = line_time()
    scenario = read_scenario(path)
    if speed == 0:
        raise HostingError(
            "at speed 0 a scenario never ends: give a --speed, or use `scenario check`"
        )
    loop = event_loop()
    host: Host | None = None
    try:
        rack = make_rack(path, scenario)  # time stands until all wires are open
        operator = Operator(rack, loads_beside(path), line_time, insert_file)
        host = Host(rack, operator, loop)
        host.add_wires(wires)
        if control is not None:
            host.add_control(Path(control))
        play = Play(scenario, operator)
        play.begin()
        rack.agenda.plan(scenario.end, host.stop)
        operator.execute(Speed(speed))
        with contextlib.suppress(MeterStoppedError):  # a scenario may expect it
            host.serve(lambda: print(ready_line(host, control, as_json), flush=True))
        play.conclude()
    finally:
        if host is not None:
            host.close()
        finish(loop)
    checked = Checked(path, scenario, play.results, line_time() - began_us)
    report([checked], as_json)
    return checked


def report(checked: list[Checked], as_json: bool) -> None:
    """Print the results of all expectations, with the meter's time."""
    if as_json:
        for one in checked:
            for result in one.results:
                print(
                    line(
                        {
                            "file": json.dumps(one.path),
                            "step": str(result.step),
                            "elapsed_ms": str(result.at),
                            "held": json.dumps(result.held),
                            "wanted": json.dumps(result.wanted),
                            "found": json.dumps(result.found or None),
                        }
                    )
                )
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    is_terminal = sys.stdout.isatty()
    width = None if is_terminal or os.environ.get("COLUMNS") else UNFOLDED
    console = Console(
        width=width, force_terminal=is_terminal, markup=False, highlight=False, emoji=False
    )
    for one in checked:
        table = Table(title=f"{one.scenario.name}  ({one.path})", title_justify="left")
        for column in ("step", "at", "expected", "result"):
            is_number = column in ("step", "at")
            justify: Literal["left", "right"] = "right" if column == "step" else "left"
            table.add_column(column, justify=justify, no_wrap=is_number, overflow="fold")
        for result in one.results:
            told = "held" if result.held else f"FAILED: found {result.found}"
            shown = Text(told, "green" if result.held else "red")
            table.add_row(str(result.step), f"+{format_duration(result.at)}", result.wanted, shown)
        console.print(table)
    failed = sum(not result.held for one in checked for result in one.results)
    total = sum(len(one.results) for one in checked)
    counts = f"{_counted(len(checked), 'scenario')}, {_counted(total, 'expectation')}"
    console.print(f"{counts}, {failed} failed")


def _counted(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 else f"{count} {word}s"
