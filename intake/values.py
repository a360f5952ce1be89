"""Read one cell by the kind of its field; equal cells of a column are read once.

Nothing is repaired silently: what changes a value beyond white space around it
comes back with a warning, what cannot be read for sure with an error.
"""

import datetime as dt
import re
import unicodedata
from collections.abc import Callable

from credential.schema import PARAGRAPH_MARK, Field, FieldKind
from intake.dates import DateRefused, read_date_number, read_date_text
from intake.findings import Finding, Reading, error, warning
from intake.workbook import Cell

# Floats hold integers exactly up to 2^53; Excel keeps 15 digits.
EXACT_DIGITS = 15

_ERROR_VALUES = frozenset({"#N/A", "#REF!", "#VALUE!", "#DIV/0!", "#NAME?", "#NULL!", "#NUM!", "#GETTING_DATA"})
_YEAR_BRACKETS = re.compile(r"[(\[\uff08\uff3b\u3010\u3014]\s*(\d{4})\s*[)\]\uff09\uff3d\u3011\u3015]")
_AMOUNT = re.compile(r"[0-9]+(\.[0-9]+)?", re.ASCII)
_FULL_WIDTH = str.maketrans({0xFF01 + offset: 0x21 + offset for offset in range(94)})
_DATE_NOTES: dict[str, tuple[str, str]] = {
    "date-serial": (
        "“{shown}”是 Excel 日期序列号, 已读作 {value}, 请核对",
        "{shown!r} is a bare serial day number and was read as {value}; compare it with the document",
    ),
    "date-compact": (
        "“{shown}”已读作 {value}, 请核对",
        "{shown!r} was read as {value}; compare it with the document",
    ),
    "date-month-only": (
        "“{shown}”只到月, 证书上将只写到月({value}); 如需到日请补充",
        "{shown!r} has no day, so the certificate will say {value}; add the day if it is known",
    ),
    "date-year-only": (
        "“{shown}”只到年, 证书上将只写到年({value}); 如需到日请补充",
        "{shown!r} has neither month nor day, so the certificate will say {value}; add them if they are known",
    ),
}


class Readings(dict[Cell, Reading]):
    """Readings of one column by cell; reads a cell when it is first asked for."""

    def __init__(self, read: Callable[[Cell], Reading]) -> None:
        super().__init__()
        self._read = read

    def __missing__(self, cell: Cell) -> Reading:
        reading = self[cell] = self._read(cell)
        return reading


def reader_of(field: Field, *, today: dt.date, dates_from_1904: bool) -> Callable[[Cell], Reading]:
    """Choose how the cells of a field are read, by its kind.

    Names, ID numbers, titles and levels have modules of their own; here they
    count as plain text.

    Args:
        field: of the schema.
        today: dates after it get a warning.
        dates_from_1904: of the workbook.
    """
    if field.kind is FieldKind.DATE:
        return lambda cell: read_date(cell, today=today, dates_from_1904=dates_from_1904)
    if field.kind is FieldKind.CHOICE:
        return lambda cell: read_choice(cell, field.choices)
    if field.kind is FieldKind.SEQUENCE:
        return lambda _: Reading("")
    read = _READERS.get(field.kind, read_text)
    return lambda cell: _within(field, read(cell))


def read_text(cell: Cell) -> Reading:
    """Read a text that will be printed: no control characters, nothing lost on the way."""
    if type(cell) is not str:
        return _number_as_text(cell)
    text = cell.strip()
    if text.isprintable() and "?" not in text and "\ufffd" not in text and "#" not in text:
        return Reading(text)
    if text in _ERROR_VALUES:
        return _cell_error(text)
    notes: tuple[Finding, ...] = ()
    joined = "".join(part.strip() for part in text.splitlines())
    if joined != text:
        notes = (
            warning("line-break-removed", f"已去除“{joined}”中的换行", f"line breaks were removed from {joined!r}"),
        )
    lost = next((char for char in joined if _is_lost(char)), None)
    if lost is not None:
        return Reading("", (_lost_character(lost, joined),))
    return Reading(joined, notes)


def read_long_text(cell: Cell) -> Reading:
    """Read a text of several paragraphs: each line of the cell is one, empty lines go."""
    if type(cell) is not str or len(cell.split("\n")) < 2:
        return read_text(cell)
    readings = [read_text(line) for line in cell.replace("\r", "\n").split("\n") if line.strip()]
    return Reading(
        PARAGRAPH_MARK.join(one.value for one in readings),
        tuple(dict.fromkeys(finding for one in readings for finding in one.findings)),
    )


def read_amount(cell: Cell) -> Reading:
    """Read a number of hours or the like; it stays as written, without trailing zeros of the spreadsheet."""
    if isinstance(cell, (int, float)) and not isinstance(cell, bool) and 0 <= cell < 10**EXACT_DIGITS:
        return Reading(_number_text(cell))
    reading = read_text(cell)
    if not reading.value or _AMOUNT.fullmatch(reading.value):
        return reading
    return Reading(
        "",
        (
            *reading.findings,
            error(
                "not-a-number",
                f"“{reading.value}”不是数字, 请只填数字, 如 40",
                f"{reading.value!r} is not a number; write digits only, as 40",
            ),
        ),
    )


def read_word(cell: Cell) -> Reading:
    """Read a word of a closed list; white space inside does not count."""
    reading = read_text(cell)
    return reading._replace(value="".join(reading.value.split()))


def read_remark(cell: Cell) -> Reading:
    """Read a note that is not printed; question marks and numbers are nothing special in it."""
    if isinstance(cell, (dt.date, dt.time, dt.timedelta)):
        return Reading(str(cell))
    if type(cell) is not str:
        return Reading(_number_text(cell))
    return Reading("".join(char for char in " ".join(cell.split()) if not _is_control(char)))


def read_choice(cell: Cell, choices: tuple[str, ...]) -> Reading:
    """Read a value of a closed list."""
    reading = read_word(cell)
    if not reading.value or reading.value in choices:
        return reading
    shown = "、".join(choices)
    return Reading(
        "",
        (
            error(
                "not-a-choice",
                f"“{reading.value}”不在可选值({shown})之内, 请更正",
                f"{reading.value!r} is none of {shown}; correct it",
            ),
        ),
    )


def read_certificate_number(cell: Cell) -> Reading:
    """Read the number of a paper certificate; a number of more than 15 digits stored as such is refused."""
    reading = read_text(cell)
    folded = "".join(reading.value.translate(_FULL_WIDTH).split())
    if folded == reading.value:
        return reading
    note = warning(
        "number-cleaned",
        f"编号“{reading.value}”已规范为“{folded}”(全角或空格)",
        f"the number {reading.value!r} was read as {folded!r} (full width or spaces)",
    )
    return Reading(folded, (*reading.findings, note))


def read_document_number(cell: Cell) -> Reading:
    """Read a document's number; the brackets of its year become 〔〕 (DOMAIN 1.6 F3)."""
    reading = read_text(cell)
    value = "".join(reading.value.split())
    normal = _YEAR_BRACKETS.sub(r"〔\1〕", value)
    if normal == reading.value:
        return reading
    note = warning(
        "document-number-normalised",
        f"文号“{reading.value}”已规范为“{normal}”",
        f"the document number {reading.value!r} was read as {normal!r}",
    )
    return Reading(normal, (*reading.findings, note))


def read_date(cell: Cell, *, today: dt.date, dates_from_1904: bool = False) -> Reading:
    """Read a date cell, a written date or a bare number, and say so where reading was needed."""
    shown = _shown(cell)
    try:
        value, note = _date_value(cell, shown, dates_from_1904=dates_from_1904)
    except DateRefused as fault:
        return Reading("", (error(fault.code, fault.zh, fault.en),))
    findings: tuple[Finding, ...] = ()
    if note:
        zh, en = _DATE_NOTES[note]
        findings = (warning(note, zh.format(shown=shown, value=value), en.format(shown=shown, value=value)),)
    if value > today.isoformat():
        future = warning(
            "date-in-future", f"日期 {value} 晚于今天, 请核对", f"the date {value} lies in the future; compare it"
        )
        findings = (*findings, future)
    return Reading(value, findings)


def _date_value(cell: Cell, shown: str, *, dates_from_1904: bool) -> tuple[str, str]:
    if isinstance(cell, str):
        if not cell or cell.isspace():
            return "", ""
        return read_date_text(cell)
    if isinstance(cell, dt.datetime):
        cell = cell.date()  # a time of day beside the date is formatting, not information
    if isinstance(cell, dt.date):
        return read_date_text(cell.isoformat())
    if isinstance(cell, (int, float)) and not isinstance(cell, bool):
        return read_date_number(float(cell), shown, dates_from_1904=dates_from_1904)
    raise DateRefused(
        "date-not-understood",
        f"{shown!r} is not a date; write it as 2018-12-12",
        f"“{shown}”不是日期, 请写成 2018-12-12 的形式",
    )


def _within(field: Field, reading: Reading) -> Reading:
    if len(reading.value) <= field.max_length:
        return reading
    finding = error(
        "too-long",
        f"{field.heading}有 {len(reading.value)} 个字符, 超过 {field.max_length} 个: “{reading.value[:20]}…”, 请缩短",
        f"{reading.value[:20]!r}... has {len(reading.value)} characters, more than {field.max_length}; shorten it",
    )
    return Reading("", (*reading.findings, finding))


def _shown(cell: Cell) -> str:
    return cell.strip() if isinstance(cell, str) else _number_text(cell)


def _number_text(cell: Cell) -> str:
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 10**EXACT_DIGITS:
        return str(int(cell))
    return str(cell).upper() if isinstance(cell, bool) else str(cell)


def _number_as_text(cell: Cell) -> Reading:
    """A number where text belongs is taken as written if all its digits can be there."""
    shown = _number_text(cell)
    if not isinstance(cell, (int, float)) or isinstance(cell, bool):
        finding = error(
            "not-text",
            f"此处应为文本, 却是“{shown}”(表格程序可能已自动转换), 请设为文本格式后重新录入",
            f"the cell holds {shown!r}, not text (the spreadsheet may have converted it); format it as text and retype",
        )
        return Reading("", (finding,))
    if float(cell).is_integer() and abs(cell) < 10**EXACT_DIGITS:
        finding = warning(
            "number-as-text",
            f"“{shown}”存为数字, 已按文本读取(前导零如有已丢失), 请核对",
            f"{shown!r} is stored as a number and was read as text; leading zeros, if any, are lost: compare it",
        )
        return Reading(shown, (finding,))
    finding = error(
        "number-precision-lost",
        f"“{shown}”存为数字, 位数已丢失, 不能推测, 请设为文本格式后重新录入",
        f"{shown!r} is stored as a number and lost digits, which are not guessed; format the cell as text and retype",
    )
    return Reading("", (finding,))


def _cell_error(text: str) -> Reading:
    finding = error(
        "cell-error",
        f"单元格的公式出错({text}), 请改为实际内容",
        f"the formula of this cell gave {text}; put the value itself there",
    )
    return Reading("", (finding,))


def _is_control(char: str) -> bool:
    return unicodedata.category(char) in {"Cc", "Cf", "Cs"}


def _is_lost(char: str) -> bool:
    return char in "?\ufffd" or _is_control(char) or unicodedata.category(char) == "Co"


def _lost_character(char: str, text: str) -> Finding:
    code = f"U+{ord(char):04X}"
    shown = "".join(one if one.isprintable() else "□" for one in text[:40])
    return error(
        "lost-character",
        f"“{shown}”中的字符 {code} 表明有字在转换编码时丢失, 请用 .xlsx 或 UTF-8 文件重新录入",
        f"{code} in {shown!r} shows that a character was lost on the way; retype it in an .xlsx or UTF-8 file",
    )


_READERS: dict[FieldKind, Callable[[Cell], Reading]] = {
    FieldKind.LONG_TEXT: read_long_text,
    FieldKind.NUMBER: read_amount,
    FieldKind.DOCUMENT_NUMBER: read_document_number,
    FieldKind.CERTIFICATE_NUMBER: read_certificate_number,
    FieldKind.REMARK: read_remark,
}
