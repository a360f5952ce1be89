"""Read a TOML table key by key, and refuse what is missing, of the wrong kind or unknown.

A typing slip in a template must not silently change a certificate, so every
table is read through :class:`StrictTable` and ends with :meth:`StrictTable.finish`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from credential.errors import ConfigError
from press.syntax import colour


class BadTemplate(ConfigError):
    """A template folder is not complete or makes no sense; the sentence names the place."""

    code = "bad-template"

    def __init__(self, place: str, en: str, zh: str) -> None:
        super().__init__(f"template {place}: {en}", f"模板 {place}: {zh}")
        self.place = place


class StrictTable:
    """One table of a TOML file; remembers which keys were asked for."""

    def __init__(self, table: Any, place: str) -> None:
        if not isinstance(table, Mapping):
            raise BadTemplate(place, "must be a table", "应为表(table)")
        self.place = place
        self._table = table
        self._asked: set[str] = set()

    def __contains__(self, key: str) -> bool:
        return key in self._table

    def names(self) -> tuple[str, ...]:
        """All keys, for tables whose keys are names of the author's own."""
        return tuple(self._table)

    def text(self, key: str, default: str | None = None) -> str:
        """Give the string under the key, or the default where there is one."""
        value = self._value(key, default)
        if not isinstance(value, str):
            raise self.bad(key, f"must be a string, not {value!r}", f"应为字符串, 而非 {value!r}")
        return value

    def number(self, key: str, default: float | None = None, *, least: float = 0, most: float = 1000) -> float:
        """Give the number under the key, within the limits."""
        value = self._value(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.bad(key, f"must be a number, not {value!r}", f"应为数字, 而非 {value!r}")
        if not least <= value <= most:
            raise self.bad(key, f"{value} is outside {least} to {most}", f"{value} 超出范围 {least} 至 {most}")
        return float(value)

    def whole(self, key: str, default: int | None = None, *, least: int = 0, most: int = 1000) -> int:
        """Give the whole number under the key, within the limits."""
        value = self.number(key, default, least=least, most=most)
        if value != int(value):
            raise self.bad(key, f"{value} must be a whole number", f"{value} 应为整数")
        return int(value)

    def flag(self, key: str, default: bool) -> bool:  # noqa: FBT001 - the default of a flag is a flag
        """Give the true or false under the key."""
        value = self._value(key, default)
        if not isinstance(value, bool):
            raise self.bad(key, f"must be true or false, not {value!r}", f"应为 true 或 false, 而非 {value!r}")
        return value

    def choice(self, key: str, choices: Sequence[str], default: str | None = None) -> str:
        """Give the string under the key, which must be one of the choices."""
        value = self.text(key, default)
        if value not in choices:
            known = ", ".join(choices)
            raise self.bad(key, f"{value!r} is none of {known}", f"“{value}”不在可选值 {known} 之中")
        return value

    def texts(self, key: str, default: Sequence[str] | None = None) -> tuple[str, ...]:
        """Give the list of strings under the key."""
        value = self._value(key, default)
        if isinstance(value, str) or not isinstance(value, Sequence) or not all(isinstance(v, str) for v in value):
            raise self.bad(key, f"must be a list of strings, not {value!r}", f"应为字符串列表, 而非 {value!r}")
        return tuple(value)

    def numbers(self, key: str, count: int) -> tuple[float, ...]:
        """Give the list of exactly ``count`` numbers under the key."""
        value = self._value(key, None)
        if not isinstance(value, Sequence) or len(value) != count or not all(isinstance(v, int | float) for v in value):
            raise self.bad(key, f"must be {count} numbers, not {value!r}", f"应为 {count} 个数字, 而非 {value!r}")
        return tuple(float(v) for v in value)

    def colour(self, key: str, named: Mapping[str, str], default: str | None = None) -> str:
        """Give a colour as ``#RRGGBB``: written so, or by a name of the table of colours."""
        value = self.text(key, default)
        value = named.get(value, value)
        try:
            colour(value)
        except ValueError as error:
            raise self.bad(
                key, f"{value!r} is not a colour", f"“{value}”不是颜色(#RRGGBB 或 [colours] 中的名称)"
            ) from error
        return value

    def table(self, key: str) -> "StrictTable":
        """Give the table under the key."""
        return StrictTable(self._value(key, None), f"{self.place} [{key}]")

    def tables(self, key: str, default: Sequence[Any] | None = None) -> list["StrictTable"]:
        """Give the list of tables under the key."""
        value = self._value(key, default)
        if isinstance(value, str) or not isinstance(value, Sequence):
            raise self.bad(key, "must be a list of tables", "应为表的列表")
        return [StrictTable(one, f"{self.place} [[{key}]] {count}") for count, one in enumerate(value, 1)]

    def strings(self, key: str) -> dict[str, str]:
        """Give the table of strings under the key, with whatever keys it has."""
        value = self._value(key, None)
        if not isinstance(value, Mapping) or not all(isinstance(v, str) for v in value.values()):
            raise self.bad(key, "must be a table of strings", "应为字符串的表")
        return dict(value)

    def finish(self) -> None:
        """Refuse the keys that nobody asked for."""
        unknown = sorted(set(self._table) - self._asked)
        if unknown:
            raise self.bad(unknown[0], "is not a known key", "不是已知的键")

    def bad(self, key: str, en: str, zh: str) -> BadTemplate:
        """Make the error about one key of this table."""
        return BadTemplate(self.place, f"{key} {en}", f"{key} {zh}")

    def _value(self, key: str, default: Any) -> Any:
        self._asked.add(key)
        value = self._table.get(key, default)
        if value is None:
            raise self.bad(key, "is missing", "缺失")
        return value
