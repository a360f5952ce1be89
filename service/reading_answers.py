"""What the process that reads uploads answers, in frames: strict JSON, and photos and copies as they are.

That process has read hostile files, and one of them may have taken it over. So
nothing it says is unpickled: every frame has a limit, every value is checked
against the type that it must have, and what does not fit ends the answer. What
is left to such a process is to lie about the upload it was given, which only
its sender sees, and the second person who approves the batch.

::

    length (4 bytes), head: {"kind": "read" | "annotated" | "refused" | "fault" | "memory", ...}
    read:       photos, then records as [number of the photo or -1, record], then problems
    annotated:  the workbook
"""

import json
import struct
from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated, Any, BinaryIO, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from credential.errors import Error
from credential.model import Record
from credential.problem import Problem
from credential.schema import RecordSchema
from intake.annotated import AnnotatedCopy, CopyKind, Note
from intake.records import IntakeResult
from intake.survey import MAX_ROWS

MAX_TEXT_FRAME_BYTES = 1_000_000
"""A record or problem is some hundred bytes; a cell of Excel has at most 32,767 characters."""

MAX_TEXT_BYTES = 512_000_000
"""Of one answer: 200,000 records and two problems a row are 250 MB."""

MAX_COPY_BYTES = 256_000_000
"""Of an annotated copy; a list of problems over 200,000 rows is about 40 MB."""

_T = TypeVar("_T")
_LENGTH = struct.Struct(">I")
_NO_PHOTO = -1


class BadAnswer(Exception):
    """The answer is not one that the reading process gives unless something is wrong with it."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class _ReadHead(_Strict):
    kind: Literal["read"]
    shape: str
    sheet: str
    row_count: int
    headings: dict[str, tuple[str, str]]
    header_row: int
    encoding: str
    delimiter: str
    photos: int = Field(ge=0, le=MAX_ROWS)
    records: int = Field(ge=0, le=MAX_ROWS)
    problems: int = Field(ge=0)


class _CopyHead(_Strict):
    kind: Literal["annotated"]
    copy_kind: CopyKind
    notes: list[tuple[str, str]]


class Refused(_Strict):
    """An error of intake: the file as a whole is refused."""

    kind: Literal["refused"]
    code: str = Field(max_length=64)
    en: str = Field(max_length=4000)
    zh: str = Field(max_length=4000)


class Fault(_Strict):
    """Something that nobody foresaw; names no value of the file.

    Attributes:
        place: type of the error and where it was raised.
    """

    kind: Literal["fault"]
    place: str = Field(max_length=200, pattern=r"^[A-Za-z0-9_.:< ]*$")


class OutOfMemory(_Strict):
    """The file needs more memory than it may have."""

    kind: Literal["memory"]


Failure = Refused | Fault | OutOfMemory
_READ_HEAD: TypeAdapter[_ReadHead | Failure] = TypeAdapter(Annotated[_ReadHead | Failure, Field(discriminator="kind")])
_COPY_HEAD: TypeAdapter[_CopyHead | Failure] = TypeAdapter(Annotated[_CopyHead | Failure, Field(discriminator="kind")])
_RECORD = TypeAdapter(tuple[int, Record])
_PROBLEM = TypeAdapter(Problem)


# ---- the reading process writes -----------------------------------------------------------------------------------


def result_frames(result: IntakeResult) -> Iterator[bytes]:
    """Write what reading gave; a photo that several records share is sent once."""
    numbers: dict[int, int] = {}
    photos: list[bytes] = []
    for record in result.records:
        if record.photo is not None and id(record.photo) not in numbers:
            numbers[id(record.photo)] = len(photos)
            photos.append(record.photo)
    yield _text(
        kind="read",
        shape=result.shape,
        sheet=result.sheet,
        row_count=result.row_count,
        headings=dict(result.headings),
        header_row=result.header_row,
        encoding=result.encoding,
        delimiter=result.delimiter,
        photos=len(photos),
        records=len(result.records),
        problems=len(result.problems),
    )
    for photo in photos:
        yield _frame(photo)
    for record in result.records:
        number = _NO_PHOTO if record.photo is None else numbers[id(record.photo)]
        yield _frame(_RECORD.dump_json((number, replace(record, photo=None))))
    for problem in result.problems:
        yield _frame(_PROBLEM.dump_json(problem))


def copy_frames(content: bytes, made: AnnotatedCopy) -> Iterator[bytes]:
    """Write an annotated copy."""
    yield _text(kind="annotated", copy_kind=made.kind, notes=list(made.notes))
    yield _frame(content)


def refused_frame(error: Error) -> bytes:
    """Write that intake refuses the file."""
    return _text(kind="refused", code=error.code, en=error.en[:4000], zh=error.zh[:4000])


def fault_frame(place: str) -> bytes:
    """Write that something went wrong that nobody foresaw."""
    return _text(kind="fault", place=place[:200])


def memory_frame() -> bytes:
    """Write that memory ran out."""
    return _text(kind="memory")


def _text(**values: Any) -> bytes:
    return _frame(json.dumps(values, ensure_ascii=False).encode())


def _frame(content: bytes) -> bytes:
    return _LENGTH.pack(len(content)) + content


# ---- the service reads --------------------------------------------------------------------------------------------


class Frames:
    """Takes an answer apart, within limits.

    Args:
        answer: where it comes from.
        max_photo_bytes: of all photos together.
    """

    def __init__(self, answer: BinaryIO, max_photo_bytes: int) -> None:
        self._answer = answer
        self._text_left = MAX_TEXT_BYTES
        self._photo_left = max_photo_bytes

    def result(self, schema: RecordSchema) -> IntakeResult | Failure:
        """Read what reading a file gave.

        Raises:
            BadAnswer: it is none.
        """
        head = self._checked(_READ_HEAD)
        if not isinstance(head, _ReadHead):
            return head
        photos = [self._photo() for _ in range(head.photos)]
        records = tuple(self._record(photos) for _ in range(head.records))
        _check_records(records, head, schema)
        return IntakeResult(
            records=records,
            problems=tuple(self._checked(_PROBLEM) for _ in range(head.problems)),
            shape=head.shape,
            sheet=head.sheet,
            row_count=head.row_count,
            headings=head.headings,
            header_row=head.header_row,
            encoding=head.encoding,
            delimiter=head.delimiter,
        )

    def copy(self) -> tuple[bytes, AnnotatedCopy] | Failure:
        """Read an annotated copy.

        Raises:
            BadAnswer: it is none.
        """
        head = self._checked(_COPY_HEAD)
        if not isinstance(head, _CopyHead):
            return head
        content = self._read(self._length(MAX_COPY_BYTES))
        return content, AnnotatedCopy(head.copy_kind, tuple(Note(*one) for one in head.notes))

    def _record(self, photos: list[bytes]) -> Record:
        number, record = self._checked(_RECORD)
        if record.photo is not None or not _NO_PHOTO <= number < len(photos):
            raise BadAnswer
        return record if number == _NO_PHOTO else replace(record, photo=photos[number])

    def _photo(self) -> bytes:
        length = self._length(self._photo_left)
        self._photo_left -= length
        return self._read(length)

    def _checked(self, kind: TypeAdapter[_T]) -> _T:
        length = self._length(min(MAX_TEXT_FRAME_BYTES, self._text_left))
        self._text_left -= length
        try:
            return kind.validate_json(self._read(length), strict=True)
        except ValidationError as error:
            raise BadAnswer from error

    def _read(self, length: int) -> bytes:
        content = self._answer.read(length)
        if len(content) < length:
            raise BadAnswer
        return content

    def _length(self, most: int) -> int:
        length: int = _LENGTH.unpack(self._read(_LENGTH.size))[0]
        if length > most:
            raise BadAnswer
        return length


def _check_records(records: tuple[Record, ...], head: _ReadHead, schema: RecordSchema) -> None:
    """A batch stores records by row and prints fields by key: neither may be one that no sheet gives."""
    keys = {one.key for one in schema.fields}
    before = 0
    for record in records:
        if record.row <= before or record.shape != head.shape or not record.fields.keys() <= keys:
            raise BadAnswer
        before = record.row
