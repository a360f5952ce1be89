"""What the upload page says when there is no verdict to show: with scripts in place, and without them."""

from collections.abc import Callable
from pathlib import Path

import pytest
from fastapi import FastAPI, Request
from playwright.sync_api import Browser, Route, expect

from credential.errors import RefusedError
from service import problems
from service.assets import Assets, asset_routes
from service.bodies import BodyLimit, body_limit
from service.rendering import Pages
from service.settings import Settings
from tests.e2e.site import DESK, PHONE, Visit, accessibility_violations, free_socket, served, visit
from tests.verifier.gallery import GalleryDesk, StillNotices, gallery_app
from verifier.pages import page_routes

TOO_LARGE = 17 * 1024 * 1024
EMPTY = "文件是空的，请重新下载后上传。"


@pytest.fixture
def large(tmp_path: Path) -> Path:
    file = tmp_path / "large.pdf"
    with file.open("wb") as opened:
        opened.truncate(TOO_LARGE)
    return file


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    file = tmp_path / "empty.pdf"
    file.touch()
    return file


def limited_app() -> FastAPI:
    app = gallery_app()
    app.add_middleware(BodyLimit, limit_of=body_limit(Settings()))
    return app


def send(seen: Visit, origin: str, file: Path | None) -> None:
    seen.open(f"{origin}/verify/file")
    if file is not None:
        seen.page.set_input_files("#file", file)
    seen.page.click("form button")


def test_what_cannot_be_checked_is_said_before_anything_is_sent(
    gallery: str, desk: Visit, large: Path, empty: Path
) -> None:
    for file, said in ((large, "文件超过 16 MB，证书文件没有这么大"), (empty, EMPTY), (None, "请先选择要核验的文件。")):
        send(desk, gallery, file)
        expect(desk.page.locator("#answer [role=alert]")).to_contain_text(said)
        assert accessibility_violations(desk.page) == []
    assert [one.method for one in desk.requests if one.method != "GET"] == []


@pytest.mark.parametrize("scripts", [True, False])
def test_the_server_says_it_too_and_the_page_shows_it(
    browser: Browser, large: Path, empty: Path, *, scripts: bool
) -> None:
    with served(limited_app(), free_socket()) as origin, visit(browser, DESK, scripts=scripts) as seen:
        if scripts:  # one whose check before sending is not loaded
            seen.page.route("**/drop.js*", lambda route: route.fulfill(body="", content_type="text/javascript"))
        for file, said in ((large, "文件超过 16 MB，不是本系统的证书文件"), (empty, EMPTY), (None, "请先选择")):
            send(seen, origin, file)
            expect(seen.page.locator("#answer")).to_contain_text(said)
            assert seen.page.url == f"{origin}/verify/file"
        assert sum(one.method == "POST" for one in seen.requests) == 3


class TooMany(RefusedError):
    code = "too-many-requests"

    def __init__(self) -> None:
        super().__init__("too many requests; wait a minute", "请求过于频繁; 请稍后再试")


def refuse_uploads(request: Request) -> None:
    if request.method == "POST":
        raise TooMany


def strict_app() -> FastAPI:
    """A site where everybody has uploaded too often."""
    pages, assets = Pages("https://zs.example.gov.cn", Assets()), Assets()
    app = FastAPI()
    app.include_router(page_routes(GalleryDesk(), pages.render, refuse_uploads, StillNotices()))
    app.include_router(asset_routes(assets))
    problems.install(app, pages.error)
    return app


def test_who_asks_too_often_is_told_in_place(browser: Browser, tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_bytes(b"x" * 5_000_000)
    with served(strict_app(), free_socket()) as origin, visit(browser, DESK) as seen:
        send(seen, origin, tmp_path / "a.pdf")
        expect(seen.page.locator("#answer h1")).to_have_text("请求过于频繁")
        assert "这不说明任何证书是假的" in seen.page.inner_text("#answer")
        assert seen.page.locator("form.upload").is_visible()


@pytest.mark.parametrize(
    "answer",
    [
        lambda route: route.abort(),
        lambda route: route.fulfill(status=502, body="<h1>Bad Gateway</h1>", content_type="text/html"),
        lambda route: route.fulfill(status=413, body="Content Too Large", content_type="text/plain"),
    ],
    ids=["cut", "proxy", "plain"],
)
def test_an_answer_that_is_none_of_ours_is_said_and_may_be_asked_for_again(
    gallery: str, browser: Browser, tmp_path: Path, answer: Callable[[Route], None]
) -> None:
    (tmp_path / "a.pdf").write_bytes(b"good")
    with visit(browser, DESK) as seen:
        seen.page.route(
            "**/verify/file", lambda route: answer(route) if route.request.method == "POST" else route.continue_()
        )
        send(seen, gallery, tmp_path / "a.pdf")
        expect(seen.page.locator("#answer [role=alert]")).to_contain_text("没有收到答复")
        seen.page.unroute("**/verify/file")
        seen.page.click("form button")
        expect(seen.page.locator("#answer .banner")).to_have_class("banner good")


def test_a_telephone_is_not_told_to_drag(gallery: str, browser: Browser) -> None:
    for size, is_offered in ((PHONE, False), (DESK, True)):
        with visit(browser, size) as seen:
            seen.open(f"{gallery}/verify/file")
            expect(seen.page.locator("[data-hint]")).to_be_visible(visible=is_offered)
