"""Why a verification ends as it does: one table of reasons, each with its verdict and its words."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum


class Word(StrEnum):
    """What people are told: a closed set (DESIGN 4)."""

    VALID = "valid"
    REVOKED = "revoked"
    SUPERSEDED = "superseded"
    SUSPENDED = "suspended"
    EXPIRED = "expired"
    ENDED = "ended"
    TAMPERED = "tampered"
    UNKNOWN = "unknown"
    UNAVAILABLE = "unavailable"


class Indication(StrEnum):
    """Main status indications of ETSI EN 319 102-1, 5.1.3."""

    PASSED = "total-passed"
    FAILED = "total-failed"
    INDETERMINATE = "indeterminate"


class Step(IntEnum):
    """The numbered steps of a verification, in their order (docs/verifying.md)."""

    TRUST_LIST = 1
    FIND = 2
    DOCUMENT = 3
    CLAIMS = 4
    LOG = 5
    SIGNER = 6
    COMPARE = 7
    STATUS = 8
    EXPIRY = 9


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a verification ended as it did.

    Attributes:
        step: where it ended.
        word: the verdict.
        indication: of ETSI EN 319 102-1.
        sub_indication: likewise, or empty.
        zh: one sentence for people.
        en: the same in English.
    """

    step: Step
    word: Word
    indication: Indication
    sub_indication: str
    zh: str
    en: str


_FAILED, _OPEN = Indication.FAILED, Indication.INDETERMINATE

REASONS: Mapping[str, Reason] = {
    "good": Reason(
        Step.EXPIRY, Word.VALID, Indication.PASSED, "",
        "证书真实有效",
        "the certificate is genuine and valid",
    ),
    "trust-list-expired": Reason(
        Step.TRUST_LIST, Word.UNAVAILABLE, _OPEN, "TRY_LATER",
        "信任列表已过期,暂时无法核验;请更新信任列表",
        "the trust list has expired, so nothing can be checked; get the newest one",
    ),
    "register-unavailable": Reason(
        Step.FIND, Word.UNAVAILABLE, _OPEN, "TRY_LATER",
        "登记库暂时没有应答,请稍后再试;这不说明证书是假的",
        "the register does not answer, try again later; this does not mean that the certificate is false",
    ),
    "register-not-asked": Reason(
        Step.FIND, Word.UNAVAILABLE, _OPEN, "TRY_LATER",
        "离线核验:签名无误,但未查询登记库与日志,不能确认证书当前有效",
        "checked offline: the signatures are good, but register and log were not asked, so it may have been revoked",
    ),
    "bad-code": Reason(
        Step.FIND, Word.UNKNOWN, _FAILED, "FORMAT_FAILURE",
        "核验码格式不对,请核对后重新输入",
        "this is not a verification code; compare it with the certificate and type it again",
    ),
    "bad-qr": Reason(
        Step.FIND, Word.UNKNOWN, _FAILED, "FORMAT_FAILURE",
        "这不是本系统证书的二维码",
        "this is not the QR code of a certificate of this system",
    ),
    "no-such-credential": Reason(
        Step.FIND, Word.UNKNOWN, _FAILED, "SIGNED_DATA_NOT_FOUND",
        "登记库中查无此证",
        "the register has no such certificate",
    ),
    "erased": Reason(
        Step.FIND, Word.UNKNOWN, _OPEN, "SIGNED_DATA_NOT_FOUND",
        "登记库曾有此证,其个人信息已依申请或因保存期限届满而删除,不能再核验;这不说明证书是假的",
        "the register had this certificate, and its personal data was erased on request or since it was kept long "
        "enough; it cannot be verified any more, which does not mean that it is false",
    ),
    "not-issued": Reason(
        Step.FIND, Word.UNKNOWN, _OPEN, "TRY_LATER",
        "证书正在制作,尚未颁发",
        "the certificate is being made and is not issued yet",
    ),
    "not-ours": Reason(
        Step.DOCUMENT, Word.UNKNOWN, _OPEN, "NO_SIGNING_CERTIFICATE_FOUND",
        "文件中没有本系统可识别的证书数据",
        "the file holds nothing that this system recognises as a certificate",
    ),
    "unreadable": Reason(
        Step.DOCUMENT, Word.UNKNOWN, _OPEN, "FORMAT_FAILURE",
        "这不是能读取的文件(不是 PDF 或图片,或已损坏、加密、过大、过于复杂),不能核验;请使用下载的原文件",
        "not a file we can read (no PDF or picture, or damaged, encrypted, too large or complex); "
        "use the file as downloaded",
    ),
    "altered": Reason(
        Step.DOCUMENT, Word.TAMPERED, _FAILED, "HASH_FAILURE",
        "文件在签名后被改动,不能采信;请使用下载的原文件",
        "the file was changed after it was signed and must not be relied on; use the file as downloaded",
    ),
    "signed-by-another": Reason(
        Step.SIGNER, Word.TAMPERED, _FAILED, "NO_CERTIFICATE_CHAIN_FOUND",
        "文件含有本系统证书的数据,但由他人签名,不能采信",
        "the file carries data of a certificate of this system but was signed by somebody else",
    ),
    "signer-undecided": Reason(
        Step.SIGNER, Word.UNKNOWN, _OPEN, "OUT_OF_BOUNDS_NO_POE",
        "文件签名人的证书已过期或吊销信息不全,不能判断",
        "the signer's certificate has expired, or what is known of its revocation is not enough to tell",
    ),
    "signer-revoked": Reason(
        Step.SIGNER, Word.UNKNOWN, _OPEN, "REVOKED_NO_POE",
        "文件签名人的证书已被吊销,且没有更早的时间证明,不能判断",
        "the signer's certificate was revoked, and nothing proves that the file is older",
    ),
    "signers-disagree": Reason(
        Step.SIGNER, Word.TAMPERED, _FAILED, "SIG_CONSTRAINTS_FAILURE",
        "文件签名、数据签名与发证机构不一致,不能采信",
        "the signer of the file, the signer of the data and the issuer named are not the same",
    ),
    "claims-malformed": Reason(
        Step.CLAIMS, Word.TAMPERED, _FAILED, "FORMAT_FAILURE",
        "证书数据的格式被破坏,不能采信",
        "the certificate's signed data is malformed",
    ),
    "claims-signature": Reason(
        Step.CLAIMS, Word.TAMPERED, _FAILED, "SIG_CRYPTO_FAILURE",
        "证书数据的签名不符,不能采信",
        "the signature does not fit the certificate's data",
    ),
    "claims-unknown-key": Reason(
        Step.CLAIMS, Word.UNKNOWN, _OPEN, "NO_SIGNING_CERTIFICATE_FOUND",
        "证书数据由未知密钥签名,信任列表中没有该密钥",
        "the certificate's data was signed with a key that the trust list does not have",
    ),
    "register-damaged": Reason(
        Step.CLAIMS, Word.UNKNOWN, _OPEN, "SIG_CRYPTO_FAILURE",
        "登记库中的记录自相矛盾或未通过签名核验,不能采信;请联系发证机构",
        "the register's entry contradicts itself or fails its signature check; ask the issuer",
    ),
    "key-out-of-time": Reason(
        Step.CLAIMS, Word.UNKNOWN, _OPEN, "OUT_OF_BOUNDS_NO_POE",
        "签名密钥在所称签发时间不在有效期内,不能判断",
        "the signing key was not valid at the time that the certificate names",
    ),
    "key-compromised": Reason(
        Step.CLAIMS, Word.UNKNOWN, _OPEN, "REVOKED_NO_POE",
        "签名密钥已被宣布泄露,且没有更早的时间证明,不能判断",
        "the signing key was declared compromised, and nothing proves that the certificate is older",
    ),
    "issue-not-logged": Reason(
        Step.LOG, Word.UNKNOWN, _OPEN, "NO_POE",
        "透明日志中没有这份证书的颁发记录,不能采信",
        "the log does not prove that the certificate was issued",
    ),
    "seal-not-logged": Reason(
        Step.LOG, Word.UNKNOWN, _OPEN, "NO_POE",
        "透明日志中没有这个文件的封存记录,不能采信",
        "the log does not prove that this file was sealed",
    ),
    "log-forked": Reason(
        Step.LOG, Word.UNKNOWN, _OPEN, "NO_POE",
        "日志证明与已公布的检查点不一致,不能采信",
        "the log's proof does not agree with its published checkpoint",
    ),
    "witnesses-needed": Reason(
        Step.LOG, Word.UNKNOWN, _OPEN, "NO_POE",
        "日志检查点的见证签名不足,不能采信",
        "too few witnesses have cosigned the log's checkpoint",
    ),
    "qr-of-another": Reason(
        Step.COMPARE, Word.TAMPERED, _FAILED, "SIG_CONSTRAINTS_FAILURE",
        "页面上的二维码不属于这份证书,不能采信",
        "the QR code on the page is not this certificate's",
    ),
    "qr-other-site": Reason(
        Step.COMPARE, Word.TAMPERED, _FAILED, "SIG_CONSTRAINTS_FAILURE",
        "二维码数据属实,但其指向的网址不是发证机构的核验网址,谨防仿冒网站",
        "the code's data is genuine, but its address leads to another site than the issuer's: beware of a look-alike",
    ),
    "shown-differs": Reason(
        Step.COMPARE, Word.TAMPERED, _FAILED, "SIG_CONSTRAINTS_FAILURE",
        "页面显示的内容与签名数据不一致,不能采信",
        "the page shows something else than the signed data says",
    ),
    "register-differs": Reason(
        Step.COMPARE, Word.TAMPERED, _FAILED, "SIG_CONSTRAINTS_FAILURE",
        "所出示的数据与登记库不一致,不能采信",
        "what was presented is not what the register holds",
    ),
    "copy": Reason(
        Step.COMPARE, Word.UNKNOWN, _OPEN, "SIGNED_DATA_NOT_FOUND",
        "这是转存、打印或截图的副本,本身不能核验;其二维码所指的证书当前有效,请逐项对照登记信息",
        "this is a copy, which proves nothing by itself; the certificate that its QR code names is valid now, "
        "so compare every line by eye",
    ),
    "status-unusable": Reason(
        Step.STATUS, Word.UNKNOWN, _OPEN, "TRY_LATER",
        "状态列表已过期或未通过核验,不能确认证书当前有效",
        "the status list is too old or not genuine, so the certificate may have been revoked",
    ),
    "revoked": Reason(
        Step.STATUS, Word.REVOKED, _FAILED, "REVOKED",
        "证书已被撤销,无效",
        "the certificate was revoked and is void",
    ),
    "suspended": Reason(
        Step.STATUS, Word.SUSPENDED, _FAILED, "REVOKED",
        "证书已被暂扣,目前无效",
        "the certificate is suspended and not valid for now",
    ),
    "superseded": Reason(
        Step.STATUS, Word.SUPERSEDED, _FAILED, "REVOKED",
        "证书已被新证书取代,请使用新证书",
        "the certificate was replaced by a newer one; ask for that",
    ),
    "ended": Reason(
        Step.STATUS, Word.ENDED, _FAILED, "REVOKED",
        "证书曾经有效,现已注销或失效",
        "the certificate was valid and has ended since",
    ),
    "expired": Reason(
        Step.EXPIRY, Word.EXPIRED, _FAILED, "OUT_OF_BOUNDS_NOT_REVOKED",
        "证书已过有效期",
        "the certificate has expired",
    ),
}  # fmt: skip
