"""Say which stored objects the database speaks of, and how long each must be."""

from collections.abc import Iterator

from sqlalchemy import select
from sqlmodel import Session

from registry.columns import table_of
from registry.prefixes import prefix_name
from registry.tables import CredentialFileRow, PackRow
from registry.vault import SEALED_OVERHEAD

_PACKS = table_of(PackRow)
_FILES = table_of(CredentialFileRow)


def expected_objects(session: Session) -> Iterator[tuple[str, int]]:
    """Name every pack and PDF prefix, with its length in bytes."""
    for pack in session.execute(select(_PACKS.c.name, _PACKS.c.length).order_by(_PACKS.c.id)):
        yield pack.name, pack.length
    # A PDF is its prefix and its tail, and the tail stands sealed in a pack.
    length = (_FILES.c.length - _FILES.c.pack_length + SEALED_OVERHEAD).label("length")
    for prefix in session.execute(select(_FILES.c.prefix_digest, length).distinct()):
        yield prefix_name(prefix.prefix_digest), prefix.length
