"""Which certificates a stamped checkpoint covers: what stays good of a key that was stolen, and what does not.

Counted by the time of issue, which is when claims are signed; files by the leaf
that seals what was printed first.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, func, select
from sqlmodel import Session

from registry.columns import table_of
from registry.log.tables import LogLeafRow
from registry.tables import CredentialFileRow, CredentialRow

_CREDENTIAL, _FILE, _LEAF = table_of(CredentialRow), table_of(CredentialFileRow), table_of(LogLeafRow)
_ISSUE, _SEAL = _LEAF.alias("issue_leaf"), _LEAF.alias("seal_leaf")
_PRINTED = 0  # revision of a file as it was printed
_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Span:
    """The certificates of an issuer from a time.

    Attributes:
        issuer_id: of the issuer.
        start: when the first of them may have been issued.
        end: when the last of them may have been, or None.
        covered: leaves of the log that a stamped checkpoint covers, from the first on.
    """

    issuer_id: str
    start: datetime
    end: datetime | None
    covered: int


@dataclass(frozen=True, slots=True)
class Coverage:
    """How many certificates and files there are, and how many of them are covered."""

    issued: int
    issued_covered: int
    sealed: int
    sealed_covered: int


@dataclass(frozen=True, slots=True)
class Uncovered:
    """A certificate whose file no stamped checkpoint covers.

    Attributes:
        serial: as printed.
        version: of the certificate.
        issued_at: when its claims were fixed.
        is_issue_covered: whether its issue leaf is covered all the same.
    """

    serial: str
    version: int
    issued_at: datetime
    is_issue_covered: bool


def count_covered(session: Session, span: Span) -> Coverage:
    """Count the certificates of a span, and what of them is covered."""
    issued = (
        select(func.count(_CREDENTIAL.c.id), func.count(_CREDENTIAL.c.id).filter(_ISSUE.c.position < span.covered))
        .select_from(_CREDENTIAL.outerjoin(_ISSUE, _ISSUE.c.id == _CREDENTIAL.c.issue_leaf))
        .where(_is_in(span))
    )
    sealed = (
        select(func.count(_FILE.c.id), func.count(_FILE.c.id).filter(_SEAL.c.position < span.covered))
        .select_from(
            _CREDENTIAL.join(_FILE, _FILE.c.credential_id == _CREDENTIAL.c.id).outerjoin(
                _SEAL, _SEAL.c.id == _FILE.c.seal_leaf
            )
        )
        .where(_is_in(span), _FILE.c.revision == _PRINTED)
    )
    return Coverage(*session.execute(issued).one(), *session.execute(sealed).one())


def list_uncovered(session: Session, span: Span) -> Iterator[Uncovered]:
    """List the certificates of a span whose file is not covered, printed or not, the oldest first."""
    query = (
        select(_CREDENTIAL.c.serial, _CREDENTIAL.c.version, _CREDENTIAL.c.issued_at, _ISSUE.c.position)
        .select_from(
            _CREDENTIAL.outerjoin(_ISSUE, _ISSUE.c.id == _CREDENTIAL.c.issue_leaf)
            .outerjoin(_FILE, (_FILE.c.credential_id == _CREDENTIAL.c.id) & (_FILE.c.revision == _PRINTED))
            .outerjoin(_SEAL, _SEAL.c.id == _FILE.c.seal_leaf)
        )
        .where(_is_in(span), func.coalesce(_SEAL.c.position, span.covered) >= span.covered)
        .order_by(_CREDENTIAL.c.id)
    )
    with session.execute(query.execution_options(yield_per=_AT_ONCE)) as rows:
        for row in rows:
            is_covered = row.position is not None and row.position < span.covered
            yield Uncovered(row.serial, row.version, row.issued_at, is_covered)


def _is_in(span: Span) -> ColumnElement[bool]:
    begun = and_(_CREDENTIAL.c.issuer_id == span.issuer_id, _CREDENTIAL.c.issued_at >= span.start)
    return begun if span.end is None else and_(begun, _CREDENTIAL.c.issued_at <= span.end)
