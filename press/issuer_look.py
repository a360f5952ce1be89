"""What an issuer's certificates say about the issuer; fixed per prefix."""

from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class IssuerLook:
    """The issuer's part of a certificate's face.

    Attributes:
        name: the issuer's full name; must equal ``Claims.issuer_name``.
        public_url: origin of the verdict pages, ``https://host`` without a slash at the end.
        legal_effect: the sentence at the foot; bureaus differ (DOMAIN 0.1).
        seal_arc: words along the seal's ring.
        seal_bottom: words under its star.
        is_sample: marked 样本, for demonstrations.
    """

    name: str
    public_url: str
    legal_effect: str
    seal_arc: str
    seal_bottom: str
    is_sample: bool

    @property
    def host(self) -> str:
        """Host and port of the public address, as a browser shows it."""
        return urlsplit(self.public_url).netloc

    def words(self) -> dict[str, str]:
        """The values of the words that a label may hold."""
        return {"issuer": self.name, "url": self.public_url, "host": self.host, "legal_effect": self.legal_effect}
