import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from credential.errors import InputError
from credential.schema import RecordSchema
from intake import package, read_records, survey
from intake.errors import (
    EmptyFile,
    EncryptedWorkbook,
    FileTooLarge,
    MacroWorkbook,
    NotAWorkbook,
    OldWorkbook,
    TooManyRows,
    UnsafeWorkbook,
    WrongExtension,
)
from intake.workbook import OLE2_START, Workbook
from tests.intake.samples import TODAY, refusal_of, review_row, rezip, sheet_of

SHEET = "xl/worksheets/sheet1.xml"
Make = Callable[..., Path]


@pytest.fixture
def good(make_xlsx: Make) -> Path:
    return make_xlsx({"表": sheet_of([review_row(1), review_row(3)])})


def part(file: Path, name: str = SHEET) -> bytes:
    with zipfile.ZipFile(file) as archive:
        return archive.read(name)


def read(file: Path, schema: RecordSchema) -> int:
    return len(read_records(file, schema, photos=None, today=TODAY).records)


def test_a_plain_workbook_is_read(good: Path, schema: RecordSchema) -> None:
    assert read(good, schema) == 2


def test_an_empty_file_is_refused(tmp_path: Path, schema: RecordSchema) -> None:
    file = tmp_path / "空.xlsx"
    file.write_bytes(b"")
    with pytest.raises(EmptyFile, match=r"空\.xlsx"):
        read(file, schema)


@pytest.mark.parametrize("name", ["old.xls", "old.xlsx", "old.csv"])
def test_an_old_workbook_is_refused_whatever_its_name(tmp_path: Path, schema: RecordSchema, name: str) -> None:
    file = tmp_path / name
    file.write_bytes(OLE2_START + bytes(600) + "Workbook".encode("utf-16-le") + bytes(600))
    with pytest.raises(OldWorkbook) as refusal:
        read(file, schema)
    assert ".xlsx" in refusal.value.zh


def test_an_encrypted_workbook_is_refused(tmp_path: Path, schema: RecordSchema) -> None:
    file = tmp_path / "secret.xlsx"
    file.write_bytes(OLE2_START + bytes(1200) + "EncryptedPackage".encode("utf-16-le") + bytes(90))
    with pytest.raises(EncryptedWorkbook):
        read(file, schema)


def test_an_encrypted_zip_entry_is_refused(good: Path, schema: RecordSchema) -> None:
    content = bytearray(good.read_bytes())
    with zipfile.ZipFile(good) as archive:
        directory = archive.start_dir
    content[directory + 8] |= 1
    good.write_bytes(bytes(content))
    with pytest.raises(EncryptedWorkbook):
        read(good, schema)


@pytest.mark.parametrize("name", ["xl/vbaProject.bin", "xl/macros/VBAPROJECT.BIN"])
def test_a_workbook_with_a_macro_project_is_refused(good: Path, schema: RecordSchema, name: str) -> None:
    with pytest.raises(MacroWorkbook):
        read(rezip(good, {name: b"\x00"}), schema)


def test_a_macro_content_type_is_refused(good: Path, schema: RecordSchema) -> None:
    types = part(good, "[Content_Types].xml").replace(b"spreadsheetml.sheet.main", b"ms-excel.sheet.macroEnabled.main")
    with pytest.raises(MacroWorkbook):
        read(rezip(good, {"[Content_Types].xml": types}), schema)


@pytest.mark.parametrize(
    ("name", "found"),
    [("xl/workbook.bin", "xlsb"), ("word/document.xml", "Word"), ("mimetype", "OpenDocument"), ("a.txt", "zip")],
)
def test_another_kind_of_zip_is_refused_by_what_it_is(
    tmp_path: Path, schema: RecordSchema, name: str, found: str
) -> None:
    file = tmp_path / "file.xlsx"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(name, b"x")
    with pytest.raises(NotAWorkbook, match=found):
        read(file, schema)


def test_content_and_name_must_agree(good: Path, make_csv: Make, tmp_path: Path, schema: RecordSchema) -> None:
    renamed = tmp_path / "book.csv"
    renamed.write_bytes(good.read_bytes())
    with pytest.raises(WrongExtension, match=r"rename it to \.xlsx"):
        read(renamed, schema)
    with pytest.raises(WrongExtension, match=r"rename it to \.csv"):
        read(make_csv([review_row(1)], name="text.xlsx"), schema)


@pytest.mark.parametrize(
    "content", [b"\x89PNG\r\n\x1a\n" + bytes(100), b"\xff" * 100, b"%PDF-1.7\n\xe2\xe3\xcf\xd3\xff\xff"]
)
def test_bytes_that_are_nothing_we_know_are_refused(tmp_path: Path, schema: RecordSchema, content: bytes) -> None:
    file = tmp_path / "picture.xlsx"
    file.write_bytes(content)
    with pytest.raises(NotAWorkbook):
        read(file, schema)


@pytest.mark.parametrize("length", [30, 1000, 4000])
def test_a_truncated_workbook_is_refused(good: Path, schema: RecordSchema, length: int) -> None:
    good.write_bytes(good.read_bytes()[:length])
    with pytest.raises(NotAWorkbook):
        read(good, schema)


DTD = b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>'
LAUGHS = b'<!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]>'


@pytest.mark.parametrize("name", [SHEET, "xl/workbook.xml", "xl/sharedStrings.xml", "_rels/.rels", "xl/styles.xml"])
@pytest.mark.parametrize("declaration", [DTD, LAUGHS])
def test_a_dtd_in_any_part_is_refused(good: Path, schema: RecordSchema, name: str, declaration: bytes) -> None:
    content = part(good, name).replace(b"?>", b"?>" + declaration, 1)
    assert declaration in content
    with pytest.raises(UnsafeWorkbook, match="DTD"):
        read(rezip(good, {name: content}), schema)


def test_a_dtd_cannot_hide_in_another_encoding(good: Path, schema: RecordSchema) -> None:
    text = part(good).decode().replace("?>", "?>" + DTD.decode(), 1)
    for content in (text.encode("utf-16"), text.replace("UTF-8", "UTF-16").encode("utf-16-be"), text.encode("utf-32")):
        with pytest.raises(UnsafeWorkbook, match="UTF-8"):
            read(rezip(good, {SHEET: content}), schema)
    named = text.replace('encoding="UTF-8"', "encoding='utf-7'").replace("<!DOCTYPE", "+ADwAIQ-DOCTYPE")
    with pytest.raises(UnsafeWorkbook, match="UTF-8"):
        read(rezip(good, {SHEET: named.encode()}), schema)


def test_an_external_link_does_no_harm(good: Path, schema: RecordSchema) -> None:
    link = b'<?xml version="1.0"?><externalLink xmlns="x"><externalBook/></externalLink>'
    rels = (
        b'<Relationships><Relationship Id="r" Target="http://example.invalid/" TargetMode="External"/></Relationships>'
    )
    changes = {"xl/externalLinks/externalLink1.xml": link, "xl/externalLinks/_rels/externalLink1.xml.rels": rels}
    assert read(rezip(good, changes), schema) == 2


def test_a_zip_bomb_is_refused_before_it_is_unpacked(good: Path, schema: RecordSchema) -> None:
    with pytest.raises(UnsafeWorkbook, match="zip bomb"):
        read(rezip(good, {"xl/bomb.xml": b"<a>" + b" " * (package.RATIO_FROM_BYTES + 1_000_000)}), schema)


def test_too_much_xml_is_refused(good: Path, schema: RecordSchema, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(package, "MAX_XML_BYTES", 5_000)
    with pytest.raises(FileTooLarge):
        read(good, schema)


def test_too_many_parts_are_refused(good: Path, schema: RecordSchema) -> None:
    with pytest.raises(UnsafeWorkbook, match="parts"):
        read(rezip(good, {f"x/{number}.bin": b"" for number in range(package.MAX_ENTRIES)}), schema)


def test_two_parts_of_one_name_are_refused(good: Path, schema: RecordSchema) -> None:
    with zipfile.ZipFile(good, "a") as archive:
        archive.writestr(SHEET.upper(), part(good))
    with pytest.raises(UnsafeWorkbook, match="same name"):
        read(good, schema)


def test_a_part_that_lies_about_its_size_is_refused(good: Path, schema: RecordSchema) -> None:
    content = bytearray(good.read_bytes())
    with zipfile.ZipFile(good) as archive:
        directory = archive.start_dir
        sizes = {entry.filename: entry.file_size for entry in archive.infolist()}
    name = content.index(SHEET.encode(), directory)
    content[name - 46 + 24 : name - 46 + 28] = (sizes[SHEET] // 2).to_bytes(4, "little")
    good.write_bytes(bytes(content))
    with pytest.raises(NotAWorkbook):
        read(good, schema)


@pytest.mark.parametrize("cell", [b'<c r="A1000000">', b'<c r="B200001">'])
def test_more_rows_than_the_limit_are_refused(good: Path, schema: RecordSchema, cell: bytes) -> None:
    with pytest.raises(TooManyRows):
        read(rezip(good, {SHEET: with_cell(good, cell + b"<v>1</v></c>")}), schema)


@pytest.mark.parametrize(
    "cell",
    [
        b'<c r="XFD5"><v>1</v></c>',
        b'<c r="IZ199999"><v>1</v></c>',
        b"<c r='ZZ9'><v>1</v></c>",
        b'<c s="1" r="ZZ9"><v>1</v></c>',
        b'<x:c r="ZZ9"><x:v>1</x:v></x:c>',
        b'<c\nr="ZZ9"><v>1</v></c>',
    ],
)
def test_a_stray_cell_far_away_is_refused_before_memory_is_taken(good: Path, schema: RecordSchema, cell: bytes) -> None:
    content = with_cell(good, cell).replace(b"<worksheet ", b'<worksheet xmlns:x="x" ')
    with pytest.raises(FileTooLarge, match="reach"):
        read(rezip(good, {SHEET: content}), schema)


def with_cell(file: Path, cell: bytes) -> bytes:
    return part(file).replace(b"</sheetData>", b'<row r="4">' + cell + b"</row></sheetData>")


def test_one_long_text_in_very_many_cells_is_refused(
    good: Path, schema: RecordSchema, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(survey, "MAX_TEXT_BYTES", 100_000)
    strings = part(good, "xl/sharedStrings.xml").replace(b"<t>", b"<t>" + b"x" * 9_000, 1)
    file = rezip(good, {"xl/sharedStrings.xml": strings})
    cells = b"".join(b'<c r="%c4" t="s"><v>0</v></c>' % letter for letter in b"ABCDEFGHIJKL")
    with pytest.raises(FileTooLarge, match="long text"):
        read(rezip(file, {SHEET: with_cell(file, cells)}), schema)


def test_sheets_are_mapped_to_their_own_parts(make_xlsx: Make) -> None:
    file = make_xlsx({"一": [["=1+1"]], "二": [["x"]]})
    second = part(file, "xl/worksheets/sheet2.xml").replace(b'<row r="1"', b'<row r="1" hidden="1"')
    book = Workbook(rezip(file, {"xl/worksheets/sheet2.xml": second}))
    assert (book.table("一").survey.hidden, book.table("二").survey.hidden) == (frozenset(), frozenset({1}))


def test_a_hidden_sheet_is_not_read_unless_named(good: Path, schema: RecordSchema) -> None:
    index = part(good, "xl/workbook.xml").replace(b"<sheet ", b'<sheet state="hidden" ')
    file = rezip(good, {"xl/workbook.xml": index})
    with pytest.raises(InputError, match="header row"):
        read(file, schema)
    assert len(read_records(file, schema, photos=None, today=TODAY, sheet="表").records) == 2


@settings(max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_change_inside_the_xml_gives_records_or_an_input_error(
    make_xlsx: Make, schema: RecordSchema, data: st.DataObject
) -> None:
    file = make_xlsx({"表": sheet_of([review_row(1)])})
    name = data.draw(st.sampled_from([SHEET, "xl/workbook.xml", "xl/sharedStrings.xml", "xl/styles.xml"]))
    content = bytearray(part(file, name))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        patch = data.draw(st.binary(max_size=4) | st.sampled_from([b"<", b">", b'"', b"</c>", b"-1", b"99999999999"]))
        content[at : at + data.draw(st.integers(0, 4))] = patch
    rezip(file, {name: bytes(content)})
    refusal = refusal_of(lambda: read(file, schema))
    assert refusal is None or refusal.zh
