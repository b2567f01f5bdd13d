"""What makes a command die at a point: the seams of the product at which it is seen."""

from __future__ import annotations

from typing import Any

import meterctl.cli.desk.check
import meterctl.cli.desk.reading
import meterctl.cli.desk.sale_delivery
import meterctl.cli.desk.sell
import meterctl.cli.desk.shift
import meterctl.cli.desk.work
import meterctl.drivers.modbus
import meterctl.utility.meters.run_now
import meterctl.utility.meters.worker
from meterctl.cli.program import run
from meterctl.transports.tcp import TcpTransport
from meterctl.utility.meters.execution import Execution, Observer, Step
from meterctl.utility.meters.orders import Begun
from tests.desk.kill.commands import KillPoint, kill_this
from tests.support.desk_lines import is_delivery

__all__ = ["arm", "run"]


def arm(point: KillPoint) -> None:
    """Let this process die at a point."""
    match point:
        case KillPoint.TAKEN:
            meterctl.cli.desk.sale_delivery.carry_out = _die  # type: ignore[assignment]
        case KillPoint.SENDING | KillPoint.SETTLED | KillPoint.POSTED:
            _die_after(Step(point.value))
        case KillPoint.PREPARED | KillPoint.SENT:
            _die_at_delivery(is_sent=point is KillPoint.SENT)
        case KillPoint.ANSWER:
            meterctl.cli.desk.sale_delivery.print_money = _die  # type: ignore[assignment]
            meterctl.cli.desk.work.print_done = _die  # type: ignore[assignment]


def _die(*_: Any, **__: Any) -> None:
    kill_this()


def _die_after(last: Step) -> None:
    """Die when an order has come to a step."""

    def observed(*arguments: Any) -> Execution:
        database, gateway, worker, *rest = arguments
        observer: Observer = rest[0] if rest else lambda *_: None

        def observe(step: Step, begun: Begun, state: str) -> None:
            observer(step, begun, state)
            if step is last:
                kill_this()

        return Execution(database, gateway, worker, observe)

    for module in (meterctl.utility.meters.run_now, meterctl.utility.meters.worker):
        module.Execution = observed  # type: ignore[attr-defined]


def _die_at_delivery(*, is_sent: bool) -> None:
    """Die when the last part of a message goes to the meter: before it is sent, or after."""
    send = TcpTransport.send

    def dying(self: TcpTransport, data: bytes, timeout_ms: int) -> None:
        if not is_delivery(data):
            send(self, data, timeout_ms)
            return
        if is_sent:
            send(self, data, timeout_ms)
        kill_this()

    TcpTransport.send = dying  # type: ignore[method-assign]
