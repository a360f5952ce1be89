"""Pages come in the reader's language, with headers that let nothing foreign in."""

import re
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI, Request, Response
from jinja2 import UndefinedError

from service.assets import Assets
from service.rendering import Pages, full_width
from templates import pages_folder
from tests.asgi_client import Client

TEMPLATE = """{% extends "layout.html" %}{% block title %}x{% endblock %}{% block main %}
<p id="lang">{{ lang }}</p><a href="{{ href("/verify") }}">{{ t("核验", "verify") }}</a>{{ value }}{% endblock %}"""


@pytest.fixture
def client(tmp_path: Path) -> Client:
    for file in pages_folder().glob("*.html"):
        (tmp_path / file.name).write_text(file.read_text("utf-8"), encoding="utf-8")
    (tmp_path / "page.html").write_text(TEMPLATE, encoding="utf-8")
    pages = Pages("https://zs.example.gov.cn", Assets(), tmp_path)
    app = FastAPI()

    @app.api_route("/htmx", methods=["GET"])
    def with_htmx(request: Request) -> Response:
        return pages.render(request, "page.html", value="", uses_htmx=True)

    @app.api_route("/{path:path}", methods=["GET", "POST"])
    def show(request: Request, path: str) -> Response:
        return pages.render(request, "page.html", value=path)

    return Client(app)


@pytest.mark.parametrize(
    ("accepts", "lang"),
    [
        ("", "zh"),
        ("*", "zh"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("en-GB,en;q=0.9", "en"),
        ("en;q=0.4, zh;q=0.5", "zh"),
        ("zh;q=0.4, en;q=0.5", "en"),
        ("de-DE, fr;q=0.9", "zh"),
        ("en;q=", "zh"),
        (",;=q" * 300, "zh"),
    ],
)
def test_the_browser_says_which_language(client: Client, accepts: str, lang: str) -> None:
    page = client.get("/", accept_language=accepts)

    assert f'<p id="lang">{lang}</p>' in page.text
    assert 'href="/verify"' in page.text  # a language that was not chosen by hand is not put into addresses


def test_sentences_that_are_written_out_are_chosen_at_compilation_and_escaped_as_ever(tmp_path: Path) -> None:
    """What is known first (both texts) and what is known late (a variable, a part) come out alike."""
    source = """{{ t("甲, <b>", "a & b") }}|{{ t(zh, "a & b") }}|{{ t("甲, " ~ late, en) }}|{{ shout(t("乙", "b")) }}"""
    (tmp_path / "page.html").write_text(source, encoding="utf-8")
    pages = Pages("https://zs.example.gov.cn", Assets(), tmp_path)
    late: dict[str, Any] = {"zh": "甲, <b>", "en": "a & b", "late": "<b>", "shout": lambda text: f"{text}!"}

    def shown(language: str) -> bytes:
        scope = {"type": "http", "method": "GET", "path": "/", "query_string": f"lang={language}".encode()}
        return bytes(pages.render(Request({**scope, "headers": []}), "page.html", **late).body)

    for language, one, other in (("zh", "甲，&lt;b&gt;", "乙!"), ("en", "a &amp; b", "b!")) * 2:
        assert shown(language).decode() == f"{one}|{one}|{one}|{other}"


def test_a_chosen_language_wins_and_stays(client: Client) -> None:
    page = client.get("/a?lang=en", accept_language="zh").text

    assert '<p id="lang">en</p>' in page
    assert 'href="/verify?lang=en"' in page
    assert 'href="/a?lang=zh">中文' in page
    assert '<p id="lang">zh</p>' in client.get("/a?lang=xx").text


@pytest.mark.parametrize("path", ["//evil.example", "/%2Fevil.example", "/%5Cevil.example", "/%22%3E%3Cb%3E"])
def test_the_language_switch_leads_to_no_other_site(client: Client, path: str) -> None:
    page = client.get(path).text
    found = re.search(r'id="switch"[^>]*href="([^"]*)"', page)

    assert found is not None
    assert re.fullmatch(r"/(?![/\\])[^\\<>]*\?lang=en", found[1])


def test_the_answer_to_a_form_leads_the_switch_to_a_page_that_opens(client: Client) -> None:
    assert 'href="/?lang=en">English' in client.post("/somewhere").text


def test_nothing_foreign_nothing_inline_and_no_trace_elsewhere(client: Client) -> None:
    headers = client.get("/").headers
    policy = dict(part.strip().partition(" ")[::2] for part in headers["content-security-policy"].split(";"))

    assert policy["default-src"] == policy["base-uri"] == policy["frame-ancestors"] == "'none'"
    assert {policy[name] for name in ("script-src", "style-src", "connect-src", "form-action")} == {"'self'"}
    assert policy["img-src"] == "'self' data:"
    assert (policy["require-trusted-types-for"], policy["trusted-types"]) == ("'script'", "'none'")
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["cache-control"] == "no-store"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert "camera=()" in headers["permissions-policy"]
    assert headers["vary"] == "Accept, Accept-Language"
    assert "set-cookie" not in headers


def test_pages_with_htmx_admit_its_one_policy_and_no_more(client: Client) -> None:
    assert client.get("/htmx").headers["content-security-policy"].endswith("; trusted-types yinzheng-htmx")


def test_a_value_that_a_template_lacks_is_an_error() -> None:
    request = Request({"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": []})

    with pytest.raises(UndefinedError, match="claimed"):
        Pages("https://zs.example.gov.cn", Assets()).render(request, "claim.html")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("不是 PDF 或图片,或已损坏", "不是 PDF 或图片，或已损坏"),
        ("原文件(PDF), 上传核验", "原文件（PDF），上传核验"),
        ("离线核验:签名无误;请更新", "离线核验：签名无误；请更新"),
        ("2026-11-22 17:30:00, a:b", "2026-11-22 17:30:00, a:b"),
    ],
)
def test_chinese_punctuation_is_written_full_width(text: str, shown: str) -> None:
    assert full_width(text) == shown
