"""One record from the API as the sheet that intake knows: the same rules for one as for many."""

import base64
import binascii
import csv
import re
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from credential.errors import InputError
from credential.problem import Problem, RowOutcome
from credential.schema import FieldKind, RecordSchema
from intake.headings import Headings

_NUMBER = re.compile(r"[0-9A-Za-z()]{1,40}", re.ASCII)


class UnknownField(InputError):
    """The template has no field of this key."""

    code = "unknown-field"

    def __init__(self, key: str, known: Sequence[tuple[str, str]]) -> None:
        english = ", ".join(name for name, _ in known)
        chinese = "、".join(f"{heading}({name})" for name, heading in known)
        super().__init__(
            f"the template has no field {key!r}; its fields are {english}",
            f"模板没有字段“{key}”; 可用字段: {chinese}",
        )
        self.key = key


class FieldTwice(InputError):
    """Two of the names that were given mean the same field."""

    code = "field-twice"

    def __init__(self, heading: str, names: Sequence[str]) -> None:
        listed = ", ".join(names)
        super().__init__(
            f"{listed} all mean {heading}; name it once",
            f"{listed} 都表示“{heading}”, 请只写一次",
        )
        self.heading = heading


class PhotoNotBase64(InputError):
    """The photo is not base64."""

    code = "photo-not-base64"

    def __init__(self) -> None:
        super().__init__(
            "the photo is not base64; encode the JPEG as it is", "照片不是有效的 base64; 请对 JPEG 原文件编码"
        )


class RecordRefused(InputError):
    """The record has errors, or is passed over by a rule; each is listed."""

    code = "record-refused"

    def __init__(self, found: Sequence[Problem]) -> None:
        stopping = [one for one in found if one.outcome is not RowOutcome.WARNING]
        super().__init__(
            f"the record cannot be issued; correct what is listed ({len(stopping)})",
            f"该记录不能出证, 请按清单改正({len(stopping)} 项)",
        )
        self.found = tuple(found)
        self.members: Mapping[str, object] = {"problems": [asdict(one) for one in found]}


def by_key(schema: RecordSchema, given: Mapping[str, str]) -> dict[str, str]:
    """Values by field key, where people may have named a field as its column is headed.

    Args:
        schema: of the template.
        given: value by key, printed heading or other spelling of it.

    Raises:
        UnknownField: the template has no field of this name.
        FieldTwice: two names mean the same field.
    """
    headings = _headings(schema)
    known = Headings(schema)
    names: dict[str, str] = {}
    for name in given:
        key = name if name in headings else known.key_of(name)
        if key not in headings:
            raise UnknownField(name, tuple(headings.items()))
        if key in names:
            raise FieldTwice(headings[key], [names[key], name])
        names[key] = name
    return {key: given[name] for key, name in names.items()}


def write_sheet(folder: Path, schema: RecordSchema, record: Mapping[str, str]) -> Path:
    """Write a record as a sheet of one row, with the headings that the template prints.

    Raises:
        UnknownField: the template has no field of this key.
    """
    headings = _headings(schema)
    for key in record:
        if key not in headings:
            raise UnknownField(key, tuple(headings.items()))
    file = folder / "record.csv"
    with file.open("x", encoding="utf-8", newline="") as opened:
        writer = csv.writer(opened)
        writer.writerow([headings[key] for key in record])
        writer.writerow(record.values())
    return file


def _headings(schema: RecordSchema) -> dict[str, str]:
    return {one.key: one.heading for one in schema.fields if one.kind is not FieldKind.SEQUENCE}


def write_photo(folder: Path, schema: RecordSchema, record: Mapping[str, str], photo: str) -> Path | None:
    """Write a portrait as the archive that goes with the sheet; None when there is none.

    Raises:
        PhotoNotBase64: it is not base64.
    """
    content = read_photo(photo)
    if content is None:
        return None
    key = next((one.key for one in schema.fields if one.kind is FieldKind.ID_NUMBER), "")
    number = record.get(key, "").strip().upper()
    file = folder / "photo.zip"
    with zipfile.ZipFile(file, "x") as archive:
        # Intake refuses the record for such a number anyway; it must not name a file.
        archive.writestr(f"{number if _NUMBER.fullmatch(number) else 'photo'}.jpg", content)
    return file


def read_photo(photo: str) -> bytes | None:
    """Read a portrait that was sent as text; None for an empty one.

    Raises:
        PhotoNotBase64: it is not base64.
    """
    if not photo.strip():
        return None
    try:
        return base64.b64decode("".join(photo.split()), validate=True)
    except binascii.Error as error:
        raise PhotoNotBase64 from error
