"""From a file to checked records: the whole story of intake, in numbered steps.

1. Tell by the bytes what the file is; refuse what is neither a plain workbook nor text.
2. Find the sheet with a header row; map its columns; tell its shape.
3. Sort data rows from titles, totals and blanks.
4. Read every column; check each row by itself.
5. Apply the shape's rules and look for duplicates over the file.
6. Find, judge and clean each person's photo.
7. Make a record of every row without an error that is not passed over.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from credential.model import DocumentType, Holder, Record
from credential.problem import Problem, RowOutcome
from credential.schema import FieldKind, PhotoNeed, RecordSchema, Shape
from intake.delimited import MAX_TEXT_FILE_BYTES, decode, read_delimited
from intake.errors import (
    BadEncoding,
    EmptyFile,
    FileTooLarge,
    NoRows,
    NotAWorkbook,
    SeveralSheets,
    UnknownSheet,
    UnreadableFile,
    WebPage,
    WrongExtension,
)
from intake.findings import Finding, error, warning
from intake.headings import Header, Headings
from intake.lines import heading_notes, sort_lines
from intake.photo_archive import PhotoArchive
from intake.photos import PhotoRule
from intake.rows import CheckedRows, check_rows, key_of
from intake.rules import apply_rules
from intake.survey import column_letter
from intake.workbook import OLE2_START, ZIP_START, Table, Workbook, refuse_ole2

# A workbook of 200,000 rows is about 15 MB; pictures pasted into it are not read.
MAX_WORKBOOK_FILE_BYTES = 200_000_000
_WORKBOOK_NAMES = frozenset({".xlsx", ".xlsm"})
_TEXT_NAMES = frozenset({".csv", ".txt", ".tsv"})
# HTML, MHTML and XML of 2003, in UTF-8, GBK or (its zeros taken out) UTF-16; no heading begins so.
_MARKUP = re.compile(rb"(?:\xef\xbb\xbf|\xff\xfe|\xfe\xff)?\s*(?:<[!?a-z]|mime-version:)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class IntakeResult:
    """What a file gave.

    Attributes:
        records: in the order of the rows.
        problems: by row; file-wide ones (row 0) last.
        shape: name of the schema's shape.
        sheet: name of the sheet; empty for a text file.
        row_count: data rows, refused ones and passed-over ones included.
        headings: by field key: letter of the column and heading as printed.
        header_row: number of the header row.
        encoding: of a text file; empty for a workbook.
        delimiter: of a text file; empty for a workbook.
    """

    records: tuple[Record, ...]
    problems: tuple[Problem, ...]
    shape: str
    sheet: str
    row_count: int
    headings: Mapping[str, tuple[str, str]]
    header_row: int
    encoding: str = ""
    delimiter: str = ""


@dataclass(frozen=True, slots=True)
class _Source:
    table: Table
    encoding: str = ""
    delimiter: str = ""


def read_records(  # noqa: PLR0913 - the contract of the package; all but three are optional
    file: Path,
    schema: RecordSchema,
    *,
    photos: Path | None,
    today: date,
    sheet: str | None = None,
    photo_rule: PhotoRule | None = None,
    keep_photos: bool = True,
) -> IntakeResult:
    """Read and check a workbook or text file, with its photos.

    Args:
        file: ``.xlsx`` or ``.csv``; not trusted.
        schema: what a row must say.
        photos: a zip of portraits, or None.
        today: in Beijing time.
        sheet: name of the sheet; needed only when several have a header row.
        photo_rule: None for the notices' own.
        keep_photos: False leaves ``Record.photo`` empty after judging, so that a
            large batch needs no memory for it; fetch each by
            :meth:`intake.photo_archive.PhotoArchive.photo` when it is issued.

    Raises:
        InputError: the file or the archive as a whole is refused; one of ``intake.errors``.
        BadSchema: the schema names an unknown rule.
    """
    headings = Headings(schema)
    source = _open(file, headings, sheet)
    table = source.table
    header = headings.read(file.name, table)
    shape = headings.choose_shape(file.name, header)
    lines = sort_lines(table, header, schema)
    if not lines.numbers:
        raise NoRows(file.name)
    rows = check_rows(table, lines, header, shape, schema, today=today)
    apply_rules(rows, schema, shape)
    found_photos, unused = _read_photos(rows, schema, photos, photo_rule, keep=keep_photos)
    return IntakeResult(
        records=_make_records(rows, schema, shape, found_photos),
        problems=_make_problems(table, header, rows, [*heading_notes(table, header), *lines.notes], unused),
        shape=shape.name,
        sheet=table.sheet,
        row_count=len(lines.numbers),
        headings={key: (column_letter(at), header.printed[at]) for key, at in header.columns.items()},
        header_row=header.row,
        encoding=source.encoding,
        delimiter=source.delimiter,
    )


def _open(file: Path, headings: Headings, sheet: str | None) -> _Source:
    """Tell by its first bytes what the file is, and read the table in it."""
    try:
        size = file.stat().st_size
        with file.open("rb") as opened:
            start = opened.read(8)
    except (OSError, ValueError) as fault:
        raise UnreadableFile(file.name, str(fault)) from fault
    if not size:
        raise EmptyFile(file.name)
    limit = MAX_WORKBOOK_FILE_BYTES if start.startswith((ZIP_START, OLE2_START)) else MAX_TEXT_FILE_BYTES
    if size > limit:
        raise FileTooLarge(file.name, f"it has {size:,} bytes, more than {limit:,}", f"{size:,} 字节, 超过 {limit:,}")
    if start == OLE2_START:
        refuse_ole2(file, file.read_bytes())
    if start.startswith(ZIP_START):
        workbook = Workbook(file)
        if file.suffix.lower() in {*_TEXT_NAMES, ".xls"}:
            raise WrongExtension(file.name, ".xlsx")
        return _Source(_choose_table(file.name, workbook, headings, sheet))
    return _open_text(file, headings, sheet)


def _open_text(file: Path, headings: Headings, sheet: str | None) -> _Source:
    content = file.read_bytes()
    no_text = NotAWorkbook(file.name, "it is neither a workbook nor text", "既不是工作簿也不是文本")
    if _MARKUP.match(content[:4096].replace(b"\x00", b"")):
        raise WebPage(file.name)
    if b"\x00" in content[:4096] and not content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise no_text
    if file.suffix.lower() in {*_WORKBOOK_NAMES, ".xls"}:
        try:
            decode(file.name, content)
        except BadEncoding as fault:
            raise no_text from fault
        raise WrongExtension(file.name, ".csv")
    if sheet:
        raise UnknownSheet(file.name, sheet, ())
    text = read_delimited(file.name, content, headings.score)
    return _Source(text.table, text.encoding, text.delimiter)


def _choose_table(file: str, workbook: Workbook, headings: Headings, sheet: str | None) -> Table:
    """Take the sheet asked for, else the only visible one with a header row."""
    if sheet is not None:
        return workbook.table(sheet)
    found: list[Table] = []
    empty = Table("", [])
    for name in workbook.visible_names:
        table = workbook.table(name)
        if headings.find_row(table.rows) is not None:
            found.append(table)
    if len(found) > 1:
        raise SeveralSheets(file, [table.sheet for table in found])
    return found[0] if found else empty


def _read_photos(
    rows: CheckedRows, schema: RecordSchema, file: Path | None, rule: PhotoRule | None, *, keep: bool
) -> tuple[dict[str, bytes], list[Finding]]:
    """Judge each person's photo once: cleaned bytes by ID number, and warnings about unused files."""
    if schema.photo is PhotoNeed.NONE:
        return {}, []
    people = rows.values.get(key_of(schema, FieldKind.ID_NUMBER), [])
    wanted = [at for at, person in enumerate(people) if person and not _has(rows, at, RowOutcome.SKIPPED)]
    if file is None:
        if schema.photo is PhotoNeed.OPTIONAL:
            return {}, [_NO_PHOTOS]
        for position in wanted:
            rows.add(position, "", _NO_ARCHIVE)
        return {}, []
    kept: dict[str, bytes] = {}
    findings: dict[str, tuple[Finding, ...]] = {}
    with PhotoArchive(file, rule) as archive:
        named = {person for person in people if archive.has(person)}
        for position in wanted:
            person = people[position]
            if person not in named and schema.photo is PhotoNeed.OPTIONAL:
                rows.add(position, "", _NO_PHOTO)
                continue
            if person not in findings:
                photo = archive.photo(person)
                findings[person] = photo.findings
                if keep and photo.content is not None:
                    kept[person] = photo.content
            rows.add(position, "", *findings[person])
        return kept, list(archive.unused())


def _has(rows: CheckedRows, position: int, outcome: RowOutcome) -> bool:
    return any(finding.outcome is outcome for _, finding in rows.findings.get(position, ()))


def _make_records(
    rows: CheckedRows, schema: RecordSchema, shape: Shape, photos: Mapping[str, bytes]
) -> tuple[Record, ...]:
    """Make a record of every row that is neither refused nor passed over."""
    left_out = {
        at for at, found in rows.findings.items() if any(one.outcome is not RowOutcome.WARNING for _, one in found)
    }
    of_holder = {FieldKind.NAME, FieldKind.SEX, FieldKind.ID_NUMBER, FieldKind.ID_TYPE, FieldKind.SEQUENCE}
    keys = [one.key for one in schema.fields if one.kind not in of_holder]
    blank = [""] * len(rows.numbers)
    names, numbers, types = (
        rows.values.get(key_of(schema, kind), blank)
        for kind in (FieldKind.NAME, FieldKind.ID_NUMBER, FieldKind.ID_TYPE)
    )
    records = []
    for at, values in enumerate(zip(*(rows.values[key] for key in keys), strict=True)):
        if at in left_out:
            continue
        records.append(
            Record(
                row=rows.numbers[at],
                holder=Holder(names[at], _TYPES[types[at]], numbers[at], rows.sexes[at]),
                fields={key: value for key, value in zip(keys, values, strict=True) if value},
                photo=photos.get(numbers[at]),
                shape=shape.name,
            )
        )
    return tuple(records)


def _make_problems(
    table: Table,
    header: Header,
    rows: CheckedRows,
    notes: Iterable[tuple[int, int | None, Finding]],
    unused: Iterable[Finding],
) -> tuple[Problem, ...]:
    """Give every finding its place: sheet, row, column, printed heading."""
    places = {key: (column_letter(at), header.printed[at]) for key, at in header.columns.items()}
    nowhere = ("", "")
    problems = []
    for number, column, finding in notes:
        place = nowhere if column is None else (column_letter(column), header.printed.get(column, ""))
        problems.append(_problem(table.sheet, number, place, finding))
    for at, found in rows.findings.items():
        number = rows.numbers[at]
        for key, finding in found:
            problems.append(_problem(table.sheet, number, places.get(key, nowhere), finding))
    problems.sort(key=lambda one: (one.row, len(one.column), one.column))
    problems.extend(_problem("", 0, nowhere, finding) for finding in unused)
    return tuple(problems)


def _problem(sheet: str, row: int, place: tuple[str, str], finding: Finding) -> Problem:
    outcome, code, zh, en = finding
    return Problem(sheet, row, place[0], place[1], outcome, code, zh, en)


_TYPES: Mapping[str, DocumentType] = {"": DocumentType.RESIDENT_ID, **{one.value: one for one in DocumentType}}
_NO_PHOTOS = warning(
    "no-photos",
    "没有提供照片压缩包, 所有证书将按无照片版式制作; 如需照片, 请一并提交压缩包",
    "no archive of photos was given, so every certificate gets the layout without one; send one along if photos "
    "are wanted",
)
_NO_PHOTO = warning(
    "no-photo",
    "压缩包中没有此人的照片, 该证书将按无照片版式制作; 如需照片, 请补充后重新检查",
    "the archive has no photo of this person, so the certificate gets the layout without one; add the photo and "
    "check again if it is wanted",
)
_NO_ARCHIVE = error(
    "photo-missing",
    "本类证书需要照片, 但没有提供照片压缩包, 请一并提交",
    "this kind of certificate needs a photo, but no archive of photos was given; send one along",
)
