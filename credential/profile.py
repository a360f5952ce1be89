"""Signature profiles of ETSI EN 319 142-1 (PAdES baseline): how long a signature can be proven, and by what."""

from enum import StrEnum


class SignatureProfile(StrEnum):
    """The baseline levels; each holds what the one before it does."""

    B_B = "B-B"  # the signature
    B_T = "B-T"  # and a time stamp over it
    B_LT = "B-LT"  # and certificates and revocation lists, in a later revision
    B_LTA = "B-LTA"  # and a time stamp over all of it, renewed before it ends

    @property
    def rank(self) -> int:
        """0 for B-B; a greater one holds more."""
        return list(SignatureProfile).index(self)

    @property
    def is_stamped(self) -> bool:
        """Whether the press needs a time-stamping authority."""
        return self is not SignatureProfile.B_B

    @property
    def has_evidence(self) -> bool:
        """Whether evidence is appended after issuing."""
        return self in {SignatureProfile.B_LT, SignatureProfile.B_LTA}
