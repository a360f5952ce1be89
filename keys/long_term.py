"""Evidence that outlives certificates: what is appended to a signed PDF at B-LT and B-LTA (ETSI EN 319 142-1, 6.3).

Each piece is an incremental update: the signed bytes stay as they are, and so
does every signature over them. pyHanko writes them.

- :func:`append_evidence` adds certificates and revocation lists (a DSS);
- :func:`prepare_timestamp` adds a document time stamp over all that is there,
  with room for the token, so that the tokens of many files are fetched at once;
- :func:`read_stamped` says what a file rests on, and :func:`good_until` how long.
"""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from typing import Any

from asn1crypto import cms
from asn1crypto import crl as asn1_crl
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.misc import PdfError
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.fields import SigFieldSpec
from pyhanko.sign.signers.cms_embedder import PdfCMSEmbedder, SigIOSetup, SigObjSetup
from pyhanko.sign.signers.pdf_byterange import DocumentTimestamp
from pyhanko.sign.validation import EmbeddedPdfSignature
from pyhanko.sign.validation.dss import DocumentSecurityStore

from credential.errors import UnavailableError
from credential.timestamp import Timestamp, read_timestamp

WEAK_RSA_BITS = 3072
WEAK_RSA_ENDS = datetime(2031, 1, 1, tzinfo=UTC)
"""RSA below 3072 bits has 112 bits of security, which NIST SP 800-57 part 1 (rev. 5, table 4) ends with 2030."""


class UnfitDocument(UnavailableError):
    """A stored PDF cannot take more evidence: it is not one of ours, or it is damaged."""

    code = "unfit-document"

    def __init__(self, why: str) -> None:
        super().__init__(
            f"a stored PDF cannot be extended ({why}); restore it from a backup",
            f"存储的 PDF 无法追加长期保存凭据（{why}）；请从备份恢复",
        )


@dataclass(frozen=True, slots=True)
class Stamped:
    """What a signed file rests on.

    Attributes:
        chain: certificates that its signature carries, DER, the signer's first.
        stamps: of the signature and of the document, oldest first.
        is_archived: the newest of them is of the document, over all evidence that was there.
    """

    chain: tuple[bytes, ...]
    stamps: tuple[Timestamp, ...]
    is_archived: bool

    @property
    def newest(self) -> Timestamp | None:
        """The time stamp that states the latest moment."""
        return max(self.stamps, key=lambda one: one.attested_at, default=None)

    @property
    def unproven(self) -> tuple[bytes, ...]:
        """Certificates whose standing no time stamp covers yet, so that lists are owed for them.

        What a document time stamp covers is settled: the lists for it are inside. That
        is as well, for nobody issues lists for authorities that have ended since.
        """
        if self.is_archived and self.newest is not None:
            return tuple(dict.fromkeys([self.newest.certificate, *self.newest.certificates]))
        return self.certificates

    @property
    def certificates(self) -> tuple[bytes, ...]:
        """All certificates that signature and time stamps carry, each once."""
        return tuple(dict.fromkeys([*self.chain, *(der for stamp in self.stamps for der in stamp.certificates)]))


@dataclass(frozen=True, slots=True)
class UnstampedRevision:
    """A file with a document time stamp that lacks its token.

    Attributes:
        start: offset of the first hexadecimal digit of the token's place.
        end: offset behind the last one.
    """

    document: bytes
    start: int
    end: int

    @property
    def message(self) -> bytes:
        """What the token is to be over."""
        return self.document[: self.start - 1] + self.document[self.end + 1 :]

    @property
    def room(self) -> int:
        """Bytes that the token may have."""
        return (self.end - self.start) // 2

    def finish(self, token: bytes) -> bytes:
        """Put the token in; gives the whole file.

        Raises:
            ValueError: it is longer than its room.
        """
        digits = token.hex().encode("ascii")
        if len(digits) > self.end - self.start:
            raise ValueError(f"a token of {len(token)} bytes does not fit in {self.room}")
        return self.document[: self.start] + digits.ljust(self.end - self.start, b"0") + self.document[self.end :]


def read_stamped(document: bytes) -> Stamped:
    """Say who signed a file of ours, and what stamped it; nothing is verified.

    Raises:
        UnfitDocument: it is no signed PDF.
        BadTimestamp: a token in it cannot be read.
    """
    try:
        reader = PdfFileReader(BytesIO(document))
        first = reader.embedded_regular_signatures[0]
        certificates = [first.signer_cert, *first.other_embedded_certs]
        # The zeros that pad a container follow its end, and are not read.
        later = [cms.ContentInfo.load(one.pkcs7_content) for one in reader.embedded_timestamp_signatures]
        tokens = [token.dump() for token in (*_signature_stamps(first), *later)]
    except (PdfError, ValueError, KeyError, IndexError) as error:
        raise UnfitDocument(type(error).__name__) from error
    stamps = tuple(read_timestamp(token) for token in tokens)
    return Stamped(tuple(one.dump() for one in certificates), stamps, is_archived=bool(later))


def _signature_stamps(signature: EmbeddedPdfSignature) -> Iterator[Any]:
    for attribute in signature.signer_info["unsigned_attrs"] or ():
        if attribute["type"].native == "signature_time_stamp_token":
            yield from attribute["values"]


def good_until(stamped: Stamped) -> datetime:
    """The moment before which a file has to be renewed: when what it rests on last ends or grows weak.

    That is its newest time stamp, once that is over the document. A stamp over the
    signature alone covers no revocation list, and what a list says of a certificate
    counts only if it is proven to be from before the certificate's end (ETSI EN 319
    102-1, past certificate validation): the signer's chain counts too.
    Roots do not: a verifier holds them, and believes them as long as it likes.
    """
    return min(_ends(certificate) for certificate in _without_roots(stamped.unproven))


def _without_roots(certificates: Sequence[bytes]) -> list[x509.Certificate]:
    loaded = [x509.load_der_x509_certificate(der) for der in certificates]
    return [loaded[0], *(one for one in loaded[1:] if one.issuer != one.subject)]


def _ends(certificate: x509.Certificate) -> datetime:
    key = certificate.public_key()
    is_weak = isinstance(key, rsa.RSAPublicKey) and key.key_size < WEAK_RSA_BITS
    return min(certificate.not_valid_after_utc, WEAK_RSA_ENDS) if is_weak else certificate.not_valid_after_utc


def append_evidence(document: bytes, certificates: Iterable[bytes], crls: Iterable[bytes]) -> bytes:
    """Append a DSS, or what is new of one; gives the whole file.

    Args:
        document: signed.
        certificates: DER.
        crls: DER.

    Raises:
        UnfitDocument: it is no PDF that pyHanko writes to.
    """
    stream = BytesIO(document)
    try:
        DocumentSecurityStore.add_dss(
            stream,
            sig_contents=None,  # entries for single signatures (VRI) are not asked for by the baseline profiles
            certs=[asn1_x509.Certificate.load(der) for der in certificates],
            crls=[asn1_crl.CertificateList.load(der) for der in crls],
        )
    except (PdfError, ValueError, KeyError) as error:
        raise UnfitDocument(type(error).__name__) from error
    return _grown(document, stream.getvalue())


def prepare_timestamp(document: bytes, token_bytes: int) -> UnstampedRevision:
    """Append a document time stamp that lacks its token.

    Args:
        document: signed, with its evidence.
        token_bytes: room for the token.

    Raises:
        UnfitDocument: it is no PDF that pyHanko writes to.
    """
    try:
        return asyncio.run(_prepare(document, token_bytes))
    except (PdfError, ValueError, KeyError) as error:
        raise UnfitDocument(type(error).__name__) from error


async def _prepare(document: bytes, token_bytes: int) -> UnstampedRevision:
    writer = IncrementalPdfFileWriter(BytesIO(document))
    name = f"Timestamp-{len(writer.prev.embedded_timestamp_signatures) + 1}"
    embedder = PdfCMSEmbedder(new_field_spec=SigFieldSpec(sig_field_name=name)).write_cms(
        field_name=name, writer=writer, existing_fields_only=False
    )
    next(embedder)
    placeholder = DocumentTimestamp(bytes_reserved=2 * token_bytes)  # type: ignore[no-untyped-call] # pyHanko's own
    embedder.send(SigObjSetup(sig_placeholder=placeholder))
    prepared, output = embedder.send(SigIOSetup(md_algorithm="sha256"))
    # The reserved region holds the angle brackets too.
    start, end = prepared.reserved_region_start + 1, prepared.reserved_region_end - 1
    return UnstampedRevision(_grown(document, output.getvalue()), start, end)


def _grown(before: bytes, after: bytes) -> bytes:
    if not after.startswith(before):
        raise UnfitDocument("the signed bytes would not stay as they are")
    return after
