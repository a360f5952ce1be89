"""Why a credential changed, beside revocation: closed lists, each code with its words.

Revocation has its own list in ``credential.model``. Codes stand in history,
API and verdicts for ever, so one is never given another meaning.
"""

from collections.abc import Mapping
from enum import StrEnum

from credential.model import State


class SuspensionReason(StrEnum):
    """Why a credential is suspended (暂扣): something is being looked into."""

    UNDER_INVESTIGATION = "under-investigation"
    REPORTED = "reported"
    ORDERED = "ordered"


class ReinstatementReason(StrEnum):
    """Why a suspended credential is valid again (暂扣发还)."""

    CLEARED = "cleared"
    ORDER_LIFTED = "order-lifted"
    SUSPENDED_IN_ERROR = "suspended-in-error"


class EndReason(StrEnum):
    """Why a credential that was valid has ended; nothing about its past changes."""

    HOLDER_DIED = "holder-died"
    GIVEN_BACK = "given-back"
    ISSUER_DISSOLVED = "issuer-dissolved"
    CONDITIONS_LOST = "conditions-lost"
    NOT_RENEWED = "not-renewed"
    TRANSFERRED = "transferred"
    OTHER = "other-end"


class CorrectionReason(StrEnum):
    """Why a credential is corrected: the same serial, one version more."""

    CLERICAL_ERROR = "clerical-error"
    NAME_CHANGED = "name-changed"
    ID_NUMBER_CHANGED = "id-number-changed"
    PHOTO_REPLACED = "photo-replaced"


class ReplacementReason(StrEnum):
    """Why a credential is replaced by one with a new serial."""

    HIGHER_LEVEL = "higher-level"
    RENEWED = "renewed"
    REISSUED = "reissued"


CHANGE_NAMES: Mapping[str, tuple[str, str]] = {
    SuspensionReason.UNDER_INVESTIGATION: ("调查核实期间", "under investigation"),
    SuspensionReason.REPORTED: ("被举报, 核查期间", "reported, being looked into"),
    SuspensionReason.ORDERED: ("依有关机关要求", "ordered by a court or authority"),
    ReinstatementReason.CLEARED: ("经查无问题", "cleared"),
    ReinstatementReason.ORDER_LIFTED: ("有关要求已解除", "the order was lifted"),
    ReinstatementReason.SUSPENDED_IN_ERROR: ("暂扣有误", "suspended in error"),
    EndReason.HOLDER_DIED: ("持证人死亡", "the holder died"),
    EndReason.GIVEN_BACK: ("持证人申请注销", "given back by the holder"),
    EndReason.ISSUER_DISSOLVED: ("发证机构撤并", "the issuer was dissolved"),
    EndReason.CONDITIONS_LOST: ("不再符合规定条件", "its conditions are no longer met"),
    EndReason.NOT_RENEWED: ("有效期满未延续", "not renewed in time"),
    EndReason.TRANSFERRED: ("已办理转出", "transferred to another issuer"),
    EndReason.OTHER: ("其他(见说明)", "other, see the note"),
    CorrectionReason.CLERICAL_ERROR: ("登记内容有误", "clerical error"),
    CorrectionReason.NAME_CHANGED: ("持证人姓名变更", "the holder's name changed"),
    CorrectionReason.ID_NUMBER_CHANGED: ("证件号码变更", "the holder's ID number changed"),
    CorrectionReason.PHOTO_REPLACED: ("更换照片", "the photo was replaced"),
    ReplacementReason.HIGHER_LEVEL: ("取得更高级别", "a higher level was obtained"),
    ReplacementReason.RENEWED: ("延续换发", "renewed"),
    ReplacementReason.REISSUED: ("换发新证", "reissued"),
}
"""Each code in both languages, Chinese first."""

END_STATES: Mapping[EndReason, State] = {
    EndReason.HOLDER_DIED: State.ENDED,
    EndReason.GIVEN_BACK: State.ENDED,
    EndReason.ISSUER_DISSOLVED: State.ENDED,
    EndReason.CONDITIONS_LOST: State.LAPSED,
    EndReason.NOT_RENEWED: State.LAPSED,
    EndReason.TRANSFERRED: State.TRANSFERRED,
    EndReason.OTHER: State.OTHER,
}
"""The state code that each end leads to (DOMAIN 2.2); 99 needs a note."""
