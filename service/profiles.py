"""Signature profiles (ETSI EN 319 142-1): which one an issuer's certificates have, and what it takes."""

import os
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from credential.errors import ConfigError
from credential.profile import SignatureProfile
from issuer.line import Stamping
from press.press import Press

if TYPE_CHECKING:
    from keys.timestamp import TimestampClient

MARGIN = timedelta(days=180)
"""Evidence is renewed this long before it ends: time enough for an authority that is gone to be replaced."""


class NoTimestampAuthority(ConfigError):
    """Time stamps are wanted, and no authority is set or believed."""

    code = "no-timestamp-authority"

    def __init__(self, profile: str) -> None:
        super().__init__(
            f"{profile} takes time stamps: set YINZHENG_TSA_URLS, and put the authorities' certificates into the trust "
            "list (yinzheng archive trust-tsa)",
            f"{profile} 需要时间戳：请设置 YINZHENG_TSA_URLS, "
            "并将时间戳机构的证书加入信任列表（yinzheng archive trust-tsa）",
        )


def timestamp_client(urls: str, anchors: Sequence[bytes], now: Callable[[], datetime]) -> "TimestampClient | None":
    """Connect to the authorities that are set; None when there are none, or none that is believed.

    Args:
        urls: comma separated, as in the settings.
        anchors: the trust list's ``tsa_certs``.
        now: tells the current moment.

    Raises:
        BadTsaUrl: an address is none.
    """
    addresses = [url.strip() for url in urls.split(",") if url.strip()]
    if not addresses or not anchors:
        return None
    # Its library for HTTP is heavy, and most installations have no authority.
    from keys.timestamp import TimestampClient  # noqa: PLC0415 - see above

    return TimestampClient(addresses, anchors, now=now, random=os.urandom)


def stamping(
    profile: SignatureProfile, press: Press, timestamps: "Callable[[], TimestampClient | None]"
) -> Stamping | None:
    """What a line of this profile prints with; None where no time stamp is asked for.

    Args:
        profile: of the issuer.
        press: signs.
        timestamps: connects to the authorities; only asked where there is to be a time stamp.

    Raises:
        NoTimestampAuthority: the profile needs one, and there is none.
    """
    if not profile.is_stamped:
        return None
    client = timestamps()
    if client is None:
        raise NoTimestampAuthority(profile)
    return Stamping(press, client)
