"""Printing an agreement: its page is kept, and what was printed of a draft is what is signed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any

from meterctl.utility.errors import NotFound
from meterctl.utility.model.agreement import Agreement, AgreementVersion
from meterctl.utility.rules.papers import DocumentKind, Paper
from meterctl.utility.rules.rights import Action
from meterctl.utility.rules.transitions import VersionState
from meterctl.utility.services import documents
from meterctl.utility.services.printed_agreement.chinese import chinese_paper
from meterctl.utility.services.printed_agreement.english import english_paper
from meterctl.utility.services.printed_agreement.facts import Facts, facts_of
from meterctl.utility.services.printed_agreement.page import agreement_page
from meterctl.utility.services.printed_agreement.paper import AgreementPaper
from meterctl.utility.store.queries.agreements import (
    active_version,
    find_agreement,
    node_of,
    unfinished_version,
    versions_of,
)
from meterctl.utility.store.unit_of_work import UnitOfWork


class Language(StrEnum):
    """A language of the printed agreement."""

    CHINESE = "zh"
    ENGLISH = "en"


_PAPERS: Mapping[Language, Callable[[Facts], AgreementPaper]] = {
    Language.CHINESE: chinese_paper,
    Language.ENGLISH: english_paper,
}


def print_agreement(
    work: UnitOfWork,
    *,
    agreement: str,
    version: int | None = None,
    language: Language = Language.CHINESE,
) -> dict[str, Any]:
    """Print a version of an agreement with its user notice (须知), and keep the page.

    A draft is printed as it is now, and the hash of the page stands with the version. A later
    version is printed as it was then, in each language; it is rendered only where it never was.

    Args:
        agreement: number of the agreement, its supply point or its meter.
        version: None: the one that is not in force yet, else the one in force.

    Returns:
        The version, and the `document` whose content is the page (`documents.content_of`).

    Raises:
        NotFound: there is no such version.
    """
    found = find_agreement(work.session, agreement)
    work.require(Action.AGREEMENT_PRINT, node_of(work.session, found))
    found = work.lock(Agreement, found.id)
    row = _chosen(work, found, version)
    name = f"{found.number}-{row.n}-{language}.html"
    kept = None
    if row.state is not VersionState.DRAFT:
        kept = documents.printed_page(work.session, found, name, row.print_sha256)
    if kept is None:
        page = agreement_page(_PAPERS[language](facts_of(work, found, row)))
        paper = Paper(name, page.encode())
        kept = documents.keep(work, found, DocumentKind.PRINTED_AGREEMENT, paper)
    before = row.print_sha256
    if row.state is VersionState.DRAFT or before is None:
        row.print_sha256 = kept.sha256
        work.session.flush()
    work.audit(Action.AGREEMENT_PRINT, row, {"print_sha256": before}, {"print_sha256": kept.sha256})
    return {
        "agreement": found.number,
        "version": row.n,
        "version_state": row.state.value,
        "language": language.value,
        "sha256": kept.sha256,
        "print_sha256": row.print_sha256,
        "document": documents.document_number(kept),
    }


def _chosen(work: UnitOfWork, agreement: Agreement, n: int | None) -> AgreementVersion:
    """Return the version that is printed; raises NotFound."""
    session = work.session
    versions = versions_of(session, agreement.id)
    if n is None:
        chosen = unfinished_version(session, agreement.id) or active_version(session, agreement.id)
        found = chosen or next(reversed(versions), None)
    else:
        found = next((row for row in versions if row.n == n), None)
    if found is None:
        raise NotFound(
            "no_version",
            f"{agreement.number} has no version {'' if n is None else n}; nothing was changed",
        )
    return found
