"""Requests that no browser of a clerk sends, and what the desk answers to each of them.

Each is bytes on a connection. `@NAME@` in them is replaced by a value of the desk that is asked:
host, cookie and csrf of a vendor who is signed in, other_csrf of another person, token, agreement.
Whatever is sent, the answer has no status of 500 and above and no traceback, and nothing changes.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import quote

from tests.support.desk_served import MARKUP

CLOSED = 0
"""The connection is closed without an answer."""
PATIENCE_S = 20
LARGE = 13 * 1024 * 1024
"""Bytes of a body that is too large; the desk takes 12 MB."""
REFUSED = (400, 401, 403, 404, 405, 409, 411, 413, 414, 415, 421, 422, 428, 431)
BROKEN = (400, 411, 413, 414, 421, 431, 501, 505, CLOSED)
"""What a server says to bytes that are no request; 501 and 505 are words about HTTP itself."""
SIGNED_OUT = (302, 303, 401, 403)
GONE = (400, 401, 404)


@dataclass(frozen=True, slots=True)
class Hostile:
    """A request, and the statuses that are right; `is_cut`: its sender goes away after it."""

    name: str
    data: bytes
    wanted: tuple[int, ...]
    is_cut: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer; `status` is CLOSED where there is none."""

    status: int
    head: str
    body: bytes


def request(
    line: str, headers: Iterable[str] = (), body: bytes = b"", *, host: str = "@host@"
) -> bytes:
    """Return a request with a Host that closes its connection; its length if it has a body."""
    length = [f"Content-Length: {len(body)}"] if body else []
    lines = [line, f"Host: {host}", "Connection: close", *length, *headers]
    return "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape") + body


FORM = "Content-Type: application/x-www-form-urlencoded"
JSON = "Content-Type: application/json"
SIGNED_IN = "Cookie: meterctl_desk=@cookie@"
BEARER = "Authorization: Bearer @token@"
KEY = "Idempotency-Key: hostile-1"
SALE = b"agreement=@agreement@&amount=10.00&key=hostile-1"
OWN = b"&csrf=@csrf@"
_POST, _API = "POST /sales HTTP/1.1", "POST /api/v1/sales HTTP/1.1"
_API_SALE = b'{"agreement": "@agreement@", "amount": "10.00"}'


def every_request() -> Iterator[Hostile]:
    """Yield all of them."""
    yield from _paths()
    yield from _hosts()
    yield from _framing()
    yield from _bodies()
    yield from _others_pages()
    yield from _persons()
    yield from _methods()


def _paths() -> Iterator[Hostile]:
    files = (
        "/../../../../etc/passwd", "/static/../app.py", "/static/%2e%2e/app.py",
        "/static/..%2fapp.py", "/static/..%5capp.py", "/static//etc/passwd",
        "/static/%2fetc/passwd", "/static/%00", "/static/desk.css%00.html", "/static/.", "/static/",
        "/%00", "//evil.example/", "/.git/config", "/desk.sqlite", "/journal.sqlite",
        "/templates/base.html", "/docs", "/redoc", "/openapi.json",
        "/api/v1/../../../etc/passwd", "/api/v2/sales", "/sheet/../ledger/..;/",
    )  # fmt: skip
    for path in files:
        yield Hostile(f"file {path}", request(f"GET {path} HTTP/1.1", [SIGNED_IN]), GONE)
    names = (
        "%00", "%ff%fe", "S1%0d%0aX-Set: 1", "%F0%9F%92%A9", "..", "%2e%2e", "-1", "0", "1e9",
        "S99999999999999999999999", "a" * 5_000, quote(MARKUP), "'%20OR%201=1--", "%E2%80%AE",
        "$%7B7*7%7D", "%7B%7B7*7%7D%7D", "nul", "%25s%25n",
    )  # fmt: skip
    pages = (
        "/counter/{}", "/counter/{}/sale?amount=1.00", "/sales/{}", "/sales/{}/state",
        "/receipts/{}", "/receipts/{}/prints/k", "/customers/{}", "/sheet/{}", "/sheet/shift/{}",
        "/tasks/{}", "/bank/{}", "/ledger/{}", "/settings/{}", "/api/v1/sales/{}",
        "/api/v1/agreements/{}", "/api/v1/customers/{}", "/api/v1/meters/{}", "/api/v1/tasks/{}",
    )  # fmt: skip
    for page in pages:
        for name in names:
            path = page.format(name)
            answer = (303, *REFUSED)
            yield Hostile(f"name {path[:60]}", request(f"GET {path} HTTP/1.1", [SIGNED_IN]), answer)
    queries = (
        "/counter?q=%00", "/counter?q=%ff", f"/counter?q={'a' * 5_000}", "/counter?q=%25",
        "/counter?q='%20OR%201=1--", f"/counter?q={quote(MARKUP)}", "/counter?q=_&q=%25&lang=../..",
        "/today?node=%00", "/today?node=..", "/today?on=9999-12-31", "/ledger?after=-1",
        "/ledger?account=%00", "/tasks?state=%ff", "/?lang=%0d%0aSet-Cookie:%20a=b",
        "/sign-in?next=//evil.example/", "/sign-in?next=https://evil.example/",
        f"/sign-in?next={quote(MARKUP)}", "/api/v1/sales?limit=99999999999999999999",
        "/api/v1/sales?limit=-1", "/api/v1/sales?limit=NaN", "/api/v1/sales?after=%00",
        "/api/v1/sales?state=%ff", "/api/v1/agreements?node=%00", "/api/v1/customers?q=%00",
    )  # fmt: skip
    for query in queries:
        yield Hostile(
            f"query {query[:60]}",
            request(f"GET {query} HTTP/1.1", [SIGNED_IN]),
            (200, 303, *REFUSED),
        )


def _hosts() -> Iterator[Hostile]:
    for host in (
        "evil.example", "evil.example:80", "127.0.0.1", "127.0.0.1:1", "localhost.evil.example",
        "@host@@evil.example", "evil.example#@host@", "@host@.", "", "[::1", "@host@, evil.example",
    ):  # fmt: skip
        for line in ("GET /counter HTTP/1.1", _POST, "GET /sign-in HTTP/1.1"):
            body = SALE + OWN if line == _POST else b""
            data = request(line, [SIGNED_IN, FORM], body, host=host)
            yield Hostile(f"host {host!r} {line}", data, (400, 421))
    yield Hostile("no host", b"GET /counter HTTP/1.1\r\nConnection: close\r\n\r\n", (400, 421))
    yield Hostile("no host, 1.0", b"GET /counter HTTP/1.0\r\n\r\n", (400, 421))
    yield Hostile("two hosts", request("GET /counter HTTP/1.1", ["Host: evil.example"]), (400, 421))
    yield Hostile(
        "another host in the target",
        request("GET http://evil.example/counter HTTP/1.1", host="evil.example"),
        (400, 404, 421),
    )
    yield Hostile(
        "a host that was forwarded",
        request("GET /counter HTTP/1.1", ["X-Forwarded-Host: @host@"], host="evil.example"),
        (400, 421),
    )


def _framing() -> Iterator[Hostile]:
    body = b"csrf=wrong"
    lengths = {
        "two lengths that differ": ["Content-Length: 5"],
        "a length and chunks": ["Transfer-Encoding: chunked"],
        "an unknown transfer encoding": ["Transfer-Encoding: xchunked"],
        "a header name with a space": ["X-A : 1"],
        "a NUL in a header": ["X-A: a\0b"],
        "a header without a colon": ["nonsense"],
        "a header line that goes on": ["X-A: 1\r\n 2: 3"],
        "a CR in a header": ["X-A: a\rb"],
    }
    for name, headers in lengths.items():
        data = request("POST /sign-out HTTP/1.1", [SIGNED_IN, FORM, *headers], body)
        yield Hostile(name, data, (401, 403, *BROKEN), is_cut="chunk" in name)
    for length in ("-1", "+5", "0x10", "1e3", "9" * 30, "five", "5 5", "５"):
        head = request(_POST, [SIGNED_IN, FORM, f"Content-Length: {length}"])
        yield Hostile(f"length {length}", head + SALE, BROKEN)
    chunked = request(_POST, [SIGNED_IN, FORM, "Transfer-Encoding: chunked"])
    for name, chunks in {
        "a chunk of no number": b"zz\r\nabc\r\n0\r\n\r\n",
        "a chunk of a negative length": b"-5\r\nabc\r\n0\r\n\r\n",
        "a chunk that is longer than it says": b"1\r\nabcdef\r\n0\r\n\r\n",
        "a chunk size of many digits": b"f" * 40 + b"\r\n" + SALE,
    }.items():
        yield Hostile(name, chunked + chunks, (403, *BROKEN))
    ends = {
        "a body that ends early": request(_POST, [SIGNED_IN, FORM, "Content-Length: 999"]) + SALE,
        "a body that does not begin": request(_POST, [SIGNED_IN, FORM, "Content-Length: 999"]),
        "chunks that end early": chunked + b"40\r\n" + SALE,
        "a head that ends early": b"POST /sales HTTP/1.1\r\nHost: @ho",
    }
    for name, data in ends.items():
        yield Hostile(name, data, (403, *BROKEN), is_cut=True)
    piece = b"10000\r\n" + b"a" * 65_536 + b"\r\n"
    yield Hostile("chunks without end", chunked + piece * (LARGE // 65_536), (400, 413, CLOSED))
    yield Hostile("a long line", request(f"GET /{'a' * 200_000} HTTP/1.1"), (401, 404, *BROKEN))
    yield Hostile("a long header", request("GET / HTTP/1.1", [f"X-A: {'a' * 200_000}"]), BROKEN)
    many = [f"X-{number}: 1" for number in range(20_000)]
    yield Hostile("many headers", request("GET / HTTP/1.1", many), BROKEN)
    for name, data in {
        "no HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 64,
        "HTTP/0.9": b"GET /counter\r\n\r\n",
        "HTTP/9.9": request("GET /counter HTTP/9.9"),
        "no target": request("GET  HTTP/1.1"),
        "a line alone": b"\r\n\r\n\r\n\r\nGET\r\n\r\n",
        "bytes beyond ASCII in the target": b"GET /\xff\xfe HTTP/1.1\r\nHost: @host@\r\n\r\n",
        "HTTP/2 without asking": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    }.items():
        yield Hostile(name, data, (303, 401, 404, 405, *BROKEN), is_cut=True)


def _bodies() -> Iterator[Hostile]:
    forms = {
        "bytes that are no UTF-8": b"agreement=%ff%fe&amount=\xff\xfe&key=hostile-1",
        "a broken percent": b"agreement=%&amount=%zz&key=%u0041",
        "a NUL in a field": SALE.replace(b"10.00", b"10.00%00"),
        "no fields": b"x",
        "many fields": b"&".join(b"f%d=1" % number for number in range(5_000)) + b"&" + SALE,
        "a long field": SALE + b"&note=" + b"a" * 100_000,
        "fields twice": SALE + b"&agreement=%00&amount=1&amount=-1",
        "a key of another kind": SALE.replace(b"hostile-1", b"..%2f..%2f"),
        "no key": b"agreement=@agreement@&amount=10.00",
    } | {
        f"amount {amount}": SALE.replace(b"10.00", quote(amount).encode())
        for amount in (
            "-1.00", "0.00", "0.001", "1e5", "NaN", "Infinity", "1,000.00", "0x10", "",
            "99999999999999999999999", "1" * 4_000, "1_000",
        )
    }  # fmt: skip
    for name, body in forms.items():
        yield Hostile(f"form: {name}", request(_POST, [SIGNED_IN, FORM], body + OWN), REFUSED)
    kinds = {
        "JSON": ("Content-Type: application/json", _API_SALE),
        "no kind": ("X-A: 1", SALE + OWN),
        "text": ("Content-Type: text/plain", SALE + OWN),
        "parts without a boundary": ("Content-Type: multipart/form-data", b"--\r\n"),
        "parts that never end": ("Content-Type: multipart/form-data; boundary=b", b"--b\r\nA"),
        "parts with a long head": (
            "Content-Type: multipart/form-data; boundary=b",
            b'--b\r\nContent-Disposition: form-data; name="'
            + b"a" * 50_000
            + b'"\r\n\r\n1\r\n--b--',
        ),
        "an unknown charset": (f"{FORM}; charset=utf-7", SALE + b"&csrf=wrong"),
        "a compressed body": (f"{FORM}\r\nContent-Encoding: gzip", b"\x1f\x8b\x08\0\0\0\0\0"),
    }
    for name, (kind, body) in kinds.items():
        yield Hostile(f"kind: {name}", request(_POST, [SIGNED_IN, kind], body), REFUSED)
    large = f"Content-Length: {LARGE}"
    yield Hostile("a length that is too large", request(_POST, [SIGNED_IN, FORM, large]), (413,))
    yield Hostile(
        "a body that is too large", request(_POST, [SIGNED_IN, FORM], b"a" * LARGE), (413, CLOSED)
    )
    documents = {
        "no JSON": b"{", "a list": b"[]", "null": b"null", "deep": b"[" * 100_000, "empty": b"{}",
        "NaN": b'{"amount": NaN}', "a large number": b'{"amount": 1e999999}',
        "many digits": b'{"amount": ' + b"9" * 10_000 + b"}", "UTF-16": '{"a":1}'.encode("utf-16"),
        "a lone surrogate": b'{"agreement": "\\ud800", "amount": "10.00"}',
        "a NUL": b'{"agreement": "\\u0000", "amount": "10.00"}',
        "a number for an agreement": b'{"agreement": 1, "amount": "10.00"}',
        "a float": b'{"agreement": "@agreement@", "amount": 10.001}',
        "more fields": b'{"agreement": "@agreement@", "amount": "10.00", "state": "delivered"}',
        "no UTF-8": b'{"agreement": "\xff"}',
    }  # fmt: skip
    for name, body in documents.items():
        yield Hostile(f"JSON: {name}", request(_API, [BEARER, JSON, KEY], body), REFUSED)
    yield Hostile("JSON: no key", request(_API, [BEARER, JSON], _API_SALE), REFUSED)
    for key in ("", "a" * 300, "%00", "../..", "a b", "钥匙"):
        data = request(_API, [BEARER, JSON, f"Idempotency-Key: {key}"], _API_SALE)
        yield Hostile(f"JSON: key {key[:20]!r}", data, REFUSED)


def _others_pages() -> Iterator[Hostile]:
    """Yield what a page of another site can make the browser of a clerk send."""
    words = {
        "no word against forgery": b"",
        "an empty word": b"&csrf=",
        "another person's word": b"&csrf=@other_csrf@",
        "the cookie as the word": b"&csrf=@cookie@",
        "a word beyond ASCII": b"&csrf=%E9%92%A5",
    }
    for name, word in words.items():
        yield Hostile(f"forged: {name}", request(_POST, [SIGNED_IN, FORM], SALE + word), (403,))
    for header in (
        "Origin: https://evil.example", "Origin: null", "Origin: http://@host@.evil.example",
        "Origin: https://@host@", "Sec-Fetch-Site: cross-site", "Sec-Fetch-Site: same-site",
    ):  # fmt: skip
        data = request(_POST, [SIGNED_IN, FORM, header], SALE + OWN)
        yield Hostile(f"forged: {header}", data, (403,))
    out = request("POST /sign-out HTTP/1.1", [SIGNED_IN, FORM], b"a=b")
    yield Hostile("forged: signing out", out, (403,))
    api = request(_API, [SIGNED_IN, JSON, KEY], _API_SALE)
    yield Hostile("forged: the API with a cookie", api, (401, 403, 404))
    yield Hostile(
        "forged: the API with a cookie, as a page can send it",
        request(_API, [SIGNED_IN, "Content-Type: text/plain", KEY], _API_SALE),
        (401, 403, 404, 415, 422),
    )
    preflight = ["Origin: https://evil.example", "Access-Control-Request-Method: POST"]
    question = request("OPTIONS /api/v1/sales HTTP/1.1", preflight)
    yield Hostile("forged: a question before the API", question, (400, 401, 403, 404, 405))


def _persons() -> Iterator[Hostile]:
    """Yield what is sent by who is not signed in."""
    sale = SALE + OWN
    cookies = {
        "no cookie": [], "an empty cookie": ["Cookie: meterctl_desk="],
        "an unknown cookie": ["Cookie: meterctl_desk=" + "a" * 43],
        "a long cookie": ["Cookie: meterctl_desk=" + "a" * 8_000],
        "a token as a cookie": ["Cookie: meterctl_desk=@token@"],
        "a cookie beyond ASCII": ["Cookie: meterctl_desk=é钥"],
        "a quoted cookie": ['Cookie: meterctl_desk="@cookie@\\000"'],
    }  # fmt: skip
    for name, headers in cookies.items():
        yield Hostile(f"sale: {name}", request(_POST, [*headers, FORM], sale), SIGNED_OUT)
        for page in ("/counter", "/today", "/ledger", "/api/v1/sales"):
            yield Hostile(
                f"{page}: {name}", request(f"GET {page} HTTP/1.1", headers), (*SIGNED_OUT, 404)
            )
    for header in (
        "Bearer", "Bearer ", "Bearer wrong", "Basic YWRtaW46YWRtaW4=", "Bearer @token@ x",
        "Bearer @cookie@", f"Bearer {'a' * 8_000}", "bearer\t@token@", "Bearer %00", "é",
        "@token@",
    ):  # fmt: skip
        data = request(_API, [f"Authorization: {header}", JSON, KEY], _API_SALE)
        yield Hostile(f"authorization {header[:30]}", data, (401, 403, 404))
    for body in (
        b"token=wrong", b"token=%00", b"number=admin&password=admin", b"number=%00&password=%00",
        b"number=admin&password=" + b"a" * 4_000, b"", b"token=" + b"a" * 4_000,
        b"number='+OR+1=1--&password=x", b"token=%F0%9F%92%A9&number=" + b"%ED%A0%80",
    ):  # fmt: skip
        data = request("POST /sign-in HTTP/1.1", [FORM], body)
        yield Hostile(f"sign in {body[:40]!r}", data, (200, *REFUSED))


def _methods() -> Iterator[Hostile]:
    methods = ("TRACE", "CONNECT", "PUT", "DELETE", "PATCH", "PROPFIND", "post", "G ET")
    for method in methods:
        for path in ("/sales", "/counter", "/api/v1/sales"):
            line, override = f"{method} {path} HTTP/1.1", "X-HTTP-Method-Override: POST"
            data = request(line, [SIGNED_IN, FORM, override], SALE + OWN)
            yield Hostile(f"{method} {path}", data, (501, CLOSED, *REFUSED))
    sale = request(f"GET /sales?{SALE.decode()} HTTP/1.1", [SIGNED_IN])
    yield Hostile("GET of a sale", sale, (404, 405))


def filled(data: bytes, values: Mapping[str, str]) -> bytes:
    """Return a request with the values of a desk; the length of its body follows."""
    for name, value in values.items():
        data = data.replace(f"@{name}@".encode(), value.encode())
    head, end, body = data.partition(b"\r\n\r\n")
    own_length = re.compile(rb"(Connection: close\r\nContent-Length: )\d+")
    return own_length.sub(rb"\g<1>%d" % len(body), head, count=1) + end + body


def answer_to(address: tuple[str, int], data: bytes, *, is_cut: bool = False) -> Answer:
    """Send bytes on a connection of their own and return what comes back until it is closed."""
    with socket.create_connection(address, timeout=PATIENCE_S) as connection:
        received = b""
        with suppress(ConnectionError):
            connection.sendall(data)
        with suppress(OSError):
            if is_cut:
                connection.shutdown(socket.SHUT_WR)
            while piece := connection.recv(65_536):
                received += piece
                if _is_whole(received):
                    break
    head, _, body = received.partition(b"\r\n\r\n")
    found = re.match(rb"HTTP/1\.[01] (\d{3}) ", head)
    return Answer(int(found[1]) if found else CLOSED, head.decode("latin-1"), body)


def _is_whole(received: bytes) -> bool:
    """Return whether an answer has all bytes that its Content-Length names."""
    head, end, body = received.partition(b"\r\n\r\n")
    found = re.search(rb"(?im)^content-length: *(\d+)", head)
    return bool(end and found and len(body) >= int(found[1]))


def wrong_with(hostile: Hostile, answer: Answer) -> str:
    """Return what is wrong with an answer, empty if nothing is."""
    body = answer.body.decode("utf-8", "replace")
    if answer.status not in hostile.wanted:
        return f"{answer.status}, wanted {hostile.wanted}: {body[:200]}"
    if "Traceback" in body or 'File "' in body:
        return f"a traceback: {body[:200]}"
    if MARKUP in body:
        return "markup that was sent stands in the page"
    location = re.search(r"(?im)^location: *(.*)$", answer.head)
    if location and not re.match(r"/(?![/\\])", location[1].strip()):
        return f"it leads elsewhere: {location[1]}"
    if re.search(r"(?im)^(x-set|set-cookie: *a=)", answer.head):
        return "a header that was sent came back"
    if re.search(r"(?im)^access-control-allow-origin", answer.head):
        return "another site may read it"
    return ""
