"""Serials, licence identifiers and verification codes: vectors of DOMAIN 2.2 and 7, and properties."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credential.serial import (
    DEFAULT_PATTERN,
    BadIdentifier,
    BadPattern,
    BadSerial,
    BadVerificationCode,
    Identifier,
    SerialPattern,
    SerialsExhausted,
    check_character,
    check_identifier,
    group_code,
    identifier,
    new_verification_code,
    parse_verification_code,
)

ALPHANUMERIC = string.digits + string.ascii_uppercase
CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
PATTERN = SerialPattern.parse(DEFAULT_PATTERN)
PUBLISHED_SERIALS = ("33029920260520001289", "64049920210620000772", "33029920240930000097")
PUBLISHED_IDENTIFIERS = (
    "1.2.156.3005.2.11339900MB0T000153001.11330299MB0T00023P.33029920260520001289.001.4",
    "1.2.156.3005.2.11339900MB0T000153001.11649900MB0T000311.64049920210620000772.001.B",
    "1.2.156.3005.2.11339900MB0T000153001.11330299MB0T00023P.33029920240930000097.001.C",
    "1.2.156.3005.2.11100000000013338W011.11430000006122244L.20230000403.001.U",
    "1.2.156.3005.2.11100000MB03271699022.340100.000000016.001.9",
    "1.2.156.3005.2.11100000000013338W009.11330105002500287C.2025052201.002.0",
    "1.2.156.3005.2.11100000000013338W002.11320482014138860P.201807250201.001.M",
)
serial_parts = st.fixed_dictionaries(
    {
        "division": st.text(string.digits, min_size=6, max_size=6),
        "year": st.integers(1000, 9999),
        "series": st.text(string.digits, min_size=2, max_size=2),
        "level": st.sampled_from(string.digits),
        "sequence": st.integers(1, PATTERN.capacity),
    }
)


@pytest.mark.parametrize("serial", PUBLISHED_SERIALS)
def test_the_published_serials_pass(serial: str) -> None:
    PATTERN.check(serial)


def test_format_makes_the_first_published_serial() -> None:
    made = PATTERN.format(division="330299", year=2026, series="05", level="2", sequence=128)
    assert made == PUBLISHED_SERIALS[0]


@given(serial_parts)
def test_what_format_writes_check_accepts_and_the_parts_stand_in_it(parts: dict[str, str | int]) -> None:
    serial = PATTERN.format(**parts)  # type: ignore[arg-type] # drawn with the right types by name
    PATTERN.check(serial)
    assert len(serial) == PATTERN.length == 20
    expected = f"{parts['division']}{parts['year']}{parts['series']}{parts['level']}{parts['sequence']:06d}"
    assert serial[:19] == expected


@given(serial_parts, st.integers(0, 19), st.sampled_from(string.digits))
def test_any_one_changed_digit_of_a_serial_is_found(parts: dict[str, str | int], at: int, digit: str) -> None:
    serial = PATTERN.format(**parts)  # type: ignore[arg-type] # drawn with the right types by name
    changed = serial[:at] + digit + serial[at + 1 :]
    if changed != serial:
        with pytest.raises(BadSerial):
            PATTERN.check(changed)


@pytest.mark.parametrize(
    ("serial", "why"),
    [
        ("3302992026052000128", "19 characters"),
        ("3302992026052000128X", "digits only"),
        ("３３０２９９２０２６０５２０００１２８９", "digits only"),
        ("33029920260520001288", "check digit"),
        ("", "0 characters"),
    ],
)
def test_a_bad_serial_is_refused_with_the_part_that_failed(serial: str, why: str) -> None:
    with pytest.raises(BadSerial, match=why) as caught:
        PATTERN.check(serial)
    assert caught.value.serial == serial


def test_a_sequence_of_zero_is_never_a_serial() -> None:
    body = "3302992026052000000"
    with pytest.raises(BadSerial, match="zero"):
        PATTERN.check(body + check_character(body, string.digits))


def test_past_the_capacity_the_counter_is_refused_and_the_widened_pattern_goes_on() -> None:
    last = PATTERN.format(division="330299", year=2026, series="05", level="2", sequence=999_999)
    PATTERN.check(last)
    with pytest.raises(SerialsExhausted, match="seq7") as caught:
        PATTERN.format(division="330299", year=2026, series="05", level="2", sequence=1_000_000)
    assert caught.value.capacity == PATTERN.capacity == 999_999
    wide = PATTERN.widened()
    assert str(wide) == "division6 year4 series2 level1 seq7 check1"
    wide.check(wide.format(division="330299", year=2026, series="05", level="2", sequence=1_000_000))


def test_the_widest_pattern_cannot_be_widened() -> None:
    with pytest.raises(BadPattern, match="seq13"):
        SerialPattern.parse("year4 seq12").widened()


@pytest.mark.parametrize(
    "change",
    [
        {"division": "33029"},
        {"division": "33029X"},
        {"series": "5"},
        {"level": "12"},
        {"level": "二"},
        {"sequence": 0},
        {"year": 26},
        {"year": -202},
        {"sequence": -1},
    ],
)
def test_format_refuses_parts_that_do_not_fit(change: dict[str, str | int]) -> None:
    parts = {"division": "330299", "year": 2026, "series": "05", "level": "2", "sequence": 1} | change
    with pytest.raises(BadSerial):
        PATTERN.format(**parts)  # type: ignore[arg-type] # wrong values are meant


@pytest.mark.parametrize(
    "pattern",
    [
        "",
        "seq6",
        "year4",
        "year4 seq6 year4",
        "year2 seq6",
        "year4 seq3",
        "year4 seq13",
        "check1 year4 seq6",
        "year4  seq6",
        "year4 seq06",
        "YEAR4 seq6",
        "year4 seq6 town3",
        "year4 seq6 check2",
        "year4,seq6",
        "year4 seq６",
    ],
)
def test_a_pattern_that_makes_no_sense_is_refused(pattern: str) -> None:
    with pytest.raises(BadPattern) as caught:
        SerialPattern.parse(pattern)
    assert caught.value.pattern == pattern


def test_a_pattern_without_check_digit_and_division_works() -> None:
    pattern = SerialPattern.parse("year4 series3 seq8")
    assert pattern.format(division="", year=2026, series="005", level="", sequence=7) == "202600500000007"
    pattern.check("202600500000007")


@pytest.mark.parametrize("text", PUBLISHED_IDENTIFIERS)
def test_the_published_identifiers_pass(text: str) -> None:
    parts = text.split(".")[5:]
    assert check_identifier(text) == Identifier(parts[0], parts[1], parts[2], int(parts[3]))


def test_identifier_writes_what_was_published() -> None:
    made = identifier("11339900MB0T000153001", "11330299MB0T00023P", PUBLISHED_SERIALS[0], 1)
    assert made == PUBLISHED_IDENTIFIERS[0]


@given(st.sampled_from(PUBLISHED_IDENTIFIERS), st.data())
def test_any_one_changed_character_of_an_identifier_is_found(text: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(text) - 1))
    char = data.draw(st.sampled_from(ALPHANUMERIC + ".-x中"))
    if char != text[at]:
        with pytest.raises(BadIdentifier):
            check_identifier(text[:at] + char + text[at + 1 :])


@pytest.mark.parametrize(
    ("type_code", "issuer", "serial", "version"),
    [
        ("11339900MB0T00015300", "11330299MB0T00023P", "1", 1),
        ("11339900MB0T000153001", "330299", "1", 1),
        ("11339900MB0T000153001", "11330299MB0T00023P", "宁G1", 1),
        ("11339900MB0T000153001", "11330299MB0T00023P", "", 1),
        ("11339900MB0T000153001", "11330299MB0T00023P", "1", 0),
        ("11339900MB0T000153001", "11330299MB0T00023P", "1", 1000),
    ],
)
def test_identifier_refuses_parts_without_the_standard_form(
    type_code: str, issuer: str, serial: str, version: int
) -> None:
    with pytest.raises(BadIdentifier):
        identifier(type_code, issuer, serial, version)


@pytest.mark.parametrize(
    ("alphabet", "text", "check"),
    [(string.digits, "0794", "5"), (ALPHANUMERIC, "A12425GABC1234002", "M")],
)
def test_check_characters_of_the_standards_own_examples(alphabet: str, text: str, check: str) -> None:
    # ISO/IEC 7064 (MOD 11,10); ISRC-like example of the Global Release Identifier (MOD 37,36).
    assert check_character(text, alphabet) == check


def slow_check_character(text: str, alphabet: str) -> str:
    """ISO/IEC 7064, hybrid systems, as the standard writes them: one division after another."""
    modulus = len(alphabet)
    product = modulus
    for char in text:
        product = ((product + alphabet.index(char)) % modulus or modulus) * 2 % (modulus + 1)
    return alphabet[(modulus + 1 - product) % modulus]


@given(st.sampled_from([string.digits, ALPHANUMERIC, CROCKFORD]), st.data())
def test_check_characters_are_those_of_the_standards_formula(alphabet: str, data: st.DataObject) -> None:
    text = data.draw(st.text(alphabet, max_size=80))
    assert check_character(text, alphabet) == slow_check_character(text, alphabet)


@given(
    type_code=st.from_regex(r"[0-9A-Z]{18}[0-9]{3}", fullmatch=True),
    issuer=st.text(ALPHANUMERIC, min_size=18, max_size=18),
    serial=st.text(ALPHANUMERIC, min_size=1, max_size=64),
    version=st.integers(1, 999),
)
def test_an_identifier_has_the_check_character_of_the_standards_formula(
    type_code: str, issuer: str, serial: str, version: int
) -> None:
    written = identifier(type_code, issuer, serial, version)
    body = f"{type_code}{issuer}{serial}{version:03d}"
    check = slow_check_character(body, ALPHANUMERIC)
    assert written == f"1.2.156.3005.2.{type_code}.{issuer}.{serial}.{version:03d}.{check}"
    assert check_identifier(written) == Identifier(type_code, issuer, serial, version)


@pytest.mark.parametrize(("text", "alphabet"), [("12a", string.digits), ("A中", ALPHANUMERIC), ("ı", CROCKFORD)])
def test_a_character_outside_the_alphabet_has_no_check_character(text: str, alphabet: str) -> None:
    with pytest.raises(ValueError, match="not in the alphabet"):
        check_character(text, alphabet)


@given(st.binary(min_size=10, max_size=10))
def test_codes_keep_all_80_bits_and_survive_how_people_type(random: bytes) -> None:
    code = new_verification_code(random)
    assert len(code) == 16
    assert set(code) <= set(CROCKFORD)
    number = 0
    for char in code:
        number = number * 32 + CROCKFORD.index(char)
    assert number.to_bytes(10) == random
    typed = group_code(code).lower().replace("0", "o").replace("1", "l")
    assert parse_verification_code(typed) == code
    assert parse_verification_code(f" {code[:8]} {code[8:]}　".replace("1", "I")) == code


@pytest.mark.parametrize("length", [0, 9, 11])
def test_a_code_of_the_wrong_number_of_bytes_is_not_made(length: int) -> None:
    with pytest.raises(ValueError, match="10 bytes"):
        new_verification_code(bytes(length))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "7F3K-9Q2M-WX4T-8ZB",
        "7F3K-9Q2M-WX4T-8ZBNN",
        "UF3K-9Q2M-WX4T-8ZBN",
        "uF3K9Q2MWX4T8ZBN",
        "7F3K-9Q2M-WX4T-8ZB中",
        "7F3K/9Q2M/WX4T/8ZBN",
        "７F3K9Q2MWX4T8ZB",
        "ıF3K9Q2MWX4T8ZBN",
        "\x007F3K9Q2MWX4T8ZBN",
    ],
)
def test_what_is_no_code_is_refused_by_naming_it(text: str) -> None:
    with pytest.raises(BadVerificationCode) as caught:
        parse_verification_code(text)
    assert caught.value.text == text


def test_full_width_letters_of_a_chinese_keyboard_count() -> None:
    assert parse_verification_code("７Ｆ３Ｋ－９Ｑ２ＭＷＸ４Ｔ８ＺＢＮ") == "7F3K9Q2MWX4T8ZBN"


@given(st.text())
def test_parsing_any_text_gives_a_code_or_the_error(text: str) -> None:
    try:
        code = parse_verification_code(text)
    except BadVerificationCode:
        return
    assert parse_verification_code(code) == code


def test_codes_are_printed_in_groups_of_four() -> None:
    assert group_code("7F3K9Q2MWX4T8ZBN") == "7F3K-9Q2M-WX4T-8ZBN"
