"""Roots of trust, kept offline: make their key files, sign drafts with them, take the first one out of the data folder.

Nothing here but :func:`set_roots` and :func:`drop_own_roots` needs an installation:
the machine that signs holds a root key file and a draft on a stick, and no network.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_public_key,
    load_pem_public_key,
)

from credential.cose import key_id
from credential.dsse import BadEnvelope, add_signatures, join_envelopes, open_envelope
from credential.errors import InputError, RefusedError
from credential.ports import Algorithm, Signer
from credential.trust import PAYLOAD_TYPE, Role, TrustList, TrustListNotSigned, open_trust_list
from keys.file_signer import FileSigner, create_key, load_signer
from keys.pkcs8 import COST, ScryptCost
from registry.history import Entry, HistoryKind, append, log_head
from registry.log.files import replace_durably
from service.folder import DataFolder
from service.pinned import Pinned, content_digest, write_pinned
from service.trust import Amended, amend_trust_list, newest_trust_list, publish_signed, read_content
from service.trust_drafts import waiting_draft

if TYPE_CHECKING:
    from service.house import House


class BadRootFile(InputError):
    """A file that is no root's public key, or a key that cannot be a root."""

    code = "bad-root-file"

    def __init__(self, path: Path, why_en: str, why_zh: str) -> None:
        super().__init__(f"{path} cannot be used as a root: {why_en}", f"{path} 不能用作根密钥: {why_zh}")
        self.path = path


class RootInDataFolder(RefusedError):
    """A root key belongs on another machine than the data folder."""

    code = "root-in-data-folder"

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"{path} is inside the data folder; keep root keys on a stick or an offline machine, where no service runs",
            f"{path} 位于数据目录内; 根密钥应存放在离线机器或移动介质上, 不得与服务同机",
        )
        self.path = path


class RootStillNeeded(RefusedError):
    """The root key in the data folder is one of those that the published list names."""

    code = "root-still-needed"

    def __init__(self) -> None:
        super().__init__(
            "the published trust list still names the root key in the data folder; first publish a list with offline "
            "roots only: yinzheng trust roots set",
            "已发布的信任列表仍使用数据目录中的根密钥; 请先用 yinzheng trust roots set 换成离线根密钥并发布",
        )


class NoRootHere(RefusedError):
    """There is no root key in the data folder."""

    code = "no-root-here"

    def __init__(self) -> None:
        super().__init__("the data folder holds no root key to remove", "数据目录中没有根密钥, 无需移除")


class NotTheDraft(RefusedError):
    """What was signed is not what waits here: the draft was changed while it was away."""

    code = "not-the-draft"

    def __init__(self, version: int, waiting: int) -> None:
        super().__init__(
            f"version {version} was signed, but draft version {waiting} waits, which holds newer changes; have it "
            "signed instead (yinzheng trust draft prints its file)",
            f"已签名的是第 {version} 版, 而待签的草稿是第 {waiting} 版, 其中有更新的变更; 请改签该草稿"
            "(yinzheng trust draft 可查看文件)",
        )


class AlreadyPinned(RefusedError):
    """Roots are pinned here already; they change by a list that the old and the new ones sign."""

    code = "already-pinned"

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"{path} pins roots already, and follows lists that they sign; move it away only if you know that they "
            "were lost",
            f"{path} 已固定根公钥, 并会随其签名的列表更新; 仅在确认旧根已失效时才可移走该文件",
        )


class RootNotConfirmed(RefusedError):
    """The list is not signed by a root of this fingerprint."""

    code = "root-not-confirmed"

    def __init__(self, fingerprint: str) -> None:
        super().__init__(
            f"no root of this list has the fingerprint {fingerprint[:80]}; compare it with the paper that the issuer "
            "gave you",
            f"该列表中没有指纹为 {fingerprint[:80]} 的根密钥; 请与发证机构提供的纸质指纹核对",
        )


def fingerprint(root: bytes) -> str:
    """SHA-256 of a root's SubjectPublicKeyInfo, hexadecimal: what is compared on paper."""
    return sha256(root).hexdigest()


def make_root(path: Path, passphrase: bytes, forbidden: DataFolder, cost: ScryptCost = COST) -> Path:
    """Make a root key in an encrypted file, with its public part beside it; returns the file of the public part.

    Raises:
        RootInDataFolder: it would lie in the data folder.
        FileExists: there is such a file.
    """
    if path.resolve().is_relative_to(forbidden.root.resolve()):
        raise RootInDataFolder(path)
    signer = create_key(path, Algorithm.ED25519, passphrase, cost)
    return write_public_root(path, signer.public_key)


def write_public_root(path: Path, public_key: bytes) -> Path:
    """Write the public part of a root, given as SPKI DER, beside its key file, PEM; returns its path."""
    public = path.with_name(f"{path.name}.pub")
    key = load_der_public_key(public_key)
    replace_durably({public: key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)})
    return public


def read_public_root(path: Path) -> bytes:
    """Read the public part of a root, PEM; gives SPKI, DER.

    Raises:
        BadRootFile: it is none.
    """
    try:
        key = load_pem_public_key(path.read_bytes())
    except (OSError, ValueError) as error:
        raise BadRootFile(path, "it is no public key (.pub)", "不是公钥文件(.pub)") from error
    spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if not spki.startswith(bytes.fromhex("302a300506032b6570")):  # Ed25519, RFC 8410
        raise BadRootFile(path, "it is not Ed25519", "不是 Ed25519 密钥")
    return spki


def load_root(path: Path, passphrase: bytes) -> FileSigner:
    """Open a root key file; raises as ``keys.file_signer.load_signer`` does, and BadRootFile for another kind."""
    signer = load_signer(path, passphrase)
    if signer.algorithm is not Algorithm.ED25519:
        raise BadRootFile(path, "it is not Ed25519", "不是 Ed25519 密钥")
    return signer


def sign_draft(path: Path, signers: Sequence[Signer], out: Path | None = None) -> TrustList:
    """Add signatures to a draft; whoever signs has read it first (``yinzheng trust show``).

    Args:
        path: the draft.
        signers: root keys.
        out: where the signed draft goes; in place of the draft by default.

    Returns:
        What was signed.

    Raises:
        BadEnvelope, BadTrustList: it is no trust list.
    """
    draft = open_envelope(read_draft(path), PAYLOAD_TYPE)
    trust = read_content(read_draft(path))
    replace_durably({path if out is None else out: add_signatures(draft, signers)})
    return trust


def publish_drafts(house: "House", paths: Sequence[Path]) -> TrustList:
    """Publish a draft that came back signed, perhaps in several copies with a signature each.

    Raises:
        BadEnvelope: the copies do not hold the same.
        NotTheDraft: another draft waits here by now.
        TrustListNotSigned: too few roots have signed; it says how many are missing.
        and what ``service.trust.publish_signed`` raises.
    """
    envelope = join_envelopes([open_envelope(read_draft(path), PAYLOAD_TYPE) for path in paths])
    waiting = waiting_draft(house.folder)
    if waiting is not None and content_digest(waiting.envelope) != content_digest(envelope):
        raise NotTheDraft(read_content(envelope).version, read_content(waiting.envelope).version)
    if waiting is not None:  # what was signed here when it was drafted counts too
        copies = [open_envelope(one, PAYLOAD_TYPE) for one in (waiting.envelope, envelope)]
        envelope = join_envelopes(copies)
    try:
        return publish_signed(house, envelope, "signed elsewhere" if waiting is None else waiting.why)
    except TrustListNotSigned as error:
        missing = error.threshold - error.found
        en = f"{missing} missing: have as many custodians run yinzheng trust sign, then publish all copies together"
        zh = f"还缺 {missing} 个: 请再由 {missing} 位保管人执行 yinzheng trust sign, 再将各份草稿一并发布"
        raise TrustListNotSigned(error.found, error.threshold, (en, zh)) from error


def set_roots(house: "House", roots: Sequence[bytes], threshold: int) -> Amended:
    """Draft a list with other roots; it counts once enough of the old and of the new have signed.

    Raises:
        BadTrustList: a root stands twice, or the threshold cannot be met.
    """

    def change(trust: TrustList) -> TrustList:
        return replace(trust, roots=tuple(roots), threshold=threshold)

    return amend_trust_list(house, change, why=f"roots: {threshold} of {len(roots)}")


def drop_own_roots(house: "House") -> list[str]:
    """Destroy the root keys in the data folder, once the published list names none of them; returns their key ids.

    Whoever had such a key could still fool a verifier that has seen no newer list, so it must not stay.

    Raises:
        NoRootHere: there is none.
        RootStillNeeded: the published list names one, or a draft waits that it has to sign.
    """
    own = [entry for entry in house.store.entries() if entry.role == Role.TRUST_ROOT]
    if not own:
        raise NoRootHere
    if any(entry.public_key in newest_trust_list(house.folder).roots for entry in own):
        raise RootStillNeeded
    with house.database.transaction() as session:
        for entry in own:
            subject = f"trust root {key_id(entry.public_key).hex()} removed from the data folder"
            append(session, Entry(HistoryKind.KEY_RETIRED, None, subject, house.now(), None))
            log_head(session, house.vault)
    for entry in own:
        for ending in ("pem", "json"):
            (house.folder.keys / f"{entry.name}.{ending}").unlink(missing_ok=True)
    return [key_id(entry.public_key).hex() for entry in own]


def pin_trust_list(folder: DataFolder, path: Path, fingerprints: Collection[str], now: datetime) -> TrustList:
    """Believe a list's roots from now on, because fingerprints of some were compared on paper.

    Every root that is named must have signed the list: whoever names fewer than
    the issuer's threshold believes those few.

    Raises:
        AlreadyPinned: roots are pinned here.
        RootNotConfirmed: a fingerprint is of no root of the list.
        TrustListNotSigned, TrustListExpired: one of them has not signed; it is too old.
    """
    if folder.roots.exists() or folder.exists():
        raise AlreadyPinned(folder.roots)
    envelope = read_draft(path)
    named = {"".join(one.split()).lower().replace(":", "") for one in fingerprints}
    roots = {fingerprint(root): root for root in read_content(envelope).roots}
    for one in sorted(named):
        if one not in roots:
            raise RootNotConfirmed(one)
    if not named:
        raise RootNotConfirmed("-")
    trust = open_trust_list(envelope, [roots[one] for one in named], len(named), now, 0)
    folder.root.mkdir(parents=True, exist_ok=True)
    write_pinned(folder, Pinned(trust.roots, trust.threshold, trust.version, content_digest(envelope)))
    return trust


def read_draft(path: Path) -> bytes:
    """Read a trust list or a draft from a file that somebody named.

    Raises:
        BadEnvelope: there is no such file.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadEnvelope(f"it cannot be read ({error.strerror})", "无法读取") from error
