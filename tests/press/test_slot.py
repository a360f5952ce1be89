import random
import re
from collections.abc import Mapping

import pytest

from press.fonts import FontLibrary, gid_hex
from press.layout import Overflow
from press.press import Press
from press.slot import Piece, SlotWriter, join_content, slot_writers
from tests.press.certificates import make_press

LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def texts(seed: int) -> Mapping[str, str]:
    """Numbers and codes of one certificate, of usual and of unusual lengths."""
    lots = random.Random(seed)  # noqa: S311 - made-up texts

    def code(count: int, letters: str = LETTERS) -> str:
        return "".join(lots.choices(letters, k=count))

    return {
        "serial": code(lots.choice((1, 2, 20, 20, 20, 30)), lots.choice(("0123456789", LETTERS, "W1"))),
        "id_number": code(lots.choice((9, 17, 18, 18, 18))) + lots.choice(("", "X", "(A)")),
        "identifier": f"1.2.156.3005.2.{code(21)}.{code(18)}.{code(20)}.001.{code(1)}",
        "verification_code": "-".join(code(4, lots.choice((LETTERS, "I1", "MWQ"))) for _ in range(4)),
    }


def tried(writer: SlotWriter, values: Mapping[str, str]) -> Piece | str:
    try:
        return writer.piece(values)
    except Overflow as error:
        return error.en


@pytest.mark.parametrize("photo", [True, False])
def test_a_code_is_set_the_same_whatever_was_set_before(library: FontLibrary, photo: bool) -> None:  # noqa: FBT001 - pytest gives parameters by name
    press = make_press(library)
    prefix = press.prefix(photo)
    writers = slot_writers(prefix)
    for seed in range(60):
        values = texts(seed)
        if not seed % 15:
            writers = slot_writers(prefix)
        fresh = slot_writers(prefix)
        for used, new in zip(writers, fresh, strict=True):
            assert tried(used, values) == tried(new, values)


def test_a_code_that_does_not_fit_is_refused_after_others_did(library: FontLibrary) -> None:
    (writer,) = (one for one in slot_writers(make_press(library).prefix(photo=True)) if one.key == "serial")
    for count in range(1, 31):
        writer.piece({"serial": "7" * count})
    with pytest.raises(Overflow):
        writer.piece({"serial": "7" * 120})


def shown(press: Press, values: Mapping[str, str]) -> dict[str, list[str]]:
    """What each slot's content shows, character by character, read back by the places in both fonts."""
    prefix = press.prefix(photo=True)
    static = {code: glyph.text for glyph, code in prefix.glyphs.items()}
    found = {}
    for writer in slot_writers(prefix):
        piece = writer.piece(values)
        content, glyphs = join_content([piece], b"")
        own = {gid_hex(place): glyph.text for place, glyph in enumerate(glyphs, 1)}
        runs = re.findall(rb"/(S|V) [\d.]+ Tf <([0-9A-F]*)>Tj\n", content)
        found[writer.key] = [
            (static if font == b"S" else own)[codes[at : at + 4]]
            for font, codes in runs
            for at in range(0, len(codes), 4)
        ]
    return found


def test_content_shows_the_text_in_the_two_fonts(library: FontLibrary) -> None:
    press = make_press(library)
    for values in ({"name": "李䶮1", "serial": "0"}, {"name": "12", "serial": "䶮"}, {"name": "䶮", "serial": "12䶮3"}):
        found = shown(press, values)
        assert "".join(found["name"]) == values["name"]
        assert "".join(found["serial"]) == values["serial"]


def test_a_glyph_has_one_place_however_often_it_is_shown(library: FontLibrary) -> None:
    prefix = make_press(library).prefix(photo=True)
    by_key = {writer.key: writer for writer in slot_writers(prefix)}
    values = {"name": "䶮㛃䶮", "specialty": "㛃"}
    content, glyphs = join_content([by_key[key].piece(values) for key in values], b"")
    assert [glyph.text for glyph in glyphs] == ["䶮", "㛃"]
    assert re.findall(rb"/V [\d.]+ Tf <([0-9A-F]+)>", content) == [b"000100020001", b"0002"]


def test_marked_content_is_balanced_and_within_one_text_object(library: FontLibrary) -> None:
    values = {**texts(1), "name": "阿依努尔·买买提江", "committee": "宁波市" * 12}
    pieces = [writer.piece(values) for writer in slot_writers(make_press(library).prefix(photo=True))]
    content, _ = join_content(pieces, b"")
    assert content.startswith(b"BT 0 Tc\n")
    assert content.endswith(b"EMC\nET\n")
    assert re.findall(rb"\b(?:BT|ET|BDC|EMC)\b", content[:-3])[1:] == [b"BDC", b"EMC"] * len(
        re.findall(b"BDC", content)
    )
