"""Generate the pages of docs/ from the code; with --check report pages that are out of date."""

from __future__ import annotations

import argparse
import sys
import textwrap

from pages import ROOT
from pages.card import card
from pages.desk_api import desk_api
from pages.desk_states import desk_states
from pages.lists import events, faults, glossary, sealed_messages
from pages.manual import meter_sim, meterctl
from pages.maps import map_schema, maps
from pages.register_map import register_map
from pages.rights import rights
from pages.transitions import journal, supply_switch

COLUMNS = 100
PAGES = {
    "card.md": card,
    "register-map.md": register_map,
    "supply-switch.md": supply_switch,
    "journal.md": journal,
    "sealed-messages.md": sealed_messages,
    "events.md": events,
    "faults.md": faults,
    "glossary.md": glossary,
    "desk-api.md": desk_api,
    "desk-states.md": desk_states,
    "maps.md": maps,
    "rights.md": rights,
    "map.schema.json": map_schema,
    "man/meterctl.1": meterctl,
    "man/meter-sim.1": meter_sim,
}


def wrapped(page: str) -> str:
    """Return a page with its prose in lines of at most 100 columns; tables and code stay."""
    lines: list[str] = []
    in_code = False
    for line in page.split("\n"):
        in_code ^= line.startswith("```")
        is_prose = not in_code and not line.startswith(("|", "#", " ", "<"))
        hanging = "  " if line.startswith("- ") else ""
        broken = textwrap.wrap(
            line,
            COLUMNS,
            subsequent_indent=hanging,
            break_long_words=False,
            break_on_hyphens=False,
        )
        lines += broken if is_prose and broken else [line]
    return "\n".join(lines)


def made(name: str, page: str) -> str:
    """Return the text of a page's file."""
    return wrapped(page) if name.endswith(".md") else page


def main() -> int:
    """Write the pages, or check them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    stale = []
    for name, make in PAGES.items():
        path, text = ROOT / "docs" / name, made(name, make())
        if check and (not path.exists() or path.read_text() != text):
            stale.append(name)
        elif not check:
            path.write_text(text)
    if stale:
        print(f"docs are stale: {', '.join(stale)}; run `make docs`", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
