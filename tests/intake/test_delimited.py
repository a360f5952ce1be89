from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credential.schema import RecordSchema
from intake import delimited, read_records
from intake.delimited import decode
from intake.errors import BadEncoding, BadTable, FileTooLarge, TooManyRows
from tests.intake.samples import TODAY, review_row

Make = Callable[..., Path]
PLAIN = {"姓名": "张伟"}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
@pytest.mark.parametrize("delimiter", [",", "\t", ";"])
def test_encoding_and_delimiter_are_found_and_stated(
    make_csv: Make, schema: RecordSchema, encoding: str, delimiter: str
) -> None:
    rows = [review_row(1, 专业名称="机械,电子;其他"), review_row(3)]
    file = make_csv(rows, encoding=encoding, delimiter=delimiter)
    result = read_records(file, schema, photos=None, today=TODAY)
    assert (result.encoding, result.delimiter, len(result.records)) == (encoding, delimiter, 2)
    assert result.records[0].fields["specialty"] == "机械,电子;其他"


def test_gb18030_brings_rare_characters_whole(make_csv: Make, schema: RecordSchema) -> None:
    file = make_csv([review_row(1, 姓名="李䶮𣲵")], encoding="gb18030")
    assert read_records(file, schema, photos=None, today=TODAY).records[0].holder.name == "李䶮𣲵"


def test_a_rare_character_that_gbk_could_not_hold_is_an_error_of_its_row(make_csv: Make, schema: RecordSchema) -> None:
    file = make_csv([review_row(1, **PLAIN), review_row(3, 姓名="李QQ")], encoding="gbk")
    file.write_bytes(file.read_bytes().replace(b"QQ", "䶮".encode("gbk", "replace")))
    result = read_records(file, schema, photos=None, today=TODAY)
    assert [(one.row, one.code) for one in result.problems if one.outcome == "error"] == [(3, "name-lost-character")]
    assert [record.row for record in result.records] == [2]


@pytest.mark.parametrize("code", [b"\xfe\x59", b"\xa6\xd9"])
def test_bytes_that_older_tables_put_in_private_use_are_refused_not_guessed(
    make_csv: Make, schema: RecordSchema, code: bytes
) -> None:
    file = make_csv([review_row(1, 姓名="李QQ")], encoding="gb18030")
    file.write_bytes(file.read_bytes().replace(b"QQ", code))
    result = read_records(file, schema, photos=None, today=TODAY)
    assert [one.code for one in result.problems if one.outcome == "error"] == ["name-lost-character"]


def test_bytes_of_neither_encoding_are_refused_with_their_line(make_csv: Make, schema: RecordSchema) -> None:
    file = make_csv([review_row(1), review_row(3, 姓名="QQ")], encoding="gb18030")
    file.write_bytes(file.read_bytes().replace(b"QQ", b"\xff\xff"))
    with pytest.raises(BadEncoding, match="line 3"):
        read_records(file, schema, photos=None, today=TODAY)


@pytest.mark.parametrize("content", [b"\xef\xbb\xbf\xff", "姓名".encode("utf-16"), b"a\x81"])
def test_bytes_are_never_replaced(content: bytes) -> None:
    with pytest.raises(BadEncoding):
        decode("x.csv", content)


@given(st.text())
def test_what_is_decoded_is_exactly_what_was_written(text: str) -> None:
    if text.startswith("\ufeff"):
        return
    utf8 = text.encode("utf-8", "surrogatepass")
    try:
        utf8.decode("utf-8")
    except UnicodeDecodeError:
        return
    if not utf8.startswith((b"\xff\xfe", b"\xfe\xff")):
        assert decode("x.csv", utf8)[0] == text
        assert decode("x.csv", b"\xef\xbb\xbf" + utf8) == (text, "utf-8-sig")


def test_rows_are_counted_as_a_spreadsheet_shows_them(make_csv: Make, schema: RecordSchema) -> None:
    rows = [{**review_row(number), "工作单位": "甲\n乙" if number == 3 else ""} for number in (1, 3, 5)]
    file = make_csv(rows)
    file.write_bytes("标题\r\n\r\n".encode() + file.read_bytes())
    result = read_records(file, schema, photos=None, today=TODAY)
    assert [record.row for record in result.records] == [4, 5, 6]


def test_a_cell_beyond_the_last_heading_refuses_the_row(make_csv: Make, schema: RecordSchema) -> None:
    file = make_csv([review_row(1), review_row(3)])
    content = file.read_text("utf-8").rstrip("\r\n")
    file.write_text(content + ",多余\n", encoding="utf-8")
    result = read_records(file, schema, photos=None, today=TODAY)
    assert [(one.row, one.column, one.code) for one in result.problems if one.outcome == "error"] == [
        (3, "", "cell-beyond-table")
    ]
    assert [record.row for record in result.records] == [2]


def test_quotes_that_do_not_close_are_refused(make_csv: Make, schema: RecordSchema) -> None:
    file = make_csv([review_row(1)])
    file.write_bytes(file.read_bytes() + b'"open')
    with pytest.raises(BadTable):
        read_records(file, schema, photos=None, today=TODAY)


def test_sizes_are_limited(make_csv: Make, schema: RecordSchema, monkeypatch: pytest.MonkeyPatch) -> None:
    file = make_csv([review_row(1), review_row(3)])
    monkeypatch.setattr(delimited, "MAX_ROWS", 2)
    with pytest.raises(TooManyRows):
        read_records(file, schema, photos=None, today=TODAY)
    wide = make_csv([{**review_row(1), **{f"列{number}": "" for number in range(300)}}], name="wide.csv")
    with pytest.raises(FileTooLarge):
        read_records(wide, schema, photos=None, today=TODAY)
