"""Names of persons: what is kept, folded, refused and masked."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credential import identity
from credential.names import (
    BadName,
    NameCharacter,
    NameLostCharacter,
    NameMissing,
    NameMixesLatin,
    NameTooLong,
    check_name,
    fold_name_for_matching,
    fold_separator,
    mask_name,
)

HAN = st.sampled_from("张李王䶮㛃𬱖𤩽𣲵喆堃昇㼆〇々神𠮷") | st.characters(min_codepoint=0x4E00, max_codepoint=0x9FFF)
HAN_NAMES = st.text(HAN, min_size=1, max_size=20)


@pytest.mark.parametrize(
    "name",
    [
        "张喆堃",
        "李䶮𣲵",
        "徐㼆",
        "𬱖𤩽",
        "阿依努尔·买买提江",
        "〇",
        "佐佐木",
        "𱍐龘",
        "𮯰𰀀",
        "John Smith",
        "Jean-Luc O'Brien",
        "José García Núñez",
        "J. R. R. Tolkien",
        "张" * 50,
    ],
)
def test_names_that_people_have_are_kept_as_they_are(name: str) -> None:
    folded = check_name(name)
    assert folded.name == name
    assert folded.notes == ()


def test_a_compatibility_ideograph_is_kept_as_typed_with_a_note() -> None:
    folded = check_name("王\ufa19")
    assert folded.name == "王\ufa19"
    assert folded.notes == ("name-compatibility-ideograph",)


@pytest.mark.parametrize("char", [chr(code) for code in (0xFA0E, 0xFA0F, 0xFA11, 0xFA13, 0xFA14, 0xFA1F, 0xFA29)])
def test_the_unified_ideographs_in_the_compatibility_block_have_no_note(char: str) -> None:
    assert check_name(char).notes == ()


@pytest.mark.parametrize("dot", list("•‧∙⋅・･．.·"))
def test_every_dot_between_chinese_characters_becomes_the_middle_dot(dot: str) -> None:
    folded = check_name(f"阿依努尔{dot}买买提江")
    assert folded.name == "阿依努尔\u00b7买买提江"
    assert folded.notes == (() if dot == "·" else ("name-separator",))


def test_full_stops_elsewhere_are_no_separators() -> None:
    assert fold_separator("J. R. 张.三 张.") == "J. R. 张·三 张."


@pytest.mark.parametrize("text", ["张 三", "张　三", " 张三", "张三\t", "张\u00a0三", "欧 阳　修"])
def test_spaces_in_a_chinese_name_are_removed_with_a_note(text: str) -> None:
    folded = check_name(text)
    assert folded.name == text.replace(" ", "").replace("　", "").replace("\t", "").replace("\u00a0", "")
    assert folded.notes == ("name-space",)


def test_both_notes_can_stand_together() -> None:
    assert check_name("阿依努尔 • 买买提江").notes == ("name-separator", "name-space")


@pytest.mark.parametrize(
    ("text", "error", "code"),
    [
        ("", NameMissing, "name-missing"),
        (" 　\t", NameMissing, "name-missing"),
        ("李?", NameLostCharacter, "name-lost-character"),
        ("李？", NameLostCharacter, "name-lost-character"),
        ("李\ufffd", NameLostCharacter, "name-lost-character"),
        ("李\ue863", NameLostCharacter, "name-lost-character"),
        ("李\U000f0000", NameLostCharacter, "name-lost-character"),
        ("张\x00三", NameCharacter, "name-character"),
        ("张\n三", NameCharacter, "name-character"),
        ("张\u200b三", NameCharacter, "name-character"),
        ("张\ud800", NameCharacter, "name-character"),
        ("张\U0002fffe", NameCharacter, "name-character"),
        ("张\u0378", NameCharacter, "name-character"),
        ("张3", NameCharacter, "name-character"),
        ("张３", NameCharacter, "name-character"),
        ("张(三)", NameCharacter, "name-character"),
        ("徐⿰王莹", NameCharacter, "name-character"),
        ("徐⺩", NameCharacter, "name-character"),
        ("さくら", NameCharacter, "name-character"),
        ("Иван", NameCharacter, "name-character"),
        ("ＪＯＨＮ", NameCharacter, "name-character"),
        ("John3", NameCharacter, "name-character"),
        ("- .", NameCharacter, "name-character"),
        ("·张三", NameCharacter, "name-character"),
        ("张三·", NameCharacter, "name-character"),
        ("张··三", NameCharacter, "name-character"),
        ("张三.", NameCharacter, "name-character"),
        ("张a", NameMixesLatin, "name-mixes-latin"),
        ("李Yan", NameMixesLatin, "name-mixes-latin"),
        ("李Ｙ", NameMixesLatin, "name-mixes-latin"),
        ("张" * 51, NameTooLong, "name-too-long"),
        ("a" * 60, NameTooLong, "name-too-long"),
    ],
)
def test_what_is_no_name_is_refused_with_its_own_code(text: str, error: type[BadName], code: str) -> None:
    with pytest.raises(error) as caught:
        check_name(text)
    assert caught.value.code == code


def test_the_lost_character_is_told_by_position_and_code_point() -> None:
    with pytest.raises(NameLostCharacter, match=r"character 2 .* U\+E863") as caught:
        check_name("李\ue863𣲵")
    assert caught.value.position == 2


@given(st.text())
def test_any_text_gives_a_name_that_is_stable_or_the_error(text: str) -> None:
    try:
        folded = check_name(text)
    except BadName:
        return
    again = check_name(folded.name)
    assert again.name == folded.name
    assert set(again.notes) <= {"name-compatibility-ideograph"}
    assert 1 <= len(folded.name) <= 50


@given(HAN_NAMES, HAN_NAMES)
def test_no_ideograph_of_a_name_is_ever_changed(first: str, second: str) -> None:
    assert check_name(f"{first}•{second}").name == f"{first}·{second}"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("阿依努尔·买买提江", "阿依努尔 • 买买提江"),
        ("阿依努尔·买买提江", "阿依努尔买买提江"),
        ("王\ufa19", "王神"),
        ("John SMITH", "john smith"),
        ("ＪＯＨＮ", "John"),
        ("〇二", "〇 二"),
    ],
)
def test_spellings_of_one_name_match(one: str, other: str) -> None:
    assert fold_name_for_matching(one) == fold_name_for_matching(other) != ""


@given(HAN_NAMES, HAN_NAMES)
def test_different_names_do_not_match(one: str, other: str) -> None:
    same = unicodedata.normalize("NFKC", one) == unicodedata.normalize("NFKC", other)
    assert (fold_name_for_matching(one) == fold_name_for_matching(other)) is same


@pytest.mark.parametrize(
    ("name", "masked"),
    [
        ("张三", "张**"),
        ("张喆堃", "张**"),
        ("张", "张**"),
        ("欧阳修", "欧阳**"),
        ("司马相如", "司马**"),
        ("欧阳", "欧**"),
        ("阿依努尔·买买提江", "阿**·**"),
        ("John Smith", "J** **"),
        ("欧阳修·甲", "欧**·**"),
        ("𣲵䶮", "𣲵**"),
    ],
)
def test_a_mask_shows_the_surname_only_and_hides_the_length(name: str, masked: str) -> None:
    assert mask_name(name) == masked


def test_the_functions_can_be_had_from_identity_too() -> None:
    assert identity.check_name is check_name
