"""Keep every version of a template that anything was printed with, and find it by what claims name.

The whole folder is stored as an object, create-only; the few files that say how
values are displayed stand in the database too, so that a verifier needs no store.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import bindparam, func
from sqlalchemy import select as select_columns
from sqlmodel import Session, col, select

from registry.columns import table_of
from registry.database import Database
from registry.service_tables import TemplatePrefixRow, TemplateVersionRow
from registry.tables import CredentialRow

_PREFIXES, _VERSIONS = table_of(TemplatePrefixRow).c, table_of(TemplateVersionRow).c
_PREFIX = select_columns(_PREFIXES.template_digest).where(_PREFIXES.prefix_digest == bindparam("wanted"))
_VERSION = select_columns(_VERSIONS.digest).where(_VERSIONS.digest == bindparam("wanted"))


@dataclass(frozen=True, slots=True)
class NewVersion:
    """A version on its way in.

    Attributes:
        digest: SHA-256 of its manifest.
        name: of the template.
        kind: of credential.
        rules: archive of the files that say how values are displayed.
        prefixes: SHA-256 of each prefix compiled from it.
    """

    digest: bytes
    name: str
    kind: str
    rules: bytes = field(repr=False)
    prefixes: Sequence[bytes]


@dataclass(frozen=True, slots=True)
class TemplateVersion:
    """A registered version.

    Attributes:
        number: from 1 within its name.
        blob: name of the object that holds the whole folder.
        rules: archive of the files that say how values are displayed.
    """

    digest: bytes
    name: str
    number: int
    kind: str
    blob: str
    rules: bytes = field(repr=False)
    created_at: datetime


def archive_name(digest: bytes) -> str:
    """Name the object that holds a version's folder."""
    return f"template/{digest.hex()}"


def register_version(session: Session, new: NewVersion, now: datetime) -> TemplateVersion:
    """Give a version its number unless it has one, and note which prefixes are compiled from it.

    The object of :func:`archive_name` must be stored before.
    """
    row = session.get(TemplateVersionRow, new.digest)
    if row is None:
        query = select(func.max(TemplateVersionRow.number)).where(TemplateVersionRow.name == new.name)
        row = TemplateVersionRow(
            digest=new.digest,
            name=new.name,
            number=(session.exec(query).one() or 0) + 1,
            kind=new.kind,
            blob=archive_name(new.digest),
            rules=new.rules,
            created_at=now,
        )
        session.add(row)
        session.flush()
    for prefix in new.prefixes:
        if session.get(TemplatePrefixRow, prefix) is None:
            session.add(TemplatePrefixRow(prefix_digest=prefix, template_digest=new.digest))
    session.flush()
    return _version(row)


def is_known(database: Database, digest: bytes) -> bool:
    """Whether any version has this digest, or that of a prefix; asked for every certificate that names no known one."""
    return bool(database.look_up(_PREFIX, digest) or database.look_up(_VERSION, digest))


def version_of_prefix(session: Session, prefix_digest: bytes) -> TemplateVersion | None:
    """Find the version that a prefix was compiled from, or None when the register does not know it."""
    query = (
        select(TemplateVersionRow)
        .join(TemplatePrefixRow, col(TemplatePrefixRow.template_digest) == TemplateVersionRow.digest)
        .where(TemplatePrefixRow.prefix_digest == prefix_digest)
    )
    row = session.exec(query).first()
    return None if row is None else _version(row)


def find_version(session: Session, digest: bytes) -> TemplateVersion | None:
    """Find a version by its digest."""
    row = session.get(TemplateVersionRow, digest)
    return None if row is None else _version(row)


def list_versions(session: Session) -> list[TemplateVersion]:
    """Every version, by name and number."""
    query = select(TemplateVersionRow).order_by(col(TemplateVersionRow.name), col(TemplateVersionRow.number))
    return [_version(row) for row in session.exec(query)]


def count_credentials(session: Session) -> Mapping[bytes, int]:
    """How many credentials were reserved for printing with each version, by its digest."""
    query = (
        select(TemplatePrefixRow.template_digest, func.count(col(CredentialRow.id)))
        .join(CredentialRow, col(CredentialRow.prefix_digest) == TemplatePrefixRow.prefix_digest)
        .group_by(col(TemplatePrefixRow.template_digest))
    )
    return dict(session.exec(query).all())


def _version(row: TemplateVersionRow) -> TemplateVersion:
    return TemplateVersion(row.digest, row.name, row.number, row.kind, row.blob, row.rules, row.created_at)
