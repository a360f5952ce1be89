"""The bar on applying for a higher title that follows fraud (DOMAIN 0.2, 1.10)."""

from datetime import date

from credential.claims import decode_claims
from credential.cose import open_message
from credential.model import Ban, Claims, PartialDate, RevocationReason
from issuer.office import Office
from registry.credentials import get_credential, read_claims
from registry.issuers import IssuerSettings

BAN_SCOPE = "高一级"
"""What a ban after fraud bars from, in both notices (DOMAIN 1.10, J1 and J2)."""

_BANNING = frozenset({RevocationReason.FRAUD, RevocationReason.PLAGIARISM, RevocationReason.IMPERSONATION})


def default_ban(settings: IssuerSettings, effective_on: date, qualified_year: int) -> Ban:
    """Work out the usual ban after fraud: whole years from 次年 or 评审次年 (DOMAIN 0.2)."""
    after_review = settings.ban_from == "year-after-review"
    first = (qualified_year if after_review else effective_on.year) + 1
    last = first + settings.ban_years - 1
    basis = f"{'评审次年' if after_review else '次年'}起{settings.ban_years}年"
    return Ban(start=date(first, 1, 1), until=date(last, 12, 31), scope=BAN_SCOPE, basis=basis)


def usual_ban(office: Office, serial: str, reason: RevocationReason, effective_on: date) -> Ban | None:
    """The ban that goes with a revocation for fraud by the issuer's settings, else None.

    Raises:
        UnknownSerial: the issuer has no such credential.
    """
    if reason not in _BANNING:
        return None
    return default_ban(office.issuer.settings, effective_on, _qualified_year(office, serial))


def _qualified_year(office: Office, serial: str) -> int:
    """The year of the review: that of qualification, else that of issue."""
    with office.database.reading() as session:
        found = get_credential(session, serial, office.issuer.id)
        claims: Claims = decode_claims(open_message(read_claims(session, office.vault, found)).payload)
    qualified_on = claims.fields.get("qualified_on", "")
    return PartialDate(qualified_on).year if qualified_on else claims.issued_on.year
