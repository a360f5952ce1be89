"""Check series, title and level against the template's table; it corrects nobody, it only asks."""

from typing import NamedTuple

from credential.schema import Series, TitleTable
from intake.findings import Finding, Reading, error, warning
from intake.values import read_word
from intake.workbook import Cell


class Grade(NamedTuple):
    """Series, title and level of one row, and what is odd about them.

    Attributes:
        level: as written, or by the table; empty when it cannot be known.
        series_findings: for the column of the series; likewise the other two.
    """

    level: str
    series_findings: tuple[Finding, ...] = ()
    title_findings: tuple[Finding, ...] = ()
    level_findings: tuple[Finding, ...] = ()


class Titles:
    """Answers by (series, title, level), each combination worked out once."""

    def __init__(self, table: TitleTable) -> None:
        self._table = table
        self._series = {name: one for one in table.series for name in (one.name, *one.aliases)}
        self._grades: dict[tuple[str, str, str], Grade] = {}

    def read_series(self, cell: Cell) -> Reading:
        """Read a series; an alias of the table becomes its name."""
        reading = read_word(cell)
        known = self._series.get(reading.value)
        return reading if known is None else reading._replace(value=known.name)

    def read_level(self, cell: Cell) -> Reading:
        """Read a level; an alias of the table becomes its name, an unknown one is refused."""
        reading = read_word(cell)
        level = self._table.level_aliases.get(reading.value, reading.value)
        if not level or level in self._table.levels:
            return reading._replace(value=level)
        shown = "、".join(self._table.levels)
        finding = error(
            "unknown-level",
            f"级别“{level}”未知, 应为 {shown} 之一",
            f"the level {level!r} is unknown; it must be one of {shown}",
        )
        return Reading("", (finding,))

    def grade(self, series: str, title: str, level: str, *, level_refused: bool = False) -> Grade:
        """Compare the three, and derive the level where the sheet has none.

        Args:
            series: as :meth:`read_series` gave it.
            title: without white space.
            level: as :meth:`read_level` gave it; may be empty.
            level_refused: the sheet had a level that was no level; nothing is derived then.
        """
        if not series or not title or level_refused:
            return Grade(level)
        key = (series, title, level)
        found = self._grades.get(key)
        if found is None:
            found = self._grades[key] = self._grade(series, title, level)
        return found

    def rank(self, level: str) -> int:
        """Position of a level in the table, 0 the highest; unknown ones come last."""
        names = list(self._table.levels)
        return names.index(level) if level in names else len(names)

    def _grade(self, series: str, title: str, level: str) -> Grade:
        known = self._series.get(series)
        if known is None:
            odd = warning(
                "unknown-series",
                f"系列“{series}”不在系列表中, 无法核对级别, 请确认名称",
                f"the series {series!r} is not in the table, so its level cannot be checked; make sure of its name",
            )
            return Grade(level, series_findings=(odd,), level_findings=_needed(series, title, level))
        expected = known.titles.get(title)
        if expected is None:
            return Grade(
                level,
                title_findings=(self._unknown_title(known, title),),
                level_findings=_needed(series, title, level),
            )
        if level and level != expected:
            finding = error(
                "level-contradicts-title",
                f"级别“{level}”与资格名称不符: {series}的“{title}”是{expected}, 请核对",
                f"the level {level!r} contradicts the title: {title!r} in {series!r} is {expected!r}; compare both",
            )
            return Grade(level, level_findings=(finding,))
        return Grade(expected)

    def _unknown_title(self, series: Series, title: str) -> Finding:
        elsewhere = [one.name for one in self._table.series if title in one.titles]
        hint, hint_zh = (f"; it is one of {elsewhere[0]}", f"(属于{elsewhere[0]})") if elsewhere else ("", "")
        return warning(
            "unknown-title",
            f"“{title}”不在{series.name}的资格名称表中{hint_zh}, 无法核对级别, 请确认名称",
            f"{title!r} is not among the titles of {series.name}{hint}, so its level is not checked; make sure of it",
        )


def _needed(series: str, title: str, level: str) -> tuple[Finding, ...]:
    if level:
        return ()
    return (
        error(
            "level-needed",
            f"“{series}”“{title}”不在表中, 无法得出级别, 请在级别列填写",
            f"no level is known for {title!r} in {series!r}; fill in the level column",
        ),
    )
