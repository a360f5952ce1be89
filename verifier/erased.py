"""Say honestly of a certificate whose person was erased that it cannot be verified any more; never that it is false."""

from collections.abc import Mapping

from credential.model import STATE_NAMES, State
from credential.ports import CredentialSource
from verifier.inquiry import Inquiry
from verifier.reasons import Step
from verifier.report import Integrity
from verifier.verdict import CheckFailed

_REASONS: Mapping[State, str] = {
    State.VALID: "erased",
    State.SUSPENDED: "suspended",
    State.REVOKED: "revoked",
    State.WITHDRAWN: "revoked",
}
"""What became of it is no personal data, and stays; every other state has ended."""


def refuse_erased(
    source: CredentialSource | None, inquiry: Inquiry, digest: bytes, *, is_original: bool = False
) -> None:
    """End a verification of something whose person was erased; do nothing for what never was, or is there.

    Args:
        source: the register; None offline.
        inquiry: gets a check that says when it was erased.
        digest: SHA-256 of a whole file, or of the payload of claims whose signature was verified.
        is_original: the digest is of the whole file.

    Raises:
        CheckFailed: it was erased.
    """
    found = None if source is None else source.erased(digest)
    if found is None:
        return
    if is_original:
        inquiry.integrity = Integrity.INTACT
        inquiry.passed(Step.DOCUMENT, "exact-original", "文件与封存的原件逐字节相同", "it is the sealed original")
    day, (zh, en) = f"{found.erased_at:%Y-%m-%d}", STATE_NAMES[found.state]
    inquiry.left_open(
        Step.FIND,
        "personal-data-erased",
        f"该证书的个人信息已于 {day} 依申请或因保存期限届满从登记库删除;登记状态为{zh}",
        f"its personal data was erased from the register on {day}, on request or since it was kept long enough; the "
        f"state is {en}",
    )
    raise CheckFailed(_REASONS.get(found.state, "ended"), f"erased on {day}")
