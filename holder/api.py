"""A holder's file over HTTP: a claim code is exchanged, once, for leave to download the exact signed bytes.

Nothing that is printed on a certificate opens anything here. Wrong serial and
wrong code give one answer, after one time.
"""

import hashlib
import re
from base64 import b64encode
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from holder.claim_codes import DOWNLOADS, Claimed, Download, UnknownDownload
from holder.conditional import Span, asked_spans, has_etag

Guard = Callable[[Request], None]

PRIVATE_HEADERS = {
    "Cache-Control": "private, no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

_PDF = "application/pdf"
_SERIAL = re.compile(r"[0-9A-Za-z]{1,64}", re.ASCII)
_GRANT = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)


class Claims(Protocol):
    """Exchanges claim codes for files; holder.claim_codes.ClaimDesk is one."""

    def claim(self, serial: str, typed: str) -> Claimed:
        """Exchange a claim code, once, for leave to download."""
        ...

    def download(self, grant: str) -> Download:
        """Give the exact signed bytes to whoever has leave."""
        ...


class ClaimRequest(BaseModel):
    """The printed serial, and the claim code that the holder was given."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"example": {"serial": "33020020260130000018", "claim_code": "7K3M-9QXA-4TZ2"}},
    )

    serial: str = Field(min_length=1, max_length=64)
    claim_code: str = Field(min_length=1, max_length=64)


class ClaimAnswer(BaseModel):
    """Where the file may be fetched, as often as need be, until it expires."""

    download: str = Field(description="path of the download; secret")
    expires_at: datetime
    file_name: str


def claim_routes(claims: Claims, guard: Guard) -> APIRouter:
    """Make the routes of claim and download.

    Args:
        claims: exchanges codes and gives files.
        guard: raises what refuses one request too many of an address.
    """
    router = APIRouter(tags=["holder"], dependencies=[Depends(guard)])

    @router.post(
        "/api/v1/claims",
        summary="用领取码领取证书文件 · exchange a claim code for a download",
        response_model=ClaimAnswer,
        responses={
            403: {"description": "serial and code do not open a file; which is wrong is not said"},
            422: {"description": "not a claim code; no try was counted"},
            429: {"description": "too many requests; Retry-After says when to come back"},
        },
    )
    def claim(asked: ClaimRequest) -> Response:
        """Exchange a claim code, once. Five wrong codes end it; nothing printed on a certificate helps."""
        return JSONResponse(claim_answer(take(claims, asked.serial, asked.claim_code)), headers=PRIVATE_HEADERS)

    @router.head(DOWNLOADS + "/{grant}", include_in_schema=False)
    @router.get(
        DOWNLOADS + "/{grant}",
        summary="下载签发的原文件 · download the exact signed file",
        response_class=Response,
        responses={
            200: {"description": "the file", "content": {_PDF: {"schema": {"type": "string", "format": "binary"}}}},
            206: {"description": "the parts of it that were asked for"},
            304: {"description": "If-None-Match names this very file"},
            403: {"description": "the certificate was revoked, suspended or replaced"},
            404: {"description": "no such download, or it has expired"},
            416: {"description": "the file has none of the parts asked for"},
        },
    )
    def download(grant: str, request: Request) -> Response:
        """Give the file byte for byte as it was signed; ETag is its SHA-256."""
        if _GRANT.fullmatch(grant) is None:
            raise UnknownDownload
        return give_file(request, claims.download(grant))

    return router


def take(claims: Claims, serial: str, claim_code: str) -> Claimed:
    """Exchange a claim code as people type it; a text that can be no serial is as good as an unknown one."""
    cleaned = serial.strip()
    return claims.claim(cleaned if _SERIAL.fullmatch(cleaned) else "", claim_code)


def claim_answer(claimed: Claimed) -> dict[str, str]:
    """Write what a claim gave as plain JSON values."""
    return {
        "download": claimed.download,
        "expires_at": claimed.expires_at.isoformat(),
        "file_name": claimed.file_name,
    }


def give_file(request: Request, download: Download) -> Response:
    """Answer with a file or parts of it, as RFC 9110, 13 and 14 have it.

    Raises:
        RangeOutside: the file has none of the parts asked for.
    """
    content = download.content
    etag = f'"{hashlib.sha256(content).hexdigest()}"'
    headers = {
        **PRIVATE_HEADERS,
        "Accept-Ranges": "bytes",
        "ETag": etag,
        "Content-Disposition": f'attachment; filename="{download.serial}.pdf"',
        "Repr-Digest": _digest(content),
    }
    if has_etag(request.headers.get("if-none-match"), etag):
        return Response(status_code=304, headers=headers)
    if request.method == "HEAD":  # Range has no meaning for it (RFC 9110, 14.2)
        headers |= {"Content-Length": str(len(content)), "Content-Digest": _digest(content)}
        return Response(headers=headers, media_type=_PDF)
    spans = asked_spans(request.headers.get("range"), request.headers.get("if-range"), etag, len(content))
    if not spans:
        return Response(content, headers={**headers, "Content-Digest": _digest(content)}, media_type=_PDF)
    if len(spans) == 1:
        part = content[spans[0].start : spans[0].end]
        headers |= {"Content-Range": _content_range(spans[0], content), "Content-Digest": _digest(part)}
        return Response(part, 206, headers, _PDF)
    boundary = hashlib.sha256(repr(spans).encode() + content).hexdigest()[:32]
    body = _multipart(spans, content, boundary)
    headers |= {"Content-Digest": _digest(body)}
    return Response(body, 206, headers, f"multipart/byteranges; boundary={boundary}")


def _multipart(spans: Sequence[Span], content: bytes, boundary: str) -> bytes:
    """Write several parts (RFC 9110, 14.6); the boundary is a digest, so nothing in the file can be it by design."""
    parts = []
    for span in spans:
        head = f"--{boundary}\r\nContent-Type: {_PDF}\r\nContent-Range: {_content_range(span, content)}\r\n\r\n"
        parts.append(b"".join((head.encode("ascii"), content[span.start : span.end], b"\r\n")))
    return b"".join((*parts, f"--{boundary}--\r\n".encode("ascii")))


def _content_range(span: Span, content: bytes) -> str:
    return f"bytes {span.start}-{span.end - 1}/{len(content)}"


def _digest(content: bytes) -> str:
    """Write a digest as a field of RFC 9530."""
    return f"sha-256=:{b64encode(hashlib.sha256(content).digest()).decode('ascii')}:"
