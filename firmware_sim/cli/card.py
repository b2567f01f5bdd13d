"""meter-sim card: simulated cards in files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

from firmware_sim.cli.options import JsonOption
from firmware_sim.hosting.errors import HostingError
from firmware_sim.hosting.signals import interrupt_once
from protocols.command_line import Argument, Option, Program, examples
from protocols.errors import QuantityError

app = Program(
    "Simulated prepaid cards in files; `meterctl card` sells on them.",
    epilog=examples(
        ("meter-sim card new c.img --card-serial 00000000000000c1", "Make a blank card."),
        ("meter-sim control m1.sock card insert c.img", "Put it into a running meter."),
    ),
)
_TRANSMISSIONS = {"T=0": 0, "T=1": 1}


@app.command("new")
def card_new(
    file: Annotated[Path, Argument(help="File to create; an existing file is never overwritten.")],
    card_serial: Annotated[
        str,
        Option(
            "--card-serial", metavar="HEX", help="Serial number of the card: 16 hexadecimal digits."
        ),
    ],
    transmission: Annotated[
        str,
        Option(
            "--transmission",
            metavar="T=0|T=1",
            help="Transmission protocol of the card: T=0 sends bytes, T=1 sends blocks.",
            autocompletion=lambda: list(_TRANSMISSIONS),
        ),
    ] = "T=1",
) -> None:
    """Make a blank card, as it leaves its factory: `meterctl card format` gives it its keys."""
    from firmware_sim.hosting.cards.card_file import create_blank
    from protocols.card.answer_to_reset import Transmission
    from protocols.card.keys import parse_card_serial

    if transmission not in _TRANSMISSIONS:
        raise QuantityError(f"--transmission {transmission}: allowed are T=0 and T=1")
    create_blank(file, parse_card_serial(card_serial), Transmission(_TRANSMISSIONS[transmission]))


@app.command("serve")
def card_serve(
    file: Annotated[Path, Argument(help="File that holds the card.")],
    reader: Annotated[
        int, Option("--slot", metavar="N", help="Slot of the virtual reader: 0 or 1.", min=0, max=1)
    ] = 0,
    host: Annotated[
        str, Option("--host", metavar="HOST", help="Computer on which pcscd runs.")
    ] = "127.0.0.1",
    as_json: JsonOption = False,
) -> None:
    """Put a card into the virtual PC/SC reader (vpcd), for any PC/SC program, until interrupted."""
    from firmware_sim.hosting.cards.card_file import open_card
    from firmware_sim.hosting.cards.vpcd import FIRST_PORT, connect, serve

    interrupt_once()
    where = (host, FIRST_PORT + reader)
    try:
        with open_card(file) as card, connect(where) as wire:
            serial = card.state.serial.hex()
            told = json.dumps(
                {"event": "ready", "card": serial, "reader": f"Virtual PCD 00 {reader:02d}"}
            )
            plain = f"ready: card {serial} in Virtual PCD 00 {reader:02d}"
            serve(card, wire, lambda: print(told if as_json else plain, flush=True))
    except KeyboardInterrupt:
        return
    raise HostingError("the virtual reader closed the connection; is pcscd still running?")
