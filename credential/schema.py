"""What a kind of credential asks of a row: fields, shapes of sheets, titles and levels.

A template folder states it in ``record.toml`` and, where titles have levels, in
``titles.toml``; this module gives those tables types and refuses nonsense.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from credential.errors import ConfigError
from credential.serial import SerialPattern

PARAGRAPH_MARK = "\N{PARAGRAPH SEPARATOR}"
"""Between the paragraphs of a long text: claims hold no control characters, so no line feed either."""


class FieldKind(StrEnum):
    """How a value is read and checked at intake."""

    TEXT = "text"
    LONG_TEXT = "long-text"  # paragraphs, kept apart by PARAGRAPH_MARK
    NAME = "name"
    SEX = "sex"
    ID_NUMBER = "id-number"
    ID_TYPE = "id-type"
    DATE = "date"
    NUMBER = "number"  # of hours or the like: digits, at most one decimal point
    DOCUMENT_NUMBER = "document-number"
    CERTIFICATE_NUMBER = "certificate-number"
    SERIES = "series"
    TITLE = "title"
    LEVEL = "level"
    CHOICE = "choice"
    REMARK = "remark"
    SEQUENCE = "sequence"


class PhotoNeed(StrEnum):
    """Whether a row needs a photo."""

    REQUIRED = "required"
    OPTIONAL = "optional"
    NONE = "none"


class BadSchema(ConfigError):
    """A template's ``record.toml`` or ``titles.toml`` makes no sense."""

    code = "bad-schema"


@dataclass(frozen=True, slots=True)
class Field:
    """One column a bureau may send.

    Attributes:
        key: our name of it, a key of ``Record.fields`` (or of ``Holder``).
        kind: how it is read and checked.
        heading: printed heading, Chinese.
        english: the same in English.
        aliases: other headings that mean it; matched without spaces, line
            breaks, brackets' width and case.
        max_length: characters.
        choices: the closed list of a ``choice``; empty otherwise.
    """

    key: str
    kind: FieldKind
    heading: str
    english: str
    aliases: tuple[str, ...] = ()
    max_length: int = 100
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Shape:
    """One form of sheet: told by its headings, with its own demands.

    Attributes:
        name: stable, as ``exchange``.
        marks: keys whose headings must all be present for the shape to apply.
        required: keys that must have a value in every row.
        defaults: value by key, where the sheet has none.
        rules: names of business rules intake applies: ``highest-only``
            (就高换发), ``refuse-limited-scope`` (不予换证).
    """

    name: str
    marks: tuple[str, ...]
    required: tuple[str, ...]
    defaults: Mapping[str, str]
    rules: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Series:
    """One row of the table of series, titles and levels.

    Attributes:
        code: two digits.
        name: as the national table writes it, ``工程技术人员``.
        aliases: other spellings, ``工程系列``.
        titles: level name by title, ``{"高级工程师": "副高级"}``.
    """

    code: str
    name: str
    aliases: tuple[str, ...]
    titles: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class TitleTable:
    """Levels and series; a check on what the bureau wrote, never a guess.

    Attributes:
        levels: level code by name, ``{"正高级": "1"}`` (GB/T 8561 last digit).
        level_aliases: other spellings of a level, ``{"正高": "正高级"}``.
        series: every series known.
    """

    levels: Mapping[str, str]
    level_aliases: Mapping[str, str]
    series: tuple[Series, ...]

    def find_series(self, text: str) -> Series | None:
        """The series with this name or alias, or None."""
        return next((one for one in self.series if text == one.name or text in one.aliases), None)


@dataclass(frozen=True, slots=True)
class QrFields:
    """Which fields of a record the QR code says beside serial and name; an empty key for none.

    Attributes:
        title: what the certificate is about.
        level: how high it counts.
        date: when that was reached.
    """

    title: str = "title"
    level: str = "level"
    date: str = "qualified_on"


@dataclass(frozen=True, slots=True)
class Numbering:
    """How certificates of a kind are numbered.

    Attributes:
        pattern: in place of the issuer's own; None to keep to that.
        series: what stands for the series where a row has none in the table.
        level: what stands for the level likewise.
    """

    pattern: SerialPattern | None = None
    series: str = "00"
    level: str = "0"


@dataclass(frozen=True, slots=True)
class RecordSchema:
    """All that intake must know about a kind of credential.

    Attributes:
        kind: stable, as ``professional-title``.
        fields: in the order in which a person would list them.
        shapes: tried in order; the first whose marks are present applies.
        photo: whether a photo is needed.
        unique_by: keys that, with issuer, person and kind, identify a live credential.
        titles: None where the kind has none.
        in_qr: what the QR code says.
        numbering: of its serials.
    """

    kind: str
    fields: tuple[Field, ...]
    shapes: tuple[Shape, ...]
    photo: PhotoNeed
    unique_by: tuple[str, ...]
    titles: TitleTable | None
    in_qr: QrFields = QrFields()
    numbering: Numbering = Numbering()

    def field(self, key: str) -> Field:
        """The field with this key.

        Raises:
            BadSchema: there is none.
        """
        for one in self.fields:
            if one.key == key:
                return one
        raise BadSchema(f"record.toml has no field {key!r}", f"record.toml 中没有字段“{key}”")


def parse_schema(record: Mapping[str, Any], titles: Mapping[str, Any] | None) -> RecordSchema:
    """Give the tables of ``record.toml`` and ``titles.toml`` types.

    Args:
        record: the parsed ``record.toml``.
        titles: the parsed ``titles.toml``, or None.

    Raises:
        BadSchema: a key is missing or unknown, or a shape names an unknown field.
    """
    try:
        _refuse_unknown(record, {"kind", "photo", "unique_by", "field", "shape", "in_qr", "numbering"})
        for one in record["field"]:
            _refuse_unknown(one, {"key", "kind", "heading", "english", "aliases", "max_length", "choices"})
        for one in record["shape"]:
            _refuse_unknown(one, {"name", "marks", "required", "defaults", "rules"})
        fields = tuple(
            Field(
                key=one["key"],
                kind=FieldKind(one["kind"]),
                heading=one["heading"],
                english=one["english"],
                aliases=tuple(one.get("aliases", ())),
                max_length=one.get("max_length", 100),
                choices=tuple(one.get("choices", ())),
            )
            for one in record["field"]
        )
        shapes = tuple(
            Shape(
                name=one["name"],
                marks=tuple(one["marks"]),
                required=tuple(one["required"]),
                defaults=dict(one.get("defaults", {})),
                rules=tuple(one.get("rules", ())),
            )
            for one in record["shape"]
        )
        schema = RecordSchema(
            kind=record["kind"],
            fields=fields,
            shapes=shapes,
            photo=PhotoNeed(record["photo"]),
            unique_by=tuple(record["unique_by"]),
            titles=None if titles is None else _parse_titles(titles),
            in_qr=_parse_in_qr(record.get("in_qr")),
            numbering=_parse_numbering(record.get("numbering", {})),
        )
    except (KeyError, ValueError, TypeError) as error:
        raise BadSchema(
            f"record.toml or titles.toml is not complete: {error}", f"record.toml 或 titles.toml 有误: {error}"
        ) from error
    for key in (*schema.unique_by, *(key for shape in shapes for key in (*shape.marks, *shape.required))):
        schema.field(key)
    if "in_qr" in record:
        _check_in_qr(schema)
    return schema


def _parse_in_qr(table: Mapping[str, Any] | None) -> QrFields:
    if table is None:
        return QrFields()
    _refuse_unknown(table, {"title", "level", "date"})
    return QrFields(*(str(table.get(key, "")) for key in ("title", "level", "date")))


def _check_in_qr(schema: RecordSchema) -> None:
    for key in (schema.in_qr.title, schema.in_qr.level, schema.in_qr.date):
        if key:
            schema.field(key)
    date = schema.in_qr.date
    if date and schema.field(date).kind is not FieldKind.DATE:
        raise BadSchema(f"[in_qr] date = {date!r} is not a date", f"[in_qr] 的 date“{date}”不是日期字段")


def _parse_numbering(table: Mapping[str, Any]) -> Numbering:
    _refuse_unknown(table, {"pattern", "series", "level"})
    pattern = table.get("pattern")
    return Numbering(
        pattern=None if pattern is None else SerialPattern.parse(pattern),
        series=str(table.get("series", "00")),
        level=str(table.get("level", "0")),
    )


def _refuse_unknown(table: Mapping[str, Any], known: set[str]) -> None:
    if unknown := sorted(table.keys() - known):
        raise ValueError(f"unknown key {unknown[0]!r}")


def _parse_titles(table: Mapping[str, Any]) -> TitleTable:
    return TitleTable(
        levels=dict(table["levels"]),
        level_aliases=dict(table.get("level_aliases", {})),
        series=tuple(
            Series(
                code=one["code"],
                name=one["name"],
                aliases=tuple(one.get("aliases", ())),
                titles={title: level for level, titles in one["titles"].items() for title in titles},
            )
            for one in table["series"]
        ),
    )
