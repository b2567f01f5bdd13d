"""docs/desk-api.md: how a script calls the desk, and the table of its operations."""

from __future__ import annotations

from meterctl.utility.web.api.live import LONGEST, LOOK_S
from meterctl.utility.web.api.operations import Change
from meterctl.utility.web.api.routes import LONGEST_WAIT_S, REPLAYED_HEADER, TOLD
from meterctl.utility.web.api.tables import OPERATIONS
from meterctl.utility.web.people import CSRF_HEADER, KEY_HEADER
from pages import NOTE, head, row


def desk_api() -> str:
    """Return docs/desk-api.md."""
    out = [_TEXT, "\n## Refusals\n\n", _REFUSALS, head("status", "what it means")]
    out += [row(status, told) for status, told in TOLD.items()]
    out += ["\n## Operations\n\n", _OPERATIONS]
    for tag, operations in OPERATIONS.items():
        out += [f"\n### {tag}\n\n", head("method", "path", "what it does", "command")]
        for each in operations:
            is_change = isinstance(each, Change)
            method = each.method if isinstance(each, Change) else "GET"
            words = f"`{each.words}`" if isinstance(each, Change) else ""
            out.append(row(method, f"`{each.path}`", each.summary, words if is_change else ""))
    out += [
        "\n### live\n\n",
        head("method", "path", "what it does"),
        row("GET", "`/live`", "Tell sales and orders as they change (server-sent events)."),
    ]
    return "".join(out)


_TEXT = f"""\
# The API of the desk

{NOTE}
`meterctl desk serve` serves an API beside its pages, under `/api/v1`, with a description \
(OpenAPI) \
at `/api/v1/openapi.json`. Each operation does what the command of its row does, with the same \
services, rights and audit.

The commands of this page run one after the other.

```
meterctl desk init --simulated --company "Lakeside Power" > admin.token
export METERCTL_DESK_TOKEN=$(cat admin.token)
meterctl desk serve --http 127.0.0.1:8700 &
printf 'Authorization: Bearer %s\\n' "$METERCTL_DESK_TOKEN" > authorization
curl -sS --retry 30 --retry-delay 1 --retry-connrefused -H @authorization -o time.json \\
    http://127.0.0.1:8700/api/v1/time
```

It is served on this computer alone, and nothing is encrypted: for others a proxy with TLS stands \
before it, and `--host NAME` names it.

## Who asks

A script sends the token of a person: `Authorization: Bearer TOKEN` (`meterctl desk staff token`). \
Give each script a person of its own, with the roles that it needs, so that the audit tells it \
from \
others. Keep the header in a file, as above: what stands in the words of a command can be seen by \
others on the computer.

The pages' own cookie is taken too; a mutation then needs `{CSRF_HEADER}`, and comes from a \
page of \
ours.

## Keys

Each POST and PATCH carries `{KEY_HEADER}`: 1 to 64 letters, digits, `.`, `-` and `_`. Draw it \
once, write it down, and send it again with the same request until there is an answer: what is \
asked is done once. The second answer is the first one, with `replayed: true` and the header \
`{REPLAYED_HEADER}: true`; of a sale it is the sale as it stands now. Another request under the \
key \
is refused (422). A key belongs to the person who used it first. It is the `--key` of the command, \
so a sale that a script began can be gone on with by `meterctl desk sell --key`, and the other way \
round.

```
export BODY='{{"kind": "station", "code": "0101", "name": "East station"}}'
curl -sS -H @authorization -H 'Idempotency-Key: station-0101' -H 'Content-Type: application/json' \\
    -d "$BODY" -w '\\n' http://127.0.0.1:8700/api/v1/organisations
curl -sS -H @authorization -H 'Idempotency-Key: station-0101' -H 'Content-Type: application/json' \\
    -d "$BODY" -w '\\n' http://127.0.0.1:8700/api/v1/organisations
```

```text
{{"code":"0101","kind":"station","name":"East station","parent":"company","version":1,\
"replayed":false}}
{{"code":"0101","kind":"station","name":"East station","parent":"company","version":1,\
"replayed":true}}
```

`?dry_run=true` undoes a mutation at its end: a sale then says in `expected` what the meter would \
make of the amount.

## Values

Amounts are texts with two decimals, in and out: `"50.00"`. What a meter counts in smaller units \
stands twice: cut to two decimals (`credit_after`), and whole, with ten (`credit_after_exact`). \
Power is in mW and energy in mWh, whole numbers. Instants are ISO 8601 with the offset of the \
company's zone, dates as `2026-12-31`. Fields that there are not are refused; an answer may get \
further ones with a later version.

## Edits

GET of one thing that can be edited has its version in the header `ETag`, as `"3"`. PATCH sends it \
as `If-Match`. Without it is 428; where another person edited meanwhile it is 412: read it again.

```
export EDIT='{{"name": "Station East"}}'
curl -sS -X PATCH -H @authorization -H 'Idempotency-Key: name-0101' -H 'If-Match: "1"' \\
    -H 'Content-Type: application/json' -d "$EDIT" -w '\\n' \\
    http://127.0.0.1:8700/api/v1/organisations/0101
curl -sS -X PATCH -H @authorization -H 'Idempotency-Key: name-again' -H 'If-Match: "1"' \\
    -H 'Content-Type: application/json' -d "$EDIT" -o stale.json -w '%{{http_code}}\\n' \\
    http://127.0.0.1:8700/api/v1/organisations/0101
```

```text
{{"code":"0101","kind":"station","name":"Station East","parent":"company","version":2,\
"replayed":false}}
412
```

## Lists

A list answers `rows` and `next`. `limit` is 1 to 1000, 100 where it is not given; `after` is the \
`next` of the part before, until that is null. `node` and `state` choose, where the list has them.

## Sales

```sh
curl -sS -H @authorization -H 'Idempotency-Key: till-7-000123' -H 'Prefer: wait=15' \\
    -H 'Content-Type: application/json' \\
    -d '{{"agreement": "0101-2026-000001", "amount": "50.00"}}' \\
    http://127.0.0.1:8700/api/v1/sales
```

The money is taken with a receipt, and the order to the meter is begun. `Prefer: wait=N` waits for \
its outcome, at most {LONGEST_WAIT_S} s; the answer is the sale as it stands then. 201 says that \
the money is taken, `state` whether the meter has it: see [what `unknown` means](desk.md). \
While it \
is `taken`, `sending` or `unknown` do not sell again: read `/sales/KEY`, or listen.

## Live

`GET /live` sends the events `sale` and `order` (server-sent events), each with the thing as it \
stands, within {LOOK_S} s of its change. What changed twice meanwhile is told once. A stream ends \
after {int(LONGEST * LOOK_S) // 60} minutes: call again with the header `Last-Event-ID`, and what \
was missed is told.
"""
_REFUSALS = (
    "A refusal is a problem (RFC 9457, `application/problem+json`) with `code`, a word that never "
    "changes, and `detail`, which says what failed and what is unchanged.\n\n"
)
_OPERATIONS = (
    "All paths begin with `/api/v1`. The last column is the command that does the same, whose keys "
    "are the operation's.\n"
)
