"""The photo of a certificate, for whoever holds the certificate and knows the end of the holder's ID number.

Part of the issuing side: the verifying side has no way to ID numbers. The photo
is there to compare a person with, so it is shown only while the certificate is
good: revoked, suspended, ended or replaced, there is nothing to compare for. An
erased record has none any more.
"""

import hashlib
import hmac
from collections.abc import Callable
from contextlib import AbstractContextManager

from credential.claims import decode_claims
from credential.cose import open_message
from credential.errors import RefusedError
from credential.model import Claims, State
from credential.serial import BadVerificationCode, parse_verification_code
from registry.packs import PackDamaged, item_place
from registry.photos import Portrait, count_try, find_portrait, give_back
from service.house import House
from service.pace import steady_pace

END_LENGTH = 6
"""Characters of the ID number's end that are asked for."""

_FULL_WIDTH = {0xFF01 + offset: 0x21 + offset for offset in range(94)}


class PhotoNotShown(RefusedError):
    """No photo is shown; whether there is one, and what was wrong, is not said."""

    code = "photo-not-shown"

    def __init__(self) -> None:
        super().__init__(
            "the photo is not shown: the last six characters of the ID number are wrong, or were tried too often "
            "today, or this certificate shows no photo",
            "照片不予显示: 身份证号后六位不符, 或今日尝试次数过多, 或该证书没有可显示的照片",
        )


def photo_of(
    house: House, code: str, last_six: str, pace: Callable[[], AbstractContextManager[None]] = steady_pace
) -> bytes:
    """Give the photo of a certificate, a JPEG, as it stands in the signed file.

    At most five wrong ends are taken for one certificate in 24 hours. A try is
    counted, durably, before anything is compared, and given back when it was right.

    Args:
        house: of the installation.
        code: verification code, as typed or from the address.
        last_six: end of the holder's ID number, as typed.
        pace: lets every answer come after the same time.

    Raises:
        PhotoNotShown: for whatever reason; one answer for all.
        UnavailableError: a store does not answer, or what it holds is damaged.
    """
    with pace():
        return _photo_of(house, code, _folded(last_six))


def _photo_of(house: House, code: str, typed: str) -> bytes:
    try:
        canonical = parse_verification_code(code)
    except BadVerificationCode as error:
        raise PhotoNotShown from error
    with house.database.reading() as session:
        found = find_portrait(session, house.vault, canonical)
    if found is None or len(typed) != END_LENGTH or not typed.isascii():  # a slip in typing is no try
        raise PhotoNotShown
    claims = decode_claims(open_message(found.claims).payload)
    with house.database.transaction() as session:
        may_try = count_try(session, found.credential_id, house.now())
    # From here on the try is gone, whatever becomes of this process.
    if not may_try or not _is_end(typed, claims):
        raise PhotoNotShown
    with house.database.transaction() as session:
        give_back(session, found.credential_id)
    if found.state is not State.VALID or found.is_superseded or _is_over(house, claims):
        raise PhotoNotShown
    return _open_photo(house, found, claims)


def _is_end(typed: str, claims: Claims) -> bool:
    end = _folded(claims.holder.id_number)[-END_LENGTH:]
    return len(end) == END_LENGTH and hmac.compare_digest(typed.encode(), end.encode())


def _is_over(house: House, claims: Claims) -> bool:
    return claims.expires_on is not None and house.today() > claims.expires_on


def _open_photo(house: House, found: Portrait, claims: Claims) -> bytes:
    place = found.photo
    sealed = house.blobs.read(place.pack_name, place.offset, place.length)
    photo = found.key.open_bytes(sealed, item_place("photo", place.pack_name, found.row_number))
    if hashlib.sha256(photo).digest() != claims.photo_digest:
        raise PackDamaged(place.pack_name, "gives another photo than the signed one", "中的照片与签名数据不符")
    return photo


def _folded(text: str) -> str:
    """Fold full-width characters, spaces, hyphens and case, as people type an ID number."""
    folded = text[:64].translate(_FULL_WIDTH).replace("\u3000", "").replace("-", "")
    return "".join(folded.split()).upper()
