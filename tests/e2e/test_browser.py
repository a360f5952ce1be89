"""What an employer and a holder see, in a real browser against the real service."""

import csv
import re
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect
from starlette.types import Receive, Scope, Send

from service.folder import DataFolder
from tests.e2e.site import (
    DESK,
    Installation,
    Visit,
    accessibility_violations,
    free_socket,
    served,
    visit,
)
from tests.service.at_hand import id_number, person_row
from tests.verifier.gallery import SIGNED_BY_NOBODY, gallery_app, gallery_code

MAX_PAGE_BYTES = 30 * 1024  # uncompressed, beside the photo
FRAUD = ("--reason", "fraud", "--decision", "示人社函〔2026〕9号")


# ---- the employer's way ---------------------------------------------------------------------------------------


def test_issue_scan_valid_revoke_reload_revoked(
    site: Installation, phone: Visit, scan: Callable[[Path], str], browser: Browser
) -> None:
    certificate = site.certificates[0]
    address = scan(certificate)
    assert address.startswith(f"{site.origin}/c/")

    phone.open(address)
    assert phone.word == "good 有效"
    assert phone.page.locator(".agrees").inner_text().startswith("二维码中的签名已在本机验证")
    assert phone.page.locator("#paper").get_attribute("data-outcome") == "same"
    assert certificate.stem in phone.page.inner_text("main")
    assert "样本" in phone.page.inner_text("main")

    revoked = site.run("revoke", certificate.stem, "--issuer", "nb", "--as", "wang", "--approve-as", "li", *FRAUD)
    assert revoked.code == 0, revoked
    phone.page.reload()
    assert phone.word == "bad 已撤销"
    assert "示人社函〔2026〕9号" in phone.page.inner_text(".history")

    with visit(browser, scripts=False) as plain:
        assert plain.open(address).word == "bad 已撤销"


def test_the_page_is_the_same_without_scripts(
    site: Installation, browser: Browser, scan: Callable[[Path], str]
) -> None:
    address = scan(site.certificates[1])
    told = []
    for scripts in (True, False):
        with visit(browser, scripts=scripts) as seen:
            seen.open(address)
            assert seen.word == "good 有效"
            told.append(re.sub(r"\d\d:\d\d:\d\d", "", seen.page.inner_text("dl >> nth=0")))
    assert told[0] == told[1]


def test_no_request_tells_what_the_code_says(site: Installation, phone: Visit, scan: Callable[[Path], str]) -> None:
    address = scan(site.certificates[1])
    digits = address.partition("#")[2]
    phone.open(address)
    phone.page.reload()
    phone.page.click("#switch")
    phone.page.wait_for_url("**lang=en**")
    assert phone.page.url.endswith(digits)  # the switch takes the fragment along, in the browser
    assert phone.page.locator("#paper").get_attribute("data-outcome") == "same"

    assert_nothing_sent(phone, digits, site.origin)


def assert_nothing_sent(seen: Visit, digits: str, origin: str) -> None:
    """No request but to this site, and nothing of the fragment in its address, headers or body.

    The browser's own record of a page's address keeps the fragment, which is
    never sent: it is cut off here, and looked for in all the rest.
    """
    requests = [one for one in seen.requests if one.url != "about:blank"]
    assert len(requests) > 3
    for one in requests:
        assert one.url.startswith(f"{origin}/")
        sent = f"{one.url.partition('#')[0]} {one.all_headers()} {one.post_data_buffer!r}"
        assert not any(digits[start : start + 12] in sent for start in range(0, len(digits) - 12, 4))
        assert not one.all_headers().get("referer")


def test_what_the_server_receives_has_no_fragment(
    browser: Browser, scan: Callable[[Path], str], site: Installation
) -> None:
    received: list[bytes] = []
    digits = scan(site.certificates[1]).partition("#")[2]

    async def ear(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            received.append(repr({key: scope[key] for key in ("path", "raw_path", "query_string", "headers")}).encode())
        await app(scope, receive, send)

    app, listening = gallery_app(), free_socket()
    with served(ear, listening) as origin, visit(browser) as seen:
        seen.open(f"{origin}/c/{gallery_code('good')}#{digits}")
        expect(seen.page.locator("#paper")).to_have_attribute("data-outcome", "foreign")
        seen.open(f"{origin}/verify#{digits}")
        seen.page.fill("#code", gallery_code("revoked"))
        seen.page.click("form >> nth=0 >> button")
        expect(seen.page.locator("#answer .banner")).to_have_class("banner bad")
    assert len(received) > 8
    assert not [one for one in received if digits[:20].encode() in one]


# ---- a file, a code, a serial ---------------------------------------------------------------------------------


def test_an_original_file_is_valid_and_an_altered_one_tampered(site: Installation, desk: Visit, tmp_path: Path) -> None:
    original = site.certificates[2]
    altered = bytearray(original.read_bytes())
    altered[len(altered) // 2] ^= 1
    (tmp_path / "altered.pdf").write_bytes(altered)

    desk.open(f"{site.origin}/verify/file")
    desk.page.set_input_files("#file", original)
    desk.page.click("form button")
    expect(desk.page.locator("#answer .banner")).to_have_class("banner good")
    assert "逐字节相同" in desk.page.inner_text("#answer")
    assert desk.page.url == f"{site.origin}/verify/file"  # swapped in place

    drop_file(desk, tmp_path / "altered.pdf")
    expect(desk.page.locator("#answer .banner")).to_have_class("banner bad")
    assert desk.word == "bad 被改动或伪造"


def drop_file(seen: Visit, file: Path) -> None:
    """Drop a file on the form, as from a folder's window."""
    content = b64encode(file.read_bytes()).decode("ascii")
    carried = seen.page.evaluate_handle(
        """([content, name]) => {
            const bytes = Uint8Array.from(atob(content), (character) => character.charCodeAt(0));
            const carried = new DataTransfer();
            carried.items.add(new File([bytes], name, {type: "application/pdf"}));
            return carried;
        }""",
        [content, file.name],
    )
    seen.page.dispatch_event("[data-drop]", "drop", {"dataTransfer": carried})


def test_files_codes_and_serials_work_without_scripts(
    site: Installation, browser: Browser, scan: Callable[[Path], str]
) -> None:
    certificate = site.certificates[3]
    code = scan(certificate).partition("#")[0].rpartition("/")[2]
    with visit(browser, DESK, scripts=False) as seen:
        seen.open(f"{site.origin}/verify/file")
        seen.page.set_input_files("#file", certificate)
        seen.page.click("form button")
        assert seen.word == "good 有效"
        name = seen.page.inner_text(".name dd")

        seen.open(f"{site.origin}/verify")
        seen.page.fill("#code", "-".join(code[at : at + 4] for at in range(0, 16, 4)).lower())
        seen.page.click("form >> nth=0 >> button")
        assert (seen.word, seen.page.url) == ("good 有效", f"{site.origin}/c/{code}")

        seen.open(f"{site.origin}/verify")
        seen.page.fill("#serial", certificate.stem)
        seen.page.fill("#name", name)
        seen.page.press("#name", "Enter")
        assert seen.word == "good 有效"
        assert seen.page.inner_text(".name dd").endswith("**")
        assert name not in seen.page.inner_text("main")
        assert certificate.stem not in seen.page.url


def test_a_mistyped_code_is_said_in_place_and_the_page_goes_on(site: Installation, phone: Visit) -> None:
    phone.open(f"{site.origin}/verify?lang=en")
    phone.page.fill("#code", "7F3K 9Q2M")
    phone.page.keyboard.press("Enter")
    expect(phone.page.locator("#answer [role=alert]")).to_contain_text("This is not a verification code")
    phone.page.fill("#serial", "1")
    phone.page.fill("#name", "王")
    phone.page.keyboard.press("Enter")
    expect(phone.page.locator("#answer .banner")).to_have_class("banner caution")
    # What a browser says of any status above 399; the page itself has nothing to complain of.
    phone.complaints = [said for said in phone.complaints if "422" not in said]


# ---- the holder -----------------------------------------------------------------------------------------------


def test_a_claim_code_fetches_the_exact_file_and_a_wrong_one_nothing(
    site: Installation, phone: Visit, tmp_path: Path
) -> None:
    sheet = tmp_path / "sheet.csv"
    handed = site.run("hand-over", "1", "--as", "wang", "--out", str(sheet))
    assert handed.code == 0, handed
    certificate = site.certificates[7]
    lines = [line for line in csv.reader(sheet.read_text("utf-8-sig").splitlines()) if certificate.stem in line]
    others = [
        line for line in csv.reader(sheet.read_text("utf-8-sig").splitlines()) if site.certificates[6].stem in line
    ]
    claim_code, foreign = (
        next(cell for cell in line if re.fullmatch(r"[0-9A-Z]{4}(-[0-9A-Z]{4}){2}", cell)) for line in (*lines, *others)
    )

    phone.open(f"{site.origin}/claim")
    phone.page.fill("#serial", certificate.stem)
    phone.page.fill("#claim-code", foreign)
    phone.page.keyboard.press("Enter")
    assert "不符" in phone.page.inner_text("[role=alert]")
    assert phone.page.input_value("#serial") == certificate.stem
    assert phone.page.input_value("#claim-code") == ""

    phone.page.fill("#claim-code", claim_code.lower())
    phone.page.keyboard.press("Enter")
    with phone.page.expect_download() as download:
        phone.page.click("a.button")
    assert Path(download.value.path()).read_bytes() == certificate.read_bytes()
    assert download.value.suggested_filename == f"{certificate.stem}.pdf"
    assert claim_code not in "".join(one.url for one in phone.requests)
    phone.complaints = [said for said in phone.complaints if "422" not in said]


def test_the_photo_takes_the_end_of_the_id_number(
    site: Installation, phone: Visit, scan: Callable[[Path], str]
) -> None:
    address = scan(site.certificates[7])
    phone.open(address)
    assert phone.page.locator("img").count() == 0
    names = [person_row(number)[0] for number in range(len(site.certificates))]
    number = names.index(phone.page.inner_text(".name dd"))
    phone.page.fill("#last-six", "000000")
    phone.page.keyboard.press("Enter")
    phone.page.wait_for_selector("#photo-error")
    assert phone.page.locator("img").count() == 0
    phone.page.fill("#last-six", id_number(number)[-6:])
    phone.page.keyboard.press("Enter")
    portrait = phone.page.locator("img.photo")
    expect(portrait).to_be_visible()
    assert portrait.evaluate("(one) => one.complete && one.naturalWidth > 100")
    assert phone.word == "good 有效"
    phone.complaints = [said for said in phone.complaints if "422" not in said]


# ---- the code on the paper ------------------------------------------------------------------------------------


def test_the_genuine_code_of_another_certificate_is_tampered(
    site: Installation, phone: Visit, scan: Callable[[Path], str]
) -> None:
    one, other = scan(site.certificates[4]), scan(site.certificates[5])
    phone.open(f"{one.partition('#')[0]}#{other.partition('#')[2]}")

    expect(phone.page.locator("#paper")).to_have_attribute("data-outcome", "differs")
    assert phone.word == "bad 被改动或伪造"
    assert {"姓名", "证书编号"} <= set(phone.page.locator("#paper li").all_inner_texts())
    assert "被改动或伪造" in phone.page.title()
    assert not phone.page.locator("#last-six").is_visible()  # nothing below goes on as if it were good


def test_while_the_register_is_away_the_paper_is_read_and_its_state_left_open(
    site: Installation, browser: Browser, scan: Callable[[Path], str]
) -> None:
    address = scan(site.certificates[4])
    digits = address.partition("#")[2]
    trust_list = DataFolder(site.settings.data).trust_list.read_bytes()
    app = gallery_app(trust_list=trust_list)

    with served(app, free_socket()) as origin, visit(browser) as seen:
        seen.open(f"{origin}/c/{gallery_code('register-unavailable')}#{digits}")
        expect(seen.page.locator("#paper")).to_have_attribute("data-outcome", "alone")
        assert seen.word == "neutral 暂时无法查询"
        told = seen.page.inner_text("#paper")
        assert site.certificates[4].stem in told
        assert "不能确认证书当前是否有效" in told
        assert accessibility_violations(seen.page) == []


@pytest.mark.parametrize(
    ("fragment", "outcome"), [(SIGNED_BY_NOBODY, "warned"), ("1" + SIGNED_BY_NOBODY, "uncompared"), ("", "uncompared")]
)
def test_paper_that_does_not_fit_a_revoked_certificate_leaves_it_revoked(
    gallery: str, phone: Visit, fragment: str, outcome: str
) -> None:
    phone.open(f"{gallery}/c/{gallery_code('revoked')}#{fragment}")

    expect(phone.page.locator("#paper")).to_have_attribute("data-outcome", outcome)
    assert phone.word == "bad 已撤销"


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_the_page_that_a_code_opens_is_small(
    site: Installation, phone: Visit, scan: Callable[[Path], str], lang: str
) -> None:
    address = scan(site.certificates[6]).replace("#", f"?lang={lang}#")
    sizes: dict[str, int] = {}
    phone.page.on("response", lambda one: sizes.update({one.url: len(one.body())}))
    phone.open(address)
    expect(phone.page.locator("#paper")).to_have_attribute("data-outcome", "same")
    phone.page.wait_for_load_state("networkidle")

    names = {url.partition("?")[0].partition("#")[0].rpartition("/")[2] for url in sizes}
    assert {"yinzheng.css", "paper.js", "cose.js"} < names
    assert "htmx.min.js" not in names
    assert sum(sizes.values()) < MAX_PAGE_BYTES, sizes
