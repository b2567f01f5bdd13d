"""The style and the script of the pages: each by the hash of its content, so it may be kept."""

from __future__ import annotations

from hashlib import sha256
from importlib.resources import files

from fastapi import APIRouter
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from meterctl.utility.services.sheets.page import STYLE

router = APIRouter()
_CSS, _JS = "text/css; charset=utf-8", "text/javascript; charset=utf-8"
_TYPES = {"desk.css": _CSS, "desk.js": _JS, "sheet.css": _CSS}
_KEPT = "public, max-age=31536000, immutable"
_FOLDER = files("meterctl.utility.web") / "static"
_CONTENT = {
    **{name: (_FOLDER / name).read_bytes() for name in ("desk.css", "desk.js")},
    "sheet.css": STYLE.encode(),
}
_HASHES = {name: sha256(content).hexdigest()[:16] for name, content in _CONTENT.items()}


def address_of(name: str) -> str:
    """Return the address of a file of the pages."""
    return f"/static/{_HASHES[name]}/{name}"


@router.get("/static/{digest}/{name}")
def file(digest: str, name: str) -> Response:
    """Return a file of the pages."""
    if _HASHES.get(name) != digest:
        raise HTTPException(404, "there is no such file")
    headers = {"Cache-Control": _KEPT}
    return Response(_CONTENT[name], media_type=_TYPES[name], headers=headers)
