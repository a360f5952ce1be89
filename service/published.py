"""Hand out what is published: status lists, trust list, log, revocation lists. A CDN may stand before all of it.

Any web server could serve the same folder; what this one adds is how long each
file may be kept. Only files whose names have the form of ours are looked for,
and nothing that lies outside the public folder is ever opened.
"""

import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request, Response

from credential.dsse import BadEnvelope, open_envelope
from credential.errors import InputError, RefusedError, UnavailableError
from credential.note import BadCheckpoint, BadNote, parse_checkpoint, parse_note
from credential.trust import PAYLOAD_TYPE
from holder.conditional import has_etag
from registry.log.tiles import CHECKPOINT, HEIGHT, WIDTH, WITNESSED, TileFolder
from registry.log.timestamps import FOLDER as STAMPS
from registry.log.timestamps import NOTE
from registry.status.published import token_times
from registry.status.token_list import BadStatusToken
from service.folder import DataFolder
from verifier.acceptance import accepted_weights

CWT_TYPE = "application/statuslist+cwt"
JWT_TYPE = "application/statuslist+jwt"
TRUST_LIST_SECONDS = 300
CHECKPOINT_SECONDS = 5
CRL_SECONDS = 3_600
TILE_SECONDS = 365 * 24 * 3_600  # a tile never changes

_CA_TYPES = {".crl": "application/pkix-crl", ".crt": "application/pkix-cert", ".cer": "application/pkix-cert"}
_CA_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}\.(crl|crt|cer)", re.ASCII)
_VERSION_NAME = re.compile(r"[1-9][0-9]{0,8}\.json", re.ASCII)
_LIST_NAME = re.compile(r"([1-9][0-9]{0,8})(\.cwt|\.jwt)?", re.ASCII)
_TILE = re.compile(
    r"(?P<level>entries|[0-9]|[1-5][0-9]|6[0-3])/(?P<index>(x[0-9]{3}/){0,5}[0-9]{3})(\.p/(?P<width>[1-9][0-9]{0,2}))?",
    re.ASCII,
)
_STAMPED = re.compile(r"[1-9][0-9]{0,18}-[0-9a-f]{8}", re.ASCII)
_STAMP = re.compile(r"[a-z0-9][a-z0-9.-]{0,253}\.(checkpoint|tst)", re.ASCII)
_JSON = "application/json"
_BYTES = {"type": "string", "format": "binary"}
_OF_STATUS_LISTS: dict[int | str, dict[str, Any]] = {
    406: {"description": "neither CWT nor JWT is accepted"},
    501: {"description": "a past moment was asked for; only the newest list is kept"},
}
_PUBLIC = {"Access-Control-Allow-Origin": "*", "X-Content-Type-Options": "nosniff"}


class NotPublished(InputError):
    """There is no published file at this address."""

    code = "not-published"

    def __init__(self) -> None:
        super().__init__(
            "nothing is published at this address; compare it with docs/architecture.md, or come back later",
            "此地址没有已发布的文件; 请核对地址或稍后再试",
        )


class PublishedFileDamaged(UnavailableError):
    """A published file is there and cannot be handed out: whoever asked is not at fault, and may ask again later."""

    code = "published-file-damaged"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"the published file {name} cannot be read or is damaged; the operator restores it from a copy",
            f"已发布的文件 {name} 无法读取或已损坏; 请由管理员从副本恢复",
        )


class NotAcceptable(InputError):
    """A status list is asked for in a form that there is none of."""

    code = "not-acceptable"

    def __init__(self) -> None:
        super().__init__(
            f"status lists come as {CWT_TYPE} or {JWT_TYPE}; ask for one of them in Accept",
            f"状态列表仅提供 {CWT_TYPE} 与 {JWT_TYPE} 两种格式; 请修改 Accept",
        )


class NoStatusHistory(RefusedError):
    """Somebody asked for the list as it was at a past moment (draft-ietf-oauth-status-list, 8.4)."""

    code = "status-history"

    def __init__(self) -> None:
        super().__init__(
            "only the newest status list is kept here; ask without the parameter time, or ask the issuer for history",
            "此处只提供最新的状态列表; 请去掉 time 参数, 历史状态请向发证机构查询",
        )


def published_routes(folder: DataFolder, now: Callable[[], datetime]) -> APIRouter:
    """Make the routes of the published files.

    Args:
        folder: of the installation.
        now: the clock, for how long a status list may still be kept.
    """
    router = APIRouter(tags=["published"])

    @router.head("/status/{name}", include_in_schema=False)
    @router.get(
        "/status/{name}",
        summary="状态列表 · a status list",
        response_class=Response,
        responses=_described(CWT_TYPE, JWT_TYPE) | _OF_STATUS_LISTS,
    )
    def status_list(name: str, request: Request) -> Response:
        """Give a Token Status List as CWT or JWT, by Accept or by ending; CWT when neither says."""
        match = _LIST_NAME.fullmatch(name)
        if match is None:
            raise NotPublished
        if "time" in request.query_params:
            raise NoStatusHistory
        form = (match[2] or _wanted_form(request))[1:]
        file = f"{match[1]}.{form}"
        content = _read(folder.status, file)
        headers = _kept(_fresh_seconds(file, content, now())) | ({} if match[2] else {"Vary": "Accept"})
        return _answer(request, content, CWT_TYPE if form == "cwt" else JWT_TYPE, headers)

    _add_trust_lists(router, folder)

    _add_checkpoint(router, folder, CHECKPOINT, "日志检查点 · the log's checkpoint")
    _add_checkpoint(router, folder, WITNESSED, "经见证的检查点 · the newest checkpoint that enough witnesses cosigned")

    @router.head("/log/tile/{name:path}", include_in_schema=False)
    @router.get(
        "/log/tile/{name:path}",
        summary="日志分块 · a tile of the log",
        response_class=Response,
        responses=_described("application/octet-stream"),
    )
    def tile(name: str, request: Request) -> Response:
        """Give a tile or a bundle of entries (C2SP tlog-tiles); it never changes."""
        headers = {"Cache-Control": f"public, max-age={TILE_SECONDS}, immutable"}
        return _answer(request, _tile(folder.log, name), "application/octet-stream", headers)

    @router.head("/ca/{name}", include_in_schema=False)
    @router.get(
        "/ca/{name}",
        summary="吊销列表 · revocation lists",
        response_class=Response,
        responses=_described(*sorted(set(_CA_TYPES.values()))),
    )
    def authority(name: str, request: Request) -> Response:
        """Give a revocation list or a certificate of the issuers' authorities, DER."""
        if _CA_NAME.fullmatch(name) is None:
            raise NotPublished
        return _answer(request, _read(folder.ca, name), _CA_TYPES[Path(name).suffix], _kept(CRL_SECONDS))

    _add_timestamps(router, folder)
    return router


def _add_checkpoint(router: APIRouter, folder: DataFolder, file: str, summary: str) -> None:
    @router.head(f"/log/{file}", include_in_schema=False)
    @router.get(
        f"/log/{file}",
        summary=summary,
        response_class=Response,
        responses=_described("text/plain"),
        operation_id=f"log_{file.replace('.', '_')}",
    )
    def checkpoint(request: Request) -> Response:
        """Give a checkpoint, a C2SP signed note."""
        content, _ = _checkpoint(folder.log, file)
        return _answer(request, content, "text/plain; charset=utf-8", _kept(CHECKPOINT_SECONDS))


def _add_timestamps(router: APIRouter, folder: DataFolder) -> None:
    @router.head("/log/timestamps/{head}/{name}", include_in_schema=False)
    @router.get(
        "/log/timestamps/{head}/{name}",
        summary="日志检查点的时间戳 · a time stamp of a checkpoint",
        response_class=Response,
        responses=_described("application/octet-stream", "text/plain"),
    )
    def timestamp(head: str, name: str, request: Request) -> Response:
        """Give a stamped checkpoint, or the RFC 3161 token over it (DER); neither ever changes."""
        if _STAMPED.fullmatch(head) is None or _STAMP.fullmatch(name) is None:
            raise NotPublished
        content = _read(folder.log / STAMPS / head, name)
        kind = "text/plain; charset=utf-8" if name.endswith(NOTE) else "application/octet-stream"
        return _answer(request, content, kind, {"Cache-Control": f"public, max-age={TILE_SECONDS}, immutable"})


def _add_trust_lists(router: APIRouter, folder: DataFolder) -> None:
    @router.head("/trust-list.json", include_in_schema=False)
    @router.get(
        "/trust-list.json",
        summary="信任列表 · the trust list",
        response_class=Response,
        responses=_described(_JSON),
    )
    def trust_list(request: Request) -> Response:
        """Give the signed trust list, a DSSE envelope."""
        content = _read(folder.trust_list.parent, folder.trust_list.name)
        try:
            open_envelope(content, PAYLOAD_TYPE)
        except BadEnvelope as error:
            raise PublishedFileDamaged(folder.trust_list.name) from error
        return _answer(request, content, _JSON, _kept(TRUST_LIST_SECONDS))

    @router.head("/trust-lists/{name}", include_in_schema=False)
    @router.get(
        "/trust-lists/{name}",
        summary="历次信任列表 · a trust list by its version",
        response_class=Response,
        responses=_described(_JSON),
    )
    def past_trust_list(name: str, request: Request) -> Response:
        """Give a version of the trust list; a verifier that missed changes of roots reads all of them in order."""
        if _VERSION_NAME.fullmatch(name) is None:
            raise NotPublished
        headers = {"Cache-Control": f"public, max-age={TILE_SECONDS}, immutable"}
        return _answer(request, _read(folder.trust_lists, name), _JSON, headers)


def _described(*media_types: str) -> dict[int | str, dict[str, Any]]:
    """What a route of published files answers with, for the API's description."""
    content = {one: {"schema": {"type": "object"} if one == _JSON else _BYTES} for one in media_types}
    return {
        200: {"description": "the file as it was published", "content": content},
        304: {"description": "If-None-Match names what would be given"},
        404: {"description": "nothing is published at this address"},
    }


def _wanted_form(request: Request) -> str:
    """Choose between CWT and JWT by Accept; a client that does not mind gets the shorter CWT."""
    accepted = request.headers.getlist("accept")
    if not accepted:
        return ".cwt"
    weights = accepted_weights(accepted, {".cwt": (CWT_TYPE,), ".jwt": (JWT_TYPE,)})
    best = max(weights, key=weights.__getitem__)
    if weights[best] <= 0:
        raise NotAcceptable
    return best


def _fresh_seconds(name: str, token: bytes, now: datetime) -> int:
    """How long a list may be kept: its own ``ttl``, but never past its ``exp``."""
    try:
        times = token_times(token)
    except BadStatusToken as error:
        raise PublishedFileDamaged(name) from error
    return max(0, int(min(times.ttl, times.expires - now) / timedelta(seconds=1)))


def _kept(seconds: int) -> dict[str, str]:
    return {"Cache-Control": f"public, max-age={seconds}" if seconds else "no-cache"}


def _tile(folder: Path, name: str) -> bytes:
    """Read a tile under the published checkpoint; a partial one also out of the full one that replaced it."""
    match = _TILE.fullmatch(name)
    if match is None:
        raise NotPublished
    level = None if match["level"] == "entries" else int(match["level"])
    index = int(match["index"].replace("/", "").replace("x", ""))
    width = int(match["width"] or WIDTH)
    leaves = (index * WIDTH + width) << (HEIGHT * (level or 0))
    if width > WIDTH or (match["width"] and width == WIDTH) or leaves > _checkpoint(folder)[1]:
        raise NotPublished
    return TileFolder(folder).read(level, index, width)


def _checkpoint(folder: Path, file: str = CHECKPOINT) -> tuple[bytes, int]:
    """A published checkpoint, and how many leaves are under it."""
    content = _read(folder, file)
    try:
        return content, parse_checkpoint(parse_note(content.decode()).text).size
    except (BadNote, BadCheckpoint, UnicodeDecodeError) as error:
        raise PublishedFileDamaged(file) from error


def _read(folder: Path, name: str) -> bytes:
    """Read a file that lies in a folder itself; a link that leads out of it is not followed.

    Raises:
        NotPublished: there is none.
        PublishedFileDamaged: it is there, and cannot be read.
    """
    path = folder / name
    try:
        if path.resolve().parent != folder.resolve():
            raise NotPublished
        return path.read_bytes()
    except FileNotFoundError as error:
        raise NotPublished from error
    except OSError as error:
        raise PublishedFileDamaged(name) from error


def _answer(request: Request, content: bytes, media_type: str, headers: Mapping[str, str]) -> Response:
    etag = f'"{sha256(content).hexdigest()}"'
    told = {**_PUBLIC, **headers, "ETag": etag}
    if has_etag(request.headers.get("if-none-match"), etag):
        return Response(status_code=304, headers=told)
    if request.method == "HEAD":
        return Response(headers={**told, "Content-Length": str(len(content))}, media_type=media_type)
    return Response(content, headers=told, media_type=media_type)
