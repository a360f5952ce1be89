import hashlib
import re
from dataclasses import replace
from pathlib import Path

import pytest

from credential.model import Record
from credential.ports import Algorithm
from credential.qr_capacity import decimal_digits
from press.fonts import FontLibrary
from press.layout import Overflow
from press.press import MixedUp, Press
from press.symbol import SymbolOverflow
from press.tail import BadPhoto
from tests.press.certificates import (
    PROOF,
    SAMPLES,
    make_press,
    print_certificate,
    sample_record,
    signing,
    template,
)


def without_signature(document: bytes) -> bytes:
    changed, count = re.subn(rb"/Contents<[0-9a-f]+>", b"/Contents<>", document)
    assert count == 1
    return changed


def test_two_prints_differ_in_nothing_but_the_signature(library: FontLibrary) -> None:
    kept, look = signing(Algorithm.P256), make_press(library).look
    first = print_certificate(make_press(library))
    fresh = Press(template(), look, FontLibrary(library._fonts_folder, library._cache_folder), kept.signer, kept.chain)
    photo = first.photo
    second = fresh.print(first.claims, photo=photo, qr_text=first.qr_text, message=first.message, proof=PROOF)
    document = fresh.prefix(photo=True).content + second.tail
    assert document != first.document  # ECDSA takes a new random number each time
    assert without_signature(document) == without_signature(first.document)


def test_rsa_prints_are_equal_to_the_byte(library: FontLibrary) -> None:
    press = make_press(library, Algorithm.RSA_2048)
    first = print_certificate(press)
    second = press.print(first.claims, photo=first.photo, qr_text=first.qr_text, message=first.message, proof=PROOF)
    assert second.tail == first.printed.tail


@pytest.mark.parametrize("algorithm", [Algorithm.RSA_2048, Algorithm.P384])
def test_digest_and_length_are_those_of_the_whole_file(library: FontLibrary, algorithm: Algorithm) -> None:
    certificate = print_certificate(make_press(library, algorithm))
    assert certificate.printed.digest == hashlib.sha256(certificate.document).digest()
    assert certificate.printed.length == len(certificate.document)
    assert certificate.printed.prefix_digest == certificate.claims.template_digest


def test_a_cached_prefix_is_the_compiled_one(library: FontLibrary, tmp_path: Path) -> None:
    look = make_press(library).look
    compiled = make_press(library).prefix(photo=True)
    for _ in range(2):
        again = Press(template(), look, library, None, (), cache_folder=tmp_path).prefix(photo=True)
        assert again.content == compiled.content
        assert again.static_rows == compiled.static_rows
    (cached,) = tmp_path.iterdir()
    content = bytearray(cached.read_bytes())
    content[-1] ^= 1
    cached.write_bytes(content)
    repaired = Press(template(), look, library, None, (), cache_folder=tmp_path).prefix(photo=True)
    assert repaired.content == compiled.content


def test_everything_of_the_look_changes_the_prefix(library: FontLibrary) -> None:
    look = make_press(library).look
    others = [
        replace(look, name="示例县人力资源和社会保障局"),
        replace(look, public_url="https://zs2.example.gov.cn"),
        replace(look, legal_effect="本电子证书与纸质证书具有同等效力。"),
        replace(look, seal_arc="示例县人力资源和社会保障局"),
        replace(look, seal_bottom="职称专用章"),
        replace(look, is_sample=False),
    ]
    digests = {Press(template(), one, library, None, ()).prefix(photo=True).digest for one in [look, *others]}
    digests.add(make_press(library).prefix(photo=False).digest)
    assert len(digests) == len(others) + 2


def test_a_sample_issuer_is_marked_and_a_real_one_is_not(library: FontLibrary) -> None:
    press = make_press(library)
    real = Press(template(), replace(press.look, is_sample=False), library, None, ())
    marked, plain = ({text.text for text in one.prefix(photo=True).plan.texts} for one in (press, real))
    assert {text for text in marked - plain if "样本" in text}
    assert not any("样本" in text for text in plain)


def test_the_budget_is_filled_and_not_overrun(library: FontLibrary) -> None:
    press = make_press(library)
    head = f"{press.look.public_url}/c/7F3K9Q2MWX4T8ZBN#1"
    fullest = "9" * decimal_digits(press.qr_budget)
    assert press.symbols.encode(head + fullest).width == 81
    with pytest.raises(SymbolOverflow):
        press.symbols.encode(head + "9" * (decimal_digits(press.qr_budget + 1)))


@pytest.mark.parametrize("sample", SAMPLES)
def test_samples_have_no_layout_problems(sample: str, library: FontLibrary) -> None:
    assert make_press(library).check(sample_record(sample)) == []


def changed(record: Record, **fields: str) -> Record:
    return replace(record, fields={**record.fields, **fields})


def test_check_finds_overflow_and_missing_glyphs_by_field(library: FontLibrary) -> None:
    press, record = make_press(library), sample_record("ordinary")
    holder = replace(record.holder, name="张\ue000")
    problems = press.check(changed(replace(record, holder=holder), committee="评" * 150, specialty="兽" * 90))
    assert {(problem.key, problem.code) for problem in problems} == {
        ("name", "missing-glyph"),
        ("committee", "overflow"),
        ("specialty", "overflow"),
    }
    assert all(problem.zh and problem.en for problem in problems)


def test_check_needs_no_key(library: FontLibrary) -> None:
    press = Press(template(), make_press(library).look, library, None, ())
    assert press.check(sample_record("longest")) == []
    with pytest.raises(MixedUp, match="without a key"):
        press.print(print_certificate(make_press(library)).claims, photo=None, qr_text="", message=b"", proof="")


def test_check_and_print_agree(library: FontLibrary) -> None:
    press = make_press(library)
    for length in range(10, 200, 10):
        fields = {"specialty": "业" * length}
        if press.check(changed(sample_record("ordinary"), **fields)):
            with pytest.raises(Overflow):
                print_certificate(press, fields=fields)
            return
        print_certificate(press, fields=fields)
    pytest.fail("nothing overflowed")


def test_nothing_is_printed_of_things_that_do_not_belong_together(library: FontLibrary) -> None:
    press = make_press(library)
    right = print_certificate(press)
    other_photo = print_certificate(press, "minority").photo
    plain_digest = press.prefix(photo=False).digest

    def attempt(**changes: object) -> None:
        photo = changes.pop("photo", right.photo)
        claims = replace(right.claims, **changes)  # type: ignore[arg-type]  # the cases below are typed by eye
        assert photo is None or isinstance(photo, bytes)
        press.print(claims, photo=photo, qr_text=right.qr_text, message=right.message, proof=PROOF)

    attempt()
    with pytest.raises(MixedUp, match="photo"):
        attempt(photo=other_photo)
    with pytest.raises(MixedUp, match="another template or layout"):
        attempt(photo=None)
    with pytest.raises(MixedUp, match="photo"):
        attempt(photo=None, template_digest=plain_digest)
    with pytest.raises(MixedUp, match="issuer"):
        attempt(issuer_name="别的机构")
    with pytest.raises(MixedUp, match="another template"):
        attempt(template_digest=bytes(32))


@pytest.mark.parametrize(
    "photo", [b"", b"\xff\xd8", b"\x89PNG\r\n", b"\xff\xd8\xff\xc0\0\x11\x08\0\x10\0\x10\x04" + bytes(9)]
)
def test_what_is_no_grey_or_rgb_jpeg_is_not_embedded(library: FontLibrary, photo: bytes) -> None:
    press = make_press(library)
    right = print_certificate(press)
    claims = replace(right.claims, photo_digest=hashlib.sha256(photo).digest())
    with pytest.raises(BadPhoto):
        press.print(claims, photo=photo, qr_text=right.qr_text, message=right.message, proof=PROOF)


def test_a_name_in_the_value_font_costs_only_its_glyphs(library: FontLibrary) -> None:
    press = make_press(library)
    short, long = (len(print_certificate(press, name=name).printed.tail) for name in ("张三", "张三丰"))
    assert 0 < long - short < 1500


def test_printed_together_they_are_what_each_is_alone(library: FontLibrary) -> None:
    press = make_press(library, Algorithm.RSA_2048)
    each = [print_certificate(press, sample) for sample in SAMPLES]
    together = press.print_many(
        [one.claims for one in each],
        photos=[one.photo for one in each],
        qr_texts=[one.qr_text for one in each],
        messages=[one.message for one in each],
        proofs=[PROOF] * len(each),
    )
    assert together == [one.printed for one in each]
    assert {one.prefix_digest for one in together} == {press.prefix(photo=photo).digest for photo in (True, False)}


def test_nothing_is_signed_when_one_of_them_is_mixed_up(library: FontLibrary) -> None:
    press = make_press(library)
    each = [print_certificate(press, sample) for sample in ("ordinary", "minority")]
    with pytest.raises(MixedUp, match="photo"):
        press.print_many(
            [one.claims for one in each],
            photos=[each[0].photo, each[0].photo],
            qr_texts=[one.qr_text for one in each],
            messages=[one.message for one in each],
            proofs=[PROOF] * 2,
        )
    with pytest.raises(ValueError, match="argument"):
        press.print_many(
            [each[0].claims],
            photos=[each[0].photo],
            qr_texts=[one.qr_text for one in each],
            messages=[each[0].message],
            proofs=[PROOF],
        )
