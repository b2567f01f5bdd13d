"""`meter-sim map`: register maps are checked, shown, listed and made."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Sequence
from importlib.resources import files
from pathlib import Path

from firmware_sim.hosting.errors import HostingError
from firmware_sim.hosting.named_files import create_text, read_text
from firmware_sim.programs.map_pages import PageFormat, page_of
from firmware_sim.programs.register_lists.addresses import Numbering
from firmware_sim.programs.register_lists.map_text import MadeMap, map_text
from firmware_sim.programs.register_lists.reading import RegisterList, parse_register_list
from firmware_sim.programs.shown_maps import AREAS
from protocols.command_line.tables import Screen, Table, drawn
from protocols.data_model.json_lines import line
from protocols.errors import QuantityError
from protocols.modbus import shipped_maps
from protocols.modbus.map_file import MapFile, parse_map
from protocols.modbus.named_maps import FILES, SUFFIX, names_file

_DIVIDED = "divisors, as factors they would make steps that no meter has: 100 is 0.01"
_AT_LINE = re.compile(r"(?:line (\d+): )?(.*)")


def read_map(named: str) -> MapFile:
    """Return a shipped map by its name, or that of a file.

    Raises:
        HostingError: there is no such map, the file cannot be read, or every mistake in it.
    """
    if not names_file(named):
        try:
            return shipped_maps.shipped(named)
        except QuantityError as error:
            reason = str(error)
            if Path(named).is_file():
                reason = f"{reason.partition(';')[0]}; write ./{named} for the file"
            elif not reason.endswith("?"):
                reason = f"{reason}; {FILES}"
            raise HostingError(reason) from error
    text = read_text(named, "map")
    try:
        return parse_map(text, Path(named).stem)
    except QuantityError as error:
        told = (f"{named}: {mistake}" for mistake in str(error).splitlines())
        raise HostingError("\n".join(told)) from error


def check_maps(names: Sequence[str], as_json: bool) -> bool:
    """Check maps and print mistakes and warnings; return whether no map has a mistake."""
    all_right = True
    for named in names:
        try:
            file = read_map(named)
        except HostingError as error:
            all_right = False
            mistakes = str(error).splitlines()
            if as_json:
                print(_checked_json(named, None, mistakes))
            else:
                print(f"meter-sim: {error}", file=sys.stderr)
            continue
        if as_json:
            print(_checked_json(named, file, []))
            continue
        for warning in file.warnings:
            print(f"{named}: {warning} (warning)", file=sys.stderr)
        print(f"{named}: OK, {summary_of(file)}")
    return all_right


def summary_of(file: MapFile) -> str:
    """Return how much a map holds: 12 registers (10 input, 2 holding) of 12 items."""
    registers = file.register_map.registers
    counts = {
        word: sum(area in register.area for register in registers) for area, word in AREAS.items()
    }
    places = ", ".join(f"{count} {word}" for word, count in counts.items() if count)
    items = len({register.item for register in registers})
    of_areas = f" ({places})" if places else ""
    return f"{_counted(len(registers), 'register')}{of_areas} of {_counted(items, 'item')}"


def _checked_json(named: str, file: MapFile | None, mistakes: Sequence[str]) -> str:
    registers = file.register_map.registers if file is not None else ()
    warnings = file.warnings if file is not None else ()
    return json.dumps(
        {
            "file": named,
            "ok": file is not None,
            "registers": len(registers),
            "items": len({register.item for register in registers}),
            "mistakes": [_told(mistake.removeprefix(f"{named}: ")) for mistake in mistakes],
            "warnings": [_told(warning) for warning in warnings],
        },
        ensure_ascii=False,
    )


def _told(text: str) -> dict[str, object]:
    found = _AT_LINE.fullmatch(text)
    assert found is not None
    return {"line": int(found[1]) if found[1] else None, "message": found[2]}


def show_map(named: str, form: str) -> None:
    """Print a map in the form of a `PageFormat`; raises HostingError."""
    print(page_of(read_map(named), PageFormat(form), Screen.of_stdout()))


def list_maps(as_json: bool) -> None:
    """Print the shipped maps."""
    files = [(name, shipped_maps.shipped(name)) for name in shipped_maps.names()]
    if as_json:
        for name, file in files:
            print(
                line(
                    {
                        "name": json.dumps(name),
                        "title": json.dumps(file.title),
                        "registers": str(len(file.register_map.registers)),
                        "confidence": json.dumps(_confidences(file)),
                        "sources": json.dumps([source.text for source in file.sources]),
                    }
                )
            )
        return
    rows = [
        (name, file.title, str(len(file.register_map.registers)), ", ".join(_confidences(file)))
        for name, file in files
    ]
    columns = ("name", "title", "registers", "sources")
    print(drawn(Table(columns, rows, ("registers",)), Screen.of_stdout()))


def _confidences(file: MapFile) -> list[str]:
    return list(dict.fromkeys(source.confidence for source in file.sources))


def new_map(path: Path, from_csv: str | None, addresses: str | None) -> None:
    """Write a commented map, of a register list where one is given; never overwrite a file.

    Raises:
        HostingError: the file exists or cannot be written, it has the name of a shipped map, or the
            list cannot be read.
    """
    if str(path) in shipped_maps.names():
        raise HostingError(
            f"{path} is the name of a shipped map, and --map would take that; write {path}{SUFFIX}"
        )
    name = _map_name(path)
    if from_csv is None:
        create_text(path, _example(name, path))
        _tell_name(path)
        return
    if path.exists():  # told before a long list is read; the file is created exclusively anyway
        raise HostingError(f"{path}: File exists; nothing was changed")
    text = read_text(from_csv, "register list")
    numbering = None if addresses is None else Numbering(addresses)
    try:
        made = list_made(name, from_csv, text, numbering, path)
    except QuantityError as error:
        told = (f"{from_csv}: {mistake}" for mistake in str(error).splitlines())
        raise HostingError("\n".join(told)) from error
    create_text(path, made.text)
    print(f"addresses of {from_csv}: {made.listed.numbering.meaning}", file=sys.stderr)
    if made.listed.scales_divide:
        print(f"scales of {from_csv}: {_DIVIDED}", file=sys.stderr)
    _tell_name(path)
    left = f"{_counted(made.left_out, 'row')} as comments" if made.left_out else "no row left out"
    print(f"{path}: {_counted(made.placed, 'register')}, {left}")


def _tell_name(path: Path) -> None:
    """Tell how a map is named that looks like a shipped one."""
    if not names_file(str(path)):
        print(f"`--map {_as_named(path)}` means this file; {FILES}", file=sys.stderr)


def _as_named(path: Path) -> str:
    """Return the name by which `--map` means a file, in one line."""
    named = json.dumps(str(path), ensure_ascii=False)[1:-1]
    return named if names_file(str(path)) else f"./{named}"


def list_made(
    name: str, source: str, text: str, numbering: Numbering | None, path: Path | None = None
) -> MadeMap:
    """Return the map file that is made of a register list.

    Args:
        name: name of the map.
        source: file of the list.
        text: the list.
        numbering: how it writes addresses; None where it shows it.
        path: file of the map; None for one beside the list with the name of the map.

    Raises:
        QuantityError: it is no register list, or none of its rows means an item.
    """
    listed = parse_register_list(text, numbering)
    return map_text(
        lambda common: _head(name, path or Path(f"{name}{SUFFIX}"), source, listed, common),
        listed,
        lambda made: parse_map(made, name),
    )


def _example(name: str, path: Path) -> str:
    """Return the commented example of a map."""
    text = files("firmware_sim.data").joinpath("map.toml").read_text()
    return text.replace("NAME", name).replace("FILE", _as_named(path))


def _map_name(path: Path) -> str:
    """Return a name of a map that a file's name leads to."""
    word = re.sub(r"[^a-z0-9]+", "-", path.stem.lower()).strip("-")
    return word if word[:1].isalpha() else f"map-{word}".strip("-")


def _head(name: str, path: Path, source: str, listed: RegisterList, common: str) -> str:
    return "\n".join(_head_lines(name, path, source, listed, common))


def _head_lines(
    name: str, path: Path, source: str, listed: RegisterList, common: str
) -> Iterator[str]:
    text = json.dumps(f"register list {Path(source).name}", ensure_ascii=False)
    option = f"--map {_as_named(path)}"
    yield f"# A register map for `meter-sim run {option}`; docs/maps.md explains its keys."
    yield f"# Addresses of the list: {listed.numbering.meaning}."
    if listed.scales_divide:
        yield f"# Scales of the list: {_DIVIDED}."
    yield "# Rows that mean no item for sure are comments: decide, and take the marks away."
    yield "format = 1"
    yield f'name = "{name}"'
    yield f"title = {json.dumps(Path(source).stem, ensure_ascii=False)}"
    yield ""
    yield f'source = [{{ text = {text}, confidence = "documented" }}]'
    yield common


def _counted(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 else f"{count} {word}s"
