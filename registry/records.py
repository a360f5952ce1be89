"""Write a checked row as bytes, once: the same bytes are digested for approval and sealed.

They never leave the vault, so cbor2 reads them as they are; what others sign
and check goes through ``credential/cbor.py``.
"""

from typing import Any

import cbor2

from credential.model import DocumentType, Holder, Record

_HOLDER, _FIELDS, _SHAPE, _PHOTO = range(1, 5)


def encode_record(record: Record, photo_digest: bytes | None) -> bytes:
    """Write all of a record but row number and photo as deterministic CBOR; the photo by its SHA-256."""
    holder = record.holder
    entries: dict[int, Any] = {
        _HOLDER: [holder.name, holder.id_type.value, holder.id_number, holder.sex],
        _FIELDS: dict(record.fields),
        _SHAPE: record.shape,
        _PHOTO: photo_digest or b"",
    }
    return cbor2.dumps(entries, canonical=True)


def decode_record(content: bytes, row_number: int) -> tuple[Record, bytes | None]:
    """Read what :func:`encode_record` wrote; returns the record, without photo, and the photo's digest."""
    entries: dict[int, Any] = cbor2.loads(content)
    name, id_type, id_number, sex = entries[_HOLDER]
    holder = Holder(name=name, id_type=DocumentType(id_type), id_number=id_number, sex=sex)
    record = Record(row=row_number, holder=holder, fields=entries[_FIELDS], shape=entries[_SHAPE])
    return record, entries[_PHOTO] or None
