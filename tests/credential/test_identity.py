"""ID numbers and organisation codes: the examples of DOMAIN 2.3 and 7, and properties."""

import string
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credential.identity import (
    BadIdNumber,
    BadUscc,
    IdNumberBirth,
    IdNumberCharacters,
    IdNumberCheckDigit,
    IdNumberLength,
    IdNumberOld,
    check_id_number,
    check_uscc,
    fold_id_number,
    mask_id_number,
)

TODAY = date(2026, 7, 8)
USCC_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"


def with_check(first17: str) -> str:
    """Compute the check character the other way round: the one that makes the ISO 7064 MOD 11-2 sum 1."""
    total = sum(int(digit) << (17 - at) for at, digit in enumerate(first17))
    return first17 + "0123456789X"[(1 - total) % 11]


numbers = st.builds(
    lambda region, day, order: with_check(f"{region:06d}{date(1900, 1, 1) + timedelta(day):%Y%m%d}{order:03d}"),
    st.integers(110000, 839999),
    st.integers(0, (TODAY - date(1900, 1, 1)).days),
    st.integers(0, 999),
)


@pytest.mark.parametrize(
    ("number", "birth", "sex"),
    [
        ("330299198604120173", date(1986, 4, 12), "男"),
        ("64049919751108028X", date(1975, 11, 8), "女"),
        ("330299199007261335", date(1990, 7, 26), "男"),
    ],
)
def test_the_example_persons_pass_with_an_unknown_region(number: str, birth: date, sex: str) -> None:
    found = check_id_number(number, today=TODAY)
    assert (found.number, found.birth, found.sex) == (number, birth, sex)
    assert not found.region_known
    assert not found.is_residence_permit


def test_the_official_example_of_gb_11643_passes() -> None:
    found = check_id_number("11010519491231002X", today=TODAY)
    assert (found.birth, found.sex, found.region_known) == (date(1949, 12, 31), "女", True)


@pytest.mark.parametrize("region", ["810000", "820000", "830000"])
def test_residence_permits_of_hong_kong_macao_and_taiwan_are_accepted(region: str) -> None:
    found = check_id_number(with_check(f"{region}19900101001"), today=TODAY)
    assert found.is_residence_permit
    assert found.region_known


@pytest.mark.parametrize(
    ("region", "known"),
    [
        ("330282", True),
        ("642221", True),
        ("419001", True),
        ("659001", True),
        ("469021", True),
        ("500243", True),
        ("330299", False),
        ("640499", False),
        ("330200", False),
        ("110000", False),
        ("110199", False),
        ("338801", False),
        ("160101", False),
        ("990101", False),
        ("810101", False),
        ("830001", False),
    ],
)
def test_the_region_is_judged_by_the_structure_of_the_code_only(region: str, known: bool) -> None:  # noqa: FBT001 # parametrized
    assert check_id_number(with_check(f"{region}19880221001"), today=TODAY).region_known is known


@given(numbers)
def test_a_right_number_of_any_region_is_never_refused(number: str) -> None:
    found = check_id_number(number, today=TODAY)
    assert found.number == number
    assert f"{found.birth:%Y%m%d}" == number[6:14]


@given(numbers, st.integers(0, 17), st.sampled_from(string.digits + "X"))
def test_any_one_changed_character_is_found(number: str, at: int, char: str) -> None:
    if number[at] != char:
        with pytest.raises(BadIdNumber):
            check_id_number(number[:at] + char + number[at + 1 :], today=TODAY)


@given(numbers, st.integers(0, 16))
def test_two_swapped_neighbours_are_found(number: str, at: int) -> None:
    swapped = number[:at] + number[at + 1] + number[at] + number[at + 2 :]
    if swapped != number:
        with pytest.raises(BadIdNumber):
            check_id_number(swapped, today=TODAY)


@pytest.mark.parametrize(
    ("number", "error", "code"),
    [
        ("330299860412017", IdNumberOld, "id-number-15-digits"),
        ("33029986041201X", IdNumberLength, "id-number-length"),
        ("", IdNumberLength, "id-number-length"),
        ("3302991986041201730", IdNumberLength, "id-number-length"),
        ("33029919860412017A", IdNumberCharacters, "id-number-characters"),
        ("3302991986X4120173", IdNumberCharacters, "id-number-characters"),
        ("３３0299198604120173", IdNumberCharacters, "id-number-characters"),
        ("330299197902301230", IdNumberBirth, "id-number-birth-date"),
        (with_check("33029919790230123"), IdNumberBirth, "id-number-birth-date"),
        (with_check("33029918991231001"), IdNumberBirth, "id-number-birth-date"),
        (with_check("33029920260709001"), IdNumberBirth, "id-number-birth-date"),
        ("330299198604120174", IdNumberCheckDigit, "id-number-check-digit"),
    ],
)
def test_each_part_fails_with_its_own_code(number: str, error: type[BadIdNumber], code: str) -> None:
    with pytest.raises(error) as caught:
        check_id_number(number, today=TODAY)
    assert type(caught.value) is error
    assert caught.value.code == code
    assert not number or number not in str(caught.value), "the whole number never stands in an error"


def test_the_position_of_a_foreign_character_is_told() -> None:
    with pytest.raises(IdNumberCharacters, match="character 11 ") as caught:
        check_id_number("3302991986X4120173", today=TODAY)
    assert caught.value.position == 11


def test_a_lower_case_x_counts_as_upper_case() -> None:
    assert check_id_number("11010519491231002x", today=TODAY).number == "11010519491231002X"


@pytest.mark.parametrize(
    ("text", "number", "notes"),
    [
        ("330299198604120173", "330299198604120173", ()),
        ("３３０２９９１９８６０４１２０１７３", "330299198604120173", ("id-number-full-width",)),
        ("'330299198604120173", "330299198604120173", ("id-number-apostrophe",)),
        ("’330299198604120173", "330299198604120173", ("id-number-apostrophe",)),
        ("＇330299198604120173", "330299198604120173", ("id-number-full-width", "id-number-apostrophe")),
        ("\t64049919751108028x ", "64049919751108028X", ("id-number-space", "id-number-lower-case")),
        ("64049919751108028Ｘ", "64049919751108028X", ("id-number-full-width",)),
        ("\u202d330299198604120173\u202c", "330299198604120173", ("id-number-space",)),
        ("330299 19860412　0173", "330299198604120173", ("id-number-space",)),
        ("", "", ()),
    ],
)
def test_what_typing_leaves_is_folded_with_a_note(text: str, number: str, notes: tuple[str, ...]) -> None:
    assert fold_id_number(text) == (number, notes)


@given(st.text())
def test_folding_never_invents_a_digit_and_is_done_once(text: str) -> None:
    number, _ = fold_id_number(text)
    again, notes = fold_id_number(number)
    assert sum(char in string.digits for char in number) == sum(
        char in string.digits or "０" <= char <= "９" for char in text
    )
    if "x" not in number.lower() and not notes:
        assert again == number


@given(st.text(max_size=20))
def test_checking_any_text_gives_a_number_or_the_error(text: str) -> None:
    with pytest.raises(BadIdNumber):
        check_id_number(text, today=TODAY)


@pytest.mark.parametrize(
    "code", ["11330299MB0T00023P", "11649900MB0T000311", "11339900MB0T000153", "91350100M000100Y43"]
)
def test_the_example_organisations_pass(code: str) -> None:
    assert check_uscc(code) == code


@given(
    st.sampled_from(["11330299MB0T00023P", "91350100M000100Y43"]), st.integers(0, 17), st.sampled_from(USCC_ALPHABET)
)
def test_any_one_changed_character_of_a_uscc_is_found(code: str, at: int, char: str) -> None:
    if code[at] != char:
        with pytest.raises(BadUscc):
            check_uscc(code[:at] + char + code[at + 1 :])


@pytest.mark.parametrize(
    ("text", "why"),
    [("11330299MB0T00023", "17 characters"), ("11330299MB0I00023P", "'I'"), ("11330299mb0t00023p", "'m'"), ("", "0 ")],
)
def test_a_bad_uscc_is_refused_by_naming_it(text: str, why: str) -> None:
    with pytest.raises(BadUscc, match=why) as caught:
        check_uscc(text)
    assert caught.value.text == text


@given(numbers)
def test_a_masked_number_shows_no_part_of_the_second_factor(number: str) -> None:
    masked = mask_id_number(number)
    assert masked == number[:2] + "*" * 16


def test_masks_do_not_tell_the_length_of_a_number() -> None:
    assert mask_id_number("E12345678") == "E1" + "*" * 16
    assert mask_id_number("") == ""
