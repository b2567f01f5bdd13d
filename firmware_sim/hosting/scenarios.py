"""Scenario files on the command line: checked in virtual time, or played live on wires."""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from firmware_sim.assembly import DEFAULT_START, rack_of
from firmware_sim.hosting.descriptions import describe_keys
from firmware_sim.hosting.errors import HostingError
from firmware_sim.hosting.host import Host, line_time
from firmware_sim.hosting.loads import read_load
from firmware_sim.hosting.named_files import read_text
from firmware_sim.hosting.ports import parse_port
from firmware_sim.meter import Meter, MeterStoppedError
from firmware_sim.metrology.load import Load
from firmware_sim.rack import Rack
from firmware_sim.scenarios.play import ExpectationResult, Play, check
from firmware_sim.scenarios.script import Scenario, ScenarioError, parse_scenario
from protocols.control import Speed
from protocols.data_model.json_lines import line
from protocols.quantities import format_duration


@dataclass(frozen=True, slots=True)
class Checked:
    """A scenario file and its verdicts."""

    path: str
    scenario: Scenario
    results: list[ExpectationResult]

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
        raise HostingError(
            "\n".join(f"{path}: {line}" for line in str(error).splitlines())
        ) from error


def make_rack(path: str, scenario: Scenario, speed: int) -> Rack:
    """Return a rack with the scenario's meter, on a storage of its own; files are looked for beside
    the scenario.
    """
    folder = Path(path).parent
    keys = dict(scenario.meter)
    for name in ("load", "tariff"):
        if isinstance(keys.get(name), str) and str(keys[name]).lower().endswith((".csv", ".toml")):
            keys[name] = str(folder / str(keys[name]))
    try:
        description = describe_keys(None, keys, DEFAULT_START)
    except HostingError as error:
        raise HostingError(
            "\n".join(f"{path}: meter: {line}" for line in str(error).splitlines())
        ) from error

    def load_for(text: str, meter: Meter) -> Load:
        named = str(folder / text) if text.lower().endswith(".csv") else text
        return read_load(named, len(meter.demand.phases), meter.clock, meter.state.elapsed_ms)

    return rack_of(description, speed, load_for, scenario.seed)


def check_file(path: str) -> Checked:
    """Play a file in virtual time; raises HostingError for a bad one."""
    scenario = read_scenario(path)
    return Checked(path, scenario, check(scenario, make_rack(path, scenario, 0)))


def junit(checked: list[Checked], errors: dict[str, str]) -> str:
    """Return the verdicts as JUnit XML: a suite a file, a case an expectation; a file that cannot
    be is an error.
    """
    root = ElementTree.Element("testsuites")
    for path, error in errors.items():
        suite = ElementTree.SubElement(
            root, "testsuite", name=path, tests="1", failures="0", errors="1"
        )
        case = ElementTree.SubElement(suite, "testcase", classname=path, name="the file")
        ElementTree.SubElement(case, "error", message=error)
    for one in checked:
        failures = sum(not result.held for result in one.results)
        suite = ElementTree.SubElement(
            root,
            "testsuite",
            name=one.scenario.name,
            tests=str(len(one.results)),
            failures=str(failures),
            errors="0",
        )
        for result in one.results:
            case = ElementTree.SubElement(
                suite,
                "testcase",
                classname=one.path,
                name=f"step {result.step} at +{format_duration(result.at)}: {result.wanted}",
            )
            if not result.held:
                ElementTree.SubElement(case, "failure", message=f"found {result.found}")
    ElementTree.indent(root)
    return ElementTree.tostring(root, "unicode", xml_declaration=True) + "\n"


def play_live(
    path: str,
    modbus_rtu: tuple[str, ...],
    modbus_tcp: tuple[str, ...],
    control: str | None,
    speed: int,
    as_json: bool,
) -> Checked:
    """Play a scenario on wires until its end, or until a signal; raises HostingError."""
    from firmware_sim.hosting.run import RunOptions, event_loop, finish, print_ready

    scenario = read_scenario(path)
    if speed == 0:
        raise HostingError(
            "at speed 0 a scenario never ends: give a --speed, or use `scenario check`"
        )
    loop = event_loop()
    host: Host | None = None
    try:
        rack = make_rack(path, scenario, 0)  # time stands until everything is open
        host = Host(rack, loop)
        for port in modbus_rtu:
            host.add_serial(parse_port(port))
        for address in modbus_tcp:
            host.add_tcp(address)
        if control is not None:
            host.add_control(Path(control))
        play = Play(scenario, rack)
        play.begin(line_time())
        rack.agenda.plan(scenario.end, host.stop)
        rack.execute(Speed(speed), line_time())
        options = RunOptions(modbus_rtu, modbus_tcp, control, None, speed, as_json)
        with contextlib.suppress(
            MeterStoppedError
        ):  # what the scenario wanted to see; its expectations tell
            host.serve(lambda: print_ready(host, options))
        play.conclude()
        return Checked(path, scenario, play.results)
    finally:
        if host is not None:
            host.close()
        finish(loop)


def report(checked: list[Checked], as_json: bool) -> None:
    """Print what held and what did not, with the meter's time."""
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

    console = Console()
    for one in checked:
        table = Table(title=f"{one.scenario.name}  ({one.path})", title_justify="left")
        for column in ("step", "at", "expected", "verdict"):
            table.add_column(column, justify="right" if column == "step" else "left")
        for result in one.results:
            told = "held" if result.held else f"FAILED: found {result.found}"
            table.add_row(str(result.step), f"+{format_duration(result.at)}", result.wanted, told)
        console.print(table)
    failed = sum(not result.held for one in checked for result in one.results)
    total = sum(len(one.results) for one in checked)
    console.print(f"{len(checked)} scenarios, {total} expectations, {failed} failed")
