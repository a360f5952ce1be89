"""Whatever stands in a QR code's address: the page's last word is what the API says of the very same text."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from playwright.sync_api import Browser, Route, expect

from credential.cbor import decode, encode
from credential.cose import open_message, sign_message
from credential.ports import Algorithm, Signer
from credential.qr import QrClaims, decode_qr_claims, encode_qr_claims, parse_qr_text
from credential.trust import Role
from service.app import create_app
from service.house import open_house
from service.issuers import NewIssuer, add_new_issuer
from tests.cheap_keys import cheap_keys
from tests.e2e.site import DESK, Installation, Visit, free_socket, make_installation, served, visit
from tests.e2e.test_paper_code import MemorySigner
from tests.service.at_hand import id_number, person_row
from tests.verifier.gallery import fragment_of
from verifier.explaining import FACES
from verifier.reasons import Word

NO_MESSAGE = b"\xd2\x84 a certificate"  # begins as one
SECOND_ISSUER = "11649901MB0T00032J"
WORDS = {f"{face.tone} {face.zh}": word for word, face in FACES.items()}
STRANGER = MemorySigner(Algorithm.P256, ec.generate_private_key(ec.SECP256R1()))


@dataclass(frozen=True)
class Papers:
    """A site with two issuers, and what is printed on two papers of the first."""

    site: Installation
    addresses: tuple[str, str]
    api: httpx.Client
    first: Signer
    second: Signer

    @property
    def address(self) -> str:
        """Of the first paper, without the code."""
        return self.addresses[0].partition("#")[0]

    @property
    def digits(self) -> str:
        """The first paper's code."""
        return self.addresses[0].partition("#")[2]

    @property
    def message(self) -> bytes:
        """What the first paper's code holds."""
        message = parse_qr_text(self.addresses[0]).message
        assert message is not None
        return message

    @property
    def claims(self) -> QrClaims:
        """What the first paper's code says."""
        return decode_qr_claims(open_message(self.message).payload)


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory, fonts: Path, scan: Callable[[Path], str]) -> Iterator[Papers]:
    listening = free_socket()
    site = make_installation(tmp_path_factory.mktemp("papers"), fonts, listening.getsockname()[1])
    house = open_house(site.settings)
    with cheap_keys():
        add_new_issuer(
            house, NewIssuer("qz", "示例县人力资源和社会保障局", SECOND_ISSUER, "330203", pdf_algorithm=Algorithm.P256)
        )
    signers = house.store.signer(Role.QR, "nb"), house.store.signer(Role.QR, "qz")
    addresses = scan(site.certificates[0]), scan(site.certificates[1])
    with served(create_app(site.settings), listening), httpx.Client(base_url=site.origin, timeout=30) as api:
        yield Papers(site, addresses, api, *signers)


def unreadable(papers: Papers) -> Iterator[tuple[str, str]]:
    """Fragments that are not our number: what an app that scans may leave of one, and what nobody of ours wrote."""
    digits = papers.digits
    yield from ((f"cut to {length}", digits[:length]) for length in (1, 2, 3, 100, 200, 255))
    yield from ((f"first digit {digit}", digit + digits[1:]) for digit in "023456789")
    yield "a 0 before", "0" + digits
    yield "a 0 before the number", "10" + digits[1:]
    yield from (
        (words, words) for words in ("abc", "main", "answer", "paper", "１２３", "-1", "1e9", "0x1", "1.5", "{}")
    )
    yield "escaped", "%31" + digits[1:]
    yield "escaped before", "%31" + digits
    yield "a letter before", "x" + digits
    yield "a letter behind", digits + "x"
    yield "a space in it", f"{digits[:50]}%20{digits[50:]}"
    yield "twice", f"{digits}#{digits}"
    yield "behind a path", f"/elsewhere#{digits}"
    yield from ((f"{length} nines", "1" + "9" * length) for length in (3_612, 3_613, 3_614, 3_616, 30_000))


def altered(papers: Papers) -> Iterator[tuple[str, str]]:
    """Numbers that hold something else than what the issuer signed."""
    digits, message = papers.digits, papers.message
    for at in range(1, len(digits), 13):
        yield f"digit {at}", digits[:at] + str((int(digits[at]) + 1) % 10) + digits[at + 1 :]
    yield "last digit", digits[:-1] + str((int(digits[-1]) + 1) % 10)
    yield from ((f"cut by {length}", digits[:-length]) for length in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 60))
    yield from ((f"longer by {more}", digits + more) for more in ("0", "00", "000", "7", "12345", "9" * 300))
    for at in (*range(16), *range(16, len(message), 23), len(message) - 1):
        yield f"byte {at}", fragment_of(message[:at] + bytes([message[at] ^ 1]) + message[at + 1 :])
    for length in (1, 5, 40, len(message) - 1):
        yield f"cut to byte {length}", fragment_of(message[:length])
    yield "a byte behind", fragment_of(message + b"\0")
    yield "no message", fragment_of(NO_MESSAGE)
    yield "payload alone", fragment_of(open_message(message).payload)


def signed_otherwise(papers: Papers) -> Iterator[tuple[str, str]]:
    """Well signed codes: of another certificate, by another key, or with claims of another form."""
    claims, payload = papers.claims, open_message(papers.message).payload

    def signed(content: QrClaims | bytes, signer: Signer) -> str:
        return fragment_of(sign_message(content if isinstance(content, bytes) else encode_qr_claims(content), signer))

    yield "another's genuine code", papers.addresses[1].partition("#")[2]
    yield "signed again", signed(claims, papers.first)
    yield "another name", signed(replace(claims, name="王假冒"), papers.first)
    yield "the name's beginning", signed(replace(claims, name=claims.name[:1], name_is_cut=True), papers.first)
    yield "a name of dots", signed(replace(claims, name=f"{claims.name[:1]}…"), papers.first)
    yield "another title", signed(replace(claims, title="正高级农艺师"), papers.first)
    yield "no title", signed(replace(claims, title=""), papers.first)
    yield "another digest", signed(replace(claims, claims_digest=bytes(32)), papers.first)
    yield "an unknown claim", signed(encode({**decode(payload), 12: "x"}), papers.first)
    yield "no claims", signed(encode({}), papers.first)
    yield "claims of another type", signed(encode({**decode(payload), 0: 1}), papers.first)
    yield (
        "before the key was valid",
        signed(replace(claims, issued_at=claims.issued_at.replace(year=2001)), papers.first),
    )
    yield "by nobody", signed(claims, STRANGER)
    yield "by nobody, for nobody", signed(replace(claims, issuer=SECOND_ISSUER), STRANGER)
    yield "nonsense by nobody", signed(b"\xff", STRANGER)
    yield "by the other issuer in our name", signed(claims, papers.second)
    yield "by the other issuer in its own name", signed(replace(claims, issuer=SECOND_ISSUER), papers.second)
    yield "in the other issuer's name", signed(replace(claims, issuer=SECOND_ISSUER), papers.first)


def says_the_api(papers: Papers, text: str) -> Word:
    """The verdict on a scanned text; one that is longer than any question is no code of ours."""
    answer = papers.api.post("/api/v1/verify", json={"qr": text})
    if answer.status_code == 422:
        assert len(text) > 4096
        return Word.UNKNOWN
    return Word(answer.json()["verdict"])


def says_the_page(seen: Visit, text: str) -> Word:
    seen.open(text)
    if "#" in text:
        seen.page.wait_for_selector("#paper[data-outcome]", state="attached")
    return WORDS[seen.word]


@pytest.mark.parametrize(
    ("fragments", "words"),
    [
        (unreadable, {Word.UNKNOWN}),
        (altered, {Word.UNKNOWN, Word.TAMPERED}),
        (signed_otherwise, {Word.UNKNOWN, Word.TAMPERED, Word.VALID}),
    ],
    ids=["unreadable", "altered", "signed otherwise"],
)
def test_the_page_says_what_the_api_says_of_the_same_text(
    papers: Papers, browser: Browser, fragments: Callable[[Papers], Iterator[tuple[str, str]]], words: set[Word]
) -> None:
    told: dict[str, tuple[Word, Word]] = {}
    with visit(browser) as seen:
        for name, fragment in fragments(papers):
            text = f"{papers.address}#{fragment}"
            told[name] = says_the_page(seen, text), says_the_api(papers, text)
            is_good = told[name][0] is Word.VALID
            assert seen.page.locator("#last-six").is_visible() is is_good, name
            assert seen.page.locator(".agrees").count() == is_good, name
            assert_nothing_sent(seen, fragment)
        assert seen.complaints == []

    assert {name: pair for name, pair in told.items() if pair[0] is not pair[1]} == {}
    assert {page for page, _ in told.values()} == words


def assert_nothing_sent(seen: Visit, fragment: str) -> None:
    """No request since the last look tells any of the fragment."""
    pieces = {fragment[start : start + 12] for start in range(0, len(fragment) - 11, 4)} - {""}
    requests = [one for one in seen.requests if one.url != "about:blank"]
    assert requests
    for one in requests:
        sent = f"{one.url.partition('#')[0]} {one.all_headers()} {one.post_data_buffer!r}"
        assert not [piece for piece in pieces if piece in sent]
    seen.requests.clear()


def test_the_genuine_code_and_none_at_all_are_valid_to_both(papers: Papers, phone: Visit) -> None:
    for text in (papers.addresses[0], papers.address):
        assert says_the_page(phone, text) is says_the_api(papers, text) is Word.VALID
    # Something was cut off here, were it only the code.
    assert says_the_page(phone, f"{papers.address}#") is says_the_api(papers, f"{papers.address}#") is Word.UNKNOWN


@pytest.mark.parametrize(
    ("lang", "words"),
    [
        ("zh", ("无法证实", "这张纸未经核验", "重新扫码", "逐项对照", "样本")),
        ("en", ("Unknown", "this paper was not checked", "scan again", "compare every line", "SAMPLE")),
    ],
)
def test_who_scanned_half_a_code_is_told_what_to_do(
    papers: Papers, phone: Visit, lang: str, words: tuple[str, ...]
) -> None:
    phone.open(f"{papers.address}?lang={lang}#{papers.digits[:255]}")
    expect(phone.page.locator("#paper")).to_have_attribute("data-outcome", "unread")

    seen = phone.page.inner_text("main")
    assert all(word in seen for word in words), seen
    assert papers.claims.serial in seen  # to compare with
    assert words[0] in phone.page.title()
    assert "total-passed" not in seen
    phone.page.click("#switch")
    phone.page.wait_for_url("**lang=*")
    expect(phone.page.locator("#paper")).to_have_attribute("data-outcome", "unread")


# ---- one window, several papers -------------------------------------------------------------------------------


def test_a_second_paper_in_the_same_window_is_judged_anew(papers: Papers, phone: Visit) -> None:
    forged = papers.addresses[1].partition("#")[2]
    steps: Mapping[str, tuple[str, str]] = {
        papers.digits: ("same", "good 有效"),
        forged: ("differs", "bad 被改动或伪造"),
        papers.digits[:200]: ("unread", "caution 无法证实"),
    }
    phone.open(papers.addresses[0])
    for fragment, (outcome, word) in [*steps.items(), *steps.items()]:
        moves = not phone.page.url.endswith(f"#{fragment}")
        with phone.page.expect_event("load") if moves else nullcontext():
            phone.page.evaluate("(fragment) => { location.hash = fragment; }", fragment)
        expect(phone.page.locator("#paper")).to_have_attribute("data-outcome", outcome)
        assert phone.word == word
    with phone.page.expect_event("load"):
        phone.page.evaluate("history.back()")
    expect(phone.page.locator("#paper")).to_have_attribute("data-outcome", "differs")
    assert phone.word == "bad 被改动或伪造"


def test_the_link_to_the_content_leaves_the_code_in_its_place(papers: Papers, browser: Browser) -> None:
    with visit(browser, DESK) as seen:
        seen.open(papers.addresses[0])
        expect(seen.page.locator("#paper")).to_have_attribute("data-outcome", "same")
        seen.page.keyboard.press("Tab")
        seen.page.keyboard.press("Enter")
        assert seen.page.evaluate("document.activeElement.id") == "main"
        assert seen.page.url == papers.addresses[0]
        assert seen.word == "good 有效"


def test_the_answer_with_the_photo_is_held_against_the_paper_too(papers: Papers, phone: Visit) -> None:
    phone.open(papers.addresses[0])
    names = [person_row(number)[0] for number in range(len(papers.site.certificates))]
    number = names.index(papers.claims.name)
    phone.page.fill("#last-six", id_number(number)[-6:])
    phone.page.keyboard.press("Enter")
    expect(phone.page.locator("img.photo")).to_be_visible()
    expect(phone.page.locator("#paper")).to_have_attribute("data-outcome", "same")
    assert phone.page.url.endswith(f"/photo#{papers.digits}")
    assert_nothing_sent(phone, papers.digits)


# ---- what is missing in the browser ---------------------------------------------------------------------------


def test_a_browser_without_cryptography_says_so_and_still_sees_what_is_no_code(papers: Papers, phone: Visit) -> None:
    phone.page.context.add_init_script("Object.defineProperty(crypto, 'subtle', {value: undefined})")

    assert says_the_page(phone, papers.addresses[0]) is Word.VALID
    assert phone.page.get_attribute("#paper", "data-outcome") == "uncompared"
    assert "未能比对" in phone.page.inner_text("#paper")
    assert says_the_page(phone, f"{papers.address}#{papers.digits[:255]}") is Word.UNKNOWN
    assert says_the_page(phone, f"{papers.address}#{fragment_of(NO_MESSAGE)}") is Word.TAMPERED


@pytest.mark.parametrize("fails", ["BigInt = () => { throw new RangeError('a fault of ours') }"])
def test_a_fault_of_ours_is_neither_valid_nor_an_accusation(papers: Papers, browser: Browser, fails: str) -> None:
    with visit(browser) as seen:
        seen.page.context.add_init_script(fails)

        assert says_the_page(seen, papers.addresses[0]) is Word.UNKNOWN
        assert ["a fault of ours" in said for said in seen.complaints] == [True]


def _answer(body: str, route: Route) -> None:
    route.fulfill(body=body)


def test_without_the_trust_list_a_foreign_code_is_not_confirmed(papers: Papers, browser: Browser) -> None:
    foreign = fragment_of(sign_message(encode_qr_claims(papers.claims), STRANGER))
    for body in (None, "{}", json.dumps({"payload": "bm90IEpTT04="})):
        with visit(browser) as seen:
            if body is None:
                seen.page.route("**/trust-list.json", lambda route: route.abort())
            else:
                seen.page.route("**/trust-list.json", partial(_answer, body))
            assert says_the_page(seen, f"{papers.address}#{foreign}") is Word.UNKNOWN
            assert says_the_page(seen, papers.addresses[0]) is Word.VALID  # for which it is not needed
