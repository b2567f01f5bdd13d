"""Ports on this machine; host names are resolved from a table, not a network."""

from __future__ import annotations

import socket

import pytest

from meterctl.transports.wires import is_desk

NAMES = {
    "localhost": ("127.0.0.1", "::1"),
    "127.0.0.1": ("127.0.0.1",),
    "127.9.8.7": ("127.9.8.7",),
    "::1": ("::1",),
    "192.0.2.7": ("192.0.2.7",),
    "127.0.0.1.attacker.example": ("192.0.2.7",),
    "both.example": ("127.0.0.1", "192.0.2.7"),
    "here.example": ("127.0.1.1",),
}


@pytest.fixture(autouse=True)
def _table(monkeypatch: pytest.MonkeyPatch) -> None:
    def resolve(host: str, port: object, **_: object) -> list[tuple[object, ...]]:
        if host not in NAMES:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (name, 0)) for name in NAMES[host]]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)


@pytest.mark.parametrize("scheme", ["tcp", "socket", "rfc2217"])
@pytest.mark.parametrize(
    ("host", "wanted"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("127.9.8.7", True),
        ("[::1]", True),
        ("here.example", True),
        ("192.0.2.7", False),
        ("127.0.0.1.attacker.example", False),
        ("both.example", False),
        ("nowhere.example", False),
        ("127.nowhere.example", False),
    ],
)
def test_a_host_is_on_this_machine_where_all_its_addresses_are_loopback(
    scheme: str,
    host: str,
    wanted: bool,
) -> None:
    assert is_desk(f"{scheme}://{host}:502") is wanted


@pytest.mark.parametrize("port", ["tcp://:502", "tcp://[::1", "tcp://", "/dev/ttyUSB0", ""])
def test_a_port_without_a_host_name_is_not_on_this_machine(port: str) -> None:
    assert not is_desk(port)


def test_a_name_that_cannot_be_encoded_is_not_on_this_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def cannot(*_: object, **__: object) -> None:
        raise UnicodeError("label too long")

    monkeypatch.setattr(socket, "getaddrinfo", cannot)
    assert not is_desk(f"tcp://{'a' * 100}.example:502")
