"""What of an issuer's settings is seen on its certificates."""

from press.issuer_look import IssuerLook
from registry.issuers import Issuer


def issuer_look(issuer: Issuer) -> IssuerLook:
    """The issuer's part of a certificate's face."""
    settings = issuer.settings
    return IssuerLook(
        name=issuer.name,
        public_url=settings.public_url,
        legal_effect=settings.legal_effect,
        seal_arc=settings.seal_arc or issuer.name,
        seal_bottom=settings.seal_bottom,
        is_sample=settings.is_sample,
    )
