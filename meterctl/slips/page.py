"""A receipt as a page of HTML: one file without anything from outside, for any paper."""

from __future__ import annotations

from html import escape

from meterctl.slips.slip import Row, Slip
from meterctl.written_files import Making

_MARK = '<meta name="generator" content="meterctl receipt">'
PAGE = Making("receipt page", _MARK.encode())

_STYLE = """
@page { margin: 4mm; }
body { margin: 0; background: #fff; color: #000; font: 8.5pt/1.3 sans-serif; }
main { box-sizing: border-box; max-width: 130mm; margin: 0 auto; padding: 2mm; }
header p, h1, .mark { margin: 0; text-align: center; }
h1 { font-size: 1.25em; margin: 0.3em 0; }
.mark { border: 2px solid; padding: 0.1em; margin: 0.3em 0; font-weight: bold; }
table { width: 100%; border-collapse: collapse; border-top: 1px dashed; padding: 0; }
table + table { margin-top: 0.2em; }
th { text-align: left; font-weight: normal; white-space: nowrap; padding: 0 0.6em 0 0; }
th, td { vertical-align: top; }
td { padding: 0; }
td { text-align: right; overflow-wrap: anywhere; font-variant-numeric: tabular-nums; }
.total th, .total td { font-weight: bold; font-size: 1.15em; }
table, tr { break-inside: avoid; }
@media (max-width: 90mm) { main { padding: 0; } }
@media (min-width: 130mm) { body { font-size: 10.5pt; line-height: 1.45; } }
"""
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def slip_page(slip: Slip) -> str:
    """Return the page of a receipt, in the language of its words."""
    issuer = "".join(f"<p>{escape(line)}</p>" for line in slip.issuer)
    marks = "".join(f'<p class="mark">{escape(mark)}</p>\n' for mark in slip.marks)
    tables = "\n".join(
        "<table>\n" + "\n".join(map(_row, group)) + "\n</table>" for group in slip.groups
    )
    title = escape(" ".join((slip.title, slip.groups[0][0].value)))
    return (
        f'<!DOCTYPE html>\n<html lang="{slip.tag}">\n<head>\n<meta charset="utf-8">\n'
        f"{_MARK}\n"
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width">\n'
        f"<title>{title}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n"
        f"<header>{issuer}</header>\n<h1>{escape(slip.title)}</h1>\n{marks}{tables}\n{marks}"
        "</main>\n</body>\n</html>\n"
    )


def _row(row: Row) -> str:
    total = ' class="total"' if row.is_total else ""
    name, value = escape(row.name.strip()), escape(row.value)
    return f'<tr{total}><th scope="row">{name}</th><td>{value}</td></tr>'
