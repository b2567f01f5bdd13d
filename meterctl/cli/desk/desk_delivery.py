"""The way of sales that are made on pages: carried out here where no worker lives, in threads."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace

from meterctl.cli.desk.counter_card import require_deliverable
from meterctl.cli.desk.desk_gateway import gateway_of
from meterctl.cli.desk.signed_in import SignedIn
from meterctl.cli.output import say
from meterctl.errors import MeterctlError
from meterctl.utility.meters.run_now import carry_out
from meterctl.utility.store.unit_of_work import Actor

UNCHANGED = "no money was taken"
AT_ONCE = 16
"""Orders that are carried out at the same time; of one port they take turns anyway."""


@dataclass(slots=True)
class ThreadDelivery:
    """Carries orders out in threads, as `sell` does for its own; see `web.office.Delivery`."""

    desk: SignedIn
    _threads: ThreadPoolExecutor = field(
        init=False, default_factory=lambda: ThreadPoolExecutor(AT_ONCE, "delivery")
    )
    _under_way: dict[int, Future[None]] = field(init=False, default_factory=dict)

    def require_deliverable(
        self, actor: Actor, key: str, agreement: str, amount: int, reader: str | None
    ) -> None:
        """Refuse a sale that could not be carried out here; raises MeterctlError."""
        given = replace(self.desk.given, given_key=key)
        seller = SignedIn(given, self.desk.database, actor, self.desk.database.now())
        require_deliverable(seller, agreement, amount, reader, UNCHANGED)

    def begin(self, order: int) -> None:
        """Begin to carry out an order; one that is under way here is left alone."""
        if order not in self._under_way:
            future = self._threads.submit(self._carry_out, order)
            self._under_way[order] = future
            future.add_done_callback(lambda _: self._under_way.pop(order, None))

    def wait(self, order: int, seconds: float) -> None:
        """Wait until an order that was begun here has ended, at most so long."""
        future = self._under_way.get(order)
        if future is not None:
            wait([future], seconds)

    def close(self) -> None:
        """End: orders that were not begun wait for a worker, those under way are ended first."""
        self._threads.shutdown(cancel_futures=True)

    def _carry_out(self, order: int) -> None:
        try:
            carry_out(self.desk.database, lambda: gateway_of(self.desk), order)
        except MeterctlError as error:
            say(f"O{order} waits: {error}")
