"""What a signed PDF carries: the attachments that we know and the photo, and how to open it."""

import hashlib
import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from io import BytesIO

from pyhanko.pdf_utils.decode_limits import DecodeLimits, DocumentDecodeBudget, StreamDecodeLimits
from pyhanko.pdf_utils.misc import PdfError
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation.errors import SignatureValidationError

MAX_TREE_NODES = 256  # of the tree of attachments' names
MAX_PAGE_DEPTH = 16  # of the tree of pages above the first one

# What our press calls the pictures on its page.
QR_PICTURE, PHOTO_PICTURE = "/QR", "/Photo"

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


@dataclass(frozen=True, slots=True)
class Carried:
    """What a document carries; the attributes are those of ``DocumentReport``."""

    page_count: int = 0
    attachments: Mapping[str, bytes] = field(default_factory=dict)
    has_our_page: bool = False
    photo_digest: bytes = b""


def read_carried(document: bytes, signed_end: int, opened: PdfFileReader | None = None) -> Carried:
    """Read page count, known attachments and the photo of the signed revision.

    Without a good signed revision they are read from the whole file: they only
    serve to say which credential the file pretends to be.

    Args:
        document: the whole file.
        signed_end: length of the signed revision, 0 when there is no good one.
        opened: the whole file as it was opened before; used where all of it is read.
    """
    try:
        is_whole = signed_end in {0, len(document)}
        reader = opened if opened is not None and is_whole else open_document(document[: signed_end or None])
        count = reader.root["/Pages"]["/Count"]
        attachments = dict(_attachments(reader))
    except HOSTILE:
        return Carried()
    has_our_page, photo_digest = _photo(reader)
    return Carried(max(0, int(count)), attachments, has_our_page, photo_digest)


def _photo(reader: PdfFileReader) -> tuple[bool, bytes]:
    """Tell whether the first page is of our shape, and digest the photo on it, without decoding it."""
    try:
        page = reader.root["/Pages"]
        for _ in range(MAX_PAGE_DEPTH):
            if "/Kids" not in page:
                break
            page = page["/Kids"][0]
        pictures = page["/Resources"]["/XObject"]
        if QR_PICTURE not in pictures:
            return False, b""
        if PHOTO_PICTURE not in pictures:
            return True, b""
        return True, hashlib.sha256(pictures[PHOTO_PICTURE].encoded_data).digest()
    except HOSTILE:
        return False, b""


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
