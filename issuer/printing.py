"""Print the certificates of one chunk, with or without a time stamp over each signature.

With time stamps a chunk is signed first, while the tokens for what is signed
already are on their way; a document's digest is known only with its token in
it. An authority that does not answer leaves nothing behind: the chunk is
reserved still, and the next run prints it from the start.
"""

from collections.abc import Iterator, Sequence

from credential.model import Claims
from issuer.line import IssuingLine, PrintedDocument, SignedDocument, Stamping
from registry.chunks import PhotoPlace
from registry.credentials import ReservedCredential
from registry.packs import item_place


def print_all(
    line: IssuingLine, reserved: Sequence[ReservedCredential], claims: Sequence[Claims], proofs: Sequence[str]
) -> Iterator[PrintedDocument]:
    """Print and sign each credential, in their order.

    Raises:
        UnavailableError: a store, the key or every time-stamping authority does not answer.
    """
    photos = _read_photos(line, reserved)
    if line.stamping is not None:
        yield from _print_stamped(line.stamping, reserved, claims, proofs, photos)
        return
    for one, of, proof in zip(reserved, claims, proofs, strict=True):
        yield line.printer.print(
            of, photo=photos.get(one.row_number), qr_text=one.qr_text, message=one.claims, proof=proof
        )


def _print_stamped(
    stamping: Stamping,
    reserved: Sequence[ReservedCredential],
    claims: Sequence[Claims],
    proofs: Sequence[str],
    photos: dict[int, bytes],
) -> Iterator[PrintedDocument]:
    signed: list[SignedDocument] = []

    def signatures() -> Iterator[bytes]:
        for one, of, proof in zip(reserved, claims, proofs, strict=True):
            signed.append(
                stamping.printer.sign(
                    of,
                    photo=photos.get(one.row_number),
                    qr_text=one.qr_text,
                    message=one.claims,
                    proof=proof,
                    token_bytes=room,
                )
            )
            yield signed[-1].signature

    room = stamping.timestamps.token_bytes
    tokens = stamping.timestamps.timestamp_many(signatures(), room)
    for document, token in zip(signed, tokens, strict=True):
        yield document.finish(token)


def _read_photos(line: IssuingLine, reserved: Sequence[ReservedCredential]) -> dict[int, bytes]:
    """Read the photos of a chunk with one read a pack, and open them."""
    packs: dict[str, list[PhotoPlace]] = {}
    for one in reserved:
        if one.photo is not None:
            packs.setdefault(one.photo.pack_name, []).append(one.photo)
    read: dict[str, tuple[int, bytes]] = {}
    for name, places in packs.items():
        start = min(place.offset for place in places)
        end = max(place.offset + place.length for place in places)
        read[name] = start, line.office.blobs.read(name, start, end - start)
    photos = {}
    for one in reserved:
        if one.photo is not None:
            start, content = read[one.photo.pack_name]
            sealed = content[one.photo.offset - start : one.photo.offset - start + one.photo.length]
            photos[one.row_number] = one.key.open_bytes(
                sealed, item_place("photo", one.photo.pack_name, one.row_number)
            )
    return photos
