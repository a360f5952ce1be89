"""Fetch the published files of a log from a folder or over the net, for those who do not trust who serves them."""

import time
from http import HTTPStatus
from pathlib import Path

from credential.errors import UnavailableError
from registry.log.tiles import MAX_ENTRY_BYTES, WIDTH, TileFolder, Tiles

_MAX_FILE_BYTES = WIDTH * (2 + MAX_ENTRY_BYTES)
_SILENCE_SECONDS = 30.0

FILE_SECONDS = 120.0
"""Within which a file must be there whole: the largest is 16 MB, and most have some kilobytes."""

LOOK_SECONDS = 3_600.0
"""Within which all files of one look must be there: one that never ended would be no look."""

_NOT_THERE = {HTTPStatus.NOT_FOUND, HTTPStatus.GONE, HTTPStatus.FORBIDDEN}
"""S3 forbids what is not there to whoever may not list the bucket."""


class LogUnreachable(UnavailableError):
    """The address of a log does not answer, or not as a log does."""

    code = "log-unreachable"

    def __init__(self, address: str, why: str) -> None:
        super().__init__(
            f"{address} does not answer as it should ({why}); check the address, or try again later",
            f"{address} 未正常响应({why}); 请核对网址或稍后再试",
        )


def tiles_at(
    place: str,
    *,
    file_seconds: float = FILE_SECONDS,
    look_seconds: float = LOOK_SECONDS,
    most_bytes: int = _MAX_FILE_BYTES,
) -> Tiles:
    """The files of a log, for one look: the time that all of them have begins with the first.

    Args:
        place: a folder, or an ``https://`` address under which ``checkpoint`` and ``tile/`` are.
        file_seconds: that an address has for each file.
        look_seconds: that an address has for all of them.
        most_bytes: that a file from an address may have.
    """
    if place.startswith(("https://", "http://")):
        return _HttpTiles(place.rstrip("/"), file_seconds, look_seconds, most_bytes)
    return TileFolder(Path(place))


class _HttpTiles(Tiles):
    """Files over the net: from there and nowhere else, as they are, bounded in length and in time."""

    def __init__(self, address: str, file_seconds: float, look_seconds: float, most_bytes: int) -> None:
        # It is heavy, and a log in a folder does without.
        import httpx  # noqa: PLC0415 - see above

        super().__init__(self._get, address)
        # A compressed answer is asked for by nobody and taken from nobody: 16 MB of it could be 16 GB.
        self._client = httpx.Client(
            timeout=min(_SILENCE_SECONDS, file_seconds),
            follow_redirects=False,
            headers={"Accept-Encoding": "identity"},
        )
        self._troubles = (httpx.HTTPError, httpx.InvalidURL)
        self._file_seconds = file_seconds
        self._look_seconds = look_seconds
        self._most_bytes = most_bytes
        self._until: float | None = None

    def _get(self, name: str) -> bytes | None:
        address = f"{self.place}/{name}"
        now = time.monotonic()
        if self._until is None:
            self._until = now + self._look_seconds
        until = min(self._until, now + self._file_seconds)
        if now >= self._until:
            raise LogUnreachable(address, f"all files together took more than {self._look_seconds:g} seconds")
        try:
            with self._client.stream("GET", address) as answer:
                if answer.status_code in _NOT_THERE:
                    return None
                if answer.status_code != HTTPStatus.OK:
                    raise LogUnreachable(address, f"HTTP {answer.status_code}")
                if answer.headers.get("content-encoding", "identity") != "identity":
                    raise LogUnreachable(address, "compressed, which was not asked for")
                content = bytearray()
                for part in answer.iter_raw():
                    content += part
                    if len(content) > self._most_bytes:
                        raise LogUnreachable(address, f"more than {self._most_bytes} bytes")
                    if time.monotonic() > until:
                        raise LogUnreachable(address, f"not whole after {until - now:.0f} seconds")
        except self._troubles as error:
            raise LogUnreachable(address, type(error).__name__) from error
        return bytes(content)
