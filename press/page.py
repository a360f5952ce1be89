"""The plan of a page: what is fixed, what each certificate fills in, and in which order it is read.

Pure and quick; prefix, tail and dry layout all follow the same plan.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from string import Formatter

from press.fonts import FontChain, FontLibrary
from press.issuer_look import IssuerLook
from press.layout import Frame, Setting, fit
from press.structure import Element, StructureTree
from press.syntax import POINTS_PER_MM, numbers
from press.template import COLUMN_MARK, Box, Label, Place, Role, Row, Source, Template, TextBox, Value


@dataclass(frozen=True, slots=True)
class StaticText:
    """A text of the prefix, fitted.

    Attributes:
        mcid: its marked-content number; None for an artifact.
        spaced: characters stand apart, so the words themselves must be told to a reader.
    """

    text: str
    tag: str
    mcid: int | None
    setting: Setting
    frame: Frame
    rotate: float
    spaced: bool


@dataclass(frozen=True, slots=True)
class Slot:
    """A place that each certificate fills.

    Attributes:
        key: the field problems are reported under.
        sources: the first with a value fills the slot.
        before: fixed text set with the value.
        empty: shown when there is no value.
        label: where the label goes, when it depends on the source; else None.
    """

    key: str
    sources: tuple[Source, ...]
    before: str
    empty: str
    tag: str
    mcid: int
    frame: Frame
    label: Frame | None
    label_mcid: int

    def text(self, values: Mapping[str, str]) -> tuple[str, str]:
        """Give label and text for the displayed values."""
        for source in self.sources:
            value = values.get(source.field)
            if value:
                return source.label, self.before + value
        return self.sources[0].label, self.before + self.empty


@dataclass(frozen=True, slots=True)
class PagePlan:
    """Everything a prefix and its tails must agree on.

    Attributes:
        photo_mcid: None in the layout without photo.
        vocabulary: texts with their chains whose glyphs the prefix carries.
    """

    template: Template
    look: IssuerLook
    has_photo: bool
    texts: tuple[StaticText, ...]
    slots: tuple[Slot, ...]
    photo_mcid: int | None
    qr_mcid: int
    qr_box: Box
    tree: StructureTree
    vocabulary: tuple[tuple[str, FontChain], ...]
    seal_chain: FontChain


def plan_page(template: Template, look: IssuerLook, fonts: FontLibrary, *, photo: bool) -> PagePlan:
    """Fit what is fixed and number everything in reading order.

    Raises:
        Overflow: one of the issuer's texts does not fit.
        MissingGlyph: one of them has a character that no face draws.
    """
    planner = _Planner(template, look, fonts, has_photo=photo)
    for item in template.items:
        planner.take(item)
    return planner.plan()


class _Planner:
    def __init__(self, template: Template, look: IssuerLook, fonts: FontLibrary, *, has_photo: bool) -> None:
        self.template, self.look, self.has_photo = template, look, has_photo
        self.chains = {name: fonts.chain(*faces) for name, faces in template.faces.items()}
        self.tree = StructureTree()
        self.texts: list[StaticText] = []
        self.slots: list[Slot] = []
        self.list: Element | None = None
        self.photo_mcid: int | None = None
        self.qr_mcid = 0

    def take(self, item: Label | Row | Value | Place) -> None:
        if not isinstance(item, Row):
            self.list = None
        if isinstance(item, Label):
            self.take_label(item)
        elif isinstance(item, Row):
            self.take_row(item)
        elif isinstance(item, Value):
            self.take_value(item)
        elif item is Place.PHOTO:
            if self.has_photo and self.template.photo_box is not None:
                self.photo_mcid = self.figure(self.template.photo_alt, self.template.photo_box)
        elif item is Place.QR:
            self.qr_mcid = self.figure(self.template.qr.alt, self.qr_box)
        else:
            self.tree.add_field(self.template.seal.alt)

    @property
    def qr_box(self) -> Box:
        return self.template.qr.box if self.has_photo else self.template.qr.plain_box

    def take_label(self, item: Label) -> None:
        text = item.text.format(**self.look.words())
        if not text or (item.only_sample and not self.look.is_sample):
            return
        mcid = None if item.role is Role.ARTIFACT else self.tree.add(item.role, language=item.language)
        self.set(text, item.role, mcid, item.where, item.rotate)

    def take_row(self, item: Row) -> None:
        if self.list is None:
            self.list = self.tree.group("L", attributes=b"<</O/List/ListNumbering/None>>")
        entry = self.tree.group("LI", self.list, language=item.language)
        label_mcid = self.tree.add("Lbl", entry)
        varies = len(item.sources) > 1
        if not varies:
            self.set(item.sources[0].label, "Lbl", label_mcid, item.label)
        self.slots.append(
            Slot(
                key=item.key,
                sources=item.sources,
                before="",
                empty=item.empty,
                tag="LBody",
                mcid=self.tree.add("LBody", entry),
                frame=self.frame(item.value),
                label=self.frame(item.label) if varies else None,
                label_mcid=label_mcid,
            )
        )

    def take_value(self, item: Value) -> None:
        self.slots.append(
            Slot(
                key=item.key,
                sources=(Source(item.field, ""),),
                before=item.before,
                empty="",
                tag="P",
                mcid=self.tree.add("P", language=item.language),
                frame=self.frame(item.where),
                label=None,
                label_mcid=-1,
            )
        )

    def figure(self, alt: str, box: Box) -> int:
        left, top = box.x * POINTS_PER_MM, (self.template.height - box.y) * POINTS_PER_MM
        corners = numbers(left, top - box.height * POINTS_PER_MM, left + box.width * POINTS_PER_MM, top)
        layout = b"<</O/Layout/Placement/Block/BBox[%b]>>" % corners
        return self.tree.add("Figure", alt=alt, attributes=layout)

    def set(self, text: str, tag: str, mcid: int | None, where: TextBox, rotate: float = 0) -> None:
        frame = self.frame(where)
        setting = fit(text, frame, text)
        spaced = any(line.tracking > 0 for line in setting.lines)
        words = text.replace(COLUMN_MARK, " ")
        self.texts.append(StaticText(words, tag, mcid, setting, frame, rotate, spaced))

    def frame(self, where: TextBox) -> Frame:
        return Frame(where, where.place(photo=self.has_photo), self.chains[where.face], self.template.height)

    def plan(self) -> PagePlan:
        vocabulary = [(self.template.vocabulary, self.chains[self.template.vocabulary_face])]
        for slot in self.slots:
            vocabulary += [(text, slot.frame.chain) for text in (slot.before, slot.empty, *self.known_texts(slot))]
            if slot.label is not None:
                vocabulary += [(source.label, slot.label.chain) for source in slot.sources]
        return PagePlan(
            template=self.template,
            look=self.look,
            has_photo=self.has_photo,
            texts=tuple(self.texts),
            slots=tuple(self.slots),
            photo_mcid=self.photo_mcid,
            qr_mcid=self.qr_mcid,
            qr_box=self.qr_box,
            tree=self.tree,
            vocabulary=tuple(vocabulary),
            seal_chain=self.chains[self.template.seal.face],
        )

    def known_texts(self, slot: Slot) -> Iterable[str]:
        """Characters that every certificate is sure to need in this slot."""
        field = slot.sources[0].field
        texts = {"statement": self.template.statements, "statement@english": self.template.english_statements}
        if field in texts:
            return _usual(list(texts[field].values()))
        return _SURE.get(field, ())


def _usual(texts: Sequence[str]) -> list[str]:
    """Give what the first text has or half of all: other characters cost less in the few tails that need them.

    Only the fixed parts count: what stands in braces is filled in with other characters.
    """
    fixed = ["".join(part for part, *_ in Formatter().parse(text)) for text in texts]
    shares = Counter(char for text in fixed for char in set(text))
    return [*fixed[:1], *("".join(char for char in text if 2 * shares[char] >= len(fixed)) for text in fixed[1:])]


_SURE: Mapping[str, tuple[str, ...]] = {
    "serial": ("0123456789",),
    "identifier": ("0123456789ABCDEFGHJKLMNPQRTUWXY.",),
    "verification_code": ("0123456789ABCDEFGHJKMNPQRSTVWXYZ-",),
    "issued_on": ("〇一二三四五六七八九十年月日",),
}
