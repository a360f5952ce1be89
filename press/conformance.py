"""The self-check: what in a certificate is against PDF/A-3a, PDF/UA-1 or PDF 1.7, clause by clause.

1. the file, its limits and its catalog     conformance_file.py
2. what the pages draw, in which colours    conformance_page.py
3. fonts, and the text shown in them        conformance_fonts.py
4. tags, order, languages                   conformance_tags.py
5. metadata, output intent, attachments     conformance_metadata.py
6. the seal's widget, field and signature   conformance_seal.py

It reads the finished file, with a library that did not write it. It follows the
rules of veraPDF's profiles as far as a certificate can break them, and is
stricter where a certificate has no use for what is permitted. It is no
validator: docs/conformance.md says what it cannot see.
"""

from dataclasses import dataclass
from typing import Final

import pikepdf

from credential.errors import RefusedError
from press import (
    conformance_file,
    conformance_fonts,
    conformance_metadata,
    conformance_page,
    conformance_seal,
    conformance_tags,
)
from press.conformance_rule import Examined, Rule

__all__ = ["RULES", "Breach", "NonconformingDocument", "Rule", "check_document", "require_conformance"]

RULES: Final[tuple[Rule, ...]] = (
    *conformance_file.RULES,
    *conformance_page.RULES,
    *conformance_fonts.RULES,
    *conformance_tags.RULES,
    *conformance_metadata.RULES,
    *conformance_seal.RULES,
)
# What pikepdf and our rules raise at an entry of another type than it must have: a broken rule too, and no crash.
_UNREADABLE: Final = (pikepdf.PdfError, pikepdf.DataDecodingError, AttributeError, KeyError, TypeError, ValueError)
_TOLD: Final = 3  # things named for one rule; a broken drawing would fill pages


@dataclass(frozen=True, slots=True)
class Breach:
    """A rule that a document breaks.

    Attributes:
        rule: its name.
        clause: the foremost clause.
        en: one sentence that names the first few things that break it.
        zh: the same in Chinese.
    """

    rule: str
    clause: str
    en: str
    zh: str


class NonconformingDocument(RefusedError):
    """A certificate as it would be issued is not what it says it is; nothing of the batch is issued further."""

    code = "nonconforming-document"

    def __init__(self, breaches: list[Breach]) -> None:
        first = breaches[0]
        super().__init__(
            f"{first.en} ({first.clause}; {len(breaches)} rules broken): mend the template or the press, then resume",
            f"{first.zh}（{first.clause}; 共违反 {len(breaches)} 条规则）: 请修正模板或制证程序后再继续",
        )
        self.rules = [breach.rule for breach in breaches]


def check_document(document: bytes) -> list[Breach]:
    """Check a certificate; empty when no rule is broken."""
    try:
        file = Examined(document)
    except pikepdf.PdfError as error:
        return [Breach("readable", "ISO 32000-1, 7.5", f"the file is no PDF: {error}", f"文件不是 PDF: {error}")]
    try:
        return [breach for rule in RULES if (breach := _check(rule, file)) is not None]
    finally:
        file.close()


def _check(rule: Rule, file: Examined) -> Breach | None:
    try:
        found = list(dict.fromkeys(rule.find(file)))
    except _UNREADABLE as error:
        found = [f"{type(error).__name__}: {error}"]
    if not found:
        return None
    told = "; ".join(found[:_TOLD]) + ("; ..." if len(found) > _TOLD else "")
    return Breach(rule.name, rule.clauses[0], f"{rule.en}: {told}", f"{rule.zh}: {told}")


def require_conformance(document: bytes) -> None:
    """Check a certificate, and raise what is wrong.

    Raises:
        NonconformingDocument: a rule is broken.
    """
    breaches = check_document(document)
    if breaches:
        raise NonconformingDocument(breaches)
