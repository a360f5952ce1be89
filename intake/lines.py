"""Tell the rows that hold data from titles above, totals and signatures below, and blanks."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from credential.schema import FieldKind, RecordSchema
from intake.findings import Finding, error, skipped, warning
from intake.headings import RESULT_HEADING, Header, fold_heading
from intake.survey import column_letter
from intake.workbook import Cell, Table

# How the lines below a table begin in the notices' forms; they say who made, checked and signed it.
_NOTE = re.compile(
    "合计|总计|小计|共计|总人数|制表|填表|填报|审核|复核|经办|联系|电话|签字|签名|盖章|单位系统管理员|单位负责人|"
    "行业主管部门|主管部门|负责人|日期|(?:注|备注|说明)[:：]"
)


@dataclass(slots=True)
class Lines:
    """The rows of a table, sorted.

    Attributes:
        numbers: row numbers of the data rows, from 1.
        rows: their cells, all of one length.
        findings: by position in ``rows``, about the whole row.
        notes: row number, column (None: whole row) and finding for everything else.
    """

    numbers: list[int] = field(default_factory=list)
    rows: list[list[Cell]] = field(default_factory=list)
    findings: dict[int, Finding] = field(default_factory=dict)
    notes: list[tuple[int, int | None, Finding]] = field(default_factory=list)


def sort_lines(table: Table, header: Header, schema: RecordSchema) -> Lines:
    """Pick the data rows out of a table.

    A row is data unless it is blank, repeats the header, or lacks a person's
    number and begins like a total or a signature. Blank rows are not mentioned.
    """
    lines = Lines()
    for number, row in enumerate(table.rows[: header.row - 1], 1):
        if not _is_blank(row):
            lines.notes.append((number, None, _above(row)))
    width = max(header.printed, default=0) + 1
    identity = [
        header.columns[one.key]
        for one in schema.fields
        if one.kind is FieldKind.ID_NUMBER and one.key in header.columns
    ]
    titles = {fold_heading(text) for text in header.printed.values()}
    as_typed = {cell for cell in table.rows[header.row - 1] if not _is_empty(cell)}
    for number, row in enumerate(_below(table, header), header.row + 1):
        stray = None
        if len(row) != width:
            stray = _beyond(row, width, is_text=not table.sheet)
            row = [*row[:width], *[""] * (width - len(row))]  # noqa: PLW2901 - has the header's width from here on
        if stray is None and not any(row):
            continue
        if not any(row[column] for column in identity) or row[identity[0]] in as_typed:
            finding = _not_data(row, titles, identity)
            if finding is not None:
                lines.notes.append((number, None, finding))
                continue
            if stray is None and _is_blank(row):
                continue
        if stray is not None:
            lines.findings[len(lines.rows)] = stray
        lines.numbers.append(number)
        lines.rows.append(row)
    return lines


def _below(table: Table, header: Header) -> Iterator[list[Cell]]:
    """The rows below the header; what our own column says is no data, so that a row of it alone is blank."""
    ours = next((column for column, text in header.printed.items() if text == RESULT_HEADING), None)
    for row in table.rows[header.row :]:
        yield row if ours is None or ours >= len(row) else [*row[:ours], "", *row[ours + 1 :]]


def heading_notes(table: Table, header: Header) -> list[tuple[int, int | None, Finding]]:
    """Warn of columns that nobody will read."""
    notes: list[tuple[int, int | None, Finding]] = []
    for column in header.unknown:
        name = header.printed[column]
        finding = warning(
            "unknown-column",
            f"列“{name}”未知, 其内容不会被读取; 如为所需信息请按模板改名",
            f"the column {name!r} is unknown and is not read; rename it if it matters",
        )
        notes.append((header.row, column, finding))
    for column in range(max(header.printed, default=0)):
        if column not in header.printed and any(column < len(row) and row[column] for row in table.rows[header.row :]):
            finding = warning(
                "column-without-heading",
                f"{column_letter(column)} 列没有表头, 其内容不会被读取",
                f"column {column_letter(column)} has no heading and is not read",
            )
            notes.append((header.row, column, finding))
    return notes


def _beyond(row: list[Cell], width: int, *, is_text: bool) -> Finding | None:
    """Say what stands beyond the last heading: in a text file it means that the columns are shifted."""
    column = next((column for column in range(width, len(row)) if not _is_empty(row[column])), None)
    if column is None:
        return None
    where, shown = column_letter(column), str(row[column])[:20]
    if is_text:
        return error(
            "cell-beyond-table",
            f"表头最后一列之后的 {where} 列还有内容“{shown}”, 各列可能已错位; 请检查分隔符和引号",
            f"{shown!r} in column {where} is beyond the last heading, so the columns may be shifted; check the quotes",
        )
    return warning(
        "cell-not-read",
        f"表头最后一列之后的 {where} 列还有内容“{shown}”, 不会被读取",
        f"{shown!r} in column {where} is beyond the last heading and is not read",
    )


def _not_data(row: list[Cell], titles: set[str], identity: list[int]) -> Finding | None:
    texts = [text for text in ("".join(str(cell).split()) for cell in row) if text]
    if not texts:
        return None
    if sum(fold_heading(text) in titles for text in texts) * 2 > len(texts) and len(texts) > 1:
        return skipped("repeated-header", "重复的表头行, 已跳过", "the header row is repeated here; it is passed over")
    if any(not _is_empty(row[column]) for column in identity) or _NOTE.match(texts[0]) is None:
        return None
    # Only a row with next to nothing in it can be a total or a signature.
    if len(texts) > max(3, len(row) // 2):
        return None
    return skipped(
        "note-line",
        f"“{texts[0][:12]}”开头的合计、签字或说明行, 已跳过",
        f"a line of totals, signatures or notes ({texts[0][:12]!r}); it is passed over",
    )


def _above(row: list[Cell]) -> Finding:
    text = next("".join(str(cell).split()) for cell in row if not _is_empty(cell))
    return skipped(
        "above-header",
        f"表头之上的标题或说明行(“{text[:20]}”), 已跳过",
        f"a title or note above the header row ({text[:20]!r}); it is passed over",
    )


def _is_blank(row: list[Cell]) -> bool:
    return all(_is_empty(cell) for cell in row)


def _is_empty(cell: Cell) -> bool:
    return isinstance(cell, str) and not cell.strip()
