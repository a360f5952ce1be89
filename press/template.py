"""A template folder as types: what stands where on the page, in millimetres from the top left corner.

The items of ``template.toml`` stand in reading order; that order becomes the
structure tree. Data never becomes template source: a value can only fill a box.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from credential.schema import PhotoNeed, RecordSchema

# Parts a label into two columns, as 姓名 and Name of a page in two languages.
COLUMN_MARK = "\t"


def field_of(name: str) -> str:
    """Give the field of a name that may ask for a style: ``issued_on`` of ``issued_on@english``."""
    return name.partition("@")[0]


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in millimetres; x to the right, y down from the top edge."""

    x: float
    y: float
    width: float
    height: float

    def overlaps(self, other: "Box") -> bool:
        """Whether the two share more than an edge."""
        across = min(self.x + self.width, other.x + other.width) - max(self.x, other.x)
        down = min(self.y + self.height, other.y + other.height) - max(self.y, other.y)
        return across > 0.01 and down > 0.01


@dataclass(frozen=True, slots=True)
class TextBox:
    """Where and how one text is set.

    Attributes:
        box: with a photo.
        plain_box: in the layout without one.
        face: name of a face of the template.
        size: points.
        one_line_size: the size a text may shrink to before it is wrapped.
        min_size: the smallest size of all; smaller is an overflow.
        lines: at most this many.
        leading: distance of baselines, in parts of the size.
        colour: ``#RRGGBB``.
        align: left, centre or right.
        tracking: points added after every character.
        spread: short texts are spread to the width of this many characters; 0 for none.
        is_filled: lines are filled one after another, as in a paragraph, not evenly.
        is_on_top: the text begins at the top of its box, not in the middle of its height.
        column: where a text goes on after its column mark, millimetres from the left edge; 0 for none.
        indent: ems before the first line of each paragraph.
    """

    box: Box
    plain_box: Box
    face: str
    size: float
    one_line_size: float
    min_size: float
    lines: int
    leading: float
    colour: str
    align: str
    tracking: float = 0.0
    spread: int = 0
    is_filled: bool = False
    is_on_top: bool = False
    column: float = 0.0
    indent: float = 0.0

    def place(self, *, photo: bool) -> Box:
        """The box in the layout asked for."""
        return self.box if photo else self.plain_box


class Role(StrEnum):
    """What a text is to a screen reader (ISO 32000-1, 14.8.4)."""

    TITLE = "H1"
    PARAGRAPH = "P"
    ARTIFACT = "Artifact"


@dataclass(frozen=True, slots=True)
class Label:
    """A text that is the same on every certificate of an issuer."""

    text: str  # may hold {issuer}, {url}, {host}, {legal_effect}
    role: Role
    where: TextBox
    rotate: float = 0.0  # degrees against the clock, about the middle of the box
    only_sample: bool = False
    language: str = ""  # where it is not the document's


@dataclass(frozen=True, slots=True)
class Source:
    """A field that may fill a row, with the label it brings."""

    field: str
    label: str


@dataclass(frozen=True, slots=True)
class Row:
    """A label and a value; the first source that has a value fills it."""

    sources: tuple[Source, ...]
    label: TextBox
    value: TextBox
    empty: str
    rule: bool
    language: str = ""

    @property
    def key(self) -> str:
        """The field by which problems are reported."""
        return field_of(self.sources[0].field)


@dataclass(frozen=True, slots=True)
class Value:
    """A value that stands alone, after an optional fixed text."""

    field: str
    before: str
    where: TextBox
    language: str = ""

    @property
    def key(self) -> str:
        """The field by which problems are reported."""
        return field_of(self.field)


class Place(StrEnum):
    """A picture's place in the reading order."""

    PHOTO = "photo"
    QR = "qr"
    SEAL = "seal"


Item = Label | Row | Value | Place


@dataclass(frozen=True, slots=True)
class QrPlace:
    """The QR symbol: box with its quiet zone, and the fixed version that the budget follows from."""

    box: Box
    plain_box: Box
    version: int
    level: str
    mask: int
    quiet: int
    alt: str

    @property
    def module_mm(self) -> float:
        """Width of one module."""
        return self.box.width / (17 + 4 * self.version + 2 * self.quiet)


@dataclass(frozen=True, slots=True)
class SealPlace:
    """The seal: a round drawing with the issuer's name on an arc; the signature's widget lies on its box.

    Attributes:
        radius: of the middle of the arc's characters, millimetres.
        span: degrees that the arc may fill at most.
        step: degrees between neighbouring characters at most (a short name is not pulled apart).
        char_height, bottom_height: size of the characters, millimetres.
        narrow: width of the arc's characters in parts of their height.
        bottom: what the bottom line says; empty for what the issuer's settings say.
        bottom_y: middle of the bottom line, millimetres below the centre.
        alpha: opacity; the seal is multiplied onto the page so that what is under it stays readable.
    """

    box: Box
    artwork: str
    colour: str
    face: str
    radius: float
    span: float
    step: float
    char_height: float
    narrow: float
    bottom_y: float
    bottom_height: float
    alpha: float
    alt: str
    bottom: str = ""


@dataclass(frozen=True, slots=True)
class Template:
    """A template folder, read and checked.

    Attributes:
        folder: where it is.
        digest: SHA-256 of its manifest (template_folder.py); names this version of it for ever.
        schema: of ``record.toml`` and ``titles.toml``.
        date_keys: fields of the record that are dates.
        variants: what is shown of dates beside their usual form, as ``issued_on@english``.
        statements: text by the value of ``statement_field``; ``""`` for any other value.
        english_statements: the same for ``statement@english``.
        public_fields: those that may be told to who has the code.
        masked_fields: those of them that may be told to who only knows serial and name.
        vocabulary: characters of the value face kept in the prefix.
    """

    folder: Path
    digest: bytes
    schema: RecordSchema
    date_keys: frozenset[str]
    variants: frozenset[str]
    title: str
    language: str
    width: float
    height: float
    artwork: str
    photo_box: Box | None
    photo_alt: str
    qr: QrPlace
    seal: SealPlace
    faces: Mapping[str, tuple[str, ...]]
    vocabulary: str
    vocabulary_face: str
    statement_field: str
    statements: Mapping[str, str]
    english_statements: Mapping[str, str]
    public_fields: tuple[str, ...]
    masked_fields: tuple[str, ...]
    items: tuple[Item, ...]

    @property
    def layouts(self) -> tuple[bool, ...]:
        """The layouts that there are: with photo (True), without (False)."""
        return {PhotoNeed.REQUIRED: (True,), PhotoNeed.OPTIONAL: (True, False), PhotoNeed.NONE: (False,)}[
            self.schema.photo
        ]

    def boxes(self, *, photo: bool) -> Iterator[tuple[str, Box]]:
        """Every box of a layout with the name of what stands in it, in reading order."""
        for item in self.items:
            if isinstance(item, Label) and item.role is not Role.ARTIFACT:
                yield item.text, item.where.place(photo=photo)
            elif isinstance(item, Row):
                yield f"{item.key} label", item.label.place(photo=photo)
                yield item.key, item.value.place(photo=photo)
            elif isinstance(item, Value):
                yield item.key, item.where.place(photo=photo)
            elif item is Place.PHOTO and photo and self.photo_box is not None:
                yield "photo", self.photo_box
            elif item is Place.QR:
                yield "qr", self.qr.box if photo else self.qr.plain_box
            elif item is Place.SEAL:
                yield "seal", self.seal.box
