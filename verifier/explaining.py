"""What a verdict looks like to people: word, tone and icon, what was presented, what to do next.

Sentences come in pairs, Chinese and English, and the page chooses. What a page
must know beside the verdict is asked of :class:`Notices`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from credential.model import STATE_NAMES, State
from credential.ports import Change
from credential.reasons import CorrectionReason, ReplacementReason
from verifier.reasons import Word
from verifier.verdict import Presented, PublicSummary, Verdict


class Tone(StrEnum):
    """How a verdict is coloured; the icon and the word say the same without colour."""

    GOOD = "good"
    BAD = "bad"
    CAUTION = "caution"
    NEUTRAL = "neutral"  # could not tell: never looks like an accusation


@dataclass(frozen=True, slots=True)
class Sentence:
    """One thing said in both languages."""

    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Face:
    """How one verdict is shown.

    Attributes:
        zh: the big word.
        en: the same in English.
        tone: its colour.
        icon: name of a drawing in ``templates/pages/icons.html``.
    """

    zh: str
    en: str
    tone: Tone
    icon: str


FACES: Mapping[Word, Face] = {
    Word.VALID: Face("有效", "Valid", Tone.GOOD, "check"),
    Word.REVOKED: Face("已撤销", "Revoked", Tone.BAD, "cross"),
    Word.SUPERSEDED: Face("已被替换", "Superseded", Tone.CAUTION, "next"),
    Word.SUSPENDED: Face("已暂扣", "Suspended", Tone.CAUTION, "pause"),
    Word.EXPIRED: Face("已过有效期", "Expired", Tone.CAUTION, "clock"),
    Word.ENDED: Face("已失效", "Ended", Tone.CAUTION, "stop"),
    Word.TAMPERED: Face("被改动或伪造", "Tampered", Tone.BAD, "warning"),
    Word.UNKNOWN: Face("无法证实", "Unknown", Tone.CAUTION, "question"),
    Word.UNAVAILABLE: Face("暂时无法查询", "Could not tell now", Tone.NEUTRAL, "cloud"),
}

PRESENTED: Mapping[Presented, Sentence] = {
    Presented.ORIGINAL: Sentence("签发的原件(与封存的文件逐字节相同)", "the original file, byte for byte"),
    Presented.ORIGINAL_WITH_UPDATES: Sentence(
        "签发的原件, 附有后加的验证信息", "the original file with validation data added"
    ),
    Presented.ALTERED: Sentence(
        "不是签发的原件: 被改动过, 或从未封存", "not the original file: altered, or never sealed"
    ),
    Presented.QR_ONLY: Sentence("仅二维码", "a QR code only"),
    Presented.CONVERTED_COPY: Sentence(
        "转换件(另存、打印扫描、截图等), 不是原件",
        "a converted copy (re-saved, scanned, a screenshot), not the original",
    ),
    Presented.OTHER: Sentence("不能读取或不能识别的文件", "a file that cannot be read, or is no certificate of ours"),
    Presented.CODE: Sentence(
        "证书上的核验码(未查看文件本身)", "the certificate's verification code; no file was looked at"
    ),
    Presented.SERIAL: Sentence(
        "证书编号和姓名(未查看文件本身)", "the certificate's serial and a name; no file was looked at"
    ),
}

_SUCCESSIONS = frozenset((*CorrectionReason, *ReplacementReason))
_ORIGINALS = frozenset({Presented.ORIGINAL, Presented.ORIGINAL_WITH_UPDATES})

_BY_EYE = Sentence(
    "请将本页的姓名、证书编号等与出示的证书、本人身份证件逐项对照, 有一项不同即不可采信。",
    "Compare name, serial and the rest with the certificate you were shown and with the person's ID. "
    "If one line differs, do not rely on it.",
)
_ASK_FOR_FILE = Sentence(
    "用于聘任、评审、投标等重要事项时, 请向持证人索取电子证书原文件(PDF), 上传核验。",
    "For appointments, reviews or tenders ask the holder for the original PDF and check the file itself.",
)
_ASK_ISSUER = Sentence(
    "如有疑问, 请通过发证机构官方网站公布的电话联系发证机构, 不要使用证书上或他人提供的号码。",
    "If in doubt, call the issuer on a number from its own official website, not from the certificate.",
)
_DO_NOT_USE = Sentence("请勿采用这份证书。", "Do not accept this certificate.")

NEXT: Mapping[Word, Sequence[Sentence]] = {
    Word.VALID: (_BY_EYE, _ASK_FOR_FILE),
    Word.REVOKED: (_DO_NOT_USE, _ASK_ISSUER),
    Word.SUPERSEDED: (
        Sentence(
            "请向持证人索取新证书并重新核验; 这一份不再使用。",
            "Ask the holder for the newer certificate and check that one; this one is no longer used.",
        ),
    ),
    Word.SUSPENDED: (
        Sentence(
            "暂扣期间请勿采用; 暂扣可能解除, 需要时请再次核验。",
            "Do not accept it while it is suspended. This may be lifted: check again when you need it.",
        ),
        _ASK_ISSUER,
    ),
    Word.EXPIRED: (
        Sentence("请向持证人索取有效期内的新证书。", "Ask the holder for a certificate that is still in date."),
    ),
    Word.ENDED: (
        Sentence(
            "证书自下列日期起失效, 在此之前曾经有效。", "It ended on the day given below and was valid before that day."
        ),
        _ASK_ISSUER,
    ),
    Word.TAMPERED: (
        Sentence(
            "请勿采用所出示的文件或纸张; 本页所列登记信息(如有)属于登记的证书, 不代表您收到的这一份。",
            "Do not rely on the file or paper you were shown. What this page lists is the register's, not this copy's.",
        ),
        Sentence("请向持证人索取下载的原文件重新核验。", "Ask the holder for the file as downloaded, and check that."),
        _ASK_ISSUER,
    ),
    Word.UNKNOWN: (
        Sentence(
            "请核对输入的内容, 或重新扫描二维码、上传原文件; 仍无法证实的, 请勿采用。",
            "Check what was typed, scan again or check the original file. Do not rely on it until it is confirmed.",
        ),
        _ASK_ISSUER,
    ),
    Word.UNAVAILABLE: (
        Sentence(
            "这不说明证书是假的。请稍后刷新本页再试。",
            "This does not mean that the certificate is false. Reload this page in a while.",
        ),
    ),
}
_COMPARE_COPY = Sentence(
    "副本可以被改动而不留痕迹: 请与本页所列登记信息逐项对照, 或索取原文件。",
    "A copy can be changed without a trace: compare it line by line with this page, or ask for the original.",
)


@dataclass(frozen=True, slots=True)
class Told:
    """One change as a page tells it; its reason is not told (docs/changing.md).

    Attributes:
        word: what happened.
        is_void: it counts from the start, so its day is that of the decision and of nothing else.
        change: its dates and the number of its decision.
        note: what it means for the time before it, or None.
    """

    word: Sentence
    is_void: bool
    change: Change
    note: Sentence | None


#: What a change of state means for the time before it (DESIGN 4).
STATE_NOTES: Mapping[State, Sentence] = {
    State.REVOKED: Sentence(
        "自始无效; 此前的核验结果曾显示有效。", "Void from the start, though the register said valid until then."
    ),
    State.WITHDRAWN: Sentence("自生效之日起无效。", "Void from the effective day on."),
    State.SUSPENDED: Sentence("暂扣期间无效。", "Not valid while suspended."),
    State.ENDED: Sentence("生效日之前有效。", "Valid before the effective day."),
    State.LAPSED: Sentence("生效日之前有效。", "Valid before the effective day."),
    State.VALID: Sentence("恢复有效。", "Valid again."),
}


@dataclass(frozen=True, slots=True)
class Label:
    """How a field is called.

    Attributes:
        zh: as on the certificate.
        en: the same in English.
    """

    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class IssuerNotice:
    """What a page says about an issuer.

    Attributes:
        host: where its certificates' QR codes lead, as a browser shows it.
        legal_effect: its sentence on copies, Chinese.
        is_sample: whose certificates are samples.
    """

    host: str
    legal_effect: str
    is_sample: bool


class Notices(Protocol):
    """What pages must know beside a verdict; safe to share among threads, raises nothing.

    An answer that cannot be had now is None or empty: a page without a label is
    better than none.
    """

    def issuer(self, uscc: str) -> IssuerNotice | None:
        """What is said about the issuer with this code."""
        ...

    def qr_keys(self, uscc: str) -> Sequence[Mapping[str, str | None]]:
        """The issuer's keys for QR codes, as the trust list writes them."""
        ...


def face_of(verdict: Verdict) -> Face:
    """How the verdict is shown."""
    return FACES[verdict.verdict]


def next_steps(verdict: Verdict) -> Sequence[Sentence]:
    """What a person may do now."""
    steps = NEXT[verdict.verdict]
    if verdict.presented is Presented.CONVERTED_COPY and verdict.reason == "copy":
        return (_COMPARE_COPY, _ASK_FOR_FILE)
    if verdict.verdict is Word.VALID and verdict.presented in _ORIGINALS:
        return (_BY_EYE,)
    return steps


def history(verdict: Verdict) -> Sequence[Told]:
    """Tell what happened, newest first.

    A certificate that was corrected or replaced is ended in the register
    (注销); people are told what took its place instead.
    """
    told = []
    for change in verdict.changes:
        word = Sentence(*STATE_NAMES[change.state])
        if change.state is State.ENDED and change.reason in _SUCCESSIONS:
            word = _succession(verdict.credential, change.reason)
        told.append(Told(word, change.state is State.REVOKED, change, STATE_NOTES.get(change.state)))
    return told[::-1]


def _succession(credential: PublicSummary | None, reason: str) -> Sentence:
    is_corrected = reason in set(CorrectionReason)
    zh, en = ("更正", "corrected") if is_corrected else ("换发", "replaced")
    newer = None if credential is None else credential.superseded_by
    if newer is None:
        return Sentence(zh, en)
    if credential is not None and newer.serial == credential.serial:
        return Sentence(
            f"{zh}(由同一编号的第{newer.version}版替换)",
            f"{en}: replaced by version {newer.version} of the same serial",
        )
    return Sentence(f"{zh}(新证书编号 {newer.serial})", f"{en}: the newer certificate is {newer.serial}")


def has_versions(credential: PublicSummary | None) -> bool:
    """Whether there is more than one version under the serial, so that each must be called by its number."""
    if credential is None or not credential.version:
        return False
    others = (credential.superseded_by, credential.supersedes)
    return credential.version > 1 or any(one is not None and one.serial == credential.serial for one in others)


def rows(credential: PublicSummary) -> Sequence[tuple[Label, str]]:
    """The public fields with their names, in the order of the certificate; one without a name goes by its key."""
    return [(Label(*credential.headings.get(key, (key, key))), value) for key, value in credential.fields.items()]


def shown_for_comparison(credential: PublicSummary) -> Mapping[str, str]:
    """What a page's script holds the QR code's claims against; names are those of ``credential.qr.QrClaims``."""
    said = {name: credential.fields.get(key, "") for name, key in credential.in_qr.items()}
    digest = {"claims_digest": credential.claims_digest} if credential.claims_digest else {}
    return {"issuer": credential.issuer, "serial": credential.serial, "name": credential.name, **said, **digest}


def labels_of_code(credential: PublicSummary | None) -> Mapping[str, Label]:
    """How what the QR code says is called, for those of its parts that a page may name."""
    labels = {
        "name": Label("姓名", "name"),
        "title": Label("名称", "title"),
        "level": Label("级别", "level"),
        "qualified_on": Label("取得时间", "obtained on"),
        "serial": Label("证书编号", "serial"),
        "issuer": Label("发证机构代码", "issuer"),
    }
    if credential is not None:
        named = {name: credential.headings[key] for name, key in credential.in_qr.items() if key in credential.headings}
        labels |= {name: Label(*heading) for name, heading in named.items()}
    return labels
