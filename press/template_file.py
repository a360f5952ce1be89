"""Read a template folder strictly: whatever is not understood is refused, with its place.

``template.toml`` says where things stand, ``record.toml`` and ``titles.toml`` what
a record holds; docs/template.md explains every key.
"""

import tomllib
from collections.abc import Mapping
from itertools import combinations
from pathlib import Path
from typing import Any

from credential.schema import FieldKind, PhotoNeed, RecordSchema, parse_schema
from press.display import DATE_STYLES
from press.fonts import FACES
from press.strict_table import BadTemplate, StrictTable
from press.template import Box, Item, Label, Place, QrPlace, Role, Row, SealPlace, Source, Template, TextBox, Value
from press.template_folder import TemplateFiles, read_folder

_USUALLY_MASKED = ("series", "title", "level")
LOOK_WORDS = ("issuer", "url", "host", "legal_effect")
CREDENTIAL_KEYS = ("serial", "identifier", "verification_code", "issued_on", "expires_on", "issuer_name", "statement")
_HOLDER_KEYS = ("name", "sex", "id_number", "id_type")
_ALIGNS = ("left", "centre", "right")
_SMALLEST_MODULE_MM = 0.41  # phones read smaller ones unreliably from paper (DESIGN 6)


def load_template(folder: Path) -> Template:
    """Read a template folder strictly.

    Raises:
        BadTemplate: something is missing, unknown, off the page or overlaps.
        BadSchema: ``record.toml`` or ``titles.toml`` makes no sense.
    """
    template = parse_template(read_folder(folder), folder)
    for name in (template.artwork, template.seal.artwork):
        if not (folder / name).is_file():
            raise BadTemplate(name, "is missing", "缺失")
    return template


def parse_template(files: TemplateFiles, folder: Path) -> Template:
    """Read a template from its files in memory; ``folder`` is where artwork will be looked for.

    Raises:
        BadTemplate, BadSchema: as :func:`load_template`.
    """
    schema = parse_schema(_toml(files, "record.toml"), _toml(files, "titles.toml") if "titles.toml" in files else None)
    template = _parse(folder, files.digest, schema, StrictTable(_toml(files, "template.toml"), "template.toml"))
    _check_fields(template)
    for photo in template.layouts:
        _check_boxes(template, photo=photo)
    return template


def _toml(files: TemplateFiles, name: str) -> dict[str, Any]:
    if name not in files:
        raise BadTemplate(name, "is missing", "缺失")
    try:
        return tomllib.loads(files[name].decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadTemplate(name, f"is not TOML: {error}", f"不是有效的 TOML: {error}") from error


def _parse(folder: Path, digest: bytes, schema: RecordSchema, table: StrictTable) -> Template:
    colours = table.strings("colours")
    faces = _faces(table)
    items = tuple(_item(one, colours, faces) for one in table.tables("item"))
    width, height = table.numbers("page_mm", 2)
    photo_box, photo_alt = None, ""
    if schema.photo is not PhotoNeed.NONE:
        photo = table.table("photo")
        photo_box, photo_alt = _box(photo, "box"), photo.text("alt")
        photo.finish()
    statement = table.table("statement")
    seal = _seal(table.table("seal"), colours, faces)
    public_fields = table.texts("public_fields")
    template = Template(
        folder=folder,
        digest=digest,
        schema=schema,
        date_keys=frozenset(field.key for field in schema.fields if field.kind is FieldKind.DATE),
        variants=frozenset(name for name in _shown(items) if "@" in name and not name.startswith("statement")),
        title=table.text("title"),
        language=table.text("language"),
        width=width,
        height=height,
        artwork=table.text("artwork"),
        photo_box=photo_box,
        photo_alt=photo_alt,
        qr=_qr(table.table("qr")),
        seal=seal,
        faces=faces,
        vocabulary=table.text("vocabulary", ""),
        vocabulary_face=table.choice("vocabulary_face", tuple(faces)),
        statement_field=statement.text("field"),
        statements=statement.strings("texts"),
        english_statements=statement.strings("english") if "english" in statement else {},
        public_fields=public_fields,
        masked_fields=table.texts("masked_fields", [key for key in _USUALLY_MASKED if key in public_fields]),
        items=items,
    )
    statement.finish()
    table.finish()
    return template


def _faces(table: StrictTable) -> dict[str, tuple[str, ...]]:
    place = table.table("faces")
    faces = {name: place.texts(name) for name in place.names()}
    for name, chain in faces.items():
        for face in chain:
            if face.removesuffix(":latin") not in FACES:
                raise place.bad(name, f"{face!r} is not a bundled face", f"“{face}”不是内置字体")
        if all(face.endswith(":latin") for face in chain):
            raise place.bad(name, "needs a face for all characters", "须有一个不限于拉丁文的字体")
    return faces


def _box(table: StrictTable, key: str) -> Box:
    return Box(*table.numbers(key, 4))


def _plain_box(table: StrictTable, key: str, box: Box) -> Box:
    return _box(table, key) if key in table else box


def _qr(table: StrictTable) -> QrPlace:
    box = _box(table, "box")
    place = QrPlace(
        box=box,
        plain_box=_plain_box(table, "plain", box),
        version=table.whole("version", least=1, most=40),
        level=table.choice("level", ("L", "M", "Q", "H")),
        mask=table.whole("mask", 2, most=7),
        quiet=table.whole("quiet", 4, least=4, most=8),
        alt=table.text("alt"),
    )
    if place.module_mm < _SMALLEST_MODULE_MM:
        size = f"{place.module_mm:.3f} mm"
        raise table.bad(
            "box",
            f"gives modules of {size}, below {_SMALLEST_MODULE_MM} mm",
            f"使码元仅 {size}, 小于 {_SMALLEST_MODULE_MM} mm",
        )
    table.finish()
    return place


def _seal(table: StrictTable, colours: Mapping[str, str], faces: Mapping[str, Any]) -> SealPlace:
    place = SealPlace(
        box=_box(table, "box"),
        artwork=table.text("artwork"),
        colour=table.colour("colour", colours),
        face=table.choice("face", tuple(faces)),
        radius=table.number("radius"),
        span=table.number("span", least=10, most=350),
        step=table.number("step", least=1, most=90),
        char_height=table.number("char_height", least=1),
        narrow=table.number("narrow", 1.0, least=0.3, most=1.5),
        bottom_y=table.number("bottom_y", least=-100),
        bottom_height=table.number("bottom_height", least=1),
        alpha=table.number("alpha", least=0.1, most=1),
        alt=table.text("alt"),
        bottom=table.text("bottom", ""),
    )
    table.finish()
    return place


def _item(table: StrictTable, colours: Mapping[str, str], faces: Mapping[str, Any]) -> Item:
    kind = table.choice("type", ("label", "row", "value", *Place))
    item: Item
    if kind == "label":
        item = Label(
            text=table.text("text"),
            role=Role(table.choice("role", tuple(Role), Role.PARAGRAPH)),
            where=_text_box(table, "", colours, faces),
            rotate=table.number("rotate", 0, least=-180, most=180),
            only_sample=table.flag("only_sample", False),
            language=table.text("language", ""),
        )
        _check_words(table, item.text)
    elif kind == "row":
        sources = [Source(table.text("field"), table.text("label"))]
        for other in table.tables("instead", ()):
            sources.append(Source(other.text("field"), other.text("label")))
            other.finish()
        item = Row(
            sources=tuple(sources),
            label=_text_box(table, "label_", colours, faces),
            value=_text_box(table, "", colours, faces),
            empty=table.text("empty", "—"),
            rule=table.flag("rule", True),
            language=table.text("language", ""),
        )
    elif kind == "value":
        where = _text_box(table, "", colours, faces)
        item = Value(table.text("field"), table.text("before", ""), where, table.text("language", ""))
    else:
        item = Place(kind)
    table.finish()
    return item


def _text_box(table: StrictTable, prefix: str, colours: Mapping[str, str], faces: Mapping[str, Any]) -> TextBox:
    box = _box(table, f"{prefix}box")
    size = table.number(f"{prefix}size", least=4, most=200)
    min_size = table.number(f"{prefix}min_size", size, least=4, most=size)
    return TextBox(
        box=box,
        plain_box=_plain_box(table, f"{prefix}plain", box),
        face=table.choice(f"{prefix}face", tuple(faces)),
        size=size,
        one_line_size=table.number(f"{prefix}one_line_size", min_size, least=min_size, most=size),
        min_size=min_size,
        lines=table.whole(f"{prefix}lines", 1, least=1, most=60),
        leading=table.number(f"{prefix}leading", 1.25, least=1, most=3),
        colour=table.colour(f"{prefix}colour", colours),
        align=table.choice(f"{prefix}align", _ALIGNS, "left"),
        tracking=table.number(f"{prefix}tracking", 0, most=200),
        spread=table.whole(f"{prefix}spread", 0, most=20),
        is_filled=table.choice(f"{prefix}fill", ("even", "full"), "even") == "full",
        is_on_top=table.choice(f"{prefix}vertical", ("middle", "top"), "middle") == "top",
        column=table.number(f"{prefix}column", 0, most=box.width - 1),
        indent=table.number(f"{prefix}indent", 0, most=8),
    )


def _check_words(table: StrictTable, text: str) -> None:
    try:
        text.format(**dict.fromkeys(LOOK_WORDS, ""))
    except (KeyError, IndexError, ValueError) as error:
        known = ", ".join(LOOK_WORDS)
        raise table.bad(
            "text", f"has an unknown word {error}; known: {known}", f"含未知占位 {error}; 可用: {known}"
        ) from error


def _check_fields(template: Template) -> None:
    known = {*(field.key for field in template.schema.fields), *_HOLDER_KEYS, *CREDENTIAL_KEYS}
    shown = _shown(template.items)
    known |= {f"{key}@{style}" for key in (*template.date_keys, "issued_on", "expires_on") for style in DATE_STYLES}
    if template.english_statements:
        known.add("statement@english")
    statement_field = [template.statement_field] if template.statement_field else []
    for key in (*statement_field, *template.public_fields, *template.masked_fields, *shown):
        if key not in known:
            raise BadTemplate("template.toml", f"there is no field {key!r}", f"没有字段“{key}”")
    for key in template.masked_fields:
        if key not in template.public_fields:
            raise BadTemplate(
                "template.toml",
                f"masked_fields holds {key!r}, which is not in public_fields",
                f"masked_fields 中的“{key}”不在 public_fields 之内",
            )
    for needed in ("serial", "verification_code"):
        if needed not in shown:
            raise BadTemplate("template.toml", f"nothing shows the field {needed!r}", f"没有显示字段“{needed}”")
    for place in (Place.QR, Place.SEAL):
        if template.items.count(place) != 1:
            raise BadTemplate("template.toml", f"needs exactly one item of type {place}", f"须恰有一个 {place} 项")
    _check_statements(template)


def _shown(items: tuple[Item, ...]) -> list[str]:
    shown = [source.field for item in items if isinstance(item, Row) for source in item.sources]
    return shown + [item.field for item in items if isinstance(item, Value)]


def _check_statements(template: Template) -> None:
    words = {field.key: "x" for field in template.schema.fields if field.kind is not FieldKind.SEQUENCE}
    dates = (*template.date_keys, "issued_on", "expires_on")
    words |= {f"{key}@{style}": "x" for key in dates for style in DATE_STYLES}
    for text in (*template.statements.values(), *template.english_statements.values()):
        try:
            text.format(**words)
        except (KeyError, IndexError, ValueError) as error:
            raise BadTemplate("[statement.texts]", f"has an unknown word {error}", f"含未知占位 {error}") from error


def _check_boxes(template: Template, *, photo: bool) -> None:
    boxes = list(template.boxes(photo=photo))
    for name, box in boxes:
        inside = box.x >= 0 and box.y >= 0 and box.x + box.width <= template.width
        if not inside or box.y + box.height > template.height or box.width <= 0 or box.height <= 0:
            raise BadTemplate("template.toml", f"the box of {name!r} is not on the page", f"“{name}”的框不在页面内")
    for (name, box), (other_name, other) in combinations(boxes, 2):
        # The seal lies over the issuer's name and the date, as on paper.
        if "seal" not in (name, other_name) and box.overlaps(other):
            layout = "with photo" if photo else "without photo"
            raise BadTemplate(
                "template.toml",
                f"the boxes of {name!r} and {other_name!r} overlap ({layout})",
                f"“{name}”与“{other_name}”的框重叠({'有照片' if photo else '无照片'}布局)",
            )
