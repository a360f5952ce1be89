"""Fetch the published files of a log from a folder or over the net, for those who do not trust who serves them."""

from http import HTTPStatus
from pathlib import Path

from credential.errors import UnavailableError
from registry.log.tiles import MAX_ENTRY_BYTES, WIDTH, TileFolder, Tiles

_MAX_FILE_BYTES = WIDTH * (2 + MAX_ENTRY_BYTES)
_SECONDS = 30.0
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


def tiles_at(place: str) -> Tiles:
    """The files of a log.

    Args:
        place: a folder, or an ``https://`` address under which ``checkpoint`` and ``tile/`` are.
    """
    if place.startswith(("https://", "http://")):
        return _HttpTiles(place.rstrip("/"))
    return TileFolder(Path(place))


class _HttpTiles(Tiles):
    def __init__(self, address: str) -> None:
        # It is heavy, and a log in a folder does without.
        import httpx  # noqa: PLC0415 - see above

        super().__init__(self._get, address)
        self._client = httpx.Client(timeout=_SECONDS)
        self._troubles = (httpx.HTTPError, httpx.InvalidURL)

    def _get(self, name: str) -> bytes | None:
        address = f"{self.place}/{name}"
        try:
            with self._client.stream("GET", address) as answer:
                if answer.status_code in _NOT_THERE:
                    return None
                if answer.status_code != HTTPStatus.OK:
                    raise LogUnreachable(address, f"HTTP {answer.status_code}")
                content = bytearray()
                for part in answer.iter_bytes():
                    content += part
                    if len(content) > _MAX_FILE_BYTES:
                        raise LogUnreachable(address, f"more than {_MAX_FILE_BYTES} bytes")
        except self._troubles as error:
            raise LogUnreachable(address, type(error).__name__) from error
        return bytes(content)
