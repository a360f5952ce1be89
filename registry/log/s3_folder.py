"""Keep a mirror of a log in S3, or in any store that speaks its protocol.

Tiles are put create-only (``If-None-Match: *``). Not every store honours that,
so it is tried before the first tile.
"""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, NotFoundError
from obstore.store import S3Store

from credential.errors import ConfigError
from registry.log.publishing import MirrorDiffers, MirrorUnavailable
from registry.log.tiles import CHECKPOINT, WITNESSED

if TYPE_CHECKING:  # types that the library has for checkers only
    from obstore.store import ClientConfig, S3Config

_AT_ONCE = 16
_PROBE = ".create-only-probe"
_IMMUTABLE = "public, max-age=31536000, immutable"
_SHORT = "public, max-age=5"
_TIMEOUT = timedelta(seconds=30)


class NotCreateOnly(ConfigError):
    """The store overwrites objects that it was told only to create."""

    code = "store-not-create-only"

    def __init__(self, place: str) -> None:
        super().__init__(
            f"{place} ignores If-None-Match, so a tile could be overwritten there; use a store that honours it",
            f"{place} 不支持“仅创建”(If-None-Match), 已发布的分块可能被覆盖; 请改用支持该功能的对象存储",
        )


class BadMirrorAddress(ConfigError):
    """An address of a mirror that says no bucket."""

    code = "bad-mirror-address"

    def __init__(self, address: str) -> None:
        super().__init__(
            f"{address!r} is no s3 address; write s3://BUCKET/FOLDER", f"“{address}”不是 s3 地址; 格式为 s3://桶名/目录"
        )


@dataclass(frozen=True, slots=True)
class S3Access:
    """How to reach a store.

    Attributes:
        region: as the store names it.
        endpoint: of a store that is not Amazon's, an origin; empty for Amazon.
        key_id: access key.
        secret: of the access key.
    """

    key_id: str
    secret: str = field(repr=False)
    region: str = "us-east-1"
    endpoint: str = ""


class S3Target:
    """A prefix of a bucket; see :class:`registry.log.publishing.LogTarget`.

    Args:
        address: ``s3://bucket/prefix``.
        access: how to reach it.

    Raises:
        BadMirrorAddress: it names no bucket.
    """

    def __init__(self, address: str, access: S3Access) -> None:
        parts = urlsplit(address)
        if parts.scheme != "s3" or not parts.netloc:
            raise BadMirrorAddress(address)
        self.place = address
        prefix = parts.path.strip("/")
        config: S3Config = {
            "access_key_id": access.key_id,
            "secret_access_key": access.secret,
            "region": access.region,
        }
        if access.endpoint:
            config["endpoint"] = access.endpoint
        options: ClientConfig = {"timeout": _TIMEOUT, "allow_http": access.endpoint.startswith("http://")}
        self._store = S3Store(parts.netloc, prefix=prefix or None, config=config, client_options=options)
        self._is_probed = False

    def read(self, name: str) -> bytes | None:
        """Read an object; see :class:`registry.log.publishing.LogTarget`."""
        try:
            return bytes(obstore.get(self._store, name).bytes())
        except (NotFoundError, FileNotFoundError):
            return None
        except BaseError as error:
            raise self._unavailable(error) from error

    def create(self, files: Mapping[str, bytes]) -> int:
        """Put new objects, several at once; see :class:`registry.log.publishing.LogTarget`.

        Raises:
            NotCreateOnly: the store would overwrite what is there.
        """
        self._probe()
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            return sum(pool.map(self._create_one, files, files.values()))

    def replace(self, name: str, content: bytes) -> None:
        """Put an object in place of an older one; see :class:`registry.log.publishing.LogTarget`."""
        self._put(name, content, "overwrite")

    def _create_one(self, name: str, content: bytes) -> bool:
        if self._put(name, content, "create"):
            return True
        if self.read(name) != content:
            raise MirrorDiffers(name, self.place)
        return False

    def _put(self, name: str, content: bytes, mode: Literal["create", "overwrite"]) -> bool:
        is_text = name in {CHECKPOINT, WITNESSED}
        attributes = {
            "Content-Type": "text/plain; charset=utf-8" if is_text else "application/octet-stream",
            "Cache-Control": _SHORT if is_text else _IMMUTABLE,
        }
        try:
            obstore.put(self._store, name, content, attributes=attributes, mode=mode, use_multipart=False)
        except AlreadyExistsError:
            return False
        except (BaseError, FileNotFoundError) as error:  # there is no such bucket
            raise self._unavailable(error) from error
        return True

    def _probe(self) -> None:
        """Put an object that is there: a store that takes it would take a changed tile too."""
        if self._is_probed:
            return
        self._put(_PROBE, b"", "create")
        if self._put(_PROBE, b"", "create"):
            raise NotCreateOnly(self.place)
        self._is_probed = True

    def _unavailable(self, error: BaseError | FileNotFoundError) -> MirrorUnavailable:
        return MirrorUnavailable(self.place, str(error).split("\n", 1)[0][:200])
