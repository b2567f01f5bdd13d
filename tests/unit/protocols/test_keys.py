"""Codes, derivation and check values, each against a source outside this project."""

from __future__ import annotations

import hashlib

import pytest
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.cmac import CMAC

from protocols.errors import AuthenticationError
from protocols.keys import (
    CODE_SIZE,
    DEVELOPMENT_KEY_VERSION,
    DEVELOPMENT_MASTER,
    KEY_SIZE,
    MessageClass,
    MeterKeys,
    authentication_code,
    bcd,
    derive_key,
    derive_meter_keys,
    development_keys,
    verify_code,
)

MASTER = bytes(range(16))
SERIAL = "000000000017"
RFC_4493_KEY = bytes.fromhex("2b7e151628aed2a6abf7158809cf4f3c")
RFC_4493_MESSAGE = bytes.fromhex(
    "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
    "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710"
)


@pytest.mark.parametrize(
    ("size", "code"),
    [
        (0, "bb1d6929e95937287fa37d129b756746"),
        (16, "070a16b46b4d4144f79bdd9dd04a287c"),
        (40, "dfa66747de9ae63030ca32611497c827"),
        (64, "51f0bebf7e3b9d92fc49741779363cfe"),
    ],
)
def test_the_code_is_that_of_rfc_4493_section_4(size: int, code: str) -> None:
    assert authentication_code(RFC_4493_KEY, RFC_4493_MESSAGE[:size]).hex() == code


def test_a_right_code_is_accepted_and_any_other_refused() -> None:
    code = authentication_code(MASTER, b"data")
    verify_code(MASTER, b"data", code)
    wrong = [b"", code[:-1], code + b"\0", bytes(CODE_SIZE)]
    wrong += [
        bytes((*code[:i], code[i] ^ 1 << bit, *code[i + 1 :]))
        for i in range(CODE_SIZE)
        for bit in range(8)
    ]
    for other in wrong:
        with pytest.raises(AuthenticationError, match="not right under this key"):
            verify_code(MASTER, b"data", other)
    with pytest.raises(AuthenticationError):
        verify_code(MASTER, b"Data", code)
    with pytest.raises(AuthenticationError):
        verify_code(RFC_4493_KEY, b"data", code)


def test_bcd_is_packed_high_digit_first() -> None:
    assert bcd("123456789012") == b"\x12\x34\x56\x78\x90\x12"
    assert bcd("") == b""


def sp_800_108(master: bytes, label: bytes, context: bytes, size: int) -> bytes:
    """Derive a key by NIST SP 800-108r1, section 4.1, with r = 32 and AES-CMAC.

    K(i) = PRF(K, [i] || label || 00 || context || [L]).
    """
    out = b""
    for i in range(1, -(-size // 16) + 1):
        prf = CMAC(AES(master))
        prf.update(i.to_bytes(4, "big") + label + b"\0" + context + (8 * size).to_bytes(4, "big"))
        out += prf.finalize()
    return out[:size]


@pytest.mark.parametrize("master", [MASTER, DEVELOPMENT_MASTER, bytes(16), b"\xff" * 32])
@pytest.mark.parametrize("serial", ["000000000000", SERIAL, "999999999999"])
@pytest.mark.parametrize("version", [0, 1, 255])
def test_keys_are_derived_as_sp_800_108_says(master: bytes, serial: str, version: int) -> None:
    context = bytes(int(serial[i : i + 2], 16) for i in range(0, 12, 2)) + bytes((version,))
    for label in MessageClass:
        key = derive_key(master, label.value, serial, version)
        assert key == sp_800_108(master, label.value.encode("ascii"), context, 16)
        assert len(key) == KEY_SIZE


def test_labels_are_stable() -> None:
    assert {label.name: label.value for label in MessageClass} == {
        "CREDIT": "credit",
        "COMMAND": "command",
    }


def test_every_input_of_the_derivation_makes_another_key() -> None:
    keys = [
        derive_key(master, label.value, serial, version)
        for master in (MASTER, RFC_4493_KEY)
        for label in MessageClass
        for serial in (SERIAL, "000000000018")
        for version in (0, 1)
    ]
    assert len(set(keys)) == 16


def test_a_meter_has_one_key_a_class() -> None:
    keys = derive_meter_keys(MASTER, SERIAL, 3)
    assert keys.version == 3
    assert (
        keys.key(MessageClass.CREDIT)
        == keys.credit
        == derive_key(MASTER, MessageClass.CREDIT.value, SERIAL, 3)
    )
    assert (
        keys.key(MessageClass.COMMAND)
        == keys.command
        == derive_key(MASTER, MessageClass.COMMAND.value, SERIAL, 3)
    )


def test_the_check_value_is_three_bytes_that_depend_on_both_keys() -> None:
    keys = derive_meter_keys(MASTER, SERIAL, 3)
    codes = b""
    for key in (keys.credit, keys.command):
        code = CMAC(AES(key))
        code.update(b"check")
        codes += code.finalize()
    assert keys.check_value.to_bytes(3, "big") == hashlib.sha256(codes).digest()[:3]
    assert keys.check_value != MeterKeys(3, keys.credit, bytes(16)).check_value
    assert keys.check_value != MeterKeys(3, bytes(16), keys.command).check_value


def test_keys_are_never_written_out_by_accident() -> None:
    keys = derive_meter_keys(MASTER, SERIAL, 3)
    assert repr(keys) == "MeterKeys(version=3)"


def test_development_keys_come_from_the_published_master() -> None:
    assert (
        hashlib.sha256(b"prepaid-meter published development master").digest()[:16]
        == DEVELOPMENT_MASTER
    )
    assert DEVELOPMENT_KEY_VERSION == 0
    assert development_keys(SERIAL) == derive_meter_keys(DEVELOPMENT_MASTER, SERIAL, 0)


def test_keys_are_compared_without_what_was_computed_from_them() -> None:
    ours, same = (MeterKeys(3, bytes(16), bytes(range(16))) for _ in range(2))
    assert ours.check_value == same.check_value == ours.check_value
    other = MeterKeys(3, bytes(16), bytes(range(16)))
    assert ours == other
    assert repr(ours) == repr(other) == "MeterKeys(version=3)"
    with pytest.raises(TypeError):
        MeterKeys(3, bytes(16), bytes(16), b"", 1)  # type: ignore[call-arg]
