"""desk staff add|token|grant|revoke|deactivate|list, duty set|list."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

from meterctl.cli.desk.desk_options import TOKEN, desk_options
from meterctl.cli.desk.desk_output import print_done, print_records, text_json
from meterctl.cli.desk.shared_options import FromOption, ReasonOption, ToOption
from meterctl.cli.desk.signed_in import signed_in
from meterctl.cli.output import OutputError, emit, say
from meterctl.cli.values import offered
from meterctl.utility.model.organisation import DutyKind
from meterctl.utility.rules.rights import Role
from meterctl.utility.rules.typed_text import day, word
from meterctl.utility.services import duties, grants, staff
from meterctl.utility.store.authentication import draw_token
from protocols.command_line import Argument, Context, Program

_staff = Program("Staff: persons, their tokens and their roles.")
_duty = Program("Duties: who reads and who collects in a node.")
NumberArgument = Annotated[str, Argument(metavar="NUMBER", help="Number of the person.")]
_ROLES = [role.value for role in Role]
_KINDS = [kind.value for kind in DutyKind]
RoleArgument = Annotated[
    str,
    Argument(
        metavar="ROLE",
        help=f"{', '.join(_ROLES)}.",
        autocompletion=offered(*_ROLES),
    ),
]


def add_to(app: Program) -> None:
    """Add the commands of this file."""
    app.add_typer(_staff, name="staff")
    app.add_typer(_duty, name="duty")


def _day(text: str | None, name: str) -> date | None:
    return None if text is None else day(text, name)


@_staff.command("add")
def add(
    context: Context,
    number: NumberArgument,
    name: Annotated[str, Argument(metavar="NAME", help="Name of the person.")],
) -> None:
    """Add a person, who may do nothing before `staff token` and `staff grant`."""
    with signed_in(desk_options(context)) as desk:
        desk.do(
            "staff add",
            {"number": number, "name": name},
            lambda work: staff.add(work, number=number, name=name),
            lambda done: f"{done['number']} is added",
        )


@_staff.command("token")
def token(context: Context, number: NumberArgument) -> None:
    """Give a person a new token, and print it, once; the one before is not valid any more."""
    given = desk_options(context)
    drawn = draw_token()
    with signed_in(given) as desk:
        answer = desk.ask(
            "staff token",
            {"number": number, "token_hash": drawn.token_hash},
            lambda work: staff.set_token(work, number=number, token_hash=drawn.token_hash),
        )
        record = desk.record(answer.values)
    message = f"{number} has a new token for {TOKEN}; it is shown only now"
    if not given.dry_run:
        record["token"] = text_json(drawn.token)
    print_done(given, record if given.json else {}, message)
    if not given.dry_run and not given.json:
        try:
            emit(drawn.token)
        except OutputError:
            say(f"the token: {drawn.token}")  # nothing else has it


@_staff.command("grant")
def grant(
    context: Context,
    number: NumberArgument,
    role: RoleArgument,
    from_on: FromOption = None,
    to_on: ToOption = None,
) -> None:
    """Give a person a role at --node and below; one of money waits for another's approval."""
    of_role, first, last = word(Role, role, "role"), _day(from_on, "--from"), _day(to_on, "--to")
    with signed_in(desk_options(context)) as desk:
        node = desk.node()
        desk.do(
            "staff grant",
            {"number": number, "role": of_role, "node": node, "from_on": from_on, "to_on": to_on},
            lambda work: grants.grant(
                work, number=number, role=of_role, node=node, from_on=first, to_on=last
            ),
            lambda done: (
                f"{number} is {of_role} at {node}"
                if "task" not in done
                else f"{number} will be {of_role} at {node} when another person has approved "
                f"{done['task']}"
            ),
        )


@_staff.command("revoke")
def revoke(
    context: Context, number: NumberArgument, role: RoleArgument, reason: ReasonOption = ""
) -> None:
    """Take a role at --node from a person, now."""
    of_role = word(Role, role, "role")
    with signed_in(desk_options(context)) as desk:
        node = desk.node()
        desk.do(
            "staff revoke",
            {"number": number, "role": of_role, "node": node, "reason": reason},
            lambda work: grants.revoke(work, number=number, role=of_role, node=node, reason=reason),
            lambda done: f"{number} is no {of_role} at {node} any more",
        )


@_staff.command("deactivate")
def deactivate(context: Context, number: NumberArgument, reason: ReasonOption = "") -> None:
    """Deactivate a person, for ever."""
    with signed_in(desk_options(context)) as desk:
        desk.do(
            "staff deactivate",
            {"number": number, "reason": reason},
            lambda work: staff.deactivate(work, number=number, reason=reason),
            _deactivated,
        )


def _deactivated(done: dict[str, Any]) -> str:
    """Return in words what was done, and what is left to others."""
    number, shift = done["number"], done["open_shift"]
    if shift is None:
        return f"{number} is deactivated"
    return (
        f"{number} is deactivated; shift {shift} is not closed: the station's head counts it "
        f"(desk shift count AMOUNT --shift {shift}) and closes it"
    )


@_staff.command("list")
def list_(context: Context) -> None:
    """List all persons with their roles."""
    given = desk_options(context)
    with signed_in(given) as desk, desk.reading() as session:
        found = staff.list_(session, desk.actor, desk.today)
        columns = ("number", "name", "state", "roles")
        print_records(given, [desk.record(row) for row in found], columns)


@_duty.command("set")
def set_duty(
    context: Context,
    number: NumberArgument,
    kind: Annotated[
        str,
        Argument(metavar="KIND", help=f"{' or '.join(_KINDS)}.", autocompletion=offered(*_KINDS)),
    ],
    from_on: FromOption = None,
    to_on: ToOption = None,
) -> None:
    """Give a person a duty in --node; the same with another --to changes its end."""
    of_kind, last = word(DutyKind, kind, "kind"), _day(to_on, "--to")
    with signed_in(desk_options(context)) as desk:
        node, first = desk.node(), _day(from_on, "--from") or desk.today
        wanted = {
            "number": number, "kind": of_kind, "node": node, "from_on": from_on, "to_on": to_on,
        }  # fmt: skip
        desk.do(
            "duty set",
            wanted,
            lambda work: duties.set_duty(
                work, number=number, node=node, kind=of_kind, from_on=first, to_on=last
            ),
            lambda done: f"{number} has the duty {of_kind} in {node} from {done['from_on']}",
        )


@_duty.command("list")
def list_duties(context: Context) -> None:
    """List the duties of today and later."""
    given = desk_options(context)
    with signed_in(given) as desk, desk.reading() as session:
        found = duties.list_(session, desk.actor, desk.today)
        columns = ("node", "kind", "staff", "from_on", "to_on")
        print_records(given, [desk.record(row) for row in found], columns)
