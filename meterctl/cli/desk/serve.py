"""desk serve."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from typing import Annotated

import uvicorn

from meterctl.cli.desk.desk_delivery import ThreadDelivery
from meterctl.cli.desk.desk_gateway import gateway_of
from meterctl.cli.desk.desk_options import desk_options
from meterctl.cli.desk.signed_in import SignedIn, signed_in
from meterctl.cli.interruption import stopped_by_interrupts
from meterctl.cli.output import emit, print_json, say
from meterctl.errors import MeterctlError, UsageError
from meterctl.utility.errors import Invalid
from meterctl.utility.meters.worker import Worker
from meterctl.utility.rules.rights import Action
from meterctl.utility.store.queries.organisation import company
from meterctl.utility.store.rights import require_at
from meterctl.utility.web.app import make_app
from meterctl.utility.web.office import Office
from protocols.command_line import Context, Option, Program, examples

PLACE = "127.0.0.1:8700"
BACKLOG = 256
_EXAMPLES = examples(
    ("meterctl desk serve", "Serve the pages on this computer."),
    ("meterctl desk serve --work", "Carry out the orders of all ports as well."),
    ("meterctl desk serve --host desk.example", "Answer to a name that a proxy with TLS has."),
)


def add_to(app: Program) -> None:
    """Add the command of this file."""
    app.command("serve", epilog=_EXAMPLES)(serve)


def serve(
    context: Context,
    http: Annotated[
        str,
        Option("--http", metavar="ADDRESS:PORT", help="Where on this computer; port 0: any."),
    ] = PLACE,
    host: Annotated[
        list[str] | None,
        Option(
            "--host",
            metavar="NAME",
            help="A name under which a proxy serves the pages to others; repeatable.",
            show_default="none",
        ),
    ] = None,
    work: Annotated[
        bool, Option("--work", help="Carry out the orders of the desk too, as `desk work` does.")
    ] = False,
) -> None:
    """Serve the pages and the API of the desk, on this computer.

    Everybody signs in, with a password or a token. Nothing is encrypted: for other computers a
    proxy with TLS stands before it, whose name is said with --host. Sales are sent by the workers
    of their ports, and here where none lives. Ctrl-C and SIGTERM end it.
    """
    given = desk_options(context)
    if given.dry_run:
        raise Invalid("dry_run", "serve changes what people ask it to: it has no dry run")
    with signed_in(given) as desk, _listening(http) as listener:
        with desk.reading() as session:
            require_at(session, desk.actor, Action.WORKER_RUN, company(session).id)
        place, port = listener.getsockname()[:2]
        address = f"http://{f'[{place}]' if ':' in place else place}:{port}/"
        delivery = ThreadDelivery(desk)
        office = Office(desk.database, delivery, _hosts(place, port, host or []))
        server = _Server(
            uvicorn.Config(
                make_app(office),
                log_level="error",
                access_log=False,
                lifespan="off",
                server_header=False,
                forwarded_allow_ips=place,
                timeout_graceful_shutdown=10,
            )
        )
        _tell(desk, address)
        with _working(desk, work):
            server.run(sockets=[listener])
        delivery.close()
        say("the pages are not served any more")


class _Server(uvicorn.Server):
    """A server that a signal ends as it ends our other commands."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Let Ctrl-C and SIGTERM end the server after the requests under way."""

        def stop() -> None:
            self.should_exit = True

        with stopped_by_interrupts(stop):
            yield


@contextmanager
def _listening(text: str) -> Iterator[socket.socket]:
    """Open the port of the pages; raises UsageError: it cannot be used, or is not of loopback."""
    place, _, port = text.rpartition(":")
    place = place.removeprefix("[").removesuffix("]")
    place = "127.0.0.1" if place == "localhost" else place
    try:
        address = ip_address(place)
    except ValueError as error:
        raise UsageError(f"--http {text}: write it as {PLACE}") from error
    if not (port.isascii() and port.isdigit() and int(port) < 1 << 16):
        raise UsageError(f"--http {text}: a port is 0 to 65535")
    if not address.is_loopback:
        raise UsageError(
            f"--http {text}: the pages are not encrypted, so they are served on this computer "
            f"alone; let a proxy with TLS stand before them, and give its name with --host"
        )
    family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
    with socket.socket(family) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((place, int(port)))
        except OSError as error:
            raise UsageError(f"--http {text}: {error.strerror}") from error
        listener.listen(BACKLOG)
        yield listener


def _hosts(place: str, port: int, names: list[str]) -> frozenset[str]:
    """Return the values of Host that are answered."""
    literal = f"[{place}]" if ":" in place else place
    own = {f"{literal}:{port}", f"localhost:{port}"}
    return frozenset(own | {name.lower() for name in names})


def _tell(desk: SignedIn, address: str) -> None:
    if desk.given.json:
        print_json({"address": f'"{address}"'})
    else:
        emit(f"{address} (sign in with your number and password, or with your token)")


@contextmanager
def _working(desk: SignedIn, wanted: bool) -> Iterator[None]:
    """Let a worker carry out the orders of all ports meanwhile."""
    if not wanted:
        yield
        return
    readers: frozenset[str] = frozenset()
    worker = Worker(
        desk.database, gateway_of(desk), None, readers, lambda *_: None, say, waits=True
    )

    def run() -> None:
        try:
            worker.run()
        except MeterctlError as error:
            say(f"orders are not carried out here: {error}")

    thread = threading.Thread(target=run, name="worker")
    thread.start()
    try:
        yield
    finally:
        worker.stop()
        thread.join()
