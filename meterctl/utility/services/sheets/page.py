"""A sheet as a page of HTML: one A4 page, one file without anything from outside. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from meterctl.utility.services.sheets.document import Cell, Document, Section
from meterctl.utility.services.sheets.words import SIGNED_ON, Word
from protocols.replacements import printable

MARK = '<meta name="generator" content="meterctl desk sheet">'
LANGUAGE = "zh-CN"
"""Of the page: names and places are Chinese; its words are marked, each with its language."""
MOST_ROWS = 12
"""Rows of a list that the page has; the number of the others stands below them."""

STYLE = """
@page { size: A4; margin: 10mm; }
.sheet { font: 7.5pt/1.2 sans-serif; box-sizing: border-box; max-width: 190mm; margin: 0 auto; }
.sheet h1 { font-size: 1.7em; margin: 0; text-align: center; }
.sheet h2 { font-size: 1em; margin: 0.7em 0 0.1em; }
.sheet p { margin: 0; }
.sheet .mark { border: 2px solid; padding: 0.1em; margin: 0.3em 0; font-weight: bold; }
.sheet .mark { text-align: center; }
.sheet section { break-inside: avoid; }
.sheet table { width: 100%; border-collapse: collapse; border-top: 1px solid; }
.sheet th { text-align: right; font-weight: normal; font-style: italic; border: 0; }
.sheet th, .sheet td { padding: 0 0.6em 0 0; vertical-align: top; }
.sheet td { text-align: right; font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
.sheet td { border: 0; }
.sheet th:first-child, .sheet td:first-child { text-align: left; }
.sheet td + td { white-space: nowrap; }
.sheet .total td { border-top: 1px solid; font-weight: bold; }
.sheet dl { display: grid; grid-template-columns: max-content 1fr; gap: 0 1em; }
.sheet dl { margin: 0.4em 0; }
.sheet dd { margin: 0; overflow-wrap: anywhere; }
.sheet .seal dd { font-family: monospace; }
.sheet .sign { display: flex; gap: 3em; margin-top: 3em; }
.sheet .sign p { flex: 1; border-top: 1px solid; padding-top: 0.2em; display: flex; }
.sheet .sign span { flex: 1; }
"""
"""The style of a sheet wherever it stands, in the element of class `sheet`."""
_PAGE_STYLE = """
body { margin: 0; background: #fff; color: #000; }
@media screen { .sheet { padding: 10mm; } }
"""
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def sheet_page(document: Document) -> str:
    """Return the page of a sheet; everything that is not ours in it is escaped."""
    title = f"{document.title.en} {document.subject}"
    body = f"<div class=sheet>\n{sheet_body(document)}</div>\n"
    return page(LANGUAGE, MARK, title, f"{STYLE}{_PAGE_STYLE}", body)


def sheet_body(document: Document) -> str:
    """Return a sheet without the page around it: for an element of class `sheet`."""
    marks = "".join(f'<p class="mark">{_cell(mark)}</p>\n' for mark in document.marks)
    sections = "".join(_section(each) for each in document.sections if each.rows)
    signatures = "".join(
        f"<p><span>{_cell(who)}</span>{_cell(SIGNED_ON)}<span></span></p>"
        for who in document.signatures
    )
    return (
        f"<h1>{_cell(document.title)} {safe(document.subject)}</h1>\n{marks}"
        f"{_pairs(document.head, '')}{sections}{_pairs(document.seals, ' class=seal')}"
        f'<div class="sign">{signatures}</div>\n'
    )


def page(language: str, mark: str, title: str, style: str, body: str) -> str:
    """Return a page without scripts and without anything from outside.

    Args:
        language: of the page (BCP 47).
        mark: the element of its head by which its making is known.
        title: as text; `style` and `body` are written as they are.
    """
    return (
        f'<!DOCTYPE html>\n<html lang="{language}">\n<head>\n<meta charset="utf-8">\n{mark}\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width">\n'
        f"<title>{safe(title)}</title>\n<style>{style}</style>\n</head>\n<body>\n<main>\n"
        f"{body}</main>\n</body>\n</html>\n"
    )


def _section(section: Section) -> str:
    rows = list(section.rows)
    notes = list(section.notes)
    if not section.last_is_total and len(rows) > MOST_ROWS:
        more = len(rows) - MOST_ROWS
        notes.insert(
            0, Word(f"and {more} more, on the sheet as text and as JSON", f"另有{more}行，见文本单")
        )
        rows = rows[:MOST_ROWS]
    head = "".join(f"<th>{_cell(column)}</th>" for column in section.columns)
    body = "\n".join(
        _row(row, section.last_is_total and number == len(rows))
        for number, row in enumerate(rows, 1)
    )
    below = "".join(f"<p>{_cell(note)}</p>\n" for note in notes)
    return (
        f"<section><h2>{_cell(section.title)}</h2>\n<table>\n<tr>{head}</tr>\n{body}\n</table>\n"
        f"{below}</section>\n"
    )


def _row(row: Sequence[Cell], is_total: bool) -> str:
    cells = "".join(f"<td>{_cell(cell)}</td>" for cell in row)
    return f"<tr{' class=total' if is_total else ''}>{cells}</tr>"


def _pairs(pairs: Sequence[tuple[Word, Cell]], attribute: str) -> str:
    if not pairs:
        return ""
    rows = "".join(f"<dt>{_cell(name)}</dt><dd>{_cell(value)}</dd>" for name, value in pairs)
    return f"<dl{attribute}>{rows}</dl>\n"


def _cell(cell: Cell) -> str:
    """Return a cell; a Chinese term is marked as Chinese."""
    if isinstance(cell, Word):
        zh = f' <span lang="zh">{safe(cell.zh)}</span>' if cell.zh else ""
        return f'<span lang="en">{safe(cell.en)}</span>{zh}'
    return safe(cell)


def safe(text: str) -> str:
    """Return a text as HTML: escaped, and what steers the direction of writing shown."""
    return escape(printable(text))
