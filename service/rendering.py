"""Turn page templates into answers: language, security headers, addresses, and how moments and dates are written.

A sentence stands in a template in both languages, beside each other:
``{{ t("有效", "valid") }}``. Chinese is the first; ``?lang=`` chooses, else the
browser's ``Accept-Language``.
"""

import re
from base64 import b64encode
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from fastapi import Request, Response
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined, nodes
from jinja2.visitor import NodeTransformer

from credential.model import BadDate, PartialDate
from press.display import chinese_date
from service.assets import Assets
from templates import pages_folder

_BEIJING = timezone(timedelta(hours=8))
_CODE_GROUP = 4
_LANGUAGES = ("zh", "en")
_CHINESE = "\u3400-\u9fff\u201c\u201d\uff08\uff09"
_ASCII_PUNCTUATION = re.compile(rf"(?<=[{_CHINESE}]) ?([,;:]) ?|([,;:]) ?(?=[{_CHINESE}])")
_WIDE = {",": "，", ";": "；", ":": "："}
_BRACKETS = re.compile(r" ?\(([^()]*)\) ?")
_RANGE = re.compile(r"\s*([A-Za-z-]+|\*)\s*(?:;\s*q\s*=\s*([01](?:\.[0-9]{0,3})?))?\s*")

#: Where the form stands whose answer an address gives: the page of an error leads back there.
_FORMS: Mapping[str, str] = {
    "/claim": "/claim",
    "/verify/code": "/verify",
    "/verify/file": "/verify/file",
    "/verify/serial": "/verify",
}

#: htmx parses answers as HTML, which trusted types allow to this one policy (static/htmx-guard.js).
_HTMX_POLICY = "trusted-types yinzheng-htmx"
_NO_POLICY = "trusted-types 'none'"
_CONTENT_SECURITY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; "
)
_HEADERS: Mapping[str, str] = {
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Referrer-Policy": "no-referrer",
    "Vary": "Accept, Accept-Language",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class Pages:
    """Renders pages; one for a process.

    Args:
        public_url: origin that people should see in the address bar.
        assets: what pages load.
        folder: of the templates.
        has_claims: this process answers holders too, so the first page shows them their door.
    """

    def __init__(self, public_url: str, assets: Assets, folder: Path | None = None, *, has_claims: bool = True) -> None:
        self._has_claims = has_claims
        self._host = urlsplit(public_url).netloc
        self._assets = assets
        self._environments = {language: _environment(language, folder or pages_folder()) for language in _LANGUAGES}

    def render(self, request: Request, template_name: str, status: int = 200, **values: Any) -> Response:
        """Render a page in the reader's language, with headers that let nothing foreign in.

        Args:
            request: its path is where the language is switched; ``values`` may
                name another with ``switch_path``, for an answer to a form.
            template_name: as ``verdict.html``.
            status: of HTTP.
            values: what the template needs; a missing one is an error.
        """
        language = language_of(request)
        asked = request.query_params.get("lang") in _LANGUAGES
        template = self._environments[language].get_template(template_name)
        context = _Words(language, stays=asked)
        content = template.render(
            {
                "lang": language,
                "t": context.choose,
                "href": context.address,
                "day": context.day,
                "moment": context.moment,
                "sentence": context.sentence,
                "group": group,
                "asset": self._assets.address,
                "host": self._host,
                "switch_path": _path_of(request),
                "uses_htmx": False,
                "has_claims": self._has_claims,
                "status": status,
                **values,
            }
        )
        policy = _HTMX_POLICY if values.get("uses_htmx") else _NO_POLICY
        return HTMLResponse(
            content, status, headers={**_HEADERS, "Content-Security-Policy": _CONTENT_SECURITY + policy}
        )

    def error(self, request: Request, *, status: int, code: str, zh: str, en: str) -> Response:
        """Render the page of an error; a ``service.problems.ErrorPage``."""
        form = None if request.method in {"GET", "HEAD"} else _FORMS.get(request.url.path)
        switched = {} if form is None else {"switch_path": form}
        return self.render(request, "error.html", status, code=code, zh=zh, en=en, is_form=form is not None, **switched)


def _environment(language: str, folder: Path) -> Environment:
    """Read templates for one language; each is compiled once a process."""
    environment = _OneLanguage(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.choose = _Words(language, stays=False).choose
    environment.filters["base64"] = lambda content: b64encode(content).decode("ascii")
    environment.filters["capital"] = lambda text: text[:1].upper() + text[1:]
    return environment


class _OneLanguage(Environment):
    """Chooses ``t("…", "…")`` when a template is compiled: a page has a hundred of them."""

    choose: Callable[[str, str], str]

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        tree: nodes.Template = _Chosen(self.choose).visit(super()._parse(source, name, filename))
        return tree


class _Chosen(NodeTransformer):
    """Puts the sentence of one language in the place of both, where both are written out."""

    def __init__(self, choose: Callable[[str, str], str]) -> None:
        self._choose = choose

    def visit_Call(self, node: nodes.Call) -> nodes.Node:  # noqa: N802 - the library's name
        self.generic_visit(node)
        texts = [one.value for one in node.args if isinstance(one, nodes.Const)]
        is_plain = len(texts) == len(node.args) == 2 and not (node.kwargs or node.dyn_args or node.dyn_kwargs)
        if isinstance(node.node, nodes.Name) and node.node.name == "t" and is_plain:
            return nodes.Const(self._choose(*texts), lineno=node.lineno)
        return node


def _path_of(request: Request) -> str:
    """The path that the language switch leads back to; that of a form cannot be opened."""
    if request.method not in {"GET", "HEAD"}:
        return "/"
    return "/" + quote(request.url.path.lstrip("/"))  # //host would lead to another site


def language_of(request: Request) -> str:
    """Choose ``zh`` or ``en`` by ``?lang=``, else by ``Accept-Language``, else Chinese."""
    asked = request.query_params.get("lang", "")
    if asked in _LANGUAGES:
        return asked
    weights = dict.fromkeys(_LANGUAGES, 0.0)
    for part in request.headers.get("accept-language", "")[:200].split(","):
        match = _RANGE.fullmatch(part)
        language = match[1].lower().split("-")[0] if match else ""
        if match and language in weights:
            weights[language] = max(weights[language], float(match[2] or 1))
    return "en" if weights["en"] > weights["zh"] else "zh"


def group(code: str) -> str:
    """Write a verification code or a serial in groups of four."""
    return " ".join(code[start : start + _CODE_GROUP] for start in range(0, len(code), _CODE_GROUP))


@lru_cache(maxsize=4096)
def full_width(text: str) -> str:
    """Write Chinese punctuation as pages have it; our errors and reasons use that of ASCII, for terminals."""
    return _ASCII_PUNCTUATION.sub(lambda match: _WIDE[match[1] or match[2]], _BRACKETS.sub(r"（\1）", text))


class _Words:
    """What a template says in one language."""

    def __init__(self, language: str, *, stays: bool) -> None:
        self._is_chinese = language == "zh"
        self._suffix = f"?lang={language}" if stays else ""

    def choose(self, zh: str, en: str) -> str:
        """Give the sentence of the language."""
        return full_width(zh) if self._is_chinese else en

    def address(self, path: str) -> str:
        """Give a path that keeps the language, if it was chosen by hand."""
        return path + self._suffix

    def sentence(self, zh: str, en: str) -> str:
        """Write one of our short sentences as people read it: capital letter, full stop."""
        if self._is_chinese:
            return full_width(zh if zh.endswith("。") else f"{zh}。")
        return en[:1].upper() + en[1:] + ("" if en.endswith(".") else ".")

    def day(self, text: str) -> str:
        """Write an ISO date no more precisely than it is known; other texts stay as they are."""
        try:
            date = PartialDate(text)
        except BadDate:
            return text
        return chinese_date(date) if self._is_chinese else text

    def moment(self, when: datetime) -> str:
        """Write a moment in Beijing time, to the second."""
        local = when.astimezone(_BEIJING)
        zone = "北京时间" if self._is_chinese else "Beijing time"
        return f"{local:%Y-%m-%d %H:%M:%S}（{zone}）" if self._is_chinese else f"{local:%Y-%m-%d %H:%M:%S} ({zone})"
