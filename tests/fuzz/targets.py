"""Every target by its name.

A target takes any bytes and raises on a fault: AssertionError for a broken guarantee, or the
foreign exception itself. It keeps no state: the same bytes always have the same effect.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from tests.fuzz import cards, codecs, edges, host, servers

Target = Callable[[bytes], None]

TARGETS: dict[str, Target] = {
    "rtu_one_meter": partial(servers.any_bytes, servers.rtu_server, 1),
    "rtu_two_meters": partial(servers.any_bytes, servers.rtu_server, 2),
    "tcp_one_meter": partial(servers.any_bytes, servers.tcp_server, 1),
    "tcp_two_meters": partial(servers.any_bytes, servers.tcp_server, 2),
    "rtu_right_frames": partial(servers.right_frames, servers.rtu_server),
    "tcp_right_frames": partial(servers.right_frames, servers.tcp_server),
    "touched_messages": servers.touched_messages,
    "control_lines": edges.control_lines,
    "control_commands": edges.control_commands,
    "host_rtu_reply": partial(host.any_reply, False),
    "host_tcp_reply": partial(host.any_reply, True),
    "host_rtu_contents": partial(host.any_contents, False),
    "host_tcp_contents": partial(host.any_contents, True),
    "sealed_message": codecs.sealed_message,
    "answer": codecs.answer,
    "receipt": codecs.receipt,
    "sealed_status": codecs.sealed_status,
    "parameters": codecs.parameters,
    "rows": codecs.rows,
    "registers": codecs.registers,
    "rtu_frames": codecs.rtu_frames,
    "tcp_frames": codecs.tcp_frames,
    "replies": codecs.replies,
    "texts": codecs.texts,
    "kinds": codecs.kinds,
    "control_words": codecs.control_words,
    "json_line": codecs.json_line,
    "storage_record": codecs.storage_record,
    "storage_image": edges.storage_image,
    "storage_image_of_layout_1": edges.storage_image_of_layout_1,
    "configuration": edges.configuration,
    "tariff_file": edges.tariff_file,
    "load_csv": edges.load_csv,
    "key_files": edges.key_files,
    "card_commands": cards.card_commands,
    "card_image": cards.card_image,
    "card_responses": cards.card_responses,
    "card_files": cards.card_files,
}

_LIGHT = frozenset(
    [
        "sealed_message",
        "answer",
        "receipt",
        "sealed_status",
        "parameters",
        "rows",
        "registers",
        "tcp_frames",
        "replies",
        "texts",
        "kinds",
        "control_words",
        "json_line",
        "key_files",
        "tariff_file",
        "card_files",
    ]
)
_HEAVY_SHARES = 4


def shares(names: list[str]) -> dict[str, float]:
    """Return each target's share of the time: four parts if it builds meters, else one."""
    weights = {name: 1 if name in _LIGHT else _HEAVY_SHARES for name in names}
    return {name: weight / sum(weights.values()) for name, weight in weights.items()}
