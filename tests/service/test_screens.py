"""What people see holds what files say, letter by letter, and never breaks over it."""

import io
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from credential.problem import Problem, RowOutcome
from intake.report import row_ranges
from service.cli.language import choose_language, language
from service.cli.screens import pairs, plain, problem_tables, progress_bar
from tests.service.at_hand import run

BRACKETS = [
    "[/]",
    "[bold]",
    "[/bold]",
    "[a]张[/b]",
    "[link=x]",
    ":smile:",
    "[2026]9号",
    "\\[x]",
    "[@click=app.bell]",
    "[",
]
WIDTH = 4000


@pytest.fixture(autouse=True)
def _english() -> Iterator[None]:
    before = language()
    choose_language("en", {})
    yield
    choose_language(before, {})


def drawn(*problems: Problem) -> str:
    screen = Console(file=io.StringIO(), width=WIDTH, emoji=False, highlight=False)
    for one in problem_tables(problems):
        screen.print(one)
    assert isinstance(screen.file, io.StringIO)
    return screen.file.getvalue()


def problem(row: int, *, text: str = "wrong", field: str = "姓名", outcome: RowOutcome = RowOutcome.ERROR) -> Problem:
    return Problem("sheet", row, "B", field, outcome, "some-code", text, text)


@pytest.mark.parametrize("outcome", list(RowOutcome))
@given(
    text=st.one_of(st.sampled_from(BRACKETS), st.text(st.characters(exclude_categories=["C", "Z", "M"]), min_size=1))
)
def test_what_a_sheet_says_is_shown_as_it_is(outcome: RowOutcome, text: str) -> None:
    shown = drawn(problem(7, text=text, field=text, outcome=outcome))

    assert shown.count(text) >= 1 if outcome is RowOutcome.WARNING else 2
    assert "7" in shown


def test_equal_problems_share_a_line_with_their_rows() -> None:
    shown = drawn(*(problem(row) for row in (5, 6, 7, 9)))

    assert "5-7, 9" in shown or "5-7,9" in shown
    assert shown.count("wrong") == 1


def test_unequal_problems_have_a_line_each() -> None:
    shown = drawn(*(problem(row, text=f"wrong {row} times") for row in (5, 6, 7)))

    assert all(f"wrong {row} times" in shown for row in (5, 6, 7))


def test_more_lines_than_fit_are_counted() -> None:
    shown = drawn(*(problem(row, text=f"wrong {row} times") for row in range(1, 101)))

    assert "60 more: use --json" in shown


@given(st.sets(st.integers(1, 200), min_size=1, max_size=40))
def test_ranges_name_every_row_once(rows: set[int]) -> None:
    named: list[int] = []
    for part in row_ranges(rows).replace(" ", "").split(","):
        first, _, last = part.partition("-")
        named += range(int(first), int(last or first) + 1)

    assert named == sorted(rows)


@given(st.text(st.characters(exclude_categories=["C", "Z", "M"]), min_size=1, max_size=50))
def test_plain_text_comes_out_as_it_went_in(text: str) -> None:
    screen = Console(file=io.StringIO(), width=WIDTH, emoji=False, highlight=False)
    screen.print(pairs("", {"name": plain(text)}))

    assert isinstance(screen.file, io.StringIO)
    assert text in screen.file.getvalue()


def test_a_bar_of_nothing_is_no_error() -> None:
    with progress_bar("nothing", 0) as update:
        update(0)


@pytest.mark.parametrize("name", BRACKETS)
def test_a_person_with_brackets_in_the_name_breaks_no_list(name: str, data: object) -> None:
    added = run("--data", str(data), "person", "add", "zhao", "--name", name, "--issuer", "nb")
    listed = run("--data", str(data), "person", "list")

    assert (added.code, listed.code) == (0, 0), added.err + listed.err
    assert f"zhao added: {name}" in added.out
    assert name in listed.out
