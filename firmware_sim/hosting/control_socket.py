"""The control socket: JSON Lines on a Unix socket, one command a line, an answer of some lines.

    {"words": ["advance", "5h"], "meter": "000000000001"}
    {"ok": true, "result": {...}}        {"ok": false, "result": {...}, "error": "...", "exit": 2}

A command to several meters is answered with a line each; all but the last have `"more": true`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import stat
import time
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Protocol

from firmware_sim.hosting.errors import HostingError
from firmware_sim.hosting.listener import BACKLOG, Listener
from firmware_sim.meter import MeterStoppedError
from firmware_sim.rack.errors import CommandFailedError, UnknownMeterError
from firmware_sim.rack.operator import Operator, Result, named
from firmware_sim.rack.values import to_json
from protocols.control import Command, InsertCard, RemoveCard, parse_command
from protocols.data_model.json_lines import line
from protocols.errors import QuantityError

RESULTS_A_TURN = 16
"""Results that are told before other wires have their turn."""
MAX_LINE = 65_536
"""A command is a few words; a longer line is no command."""


class CommandHost(Protocol):
    """The part of a host that the socket uses."""

    operator: Operator

    def after_command(self) -> None:
        """Look at deadlines and at `stop` after a command."""
        ...

    def fail(self, error: Exception) -> None:
        """End because of an error."""
        ...


class ControlSocket:
    """Serves commands to the host's rack."""

    def __init__(self, path: Path, host: CommandHost) -> None:
        self._path, self._host = path, host
        self._listener: Listener | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._slots: set[int] = set()
        """Numbers of the stations whose card slot waits for a card in a reader."""

    def listen(self, loop: asyncio.AbstractEventLoop, make_room: Callable[[], bool]) -> None:
        """Listen on a loop; only the owner of the process may connect.

        Args:
            make_room: called where no descriptor is left; returns whether one is free soon.

        Raises:
            HostingError: the path cannot be used.
        """
        try:
            _claim(self._path)
            listening = _listening(self._path)
        except UnicodeEncodeError as error:
            raise HostingError(
                f"control socket {str(self._path)!a}: the name is not UTF-8"
            ) from error
        except OSError as error:
            raise HostingError(f"control socket {self._path}: {error.strerror or error}") from error

        def take(accepted: socket.socket) -> None:
            task = loop.create_task(self._converse(accepted))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

        self._listener = Listener(loop, [listening], take, make_room)

    def end(self) -> None:
        """Close and take the path away."""
        if self._listener is not None:
            self._listener.end()
            with contextlib.suppress(FileNotFoundError):
                self._path.unlink()

    async def _converse(self, accepted: socket.socket) -> None:
        try:
            reader, writer = await asyncio.open_unix_connection(sock=accepted, limit=MAX_LINE)
        except BaseException as error:
            accepted.close()
            if isinstance(error, OSError | asyncio.CancelledError):
                return  # the client closed the connection, or the process ends
            raise
        await self._serve(reader, writer)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                try:
                    request = await reader.readline()
                except ValueError:
                    writer.write(_refused("the line is too long").encode() + b"\n")
                    break
                if not request:
                    break
                async with contextlib.aclosing(self._answers(request)) as answers:
                    async for answer in answers:
                        writer.write(answer.encode() + b"\n")
                        await writer.drain()
                await asyncio.sleep(0)  # other wires have their turn
        except (ConnectionError, asyncio.CancelledError):
            pass  # the client closed the connection, or the process ends
        finally:
            writer.close()

    async def _answers(self, request: bytes) -> AsyncGenerator[str, None]:
        """Execute a command; yield the lines of its answer."""
        refusal, results = "", iter(list[Result]())
        try:
            asked = json.loads(request)
            words, meter = asked["words"], asked.get("meter")
            if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
                raise QuantityError("words is a list of strings")
            if not isinstance(meter, str | None):
                raise UnknownMeterError(f"no meter {meter} here")
            results = iter(await self._execute(parse_command(words), meter))
        except (QuantityError, UnknownMeterError, HostingError) as error:
            refusal = _refused(str(error))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            refusal = _refused(
                'a command is {"words": ["advance", "5h"]}, with "meter" where there are several'
            )
        except (CommandFailedError, MeterStoppedError) as error:
            refusal = _refused(str(error), self._exit_code(error))
        finally:
            self._host.after_command()  # a command that failed may have moved time
        if refusal:
            yield refusal
            return
        result = next(results, Result())
        for count, following in enumerate(chain(results, [None]), 1):
            yield self._line(result, is_last=following is None)
            if following is not None:
                result = following
            if count % RESULTS_A_TURN == 0:
                await asyncio.sleep(0)  # other wires have their turn

    def _line(self, result: Result, *, is_last: bool) -> str:
        """Return a line of an answer; the failure of one meter among others names it."""
        failure, told = result.failure, dict(self._host.operator.told(result))
        answer = {"ok": json.dumps(failure is None)}
        if not is_last:
            answer["more"] = "true"
        if failure is not None:
            exit_code, text = self._exit_code(failure), str(failure)
            if told and result.station is not None:
                told |= {"error": text, "exit": exit_code}
                name = f"meter {result.station.serial_number}"
                text = text if text.startswith(name) else f"{name}: {text}"
            answer |= {"error": json.dumps(text), "exit": str(exit_code)}
        return line(answer | {"result": to_json(told)})

    def _exit_code(self, failure: CommandFailedError | MeterStoppedError) -> int:
        """Return the exit code of a failure; a meter that stopped ends the host."""
        if isinstance(failure, MeterStoppedError):
            self._host.fail(failure)
            return 1
        return 3

    async def _execute(self, command: Command, meter: str | None) -> Iterable[Result]:
        operator = self._host.operator
        if not isinstance(command, InsertCard | RemoveCard):
            return operator.execute_each(command, meter)
        station = operator.one(meter)
        if station.number in self._slots:
            raise CommandFailedError(
                "a card is in this slot and still being read; nothing was changed"
            )
        if not isinstance(command, InsertCard) or command.reader is None:
            return operator.execute_each(command, meter)
        from firmware_sim.hosting.cards.pcsc import connector
        from firmware_sim.hosting.cards.slot import insert_slowly

        contacts = connector(command.reader)
        self._slots.add(station.number)
        try:
            inserted = await insert_slowly(station, contacts, command.pull_after)
            return [Result(station, lambda: named(station, inserted))]
        finally:
            self._slots.discard(station.number)


def _refused(text: str, code: int = 2) -> str:
    return line({"ok": "false", "error": json.dumps(text), "exit": str(code), "result": "{}"})


def _listening(path: Path) -> socket.socket:
    """Return a listening socket at a path; raises OSError, UnicodeEncodeError."""
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    old = os.umask(0o177)
    try:
        listening.bind(str(path).encode())
    except BaseException:
        listening.close()
        raise
    finally:
        os.umask(old)
    listening.setblocking(False)
    listening.listen(BACKLOG)
    return listening


def _claim(path: Path) -> None:
    """Remove a socket without a listener; refuse one with a listener, a file or a directory."""
    if not path.exists() and not path.is_symlink():
        return
    if not stat.S_ISSOCK(path.lstat().st_mode):
        raise HostingError(
            f"control socket {path}: something else is there already; nothing was touched"
        )
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        try:
            probe.connect(str(path))
        except OSError:
            path.unlink()
            return
    raise HostingError(
        f"control socket {path}: another meter-sim listens on it; nothing was touched"
    )


STARTING_S = 2.0
"""Time that a meter may take to open its control socket; it takes a quarter of that."""


def _connected(path: Path) -> socket.socket:
    """Connect; without a listener try again for `STARTING_S`."""
    deadline = time.monotonic() + STARTING_S
    while True:
        client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            client.connect(str(path))
            return client
        except (FileNotFoundError, ConnectionRefusedError):
            client.close()
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        except OSError:
            client.close()
            raise


@dataclass(frozen=True, slots=True)
class Answer:
    """A line of an answer: the result as JSON, `{}` without one, and the error of a failure."""

    result: str
    error: str | None = None
    exit_code: int = 0


def ask(path: Path, words: list[str], meter: str | None) -> Iterator[Answer]:
    """Send one command and yield the answer, a line a meter; a meter that just starts is awaited.

    Raises:
        HostingError: there is no answer.
    """
    request = json.dumps({"words": words} | ({"meter": meter} if meter is not None else {}))
    try:
        with _connected(path) as client:
            client.sendall(request.encode() + b"\n")
            with client.makefile() as stream:
                has_more = True
                while has_more and (text := stream.readline()):
                    has_more, answer = _read_answer(text)
                    yield answer
    except OSError as error:
        raise HostingError(f"control socket {path}: {error.strerror or error}") from error
    if has_more:
        raise HostingError(f"control socket {path}: the meter went away")


def _read_answer(text: str) -> tuple[bool, Answer]:
    """Return whether more lines follow, and the answer of a line; its numbers keep their digits."""
    decoded = json.loads(text)
    _, _, result = text.rstrip().removesuffix("}").partition('"result": ')
    error = decoded.get("error")
    return bool(decoded.get("more")), Answer(result, error, int(decoded.get("exit", 0)))
