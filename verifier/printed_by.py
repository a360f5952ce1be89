"""Find out by which version of a template a document was printed, from its own first bytes.

For verifying without a register. The signed claims name the SHA-256 of the
prefix, and the prefix names the version; nothing in the document is believed
before that digest agrees.
"""

import hashlib
import re

_TAIL = b"\n1 0 obj\n"  # the first object of every tail; press/prefix.py numbers it
_MOST_PLACES = 16
_SOURCE = re.compile(rb"<dc:source>urn:sha256:([0-9a-f]{64})</dc:source>")


def printed_by(document: bytes, prefix_digest: bytes) -> bytes | None:
    """Give the digest of the template's version, or None when the document does not begin with the prefix.

    Args:
        document: not trusted, of any length.
        prefix_digest: SHA-256, from verified claims.
    """
    digest = hashlib.sha256()
    start = 0
    for _ in range(_MOST_PLACES):
        at = document.find(_TAIL, start)
        if at < 0:
            return None
        digest.update(document[start : at + 1])
        start = at + 1
        if digest.digest() == prefix_digest:
            named = _SOURCE.search(document, 0, start)
            return None if named is None else bytes.fromhex(named[1].decode("ascii"))
    return None
