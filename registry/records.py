"""Write a checked row as bytes, once: the same bytes are digested for approval and sealed."""

from credential.cbor import decode, encode
from credential.model import DocumentType, Holder, Record

_HOLDER, _FIELDS, _SHAPE, _PHOTO = range(1, 5)


def encode_record(record: Record, photo_digest: bytes | None) -> bytes:
    """Write all of a record but row number and photo as deterministic CBOR; the photo by its SHA-256."""
    holder = record.holder
    return encode(
        {
            _HOLDER: [holder.name, holder.id_type.value, holder.id_number, holder.sex],
            _FIELDS: dict(record.fields),
            _SHAPE: record.shape,
            _PHOTO: photo_digest or b"",
        }
    )


def decode_record(content: bytes, row_number: int) -> tuple[Record, bytes | None]:
    """Read what :func:`encode_record` wrote; returns the record, without photo, and the photo's digest."""
    entries = decode(content)
    name, id_type, id_number, sex = entries[_HOLDER]
    holder = Holder(name=name, id_type=DocumentType(id_type), id_number=id_number, sex=sex)
    record = Record(row=row_number, holder=holder, fields=entries[_FIELDS], shape=entries[_SHAPE])
    return record, entries[_PHOTO] or None
