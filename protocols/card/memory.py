"""The state of a card in two pages of a byte device.

Each write fills the inactive page as a whole; the valid page of the highest generation is current.

    page   magic 8 | layout 1 | transmission 1 | life 1 | 0 | generation 4 | serial 8
           | 3 x (key 16, version 1, set 1, tries 1) | the files of `files.SIZES` in their order
           | log count 4 | CRC-32 4

A power cut at any byte of a write leaves the other page, which holds the state before.
"""

from __future__ import annotations

import zlib
from contextlib import suppress
from dataclasses import dataclass, field, replace
from enum import IntEnum
from struct import Struct
from typing import Protocol

from protocols.card.answer_to_reset import Transmission
from protocols.card.files import SIZES, CardFile
from protocols.card.keys import KeyReference
from protocols.errors import CardImageError, CardMemoryError
from protocols.keys import KEY_SIZE

PAGE = 4096
PAGES = 2
TRIES = 8
"""Consecutive wrong authentications that block a key."""
_MAGIC = b"PPC1CARD"
_LAYOUT = 1
LAST_GENERATION = 0xFFFF_FFFE
_HEAD = Struct(">8sBBBxI8s")
_KEY = Struct(f">{KEY_SIZE}sBBB")
_COUNT = Struct(">I")
_SIZE = _HEAD.size + len(KeyReference) * _KEY.size + sum(SIZES.values()) + _COUNT.size


class Memory(Protocol):
    """A byte device. Reads past the end return fewer bytes; a write may tear until `flush` returns.

    `write` and `flush` raise CardMemoryError where the device refuses.
    """

    def read(self, offset: int, size: int) -> bytes: ...
    def write(self, offset: int, data: bytes) -> None: ...
    def flush(self) -> None: ...


class Life(IntEnum):
    """Life of a card: who may write its keys. Blank: anybody; issued: its issuer only."""

    BLANK = 0
    ISSUED = 1


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A key of the card and its remaining tries."""

    key: bytes = field(default=bytes(KEY_SIZE), repr=False)
    version: int = 0
    present: bool = False
    tries: int = TRIES


@dataclass(frozen=True, slots=True)
class CardState:
    """The whole stored state of a card; immutable."""

    serial: bytes
    transmission: Transmission = Transmission.T1
    life: Life = Life.BLANK
    keys: tuple[StoredKey, ...] = (StoredKey(),) * len(KeyReference)
    files: tuple[bytes, ...] = tuple(bytes(SIZES[file]) for file in CardFile)
    logged: int = 0

    def file(self, file: CardFile) -> bytes:
        """Return the content of a file."""
        return self.files[file - 1]

    def with_file(self, file: CardFile, content: bytes) -> CardState:
        """Return the state with another content of a file."""
        return replace(
            self,
            files=tuple(
                content if f == file else old for f, old in zip(CardFile, self.files, strict=True)
            ),
        )

    def key(self, reference: KeyReference) -> StoredKey:
        """Return a key."""
        return self.keys[reference - 1]

    def with_key(self, reference: KeyReference, key: StoredKey) -> CardState:
        """Return the state with another key."""
        return replace(
            self,
            keys=tuple(
                key if r == reference else old
                for r, old in zip(KeyReference, self.keys, strict=True)
            ),
        )


def _encode(state: CardState, generation: int) -> bytes:
    body = _HEAD.pack(_MAGIC, _LAYOUT, state.transmission, state.life, generation, state.serial)
    body += b"".join(_KEY.pack(key.key, key.version, key.present, key.tries) for key in state.keys)
    body += b"".join(state.files) + _COUNT.pack(state.logged)
    return body + zlib.crc32(body).to_bytes(4, "big")


def _decode(page: bytes) -> tuple[int, CardState] | None:
    """Return generation and state of a page, None for an incomplete or invalid page."""
    body = page[:_SIZE]
    if len(page) < _SIZE + 4 or zlib.crc32(body) != int.from_bytes(page[_SIZE : _SIZE + 4], "big"):
        return None
    magic, layout, transmission, life, generation, serial = _HEAD.unpack_from(body)
    if magic != _MAGIC or layout != _LAYOUT:
        return None
    at, keys, files = _HEAD.size, [], []
    for _ in KeyReference:
        key, version, present, tries = _KEY.unpack_from(body, at)
        if tries > TRIES or present > 1:
            return None
        keys.append(StoredKey(key, version, bool(present), tries))
        at += _KEY.size
    for size in SIZES.values():
        files.append(body[at : at + size])
        at += size
    (logged,) = _COUNT.unpack_from(body, at)
    try:
        return generation, CardState(
            serial, Transmission(transmission), Life(life), tuple(keys), tuple(files), logged
        )
    except ValueError:
        return None


class CardMemory:
    """The state of a card in its memory."""

    def __init__(self, memory: Memory) -> None:
        """Load the current page; raises CardImageError where no page is valid."""
        self._memory = memory
        found = [
            (*decoded, page)
            for page in range(PAGES)
            if (decoded := _decode(memory.read(page * PAGE, PAGE))) is not None
        ]
        if not found:
            raise CardImageError("there is no card in it")
        self._generation, self.state, self._page = max(found, key=lambda one: one[0])

    def commit(self, state: CardState) -> None:
        """Store a state; on CardMemoryError the state before stays in force.

        A failed flush may have written the page completely: its magic is overwritten, if the device
        still accepts writes.
        """
        if state is self.state:
            return
        if self._generation >= LAST_GENERATION:
            raise CardMemoryError("the card is worn out: it has reached its last write")
        page = 1 - self._page
        self._memory.write(page * PAGE, _encode(state, self._generation + 1))
        try:
            self._memory.flush()
        except CardMemoryError:
            with suppress(CardMemoryError):
                self._memory.write(page * PAGE, bytes(len(_MAGIC)))
            raise
        self._generation, self.state, self._page = self._generation + 1, state, page


def make_blank(memory: Memory, serial: bytes, transmission: Transmission = Transmission.T1) -> None:
    """Make a blank card in an empty memory.

    Raises:
        CardImageError: the memory is not empty.
        CardMemoryError: the memory refuses the write.
    """
    if memory.read(0, 1):
        raise CardImageError("it is not empty")
    memory.write(0, _encode(CardState(serial, transmission), 1))
    memory.flush()


class BytesMemory:
    """A card's memory in RAM."""

    def __init__(self, data: bytes = b"") -> None:
        self.data = bytearray(data)

    def read(self, offset: int, size: int) -> bytes:
        """Return the bytes at `offset`."""
        return bytes(self.data[offset : offset + size])

    def write(self, offset: int, data: bytes) -> None:
        """Write."""
        if offset > PAGE * PAGES:
            raise CardMemoryError("beyond the end")
        self.data.extend(bytes(max(0, offset + len(data) - len(self.data))))
        self.data[offset : offset + len(data)] = data

    def flush(self) -> None:
        """No effect: every write is complete at once."""
