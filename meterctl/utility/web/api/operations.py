"""The operations of the API: each is a row of a table, and one function makes routes of them.

A `Change` is a mutation: the words of the command that does the same, what was asked in the form
that the command gives it, and the service. So a key that a command has used is answered by the API
with the first answer, and the other way round. A `Look` reads.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from meterctl.utility.store.unit_of_work import Answer, UnitOfWork
from meterctl.utility.web.api.values import Name, Text
from meterctl.utility.web.people import Visitor

Values = dict[str, Any]
Method = Literal["POST", "PATCH"]


class Asked(BaseModel):
    """What a request says; a field that there is not is refused."""

    model_config = ConfigDict(extra="forbid")


class Told(BaseModel):
    """What an answer says."""


@dataclass(frozen=True, slots=True)
class Call:
    """A request of a `Change`.

    Attributes:
        asked: what was asked, JSON values, in the form of the command.
        values: the same with dates and words of enums, as services take them.
        wait_s: how long the outcome of an order may be waited for, s.
    """

    visitor: Visitor
    change: Change
    key: str
    asked: Values
    values: Values
    dry_run: bool
    wait_s: float

    def ask(self) -> Answer:
        """Do it once for its key; raises DeskError."""
        change = self.change
        return self.visitor.ask(
            change.words,
            self.asked,
            lambda work: change.act(work, self.values),
            self.key,
            money=change.money,
            dry_run=self.dry_run,
        )

    def begin(self, orders: Sequence[str]) -> None:
        """Begin to carry out orders, and wait for them where that was wished."""
        if self.dry_run:
            return
        delivery, numbers = self.visitor.office.delivery, [int(each[1:]) for each in orders]
        for number in numbers:
            delivery.begin(number)
        if self.wait_s and numbers:  # the orders of a meter run one after the other
            delivery.wait(numbers[-1], self.wait_s)


def act_and_begin(call: Call) -> Answer:
    """Do a change, and begin the orders that its answer names."""
    answer = call.ask()
    order = answer.values.get("order")
    call.begin([*answer.values.get("orders", ()), *([] if order is None else [order])])
    return answer


@dataclass(frozen=True, slots=True)
class Change:
    """A mutation.

    Attributes:
        path: of its address; what it names in braces is asked too.
        words: of the command that does the same.
        act: does it in the transaction, with the values that were asked by name.
        answer: the model of its answer.
        body: the model of what is asked beside the path.
        money: whether its key is kept for ever.
        status: of its answer.
        run: does all of it, where more is done than `act`.
        dry_run: whether it can be rehearsed.
        asks: returns what is asked from what the path and the body say.
    """

    method: Method
    path: str
    words: str
    summary: str
    act: Callable[[UnitOfWork, Values], Values]
    answer: type[BaseModel]
    body: type[Asked] | None = None
    money: bool = False
    status: int = 200
    run: Callable[[Call], Answer] = Call.ask
    dry_run: bool = True
    asks: Callable[[Values], Values] = dict

    @property
    def name(self) -> str:
        """The name of the operation, such as `sale_cancel`."""
        return self.words.replace(" ", "_").replace("-", "_").replace("__", "_")


def calling(service: Callable[..., Values], **renamed: str) -> Callable[..., Values]:
    """Return an `act` that calls a service.

    Args:
        renamed: name in the request -> name that the service has for it.
    """

    def act(work: UnitOfWork, values: Values) -> Values:
        return service(work, **{renamed.get(name, name): each for name, each in values.items()})

    return act


class Reason(Asked):
    """Why; it is kept in the audit."""

    reason: Text = ""


class NeededReason(Asked):
    """Why; it is kept in the audit."""

    reason: Name


class Page(Asked):
    """Which part of a list is wanted."""

    after: Name | None = None
    limit: Annotated[int, Field(ge=1, le=1000)] = 100


@dataclass(frozen=True, slots=True)
class Looked:
    """A request of a `Look`: its session sees one state of the database."""

    visitor: Visitor
    session: Any
    path: Values
    query: Any


@dataclass(frozen=True, slots=True)
class Look:
    """A reading.

    Attributes:
        find: returns what was asked for: JSON values, or rows, each of them one of `answer`.
        by: field of a row by which the next page is asked for; None: it is no list.
        is_whole: `find` returns the whole list.
        versioned: it has a version, which stands in the header ETag.
    """

    path: str
    name: str
    summary: str
    find: Callable[[Looked], Any]
    answer: type[BaseModel]
    query: type[Asked] | None = None
    by: str | None = None
    is_whole: bool = False
    versioned: bool = False


Operation = Change | Look
