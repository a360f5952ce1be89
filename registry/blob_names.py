"""What every store of named bytes shares: how names look and what its errors are."""

import re

from credential.errors import InputError, UnavailableError

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*(/[a-z0-9][a-z0-9._-]*)*", re.ASCII)


class MissingBlob(UnavailableError):
    """A stored object that the registry speaks of is not in the store."""

    code = "missing-blob"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"the object {name} is not in the store; restore it from a backup", f"存储中缺少对象 {name};请从备份恢复"
        )
        self.name = name


class BlobsUnavailable(UnavailableError):
    """The store did not answer, or its disk is full or broken."""

    code = "blobs-unavailable"

    def __init__(self, name: str, cause: str) -> None:
        super().__init__(f"the store does not answer for {name}: {cause}", f"存储无法处理 {name}:{cause}")
        self.name = name


class BadBlobName(InputError):
    """A name that is not lower-case ASCII parts joined by ``/``."""

    code = "bad-blob-name"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name!r} is not a name for an object: use lower-case letters, digits, dots and hyphens between slashes",
            f"“{name}”不是有效的对象名:只能使用小写字母、数字、点和连字符,以斜杠分隔",
        )


def check_name(name: str) -> str:
    """Return the name when it is safe as a path and as a key.

    Raises:
        BadBlobName: it is not.
    """
    if _NAME.fullmatch(name) is None:
        raise BadBlobName(name)
    return name
