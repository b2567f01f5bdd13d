"""What the desk refuses; every error carries its code, HTTP status and exit code (DESIGN.md 5.3).

MeterctlError
└── DeskError               1  500  internal fault
    ├── NotPermitted        6  403  the person has no role for it, or the token is not known
    ├── NotFound            2  404  there is no such thing
    ├── Conflict            3  409  another action was first; the same command may succeed later
    ├── Refused             3  409  the state or a rule does not allow it
    ├── Stale               3  412  what is edited was changed since it was read
    ├── KeyReused           2  422  the key was used for another request
    ├── Invalid             2  422  a value is wrong
    └── OutcomeUnknown      7  503  it may have been done; the same command with its key tells

The code is a word in lower case with underscores; it never changes, so programs may compare it
(`code` of RFC 9457). A sale whose outcome is not known is no error of the desk: it is state
`unknown`, and its command ends with exit code 7. `OutcomeUnknown` is a database that failed while
it committed, or after it had.
"""

from __future__ import annotations

from meterctl.errors import MeterctlError


class DeskError(MeterctlError):
    """Root of the desk's errors. The text names what failed, what is unchanged and what to do."""

    status = 500

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


class NotPermitted(DeskError):
    """The person may not do it here."""

    exit_code, status = 6, 403


class NotFound(DeskError):
    """There is no such thing, or the person may not see it."""

    exit_code, status = 2, 404


class Conflict(DeskError):
    """Another action was first, or is under way; nothing was changed by this one."""

    exit_code, status = 3, 409


class Refused(DeskError):
    """The state of the thing or a rule does not allow it; nothing was changed."""

    exit_code, status = 3, 409


class Stale(DeskError):
    """The thing was changed since it was read; nothing was changed by this edit."""

    exit_code, status = 3, 412


class KeyReused(DeskError):
    """The key was used for another request; nothing was changed by this one."""

    exit_code, status = 2, 422


class Invalid(DeskError):
    """A value is wrong; nothing was changed."""

    exit_code, status = 2, 422


class OutcomeUnknown(DeskError):
    """The database failed in a commit, or after one: what was asked may have been done."""

    exit_code, status = 7, 503
