"""Print the certificates of one chunk, with or without a time stamp over each signature.

With time stamps a chunk is signed first, while the tokens for what is signed
already are on their way; a document's digest is known only with its token in
it. An authority that does not answer leaves nothing behind: the chunk is
reserved still, and the next run prints it from the start.
"""

from collections.abc import Iterator, Sequence
from itertools import islice

from credential.errors import RefusedError
from credential.model import Claims
from credential.ports import Blobs
from issuer.line import IssuingLine, PrintedDocument, SignedDocument, Stamping
from registry.chunks import Chunk
from registry.credentials import ReservedCredential
from registry.packs import item_place
from registry.prefixes import store_prefix

_READ_AT_ONCE = 1 << 20
"""Bytes of a photo pack: the photos of some thirty rows, which stand one behind the other."""
PRINT_AT_ONCE = 16
"""Certificates; enough for what a press saves by it, few enough to lie in the processor's cache."""


class PrefixChanged(RefusedError):
    """A chunk was reserved for another prefix than this program prints; its signed claims name that one."""

    code = "prefix-changed"

    def __init__(self, chunk: Chunk) -> None:
        super().__init__(
            f"part {chunk.number} of batch {chunk.batch_id} was begun by another release, whose page its claims name; "
            "put that release back, resume the batch, and upgrade again",
            f"批次 {chunk.batch_id} 第 {chunk.number} 段由其他版本的程序开始办理,其证书数据已绑定该版本的版面;"
            "请换回该版本并继续该批次,完成后再升级",
        )


def store_prefixes(line: IssuingLine, chunk: Chunk, reserved: Sequence[ReservedCredential]) -> None:
    """Store the prefixes that a chunk is printed on, before its files are.

    Raises:
        PrefixChanged: the chunk was reserved for others.
    """
    needed = {one.prefix_digest for one in reserved}
    for photo in {one.photo is not None for one in reserved}:
        needed.discard(store_prefix(line.office.blobs, line.printer.prefix(photo=photo).content))
    if needed:
        raise PrefixChanged(chunk)


def print_all(
    line: IssuingLine, reserved: Sequence[ReservedCredential], claims: Sequence[Claims], proofs: Sequence[str]
) -> Iterator[PrintedDocument]:
    """Print and sign each credential, in their order.

    Raises:
        UnavailableError: a store, the key or every time-stamping authority does not answer.
    """
    photos = _photos(line.office.blobs, reserved)
    if line.stamping is not None:
        yield from _print_stamped(line.stamping, reserved, claims, proofs, photos)
        return
    for start in range(0, len(reserved), PRINT_AT_ONCE):
        some = reserved[start : start + PRINT_AT_ONCE]
        yield from line.printer.print_many(
            claims[start : start + len(some)],
            photos=list(islice(photos, len(some))),
            qr_texts=[one.qr_text for one in some],
            messages=[one.claims for one in some],
            proofs=proofs[start : start + len(some)],
        )


def _print_stamped(
    stamping: Stamping,
    reserved: Sequence[ReservedCredential],
    claims: Sequence[Claims],
    proofs: Sequence[str],
    photos: Iterator[bytes | None],
) -> Iterator[PrintedDocument]:
    signed: list[SignedDocument] = []

    def signatures() -> Iterator[bytes]:
        for one, of, proof, photo in zip(reserved, claims, proofs, photos, strict=True):
            signed.append(
                stamping.printer.sign(
                    of, photo=photo, qr_text=one.qr_text, message=one.claims, proof=proof, token_bytes=room
                )
            )
            yield signed[-1].signature

    room = stamping.timestamps.token_bytes
    tokens = stamping.timestamps.timestamp_many(signatures(), room)
    for document, token in zip(signed, tokens, strict=True):
        yield document.finish(token)


def _photos(blobs: Blobs, reserved: Sequence[ReservedCredential]) -> Iterator[bytes | None]:
    """Open the photo of each row when its turn comes, so that no more than a few are in memory."""
    name, start, content = "", 0, memoryview(b"")
    for one in reserved:
        if one.photo is None:
            yield None
            continue
        pack_name, offset, length = one.photo
        if pack_name != name or not start <= offset <= start + len(content) - length:
            name, start = pack_name, offset
            content = memoryview(blobs.read(name, start, max(length, _READ_AT_ONCE)))
        sealed = content[offset - start : offset - start + length]
        yield one.key.open_bytes(sealed, item_place("photo", name, one.row_number))
