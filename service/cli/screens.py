"""What people see: tables, progress bars and sentences, Chinese or English."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from credential.problem import Problem, RowOutcome
from intake.report import ProblemGroup, group_problems
from service.cli.language import say

console = Console(highlight=False, emoji=False)

#: Lines of a sheet that are no data: titles above the header, totals and signatures below.
NOT_DATA = frozenset({"above-header", "note-line"})

_OUTCOME_STYLE = {RowOutcome.ERROR: "bold red", RowOutcome.WARNING: "yellow", RowOutcome.SKIPPED: "cyan"}


def outcome_name(outcome: RowOutcome) -> str:
    """The outcome as a clerk reads it."""
    names = {
        RowOutcome.ERROR: say("错误", "error"),
        RowOutcome.WARNING: say("提示", "warning"),
        RowOutcome.SKIPPED: say("跳过", "skipped"),
    }
    return names[outcome]


def plain(text: str) -> str:
    """Text that is shown as it is, whatever brackets are in it; for all that people or files give."""
    return escape(text)


def table(title: str, *columns: str) -> Table:
    """An empty table in our style."""
    made = Table(title=title, title_justify="left", title_style="bold", header_style="bold", show_lines=False)
    for column in columns:
        made.add_column(column, overflow="fold")
    return made


def pairs(title: str, rows: Mapping[str, str]) -> Table:
    """A two-column table of names and values."""
    made = Table(title=title, title_justify="left", title_style="bold", show_header=False)
    made.add_column(style="dim", no_wrap=True)
    made.add_column(overflow="fold")
    for name, value in rows.items():
        made.add_row(name, value)
    return made


def problem_tables(problems: Sequence[Problem], *, most: int = 40) -> Iterator[Table]:
    """Show what stops a row row by row, and what many rows share in one line each."""
    data_rows = [one for one in problems if one.outcome is not RowOutcome.WARNING and one.code not in NOT_DATA]
    if data_rows:
        shown = table(
            say("不能出证的行", "rows that give no certificate"),
            say("行", "row"),
            say("列", "column"),
            say("栏目", "heading"),
            say("结论", "outcome"),
            say("原因与处理办法", "why, and what to do"),
        )
        lines = [line for group in group_problems(data_rows) for line in _stopping_lines(group, data_rows)]
        for line in lines[:most]:
            shown.add_row(*line)
        if len(lines) > most:
            left = len(lines) - most
            shown.caption = say(f"另有 {left} 项, 用 --json 查看全部", f"{left} more: use --json")
        yield shown
    notes = [one for one in problems if one.outcome is RowOutcome.WARNING or one.code in NOT_DATA]
    if notes:
        shown = table(
            say("提示: 不影响出证, 请核对", "notes: nothing is held up, please look"),
            say("行", "rows"),
            say("内容", "what"),
        )
        for group in group_problems(notes):
            sentence = say(group.first.zh, group.first.en)
            shown.add_row(group.rows, plain(sentence if group.is_uniform else _shared(group.count, sentence)))
        yield shown


def _stopping_lines(group: ProblemGroup, problems: Sequence[Problem]) -> Iterator[tuple[str, ...]]:
    """One line for all where the sentence is the same, else one for each row."""
    first = group.first
    members = [
        one for one in problems if (one.outcome, one.code, one.column) == (first.outcome, first.code, first.column)
    ]
    for one in members[:1] if group.is_uniform else members:
        yield (
            (group.rows if group.is_uniform else str(one.row)) if one.row else say("全表", "file"),
            one.column,
            plain("".join(one.field.split())),
            f"[{_OUTCOME_STYLE[one.outcome]}]{outcome_name(one.outcome)}[/]",
            plain(say(one.zh, one.en)),
        )


def _shared(count: int, sentence: str) -> str:
    return say(f"{count} 处同类提示, 例如: {sentence}", f"{count} alike, for instance: {sentence}")


@contextmanager
def progress_bar(title: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show a bar with a rate; the function given takes how many are done in all."""
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(say("{task.fields[rate]} 份/秒", "{task.fields[rate]}/s")),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
    ) as progress:
        task = progress.add_task(title, total=total, rate="-")

        def update(done: int) -> None:
            elapsed = progress.tasks[0].elapsed
            rate = f"{done / elapsed:,.0f}" if elapsed and done else "-"
            progress.update(task, completed=done, rate=rate)

        yield update
