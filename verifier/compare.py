"""Hold the three layers against each other: what is shown, what is signed, what is registered."""

from collections.abc import Mapping
from urllib.parse import urlsplit

from credential.claims import claims_digest
from credential.model import Claims
from credential.names import mask_name
from credential.ports import RegisteredCredential
from credential.qr import QrClaims, says
from press.display import display_values
from press.template import Row, Template, Value
from verifier.report import DocumentReport
from verifier.verdict import CheckFailed, PublicSummary

_MIN_TEXT = 20  # characters; a page with fewer is a picture, and cannot be compared


def check_registered(registered: RegisteredCredential, claims: Claims) -> None:
    """Check that the register's columns are those that the claims name.

    Raises:
        CheckFailed: another status list, or another slot of it.
    """
    if str(registered.status_list) != list_name(claims):
        raise CheckFailed("register-differs", "another status list")
    if registered.status_index != claims.status_index:
        raise CheckFailed("register-differs", "another slot of the status list")


def list_name(claims: Claims) -> str:
    """Give the last part of the address of the status list, which is its number."""
    return claims.status_uri.rpartition("/")[2]


def origin_of(address: str) -> str:
    """Give scheme, host and port of an address."""
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}"


def check_photo(report: DocumentReport, claims: Claims) -> bool:
    """Check the photo of a page of our shape against the digest that was signed.

    Returns:
        False when there is nothing to compare: no page of our shape.

    Raises:
        CheckFailed: another photo, none where one was signed, or one where none was.
    """
    if not report.has_our_page:
        return False
    if report.photo_digest != (claims.photo_digest or b""):
        raise CheckFailed("shown-differs", "another photo than the signed one")
    return True


def check_same_claims(presented: bytes, registered: bytes) -> None:
    """Check that presented claims are byte for byte the registered ones.

    Raises:
        CheckFailed: they are not.
    """
    if presented != registered:
        raise CheckFailed("register-differs", "other claims than the registered ones")


def check_qr(qr: QrClaims, claims: Claims, payload: bytes, template: Template | None, reason: str) -> None:
    """Check that what the QR code says is what the full claims say.

    Args:
        qr: verified, of the code that was scanned.
        claims: verified.
        payload: bytes of the claims.
        template: that printed it, which says what the code's title, level and date are;
            where it is not known, each has to be one of the claims' fields.
        reason: of the failure: ``qr-of-another`` or ``register-differs``.

    Raises:
        CheckFailed: a field or the digest differs.
    """
    name = claims.holder.name
    is_same = (
        qr.claims_digest == claims_digest(payload)
        and qr.issuer == claims.issuer
        and qr.serial == claims.serial
        and (name.startswith(qr.name) if qr.name_is_cut else qr.name == name)
        and _says_fields(qr, claims, template)
        and str(qr.status_list) == list_name(claims)
        and qr.status_index == claims.status_index
        and qr.issued_at == claims.issued_at
    )
    if not is_same:
        raise CheckFailed(reason, "the QR code does not say what the claims say")


def _says_fields(qr: QrClaims, claims: Claims, template: Template | None) -> bool:
    said = (qr.title, qr.level, str(qr.qualified_on or ""))
    if template is None:
        return all(not words or any(says(words, full) for full in claims.fields.values()) for words in said)
    in_qr = template.schema.in_qr
    keys = (in_qr.title, in_qr.level, in_qr.date)
    return all(says(words, claims.fields.get(key, "")) for words, key in zip(said, keys, strict=True))


def shown_values(template: Template, claims: Claims) -> dict[str, str]:
    """Give the values that the page of a template prints, by field."""
    values = display_values(template, claims)
    shown: dict[str, str] = {}
    for item in template.items:
        if isinstance(item, Row):
            fields = [source.field for source in item.sources if values.get(source.field)]
            shown.update({field: values[field] for field in fields[:1]})
        elif isinstance(item, Value) and values.get(item.field):
            shown[item.field] = values[item.field]
    return shown


def check_shown(template: Template | None, claims: Claims, text: str) -> bool:
    """Check that a page's text layer holds every value that the claims make it show.

    White space does not count, since long values are broken over lines. A value
    may be there and be covered by something else: nothing is proven of what the
    eye sees, and only a difference is a finding.

    Returns:
        False when there is nothing to compare: a picture, or a template that is not known here.

    Raises:
        CheckFailed: a value is not there.
    """
    shown = "".join(text.split())
    if template is None or len(shown) < _MIN_TEXT:
        return False
    values = shown_values(template, claims)
    missing = [field for field, value in values.items() if "".join(value.split()) not in shown]
    if missing:
        raise CheckFailed("shown-differs", f"not shown as signed: {', '.join(sorted(missing))}")
    return True


def summarise(
    claims: Claims,
    payload: bytes,
    registered: RegisteredCredential | None,
    template: Template | None,
    *,
    is_masked: bool,
) -> PublicSummary:
    """Say what may be told: never an ID number, and a masked name for those who only know serial and name.

    Args:
        claims: verified.
        payload: their bytes.
        registered: the register's entry, or None.
        template: that printed it, which names the fields; where it is not known, no field is told.
        is_masked: asked by serial and name.
    """
    told: tuple[str, ...] = ()
    headings: dict[str, tuple[str, str]] = {}
    in_qr: dict[str, str] = {}
    if template is not None:
        told = template.masked_fields if is_masked else template.public_fields
        headings = {one.key: (one.heading, one.english) for one in template.schema.fields if one.key in told}
        said = template.schema.in_qr
        pairs = (("title", said.title), ("level", said.level), ("qualified_on", said.date))
        in_qr = {name: key for name, key in pairs if key in told}
    fields = {key: claims.fields[key] for key in told if key in claims.fields}
    return PublicSummary(
        issuer=claims.issuer,
        issuer_name=claims.issuer_name,
        serial=claims.serial,
        version=claims.version,
        name=mask_name(claims.holder.name) if is_masked else claims.holder.name,
        fields=fields,
        issued_on=str(claims.issued_on),
        expires_on="" if claims.expires_on is None else claims.expires_on.isoformat(),
        state=None if registered is None else registered.state,
        superseded_by=None if registered is None else registered.superseded_by,
        supersedes=None if registered is None else registered.supersedes,
        kind=claims.kind,
        headings=headings,
        in_qr=in_qr,
        claims_digest="" if is_masked else claims_digest(payload).hex(),
        has_photo=claims.photo_digest is not None and not is_masked,
    )


def summarise_qr(qr: QrClaims) -> PublicSummary:
    """Say what the QR code alone tells."""
    fields: Mapping[str, str] = {"title": qr.title, "level": qr.level, "qualified_on": str(qr.qualified_on or "")}
    return PublicSummary(
        issuer=qr.issuer,
        issuer_name="",
        serial=qr.serial,
        version=0,
        name=f"{qr.name}…" if qr.name_is_cut else qr.name,
        fields={key: value for key, value in fields.items() if value},
        issued_on="",
        expires_on="",
        state=None,
    )
