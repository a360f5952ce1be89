"""The text of the QR code: round trips, room, cutting of names, hostile texts."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import cbor2
import pytest
import qrcode
import zxingcpp
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from qrcode import base, util

from credential.claims import BadClaims, claims_digest, encode_claims
from credential.cose import open_message, sign_message, signature_bytes
from credential.model import Claims, PartialDate
from credential.ports import Algorithm
from credential.qr import (
    BadOrigin,
    BadQrText,
    QrClaims,
    QrText,
    QrTooSmall,
    UnknownQrFormat,
    budget,
    decode_qr_claims,
    encode_qr_claims,
    fit_qr_claims,
    parse_qr_text,
    qr_prefix,
    qr_text,
    says,
)
from credential.qr_capacity import UnknownSymbol, data_codewords, decimal_digits, numeric_digits
from credential.schema import QrFields

ORIGIN = "https://zs.example.gov.cn"  # the host has 17 characters
CODE = "7F3K9Q2MWX4T8ZBN"
LEVELS = {"L": 1, "M": 0, "Q": 3, "H": 2}  # as the qrcode package numbers them
MAKE = Callable[..., Any]
COSE_SIGN1 = b"\xd2\x84"  # how every message begins


@given(st.binary(max_size=1498).map(COSE_SIGN1.__add__))
def test_a_message_survives_the_text(message: bytes) -> None:
    assert parse_qr_text(qr_text(ORIGIN, CODE, message)) == QrText(ORIGIN, CODE, message)


def test_the_text_is_that_of_the_specification() -> None:
    assert qr_text(ORIGIN, CODE, b"\xd2\x84\x00") == "https://zs.example.gov.cn/c/7F3K9Q2MWX4T8ZBN#130573568"
    assert qr_text("http://127.0.0.1:8000", CODE, b"\xff\x02") == "http://127.0.0.1:8000/c/7F3K9Q2MWX4T8ZBN#1130818"


def test_a_text_without_fragment_is_an_address_only() -> None:
    assert parse_qr_text(f"{ORIGIN}/c/{CODE}") == QrText(ORIGIN, CODE, None)


@given(st.text(max_size=80))
def test_any_text_gives_a_reading_or_the_error(text: str) -> None:
    with pytest.raises(BadQrText):
        parse_qr_text(text)


@given(st.binary(max_size=60).map(COSE_SIGN1.__add__), st.data())
def test_two_texts_never_read_alike(message: bytes, data: st.DataObject) -> None:
    written = qr_text(ORIGIN, CODE, message)
    at = data.draw(st.integers(0, len(written) - 1))
    changed = written[:at] + data.draw(st.characters()) + written[at + 1 :]
    try:
        read = parse_qr_text(changed)
    except (BadQrText, UnknownQrFormat):
        return
    assert (read == QrText(ORIGIN, CODE, message)) is (changed == written)


@pytest.mark.parametrize(
    "text",
    [
        "",
        f"HTTPS://zs.example.gov.cn/c/{CODE}#1257",
        f"https://ZS.example.gov.cn/c/{CODE}#1257",
        f"ftp://zs.example.gov.cn/c/{CODE}#1257",
        f"https://user@zs.example.gov.cn/c/{CODE}#1257",
        f"https://zs.example.gov.cn/x/{CODE}#1257",
        f"https://zs.example.gov.cn/a/c/{CODE}#1257",
        f"https://zs.example.gov.cn/c/{CODE}/#1257",
        f"https://zs.example.gov.cn/c/{CODE}?a#1257",
        f"https://zs..cn/c/{CODE}#1257",
        f"https://-zs.cn/c/{CODE}#1257",
        f"https://zs.cn:0/c/{CODE}#1257",
        f"https://zs.cn:123456/c/{CODE}#1257",
        f"https://政务.cn/c/{CODE}#1257",
        f"{ORIGIN}/c/{CODE.lower()}#1257",
        f"{ORIGIN}/c/{CODE[:-1]}#1257",
        f"{ORIGIN}/c/{CODE[:-1]}U#1257",
        f"{ORIGIN}/c/{CODE}#",
        f"{ORIGIN}/c/{CODE}#1",
        f"{ORIGIN}/c/{CODE}#1１",
        f"{ORIGIN}/c/{CODE}#11",  # the leading byte alone
        f"{ORIGIN}/c/{CODE}#1256",  # no message of ours: bytes 01 00
        f"{ORIGIN}/c/{CODE}#147350784",  # the leading byte is 2
        f"{ORIGIN}/c/{CODE}#1030573568",  # a leading zero
        f"{ORIGIN}/c/{CODE}#130573568 ",
        f"{ORIGIN}/c/{CODE}#130573568\n",
        f" {ORIGIN}/c/{CODE}#130573568",
        f"{ORIGIN}/c/{CODE}#1" + "9" * 4000,
        f"{ORIGIN}/c/{CODE}#1" + "9" * 100_000,
    ],
)
def test_what_we_would_not_write_is_refused(text: str) -> None:
    with pytest.raises(BadQrText):
        parse_qr_text(text)


def test_a_scan_that_was_cut_off_is_unreadable_and_no_message() -> None:
    whole = qr_text(ORIGIN, CODE, COSE_SIGN1 + bytes(range(200)))
    start = whole.index("#") + 2
    for end in range(start, len(whole)):
        with pytest.raises(BadQrText):
            parse_qr_text(whole[:end])


@pytest.mark.parametrize("digit", "023456789")
def test_another_format_is_told_apart_from_garbage(digit: str) -> None:
    with pytest.raises(UnknownQrFormat, match=f"format {digit}"):
        parse_qr_text(f"{ORIGIN}/c/{CODE}#{digit}257")


@pytest.mark.parametrize(
    "public_url",
    ["https://zs.example.gov.cn/", "HTTPS://zs.example.gov.cn", "zs.example.gov.cn", "https://zs.cn/a", "ftp://zs.cn"],
)
def test_an_address_that_would_not_be_read_back_is_refused(public_url: str) -> None:
    with pytest.raises(BadOrigin):
        qr_text(public_url, CODE, b"\x01")


def test_a_message_longer_than_any_symbol_is_refused() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        qr_text(ORIGIN, CODE, bytes(1501))


# ---- room


def test_the_capacity_of_every_symbol_is_that_of_another_encoder() -> None:
    for version in range(1, 41):
        for level, number in LEVELS.items():
            blocks = base.rs_blocks(version, number)
            assert data_codewords(version, level) == sum(block.data_count for block in blocks)


def test_the_budgets_are_those_of_the_design() -> None:
    length = len(qr_prefix(ORIGIN, CODE))
    assert length == 45
    assert budget(14, "M", length) == 313
    assert budget(11, "M", length) == 202


@pytest.mark.parametrize(("version", "level"), [(0, "M"), (41, "M"), (14, "m"), (14, "")])
def test_there_is_no_such_symbol(version: int, level: str) -> None:
    with pytest.raises(UnknownSymbol):
        budget(version, level, 45)


def test_a_symbol_too_small_for_the_address_has_no_room() -> None:
    assert numeric_digits(1, "M", 45) < 0
    assert budget(1, "M", 45) == 0
    assert budget(3, "M", 40) == 0  # a digit or two are left, for the format only


@pytest.mark.parametrize("length", [*range(40), 100, 313, 1500])
def test_the_digits_of_a_message_are_counted_exactly(length: int) -> None:
    assert decimal_digits(length) == len(str(int.from_bytes(b"\x01" + b"\xff" * length)))


@pytest.mark.parametrize(
    ("version", "level"), [(5, "L"), (9, "M"), (10, "M"), (11, "M"), (14, "M"), (26, "Q"), (27, "H")]
)
def test_the_budget_fills_the_symbol_and_one_byte_more_does_not_fit(version: int, level: str) -> None:
    room = budget(version, level, 45)
    for length, fits in ((room, True), (room + 1, False)):
        text = qr_text(ORIGIN, CODE, b"\xff" * length)
        code = qrcode.QRCode(version=version, error_correction=LEVELS[level])
        code.add_data(util.QRData(text[:45].encode(), mode=4))
        code.add_data(util.QRData(text[45:].encode(), mode=1))
        code.best_fit(start=version)
        assert (code.version == version) is fits


def test_another_decoder_reads_a_full_symbol_back() -> None:
    message = COSE_SIGN1 + bytes(range(256)) + bytes(55)
    text = qr_text(ORIGIN, CODE, message)
    code = qrcode.QRCode(version=14, error_correction=LEVELS["M"], box_size=3, border=4)
    code.add_data(util.QRData(text[:45].encode(), mode=4))
    code.add_data(util.QRData(text[45:].encode(), mode=1))
    code.make(fit=False)
    picture = Image.new("L", (len(code.get_matrix()),) * 2, 255)
    picture.putdata([0 if dark else 255 for row in code.get_matrix() for dark in row])
    (found,) = zxingcpp.read_barcodes(picture.resize((picture.width * 3,) * 2, Image.Resampling.NEAREST))
    assert parse_qr_text(found.text) == QrText(ORIGIN, CODE, message)


# ---- claims


@pytest.fixture
def qr_claims(claims: Claims) -> QrClaims:
    return fit_qr_claims(claims, 7, 313, 64)


def test_the_example_certificate_fits_whole_and_signed(claims: Claims, make_signer: MAKE) -> None:
    signer = make_signer(Algorithm.P256)
    fitted = fit_qr_claims(claims, 7, budget(14, "M", 45), signature_bytes(Algorithm.P256))
    message = sign_message(encode_qr_claims(fitted), signer)
    assert len(message) <= 313
    opened = open_message(message)
    opened.verify(signer.public_key)
    assert decode_qr_claims(opened.payload) == fitted
    assert (fitted.name, fitted.name_is_cut, fitted.title) == ("张喆堃", False, "高级工程师")
    assert fitted.qualified_on == PartialDate("2026-06-30")
    assert fitted.claims_digest == claims_digest(encode_claims(claims))
    assert claims.holder.id_number.encode() not in message


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    length=st.integers(1, 50), room=st.integers(254, 400), algorithm=st.sampled_from([Algorithm.P256, Algorithm.P384])
)
def test_a_name_is_cut_to_the_longest_beginning_that_fits(
    claims: Claims, length: int, room: int, algorithm: Algorithm, make_signer: MAKE
) -> None:
    name = "".join(chr(0x20000 + at) for at in range(length))
    named = replace(claims, holder=replace(claims.holder, name=name))
    fitted = fit_qr_claims(named, 7, room, signature_bytes(algorithm))
    assert name.startswith(fitted.name)
    assert fitted.name_is_cut is (fitted.name != name)
    message = sign_message(encode_qr_claims(fitted), make_signer(algorithm))
    assert len(message) <= room
    if fitted.name_is_cut:
        longer = replace(fitted, name=name[: len(fitted.name) + 1], name_is_cut=len(fitted.name) + 1 < length)
        assert len(sign_message(encode_qr_claims(longer), make_signer(algorithm))) > room


def test_what_does_not_fit_even_without_a_name_is_refused_with_the_cure(claims: Claims) -> None:
    with pytest.raises(QrTooSmall, match="enlarge its box"):
        fit_qr_claims(claims, 7, 202, 64)


def test_a_digest_at_hand_is_not_worked_out_again(claims: Claims) -> None:
    digest = claims_digest(encode_claims(claims))
    assert fit_qr_claims(claims, 7, 313, 64, digest=digest) == fit_qr_claims(claims, 7, 313, 64)


def test_a_kind_without_title_level_and_date_needs_none(claims: Claims) -> None:
    fitted = fit_qr_claims(replace(claims, fields={"course": "安全培训"}), 0, 313, 64)
    assert (fitted.title, fitted.level, fitted.qualified_on) == ("", "", None)
    assert decode_qr_claims(encode_qr_claims(fitted)) == fitted


def test_the_bytes_are_those_of_the_specification(qr_claims: QrClaims) -> None:
    entries = cbor2.loads(encode_qr_claims(qr_claims))
    assert entries == {
        0: 2,
        1: "11330299MB0T00023P",
        2: "33029920260520001289",
        3: "张喆堃",
        5: "高级工程师",
        6: "副高级",
        7: "2026-06-30",
        8: 7,
        9: 1_048_575,
        10: 1783472523,
        11: bytes.fromhex("c75a86daf3653328adc522953ea20ec9470c3d5295e919d1ee243c04eccaf4cd"),
    }


@pytest.mark.parametrize(
    "change",
    [
        {0: 1},
        {1: "x"},
        {2: ""},
        {3: ""},
        {3: "张\n三"},
        {4: 0},
        {4: 2},
        {5: 1},
        {6: ""},
        {7: "2026-02-30"},
        {7: 1},
        {8: -1},
        {8: 1 << 31},
        {9: 1 << 20},
        {10: -1},
        {11: bytes(31)},
        {12: 0},
    ],
)
def test_a_map_with_a_wrong_value_is_refused(change: dict[int, Any], qr_claims: QrClaims) -> None:
    entries = cbor2.loads(encode_qr_claims(qr_claims)) | change
    with pytest.raises(BadClaims):
        decode_qr_claims(cbor2.dumps(entries, canonical=True))


def test_full_claims_do_not_pass_as_qr_claims(claims: Claims) -> None:
    with pytest.raises(BadClaims, match="format type 2"):
        decode_qr_claims(encode_claims(claims))


@pytest.mark.parametrize(
    "change", [{"name": "张\ud800"}, {"serial": "a"}, {"claims_digest": b""}, {"status_index": -1}]
)
def test_what_could_not_be_read_back_is_not_written(change: dict[str, Any], qr_claims: QrClaims) -> None:
    with pytest.raises(BadClaims):
        encode_qr_claims(replace(qr_claims, **change))


def test_the_longer_of_name_and_title_is_cut_and_both_say_so(claims: Claims) -> None:
    long = replace(claims, fields={**claims.fields, "title": "安" * 150}, holder=replace(claims.holder, name="丁" * 40))
    fitted = fit_qr_claims(long, 7, 313, 64)

    assert fitted.name_is_cut
    assert fitted.title.endswith("…")
    assert abs(len(fitted.name) - len(fitted.title)) <= 1
    assert says(fitted.title, "安" * 150)
    assert not says(fitted.title, "丁" * 150)
    assert not says("安", "安" * 150)  # a beginning without its mark is another title


def test_a_kind_says_which_of_its_fields_the_code_holds(claims: Claims) -> None:
    claims = replace(claims, fields={"course": "安全培训", "ended_on": "2026-03-04"})
    fitted = fit_qr_claims(claims, 7, 313, 64, in_qr=QrFields("course", "", "ended_on"))

    assert (fitted.title, fitted.level, str(fitted.qualified_on)) == ("安全培训", "", "2026-03-04")
