"""What a signed PDF carries beside its page: the attachments that we know, and how to open it."""

import struct
import zlib
from collections.abc import Iterator
from io import BytesIO

from pyhanko.pdf_utils.decode_limits import DecodeLimits, DocumentDecodeBudget, StreamDecodeLimits
from pyhanko.pdf_utils.misc import PdfError
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation.errors import SignatureValidationError

MAX_TREE_NODES = 256  # of the tree of attachments' names

# Attachments that we know, and the most bytes each may have.
ATTACHMENTS = {"certificate.cose": 64 * 1024, "certificate.tlog-proof": 64 * 1024}

_MIB = 1024 * 1024
_LIMITS = DecodeLimits(
    per_stream=StreamDecodeLimits(max_output_size=32 * _MIB),
    document_budget=DocumentDecodeBudget(base_allowance=128 * _MIB, max_ratio=50),
)

# What comes out of pyHanko and asn1crypto on hostile files, measured and read in their sources.
# A MemoryError is the process limit's business and passes through.
HOSTILE = (
    PdfError,
    SignatureValidationError,
    ValueError,
    TypeError,
    AssertionError,
    AttributeError,
    LookupError,
    ArithmeticError,
    OSError,
    EOFError,
    RecursionError,
    NotImplementedError,
    struct.error,
    zlib.error,
)


def open_document(document: bytes, *, strict: bool = True) -> PdfFileReader:
    """Open a document within our limits; raises any of ``HOSTILE``."""
    return PdfFileReader(BytesIO(document), strict=strict, decode_limits=_LIMITS)


def read_carried(document: bytes, signed_end: int) -> tuple[int, dict[str, bytes]]:
    """Read page count and known attachments of the signed revision.

    Without a good signed revision they are read from the whole file: they only
    serve to say which credential the file pretends to be.
    """
    try:
        reader = open_document(document[: signed_end or None])
        count = reader.root["/Pages"]["/Count"]
        attachments = dict(_attachments(reader))
    except HOSTILE:
        return 0, {}
    return max(0, int(count)), attachments


def _attachments(reader: PdfFileReader) -> Iterator[tuple[str, bytes]]:
    """Walk the tree of embedded files, at most ``MAX_TREE_NODES`` nodes of it."""
    names = reader.root.get("/Names", {}).get("/EmbeddedFiles")
    waiting = [] if names is None else [names]
    for _ in range(MAX_TREE_NODES):
        if not waiting:
            return
        node = waiting.pop().get_object()
        waiting.extend(node.get("/Kids", ()))
        entries = list(node.get("/Names", ()))
        for name, specification in zip(entries[0::2], entries[1::2], strict=True):
            limit = ATTACHMENTS.get(str(name))
            if limit is None:
                continue
            content = specification.get_object()["/EF"]["/F"].data
            if len(content) <= limit:
                yield str(name), content
