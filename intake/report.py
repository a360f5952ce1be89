"""Show problems: one JSON object a line for machines, groups with row ranges for people."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from credential.problem import Problem, RowOutcome

_ORDER = {RowOutcome.ERROR: 0, RowOutcome.SKIPPED: 1, RowOutcome.WARNING: 2}


@dataclass(frozen=True, slots=True)
class ProblemGroup:
    """Problems of one kind in one column.

    Attributes:
        first: the first of them, for its sentence.
        rows: their row numbers as ranges, ``5-17, 20``; empty for the whole file.
        count: how many they are.
        is_uniform: all have the same sentence.
    """

    first: Problem
    rows: str
    count: int
    is_uniform: bool


def json_lines(problems: Iterable[Problem]) -> Iterator[str]:
    """Write each problem as one JSON object, in the order given."""
    for one in problems:
        yield json.dumps(
            {
                "sheet": one.sheet,
                "row": one.row,
                "column": one.column,
                "field": one.field,
                "outcome": one.outcome.value,
                "code": one.code,
                "message": {"zh": one.zh, "en": one.en},
            },
            ensure_ascii=False,
        )


def group_problems(problems: Iterable[Problem]) -> list[ProblemGroup]:
    """Put equal problems together: errors first, then skipped rows, then warnings, each by first row."""
    groups: dict[tuple[RowOutcome, str, str], list[Problem]] = {}
    for one in problems:
        groups.setdefault((one.outcome, one.code, one.column), []).append(one)
    found = [
        ProblemGroup(
            first=group[0],
            rows=row_ranges(one.row for one in group),
            count=len(group),
            is_uniform=all(one.en == group[0].en for one in group),
        )
        for group in groups.values()
    ]
    return sorted(found, key=lambda one: (_ORDER[one.first.outcome], one.first.row, one.first.column))


def row_ranges(rows: Iterable[int]) -> str:
    """Write row numbers as ranges; row 0, the whole file, is left out."""
    ranges: list[list[int]] = []
    for row in sorted(set(rows) - {0}):
        if ranges and row == ranges[-1][1] + 1:
            ranges[-1][1] = row
        else:
            ranges.append([row, row])
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in ranges)
