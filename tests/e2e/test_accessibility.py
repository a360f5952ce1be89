"""Every page and every verdict, for those who see no colours, use no mouse, or have a small window."""

from hashlib import sha256

import pytest
from playwright.sync_api import Browser

from tests.e2e.site import AXE, DESK, PHONE, Visit, accessibility_violations, visit
from tests.verifier.gallery import SIGNED_BY_NOBODY, gallery_code, one_of_each_word
from verifier.reasons import Word

PAGES = [
    *(f"/c/{gallery_code(reason)}" for reason in [*one_of_each_word().values(), "copy"]),
    *("/", "/verify", "/verify/file", "/claim", "/no-such-page", f"/c/{gallery_code('good')}#{SIGNED_BY_NOBODY}"),
    f"/c/{gallery_code('good')}#cut",
]


def open_in(seen: Visit, origin: str, page: str, lang: str) -> None:
    """Open a page of the gallery in a language, and wait for what its script has to say."""
    path, _, fragment = page.partition("#")
    seen.open(f"{origin}{path}?lang={lang}" + (f"#{fragment}" if fragment else ""))
    if fragment:
        seen.page.wait_for_selector("#paper[data-outcome]", state="attached")
    seen.page.eval_on_selector_all("details", "all => all.forEach((one) => one.open = true)")


@pytest.mark.parametrize(("lang", "size"), [("zh", PHONE), ("en", DESK)])
def test_no_page_breaks_a_rule_of_accessibility(
    gallery: str, browser: Browser, lang: str, size: tuple[int, int]
) -> None:
    with visit(browser, size) as seen:
        for page in PAGES:
            open_in(seen, gallery, page, lang)
            assert accessibility_violations(seen.page) == [], page
        # A browser remarks on every status above 399; nothing else is remarked on.
        assert not [said for said in seen.complaints if "503" not in said and "404" not in said]


def test_no_page_is_wider_than_its_window(gallery: str, browser: Browser) -> None:
    with visit(browser) as seen:
        for page in PAGES:
            for lang in ("zh", "en"):
                open_in(seen, gallery, page, lang)
                for width in (320, 390, 768, 1280):
                    seen.page.set_viewport_size({"width": width, "height": 800})
                    assert seen.page.evaluate("document.documentElement.scrollWidth") <= width, (page, lang)


def test_every_verdict_is_seen_without_colour(gallery: str, phone: Visit) -> None:
    seen = set()
    for word, reason in one_of_each_word().items():
        phone.open(f"{gallery}/c/{gallery_code(reason)}")
        drawing = phone.page.locator(".banner svg").inner_html()
        seen.add((phone.page.inner_text(".banner h1"), drawing))
        assert phone.page.locator(".banner svg").is_visible(), word
    assert len({words for words, _ in seen}) == len({drawing for _, drawing in seen}) == len(Word)
    phone.complaints = [said for said in phone.complaints if "503" not in said]


def test_a_keyboard_reaches_everything_and_its_place_is_seen(gallery: str, desk: Visit) -> None:
    desk.open(f"{gallery}/c/{gallery_code('good')}")
    reached = []
    for _ in range(8):
        desk.page.keyboard.press("Tab")
        reached.append(desk.page.evaluate("document.activeElement.textContent.trim() || document.activeElement.id"))
        outline = desk.page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline != "none", reached[-1]
    assert reached[:6] == ["跳到正文", "印印证 · 证书核验", "English", "last-six", "看照片", "逐项核验结果"]

    desk.open(f"{gallery}/c/{gallery_code('good')}")
    desk.page.keyboard.press("Tab")
    desk.page.keyboard.press("Enter")
    assert desk.page.evaluate("document.activeElement.id") == "main"


def test_the_file_of_axe_is_the_published_one() -> None:
    (line,) = (AXE.parent / "SHA256SUMS").read_text("ascii").splitlines()

    assert line.split() == [sha256(AXE.read_bytes()).hexdigest(), AXE.name]
    assert b"axe v4.14.1" in AXE.read_bytes()[:100]
