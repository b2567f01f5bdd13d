"""A printed agreement as a page of HTML: one A4 sheet, one file with nothing from outside. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from meterctl.utility.services.printed_agreement.paper import AgreementPaper, Part
from meterctl.utility.services.sheets.page import page, safe

MARK = '<meta name="generator" content="meterctl desk agreement">'
_STYLE = """
@page { size: A4; margin: 10mm; }
body { margin: 0; background: #fff; color: #000; font: 9pt/1.34 sans-serif; }
[lang=en] body { font-size: 8.4pt; }
main { box-sizing: border-box; max-width: 190mm; margin: 0 auto; }
h1 { font-size: 1.6em; margin: 0; text-align: center; }
h1 small { font-size: 0.6em; font-weight: normal; }
h2 { font-size: 1.25em; margin: 0.8em 0 0.2em; text-align: center; border-top: 2px solid;
  padding-top: 0.4em; }
p { margin: 0 0 0.25em; overflow-wrap: anywhere; }
b { margin-right: 0.5em; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 0 1em; margin: 0.4em 0 0.6em; }
dd { margin: 0; overflow-wrap: anywhere; }
.sign { display: flex; gap: 3em; margin-top: 2.6em; }
.sign p { flex: 1; border-top: 1px solid; padding-top: 0.2em; display: flex; margin: 0; }
.sign span { flex: 1; }
@media screen { main { padding: 10mm; } }
"""


def agreement_page(paper: AgreementPaper) -> str:
    """Return the page; everything that is not ours in it is escaped."""
    head = "".join(f"<dt>{safe(name)}</dt><dd>{safe(value)}</dd>\n" for name, value in paper.head)
    signatures = "".join(
        f"<p><span>{safe(who)}</span>{safe(paper.signed_on)}<span></span></p>\n"
        for who in paper.signatures
    )
    body = (
        f"<h1>{safe(paper.title)} <small>{safe(paper.subject)}</small></h1>\n<dl>\n{head}</dl>\n"
        f'{_parts(paper.clauses)}<div class="sign">\n{signatures}</div>\n'
        f"<h2>{safe(paper.notice_title)}</h2>\n{_parts(paper.notice)}"
    )
    return page(paper.language, MARK, f"{paper.title} {paper.subject}", _STYLE, body)


def _parts(parts: Sequence[Part]) -> str:
    return "".join(
        f"<p><b>{number}. {safe(part.heading)}</b>"
        f"{'<br>'.join(safe(line) for line in part.text.splitlines())}</p>\n"
        for number, part in enumerate(parts, 1)
    )
