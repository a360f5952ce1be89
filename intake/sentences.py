"""Say the problems of a row in one sentence, and those of a cell in one comment."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from credential.problem import Problem, RowOutcome

#: Lines of a sheet that hold no person: titles above the header, totals and signatures below, the header repeated.
NOT_ROWS = frozenset({"above-header", "note-line", "repeated-header"})
ALREADY_ISSUED = "already-issued"

_SENTENCE_CHARACTERS = 1_500
_COMMENT_PROBLEMS = 5
_COMMENT_CHARACTERS = 1_200
_NAMES = {
    RowOutcome.ERROR: ("错误", "error"),
    RowOutcome.WARNING: ("提示", "warning"),
    RowOutcome.SKIPPED: ("跳过", "skipped"),
}
_RANK = (RowOutcome.ERROR, RowOutcome.SKIPPED, RowOutcome.WARNING)


class Sentence(NamedTuple):
    """What becomes of one row.

    Attributes:
        worst: the worst outcome of its problems; None when there is none.
        text: Chinese, and English on the next line.
    """

    worst: RowOutcome | None
    text: str


@dataclass(frozen=True, slots=True)
class Remark:
    """What is wrong with one cell.

    Attributes:
        worst: decides the colour.
        text: Chinese first, one line a problem.
    """

    worst: RowOutcome
    text: str


def worst_of(problems: Iterable[Problem]) -> RowOutcome | None:
    """The outcome that decides."""
    there = {one.outcome for one in problems}
    return next((one for one in _RANK if one in there), None)


def row_sentence(problems: Sequence[Problem]) -> Sentence:
    """Say whether a certificate comes of a row, and why not."""
    worst = worst_of(problems)
    if worst is None:
        return Sentence(None, "可以出证\nmay be issued")
    if worst is RowOutcome.WARNING:
        count = len(problems)
        return Sentence(
            worst,
            _cut(
                f"可以出证; 有 {count} 项提示请核对: {_joined(problems, is_zh=True)}\n"
                f"may be issued; please look at {count}: {_joined(problems, is_zh=False)}"
            ),
        )
    deciding = [one for one in problems if one.outcome is not RowOutcome.WARNING]
    issued = [one for one in deciding if one.code == ALREADY_ISSUED]
    if issued:
        return Sentence(worst, _cut(f"已有证书: {issued[0].zh}\na certificate exists: {issued[0].en}"))
    zh, en = ("不能出证", "not issued") if worst is RowOutcome.ERROR else ("不出证", "no certificate comes of it")
    return Sentence(worst, _cut(f"{zh}: {_joined(deciding, is_zh=True)}\n{en}: {_joined(deciding, is_zh=False)}"))


def cell_remark(problems: Sequence[Problem], *, where: str = "") -> Remark:
    """Put the problems of one cell into one comment.

    Args:
        problems: at least one.
        where: the cell, when the comment stands elsewhere (merged cells).
    """
    ordered = sorted(problems, key=lambda one: _RANK.index(one.outcome))
    shown, left = ordered[:_COMMENT_PROBLEMS], len(ordered) - _COMMENT_PROBLEMS
    lines = [f"{where}{_NAMES[one.outcome][0]}: {one.zh}" for one in shown]
    if left > 0:
        lines.append(f"另有 {left} 项, and {left} more")
    lines += [f"{where}{_NAMES[one.outcome][1]}: {one.en}" for one in shown]
    text = "\n".join(lines)
    worst = ordered[0].outcome
    return Remark(worst, text if len(text) <= _COMMENT_CHARACTERS else text[: _COMMENT_CHARACTERS - 1] + "…")


def _joined(problems: Sequence[Problem], *, is_zh: bool) -> str:
    said = []
    for one in problems:
        place = f"{one.column}列“{one.field}”" if is_zh else f"column {one.column} "
        said.append((place if one.column else "") + (one.zh if is_zh else one.en))
    return "; ".join(dict.fromkeys(said))


def _cut(text: str) -> str:
    """Cut each language by itself, so that a long one does not push the other out."""
    half = _SENTENCE_CHARACTERS // 2
    return "\n".join(line if len(line) <= half else line[: half - 1] + "…" for line in text.split("\n"))
