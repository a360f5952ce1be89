"""Correct and replace certificates: from what is to be different to a batch of one that waits for its approval."""

import hashlib
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from credential.model import DocumentType, Record
from credential.problem import Problem, RowOutcome
from credential.reasons import CorrectionReason, ReplacementReason
from credential.schema import FieldKind, PhotoNeed, RecordSchema
from issuer import batch as batches
from issuer.line import IssuingLine
from issuer.predecessor import require_valid, succeed
from press.press import Press
from registry.batches import get_batch
from registry.chunks import StoredRow, read_chunk_rows, read_rows
from registry.credentials import FoundCredential, chunk_of, find_by_id, get_credential
from registry.packs import item_place
from registry.service_tables import SuccessionKind
from registry.succession import read_successions
from service.batches import BatchView, view
from service.changes import issuer_of
from service.house import House
from service.single import RecordRefused, by_key, write_sheet


@dataclass(frozen=True, slots=True)
class SuccessionView:
    """Whose place a row of a batch takes, for the person who approves it.

    Attributes:
        row: of the batch.
        kind: ``correction`` or ``replacement``.
        serial: of the predecessor.
        version: of the predecessor.
        changed: old and new text by field, personal; a photo by its digest, hex.
    """

    row: int
    kind: str
    reason: str
    serial: str
    version: int
    changed: Mapping[str, tuple[str, str]]

    def to_json(self) -> dict[str, object]:
        """The view as one JSON object."""
        return asdict(self)


def correct(  # noqa: PLR0913 - each is a fact that the history keeps
    house: House,
    serial: str,
    changes: Mapping[str, str],
    *,
    issuer: str | None,
    reason: CorrectionReason,
    decision: str,
    maker: str,
    photo: bytes | None = None,
) -> BatchView:
    """Submit a correction of a certificate as a batch of one; approve it like any other.

    Args:
        house: of the installation.
        serial: of the certificate, its newest version is corrected.
        changes: new text by field, named by key or heading; an empty one removes the value. The rest stays.
        issuer: needed only where several use the serial.
        reason: from the closed list.
        decision: number of the decision document.
        maker: id of the person who submits it.
        photo: a JPEG in place of the present one.

    Raises:
        UnknownSerial, SeveralIssuers: as for any change.
        UnknownField: the template has no such field.
        RecordRefused: intake refuses the row as it would be.
        and what ``issuer.predecessor.succeed`` and ``issuer.batch.submit`` raise.
    """
    found = _found(house, serial, issuer)
    return _submit_changed(house, found, changes, SuccessionKind.CORRECTION, reason.value, decision, maker, photo)


def replace_credential(  # noqa: PLR0913 - each is a fact that the history keeps
    house: House,
    serial: str,
    changes: Mapping[str, str],
    *,
    issuer: str | None,
    reason: ReplacementReason,
    decision: str,
    maker: str,
    photo: bytes | None = None,
) -> BatchView:
    """Submit what replaces a certificate under a new serial, as a batch of one; raises as :func:`correct`."""
    found = _found(house, serial, issuer)
    return _submit_changed(house, found, changes, SuccessionKind.REPLACEMENT, reason.value, decision, maker, photo)


def replace_by_sheet(  # noqa: PLR0913 - each is a fact that the history keeps
    house: House,
    serial: str,
    sheet: Path,
    *,
    photos: Path | None,
    issuer: str | None,
    reason: ReplacementReason,
    decision: str,
    maker: str,
) -> BatchView:
    """Submit the one row of a sheet as what replaces a certificate.

    Raises:
        RecordRefused: the sheet has not exactly one row that may be issued.
        and as :func:`correct`.
    """
    found = _found(house, serial, issuer)
    line, press = _line(house, found)
    record, problems = _read(house, sheet, line.office.schema, press, photos=photos, photo=None)
    return _submit(house, line, found, record, problems, SuccessionKind.REPLACEMENT, reason.value, decision, maker)


def successions(house: House, batch_id: int) -> list[SuccessionView]:
    """What the successors of a batch change; personal, for the person who approves it.

    Raises:
        UnknownBatch: there is none with this number.
        RecordErased: a key was destroyed.
    """
    with house.database.reading() as session:
        get_batch(session, batch_id)
        found = read_successions(session, batch_id)
        rows = {row.row_number: row for row in read_rows(session, house.vault, batch_id)} if found else {}
        before = {number: find_by_id(session, one.predecessor_id) for number, one in found.items()}
    return [
        SuccessionView(
            row=number,
            kind=one.kind.value,
            reason=one.reason,
            serial=before[number].serial,
            version=before[number].version,
            changed=_differences(_row_of(house, before[number]), rows[number]),
        )
        for number, one in sorted(found.items())
    ]


def _submit_changed(  # noqa: PLR0913, PLR0917 - shared by the two ways above
    house: House,
    found: FoundCredential,
    changes: Mapping[str, str],
    kind: SuccessionKind,
    reason: str,
    decision: str,
    maker: str,
    photo: bytes | None,
) -> BatchView:
    line, press = _line(house, found)
    schema = line.office.schema
    stored = _row_of(house, found)
    values = _values(schema, stored.record) | by_key(schema, changes)
    with tempfile.TemporaryDirectory() as folder:
        sheet = write_sheet(Path(folder), schema, values)
        if photo is None:
            kept = _photo_of(house, stored)
            record, problems = _read(
                house, sheet, replace(schema, photo=PhotoNeed.NONE), press, photos=None, photo=kept
            )
        else:
            archive = Path(folder) / "photo.zip"
            number = values.get(_key(schema, FieldKind.ID_NUMBER), "").strip().upper()
            with zipfile.ZipFile(archive, "x") as opened:
                opened.writestr(f"{number if number.isalnum() else 'photo'}.jpg", photo)
            record, problems = _read(house, sheet, schema, press, photos=archive, photo=None)
    return _submit(house, line, found, record, problems, kind, reason, decision, maker)


def _submit(  # noqa: PLR0913, PLR0917 - shared by the ways above
    house: House,
    line: IssuingLine,
    found: FoundCredential,
    record: Record,
    problems: tuple[Problem, ...],
    kind: SuccessionKind,
    reason: str,
    decision: str,
    maker: str,
) -> BatchView:
    digest = None if record.photo is None else hashlib.sha256(record.photo).digest()
    succession = succeed(line.office, found, record, kind=kind, reason=reason, decision=decision, photo_digest=digest)
    house.keep_template(line)
    submission = batches.submit(
        line.office, [record], problems, maker=maker, now=house.now(), successions={record.row: succession}
    )
    return view(house, submission.batch.id, is_new=submission.is_new)


def _found(house: House, serial: str, issuer: str | None) -> FoundCredential:
    owner = issuer or issuer_of(house, serial)
    with house.database.reading() as session:
        found = get_credential(session, serial, owner)
        require_valid(session, found)
    return found


def _line(house: House, found: FoundCredential) -> tuple[IssuingLine, Press]:
    """The line of today's version of the template that a credential was made with, and its press."""
    with house.database.reading() as session:
        name = get_batch(session, found.batch_id).binding["template"]
    line = house.line(found.issuer_id, name)
    return line, house.press(line.office.issuer, house.templates.current(name))


def _row_of(house: House, found: FoundCredential) -> StoredRow:
    with house.database.reading() as session:
        rows = read_chunk_rows(session, house.vault, found.batch_id, chunk_of(session, found))
    return next(row for row in rows if row.row_number == found.row_number)


def _photo_of(house: House, stored: StoredRow) -> bytes | None:
    if stored.photo is None:
        return None
    place = stored.photo
    sealed = house.blobs.read(place.pack_name, place.offset, place.length)
    return stored.key.open_bytes(sealed, item_place("photo", place.pack_name, stored.row_number))


def _read(  # noqa: PLR0913 - a row and all that it is judged by
    house: House, sheet: Path, schema: RecordSchema, press: Press, *, photos: Path | None, photo: bytes | None
) -> tuple[Record, tuple[Problem, ...]]:
    """Read the one row of a sheet by the rules of intake, and lay it out dry with the photo it will have."""
    result = house.reader.read(sheet, schema, photos=photos, today=house.today())
    if len(result.records) != 1 or result.row_count != 1:
        raise RecordRefused(result.problems)
    record = replace(result.records[0], photo=photo or result.records[0].photo)
    layout = [
        Problem(
            result.sheet,
            record.row,
            *result.headings.get(one.key, ("", "")),
            RowOutcome.ERROR,
            one.code,
            one.zh,
            one.en,
        )
        for one in press.check(record)
    ]
    if layout:
        raise RecordRefused(layout)
    return record, result.problems


def _key(schema: RecordSchema, kind: FieldKind) -> str:
    return next((one.key for one in schema.fields if one.kind is kind), "")


def _values(schema: RecordSchema, record: Record) -> dict[str, str]:
    """A record as the cells it came from, by field."""
    holder = record.holder
    id_type = "" if holder.id_type is DocumentType.RESIDENT_ID else holder.id_type.value
    of_holder = {
        _key(schema, FieldKind.NAME): holder.name,
        _key(schema, FieldKind.SEX): holder.sex,
        _key(schema, FieldKind.ID_NUMBER): holder.id_number,
        _key(schema, FieldKind.ID_TYPE): id_type,
    }
    values = {key: value for key, value in of_holder.items() if key and value} | dict(record.fields)
    shape = next((one for one in schema.shapes if one.name == record.shape), None)
    marks = () if shape is None else shape.marks
    return dict.fromkeys(marks, "") | values


def _differences(before: StoredRow, after: StoredRow) -> dict[str, tuple[str, str]]:
    old, new = _said(before), _said(after)
    keys = sorted(old.keys() | new.keys())
    return {key: (old.get(key, ""), new.get(key, "")) for key in keys if old.get(key, "") != new.get(key, "")}


def _said(row: StoredRow) -> dict[str, str]:
    holder = row.record.holder
    own = {"name": holder.name, "id_type": holder.id_type.value, "id_number": holder.id_number, "sex": holder.sex}
    return own | dict(row.record.fields) | {"photo": (row.photo_digest or b"").hex()}
