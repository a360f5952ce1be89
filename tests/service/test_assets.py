"""What pages load comes from this site only, is what it was, and is kept for ever under its digest."""

import re
from hashlib import sha256
from pathlib import Path

import pytest
from fastapi import FastAPI

from service.assets import MEDIA_TYPES, Assets, asset_routes
from templates import pages_folder, static_folder
from tests.asgi_client import Client

PAGES = sorted(pages_folder().glob("*.html"))
SCRIPTS = sorted(file for file in static_folder().glob("*.js") if file.name != "htmx.min.js")


@pytest.fixture
def assets() -> Assets:
    return Assets()


@pytest.fixture
def client(assets: Assets) -> Client:
    app = FastAPI()
    app.include_router(asset_routes(assets))
    return Client(app)


def test_the_library_is_the_published_one() -> None:
    sums = [line.split() for line in (static_folder() / "SHA256SUMS").read_text("ascii").splitlines()]

    assert [name for _, name in sums] == ["htmx.min.js"]
    for digest, name in sums:
        content = (static_folder() / name).read_bytes()
        assert sha256(content).hexdigest() == digest
        assert b'"4.0.1"' in content


def test_a_file_is_kept_for_ever_under_its_digest(client: Client, assets: Assets) -> None:
    answer = client.get(assets.address("yinzheng.css"))

    assert answer.content == (static_folder() / "yinzheng.css").read_bytes()
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["content-type"] == "text/css; charset=utf-8"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert client.ask("HEAD", assets.address("yinzheng.css")).status_code == 200


def test_a_changed_file_has_another_address(tmp_path: Path) -> None:
    (tmp_path / "a.css").write_text("a{}")
    (tmp_path / "b.js").write_text("1")
    first = Assets(tmp_path).digest
    (tmp_path / "b.js").write_text("2")

    assert Assets(tmp_path).digest != first
    (tmp_path / "b.js").write_text("1")
    (tmp_path / "note.txt").write_text("not served")
    assert Assets(tmp_path).digest == first


@pytest.mark.parametrize(
    "name", ["README.md", "SHA256SUMS", "../pages/layout.html", "%2e%2e%2f__init__.py", "none.css"]
)
def test_nothing_else_is_served(client: Client, assets: Assets, name: str) -> None:
    assert client.get(f"/static/{assets.digest}/{name}").status_code == 404


def test_another_release_is_not_mixed_in(client: Client) -> None:
    assert client.get("/static/0000000000000000/yinzheng.css").status_code == 404


def test_every_file_of_the_folder_is_served_or_named(assets: Assets) -> None:
    others = {file.name for file in static_folder().iterdir() if file.suffix not in MEDIA_TYPES}

    assert others == {"README.md", "SHA256SUMS"}
    assert all(assets.address(file.name) for file in static_folder().iterdir() if file.suffix in MEDIA_TYPES)


def test_the_folders_of_pages_and_assets_are_not_empty() -> None:
    assert len(PAGES) >= 8
    assert len(SCRIPTS) >= 4


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_templates_hold_no_inline_code_and_nothing_foreign(page: Path) -> None:
    text = page.read_text("utf-8")

    assert not re.search(r"\son\w+\s*=", text, re.IGNORECASE)
    assert not re.search(r"\sstyle\s*=|<style|javascript:|\bjs:", text, re.IGNORECASE)
    assert not re.search(r"hx-on|hx-vals|hx-vars|\|\s*safe\b", text)
    assert not re.search(r"<script(?![^>]*\bsrc=)", text)
    assert not re.search(r"(src|href|action)=\"(https?:)?//", text)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_scripts_evaluate_nothing_and_write_no_markup(script: Path) -> None:
    text = script.read_text("utf-8")

    for word in ("eval(", "Function(", "innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "setTimeout("):
        assert word not in text
    assert not re.search(r"https?://", text)


def test_styles_load_nothing() -> None:
    text = (static_folder() / "yinzheng.css").read_text("utf-8")

    assert "url(" not in text
    assert "@import" not in text
    assert "@font-face" not in text
