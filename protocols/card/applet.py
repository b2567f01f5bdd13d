"""The card's side: a state machine from command to response for any bytes (docs/card.md).

    card = Card(memory, random)
    card.power_on()                     the answer to reset
    card.apdu(command) -> response      never raises on bytes

`CardMemory` holds the state that survives a power cut; selection, challenge and session do not. A
change is stored before its response is returned, and a try is counted before its proof is compared.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from protocols.card.answer_to_reset import ANSWERS, Transmission
from protocols.card.apdu import CommandApdu, Instruction, ResponseApdu, StatusWord
from protocols.card.files import (
    APPLICATION,
    LOG_ROW,
    LOG_ROWS,
    MASTER_FILE,
    MAY_WRITE,
    SIZES,
    CardFile,
)
from protocols.card.keys import KeyReference
from protocols.card.memory import TRIES, CardMemory, CardState, Life, Memory, StoredKey
from protocols.card.secure_messaging import (
    NONCE_SIZE,
    SECURED,
    SHORT_CODE,
    SecureChannel,
    card_proof,
    same,
    terminal_proof,
)
from protocols.errors import ApduError, AuthenticationError, CardMemoryError
from protocols.keys import KEY_SIZE

PLAIN = 0x00
FACTORY = 0x80
"""Class of the commands that a blank card accepts without a key."""
BY_IDENTIFIER, BY_NAME = 0x02, 0x04
WITH_INFORMATION, WITHOUT_INFORMATION = 0x00, 0x0C
WRAPPED_KEY = KEY_SIZE + 8
MAX_LOGGED = LOG_ROWS << 24
"""Count of log rows at which it restarts, at the same position of the cycle."""
OFFSET_SIZE = 2
"""Secured reads and writes begin with an offset of two bytes."""


_BEGINS_AGAIN = frozenset({(PLAIN, Instruction.SELECT), (PLAIN, Instruction.GET_CHALLENGE)})


class _RefusalError(Exception):
    """A command that is answered by a status word alone."""

    def __init__(self, status: int) -> None:
        super().__init__(hex(status))
        self.status = status


class Card:
    """One card with the application PPC1."""

    def __init__(self, memory: Memory, random: Callable[[int], bytes]) -> None:
        """Load the card of a memory; raises CardImageError where the memory holds none."""
        self._memory = CardMemory(memory)
        self._random = random
        self.power_off()

    @property
    def state(self) -> CardState:
        """The stored state."""
        return self._memory.state

    @property
    def answer_to_reset(self) -> bytes:
        """The answer to reset of this card's transmission protocol."""
        return ANSWERS[self.state.transmission]

    def power_on(self) -> bytes:
        """Switch on, or reset; return the answer to reset."""
        self.power_off()
        return self.answer_to_reset

    def power_off(self) -> None:
        """Switch off: selection, challenge and session are lost."""
        self._selected = False
        self._file: CardFile | None = None
        self._challenge: bytes | None = None
        self._session: SecureChannel | None = None
        self._waiting = b""

    def apdu(self, data: bytes) -> bytes:
        """Return the response to any bytes; only a power loss during a memory write is raised."""
        try:
            command = CommandApdu.decode(data)
        except ApduError:
            self._forget()
            return ResponseApdu(status=StatusWord.WRONG_LENGTH).encode()
        try:
            response = self._execute(command)
        except _RefusalError as refusal:
            response = ResponseApdu(status=refusal.status)
        except CardMemoryError:
            self._forget()
            response = ResponseApdu(status=StatusWord.MEMORY_FAILURE)
        return self._send(command, response).encode()

    # ---- dispatch

    def _execute(self, command: CommandApdu) -> ResponseApdu:
        if command.cla == PLAIN and command.ins == Instruction.GET_RESPONSE and self._waiting:
            return self._get_response(command)
        self._waiting = b""
        challenge, self._challenge = (
            self._challenge,
            None,
        )  # single use: valid for the next command only
        if command.cla == SECURED:
            return self._execute_secured(command)
        if self._session is not None:
            # a command without a code ends the session; then only SELECT and GET CHALLENGE work
            self._forget()
            if (command.cla, command.ins) not in _BEGINS_AGAIN:
                raise _RefusalError(StatusWord.SECURE_MESSAGING_MISSING)
        if command.cla == FACTORY:
            return self._execute_factory(command)
        if command.cla != PLAIN:
            raise _RefusalError(StatusWord.CLASS_NOT_SUPPORTED)
        match command.ins:
            case Instruction.SELECT:
                return self._select(command)
            case Instruction.GET_CHALLENGE:
                return self._get_challenge(command)
            case Instruction.MUTUAL_AUTHENTICATE:
                return self._authenticate(command, challenge)
            case Instruction.READ_BINARY:
                return self._read_plain(command)
            case Instruction.READ_RECORD:
                return self._read_record(command)
            case Instruction.GET_RESPONSE:
                raise _RefusalError(StatusWord.CONDITIONS_NOT_SATISFIED)
            case (
                Instruction.UPDATE_BINARY
                | Instruction.APPEND_RECORD
                | Instruction.PUT_KEY
                | Instruction.ACTIVATE
            ):
                raise _RefusalError(StatusWord.SECURITY_STATUS_NOT_SATISFIED)
            case _:
                raise _RefusalError(StatusWord.INSTRUCTION_NOT_SUPPORTED)

    def _execute_secured(self, command: CommandApdu) -> ResponseApdu:
        session = self._session
        if session is None:
            raise _RefusalError(StatusWord.SECURITY_STATUS_NOT_SATISFIED)
        try:
            if len(command.data) < SHORT_CODE:
                raise AuthenticationError("no code")
            data = session.open_command(command)
        except AuthenticationError:
            self._forget()
            raise _RefusalError(StatusWord.SECURE_MESSAGING_WRONG) from None
        try:
            match command.ins:
                case Instruction.READ_BINARY:
                    answer = self._read_secured(command, data)
                case Instruction.UPDATE_BINARY:
                    answer = self._update(command, data, KeyReference(session.reference))
                case Instruction.APPEND_RECORD:
                    answer = self._append(command, data, KeyReference(session.reference))
                case Instruction.PUT_KEY:
                    answer = self._put_key(command, data, session)
                case _:
                    raise _RefusalError(StatusWord.INSTRUCTION_NOT_SUPPORTED)
        except _RefusalError as refusal:
            return session.secure_response(ResponseApdu(status=refusal.status))
        return session.secure_response(ResponseApdu(answer))

    def _execute_factory(self, command: CommandApdu) -> ResponseApdu:
        if command.ins not in (Instruction.PUT_KEY, Instruction.ACTIVATE):
            raise _RefusalError(StatusWord.INSTRUCTION_NOT_SUPPORTED)
        if self.state.life is not Life.BLANK:
            raise _RefusalError(StatusWord.CONDITIONS_NOT_SATISFIED)
        self._require_selected()
        if command.ins == Instruction.PUT_KEY:
            if len(command.data) != KEY_SIZE:
                raise _RefusalError(StatusWord.WRONG_LENGTH)
            first = StoredKey(command.data, command.p1, True)
            self._commit(self.state.with_key(_reference(command), first))
        else:
            needed = (KeyReference.ISSUING, KeyReference.VENDING)
            if not all(self.state.key(reference).present for reference in needed):
                raise _RefusalError(StatusWord.CONDITIONS_NOT_SATISFIED)
            self._commit(replace(self.state, life=Life.ISSUED))
        return ResponseApdu()

    def _send(self, command: CommandApdu, response: ResponseApdu) -> ResponseApdu:
        """Return the response; T=0 needs two commands for data in and out (ISO/IEC 7816-3, 12)."""
        in_and_out = command.data and response.data
        if self.state.transmission is not Transmission.T0 or not in_and_out:
            return response
        if response.status != StatusWord.OK:
            return ResponseApdu(status=response.status)  # with T=0 a refusal carries no data
        self._waiting = response.data
        return ResponseApdu(status=StatusWord.MORE_DATA + len(response.data) % 256)

    def _get_response(self, command: CommandApdu) -> ResponseApdu:
        wanted, waiting = command.le or 256, self._waiting
        if wanted > len(waiting) and command.le:
            raise _RefusalError(StatusWord.LENGTH_IS + len(waiting) % 256)
        self._waiting = waiting[wanted:]
        more = min(len(self._waiting), 255)
        return ResponseApdu(
            waiting[:wanted], StatusWord.MORE_DATA + more if more else StatusWord.OK
        )

    # ---- selection

    def _select(self, command: CommandApdu) -> ResponseApdu:
        if command.p2 not in (WITH_INFORMATION, WITHOUT_INFORMATION):
            raise _RefusalError(StatusWord.WRONG_PARAMETERS)
        if command.p1 == BY_NAME:
            self._forget()
            if not command.data or not APPLICATION.startswith(command.data):
                raise _RefusalError(StatusWord.FILE_NOT_FOUND)
            self._selected, self._file = True, None
        elif command.p1 in (0, BY_IDENTIFIER):
            self._select_by_identifier(command.data)
        else:
            raise _RefusalError(StatusWord.WRONG_PARAMETERS)
        return ResponseApdu(self._information() if command.p2 == WITH_INFORMATION else b"")

    def _select_by_identifier(self, identifier: bytes) -> None:
        number = int.from_bytes(identifier, "big")
        self._forget()
        if len(identifier) not in (0, 2):
            raise _RefusalError(StatusWord.WRONG_LENGTH)
        if number in (0, MASTER_FILE):
            self._selected, self._file = False, None
            return
        if not self._selected or number - 0xEF00 not in SIZES:
            raise _RefusalError(StatusWord.FILE_NOT_FOUND)
        self._file = CardFile(number - 0xEF00)

    def _information(self) -> bytes:
        """Return the control information.

        Of a file its size; of the application name, card serial, life and key versions.
        """
        if self._file is not None:
            inner = (
                b"\x80\x02"
                + SIZES[self._file].to_bytes(2, "big")
                + b"\x83\x02\xef"
                + bytes((self._file,))
            )
        elif self._selected:
            inner = (
                b"\x84" + bytes((len(APPLICATION),)) + APPLICATION + b"\x85\x08" + self.state.serial
            )
            inner += b"\x8a\x01" + (b"\x05" if self.state.life is Life.ISSUED else b"\x01")
            inner += b"\x90\x03" + bytes(
                key.version if key.present else 0xFF for key in self.state.keys
            )
        else:
            inner = b"\x83\x02" + MASTER_FILE.to_bytes(2, "big")
        return b"\x6f" + bytes((len(inner),)) + inner

    # ---- authentication

    def _get_challenge(self, command: CommandApdu) -> ResponseApdu:
        self._require_selected()
        if command.data or command.le not in (NONCE_SIZE, 0):
            raise _RefusalError(StatusWord.WRONG_LENGTH)
        self._challenge = self._random(NONCE_SIZE)
        return ResponseApdu(self._challenge)

    def _authenticate(self, command: CommandApdu, challenge: bytes | None) -> ResponseApdu:
        self._require_selected()
        reference = _reference(command)
        stored = self.state.key(reference)
        if not stored.present:
            raise _RefusalError(StatusWord.KEY_NOT_FOUND)
        if challenge is None:
            raise _RefusalError(StatusWord.CHALLENGE_INVALID)
        if len(command.data) != NONCE_SIZE + SHORT_CODE:
            raise _RefusalError(StatusWord.WRONG_LENGTH)
        if stored.tries == 0:
            raise _RefusalError(StatusWord.AUTHENTICATION_BLOCKED)
        self._commit(self.state.with_key(reference, replace(stored, tries=stored.tries - 1)))
        nonce, proof = command.data[:NONCE_SIZE], command.data[NONCE_SIZE:]
        serial = self.state.serial
        if not same(proof, terminal_proof(stored.key, challenge, nonce, serial, reference)):
            left = stored.tries - 1
            raise _RefusalError(
                StatusWord.AUTHENTICATION_FAILED + left
                if left
                else StatusWord.AUTHENTICATION_BLOCKED
            )
        self._commit(self.state.with_key(reference, replace(stored, tries=TRIES)))
        self._session = SecureChannel(stored.key, challenge, nonce, reference)
        return ResponseApdu(card_proof(stored.key, challenge, nonce, serial, reference))

    def _put_key(self, command: CommandApdu, data: bytes, session: SecureChannel) -> bytes:
        if session.reference != KeyReference.ISSUING:
            raise _RefusalError(StatusWord.SECURITY_STATUS_NOT_SATISFIED)
        reference = _reference(command)
        if len(data) != WRAPPED_KEY:
            raise _RefusalError(StatusWord.WRONG_LENGTH)
        try:
            key = session.unwrap(data)
        except AuthenticationError:
            raise _RefusalError(StatusWord.WRONG_DATA) from None
        self._commit(self.state.with_key(reference, StoredKey(key, command.p1, True)))
        return b""

    # ---- files

    def _read_plain(self, command: CommandApdu) -> ResponseApdu:
        if command.data or command.le is None:
            raise _RefusalError(StatusWord.WRONG_LENGTH)
        if command.p1 & 0x80:
            file, offset = _file(command.p1), command.p2
            self._require_selected()
            self._file = file
        elif self._file is not None:
            file, offset = self._file, command.p1 << 8 | command.p2
        else:
            raise _RefusalError(StatusWord.NO_CURRENT_FILE)
        content = self._content(file)
        if offset >= len(content):
            raise _RefusalError(StatusWord.WRONG_OFFSET)
        found = content[offset : offset + (command.le or 256)]
        if command.le and len(found) < command.le:
            raise _RefusalError(StatusWord.LENGTH_IS + len(found))
        return ResponseApdu(found)

    def _read_record(self, command: CommandApdu) -> ResponseApdu:
        """Return a row of the log; record 1 is the newest."""
        self._require_selected()
        if command.data or command.le not in (0, LOG_ROW):
            raise _RefusalError(StatusWord.WRONG_LENGTH)
        if command.p2 != CardFile.LOG << 3 | 4:
            raise _RefusalError(StatusWord.WRONG_PARAMETERS)
        rows = self._content(CardFile.LOG)
        if not 1 <= command.p1 <= len(rows) // LOG_ROW:
            raise _RefusalError(StatusWord.RECORD_NOT_FOUND)
        return ResponseApdu(rows[(command.p1 - 1) * LOG_ROW : command.p1 * LOG_ROW])

    def _read_secured(self, command: CommandApdu, data: bytes) -> bytes:
        file = _file(command.p1)
        if len(data) != OFFSET_SIZE + 1:
            raise _RefusalError(StatusWord.WRONG_LENGTH)
        offset, size, content = int.from_bytes(data[:2], "big"), data[2], self._content(file)
        if size > 256 - SHORT_CODE:
            raise _RefusalError(StatusWord.WRONG_LENGTH)
        if offset + size > len(content):
            raise _RefusalError(StatusWord.WRONG_OFFSET)
        return content[offset : offset + size]

    def _update(self, command: CommandApdu, data: bytes, reference: KeyReference) -> bytes:
        file = _file(command.p1)
        if file is CardFile.LOG:
            raise _RefusalError(StatusWord.CONDITIONS_NOT_SATISFIED)
        self._require_writer(file, reference)
        if len(data) <= OFFSET_SIZE:
            raise _RefusalError(StatusWord.WRONG_LENGTH)
        offset, written, content = int.from_bytes(data[:2], "big"), data[2:], self.state.file(file)
        if offset + len(written) > len(content):
            raise _RefusalError(StatusWord.WRONG_OFFSET)
        self._commit(
            self.state.with_file(
                file, content[:offset] + written + content[offset + len(written) :]
            )
        )
        return b""

    def _append(self, command: CommandApdu, data: bytes, reference: KeyReference) -> bytes:
        if command.p1 != 0 or command.p2 != CardFile.LOG << 3:
            raise _RefusalError(StatusWord.WRONG_PARAMETERS)
        self._require_writer(CardFile.LOG, reference)
        if len(data) != LOG_ROW:
            raise _RefusalError(StatusWord.WRONG_LENGTH)
        rows, at = self.state.file(CardFile.LOG), self.state.logged % LOG_ROWS * LOG_ROW
        content = rows[:at] + data + rows[at + LOG_ROW :]
        logged = self.state.logged + 1
        logged = logged if logged < MAX_LOGGED else logged - MAX_LOGGED + LOG_ROWS
        self._commit(replace(self.state.with_file(CardFile.LOG, content), logged=logged))
        return b""

    def _content(self, file: CardFile) -> bytes:
        """Return the content of a file; of the log the written rows, newest first."""
        content = self.state.file(file)
        if file is not CardFile.LOG:
            return content
        rows = [content[i * LOG_ROW : (i + 1) * LOG_ROW] for i in range(LOG_ROWS)]
        newest_first = [
            rows[(self.state.logged - 1 - i) % LOG_ROWS]
            for i in range(min(self.state.logged, LOG_ROWS))
        ]
        return b"".join(newest_first)

    # ---- shared

    def _commit(self, state: CardState) -> None:
        self._memory.commit(state)

    def _require_selected(self) -> None:
        if not self._selected:
            raise _RefusalError(StatusWord.CONDITIONS_NOT_SATISFIED)

    def _require_writer(self, file: CardFile, reference: KeyReference) -> None:
        if reference not in MAY_WRITE[file]:
            raise _RefusalError(StatusWord.SECURITY_STATUS_NOT_SATISFIED)

    def _forget(self) -> None:
        self._challenge = self._session = None
        self._waiting = b""


def _reference(command: CommandApdu) -> KeyReference:
    try:
        reference = KeyReference(command.p2)
    except ValueError:
        raise _RefusalError(StatusWord.KEY_NOT_FOUND) from None
    if (
        command.p1 and command.ins != Instruction.PUT_KEY
    ):  # in PUT KEY, P1 is the version of the key
        raise _RefusalError(StatusWord.WRONG_PARAMETERS)
    return reference


def _file(p1: int) -> CardFile:
    if p1 & 0xE0 != 0x80 or p1 & 0x1F not in SIZES:
        raise _RefusalError(StatusWord.FILE_NOT_FOUND)
    return CardFile(p1 & 0x1F)
