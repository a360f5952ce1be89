"""What pages load: style sheet, scripts and icon, read once and served under the digest of them all.

One digest stands in every address, so that a page and its scripts are always of
one release, scripts find each other by relative address, and browsers may keep
each file for ever.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from fastapi import APIRouter, HTTPException, Response

from templates import static_folder

#: By ending; a file of another kind is not served.
MEDIA_TYPES: Mapping[str, str] = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}

_DIGEST_CHARACTERS = 16
_HEADERS = {
    "Cache-Control": "public, max-age=31536000, immutable",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'",
}


@dataclass(frozen=True, slots=True)
class Asset:
    """One file that pages load."""

    content: bytes
    media_type: str


class Assets:
    """The files that pages load, in memory.

    Args:
        folder: read once; files of other kinds than ``MEDIA_TYPES`` are left out.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._files = {
            file.name: Asset(file.read_bytes(), MEDIA_TYPES[file.suffix])
            for file in sorted((folder or static_folder()).iterdir())
            if file.suffix in MEDIA_TYPES
        }
        whole = sha256()
        for name, asset in self._files.items():
            whole.update(f"{name}\0{len(asset.content)}\0".encode() + asset.content)
        self.digest = whole.hexdigest()[:_DIGEST_CHARACTERS]

    def address(self, name: str) -> str:
        """The path that a file is served at.

        Raises:
            KeyError: there is no such file, which is a mistake in a template.
        """
        self._files[name]
        return f"/static/{self.digest}/{name}"

    def find(self, digest: str, name: str) -> Asset | None:
        """The file at an address, or None where the digest or the name is not of this release."""
        return self._files.get(name) if digest == self.digest else None


def asset_routes(assets: Assets) -> APIRouter:
    """Make the route of ``/static/``."""
    router = APIRouter()

    @router.head("/static/{digest}/{name}", include_in_schema=False)
    @router.get("/static/{digest}/{name}", include_in_schema=False)
    def asset(digest: str, name: str) -> Response:
        found = assets.find(digest, name)
        if found is None:
            raise HTTPException(404)
        return Response(found.content, media_type=found.media_type, headers=_HEADERS)

    return router
