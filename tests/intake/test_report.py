import json

from hypothesis import given
from hypothesis import strategies as st

from credential.problem import Problem, RowOutcome
from intake.report import group_problems, json_lines, row_ranges


def problem(row: int, code: str = "x", outcome: RowOutcome = RowOutcome.WARNING, en: str = "a sentence") -> Problem:
    return Problem("表", row, "C", "身份证号", outcome, code, "一句话", en)


def test_a_json_line_has_exactly_the_keys_of_the_format() -> None:
    (line,) = json_lines([problem(7, "id-number-length", RowOutcome.ERROR)])
    assert "\n" not in line
    assert json.loads(line) == {
        "sheet": "表",
        "row": 7,
        "column": "C",
        "field": "身份证号",
        "outcome": "error",
        "code": "id-number-length",
        "message": {"zh": "一句话", "en": "a sentence"},
    }


def test_equal_problems_become_one_group_with_their_rows_as_ranges() -> None:
    problems = [problem(row) for row in (5, 6, 7, 9)] + [problem(8, "y", RowOutcome.ERROR), problem(9, "z", en="other")]
    groups = group_problems([*problems, problem(10, "z")])
    assert [(one.first.code, one.rows, one.count, one.is_uniform) for one in groups] == [
        ("y", "8", 1, True),
        ("x", "5-7, 9", 4, True),
        ("z", "9-10", 2, False),
    ]


@given(st.lists(st.integers(0, 60)))
def test_ranges_hold_every_row_and_no_other(rows: list[int]) -> None:
    expanded: list[int] = []
    for part in filter(None, row_ranges(rows).split(", ")):
        first, _, last = part.partition("-")
        expanded += range(int(first), int(last or first) + 1)
    assert expanded == sorted(set(rows) - {0})
