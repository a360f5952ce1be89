"""Make keys, ask a CA for their certificates, and take in what it sends; each step noted on the history."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from credential.cose import key_id
from credential.errors import ConfigError, InputError
from credential.ports import Algorithm
from credential.trust import Role, TrustedIssuer, TrustedKey, TrustList
from keys.csr import write_request
from keys.entry import IN_FILE, KeyEntry, KeyState
from keys.store import MissingKey
from press.cms import UnusablePDFKey
from press.press import Press
from press.samples import SamplePress
from registry.history import HistoryKind
from registry.issuers import Issuer
from service.certificates import OtherOrganization, judge_chain, names_issuer, organization_of, read_chain
from service.custody import note_use
from service.house import House
from service.trust import Amended, amend_trust_list
from verifier.report import Integrity, Trust


class NotOurKey(InputError):
    """A certificate for a key that the issuer has not."""

    code = "not-our-key"

    def __init__(self, owner: str, role: str) -> None:
        super().__init__(
            f"the first certificate is for none of the {role} keys of {owner!r}; give the answer to the request that "
            "yinzheng keys csr wrote, its own certificate first",
            f"第一张证书不属于“{owner}”的任何 {role} 密钥; 请使用认证机构对 yinzheng keys csr 所生成请求的答复, "
            "并将签名证书放在最前",
        )


class TrialFailed(ConfigError):
    """A PDF signed with the new certificate is not one that our own verifier believes."""

    code = "trial-signature-failed"

    def __init__(self, why: str) -> None:
        super().__init__(
            f"a trial PDF signed with this certificate is not believed by the verifier ({why}); nothing was changed",
            f"用该证书试签的 PDF 未通过核验({why}); 未作任何更改",
        )


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of a certificate.

    Attributes:
        entry: its key.
        amended: the change of the trust list, or None when it names key and root already.
        in_use: False when the trust list has to be signed offline first, and the import repeated.
    """

    entry: KeyEntry
    amended: Amended | None
    in_use: bool


def make_key(house: House, role: Role, owner: str, algorithm: Algorithm, kept_in: str = IN_FILE) -> KeyEntry:
    """Make the next key of a role and owner; it waits until it is activated.

    Raises:
        UnusablePDFKey: PDF readers do not verify signatures of this kind.
        UnknownIssuer: there is no such issuer.
        and what ``KeyStore.create_next`` raises.
    """
    _check_owner(house, role, owner, algorithm)
    made = house.store.create_next(role, algorithm, owner, now=house.now(), kept_in=kept_in)
    return _made(house, role, owner, made.public_key)


def adopt_key(house: House, role: Role, owner: str, *, kept_in: str, reference: str) -> KeyEntry:
    """Take in a key that a token or key service has already, as the next one; raises as :func:`make_key`."""
    _check_owner(house, role, owner, None)
    adopted = house.store.adopt(role, owner, kept_in=kept_in, reference=reference, now=house.now())
    return _made(house, role, owner, adopted.public_key)


def newest_key(house: House, role: Role, owner: str, generation: int | None = None) -> KeyEntry:
    """The key of a role and owner that a certificate would be asked for: the newest that is not retired.

    Raises:
        MissingKey: there is none.
    """
    found = [one for one in _keys(house, role, owner) if one.state is not KeyState.RETIRED]
    if generation is not None:
        return house.store.entry(role, owner, generation)
    if not found:
        raise MissingKey(role, owner)
    return found[-1]


def request_for(house: House, entry: KeyEntry) -> bytes:
    """Write the request for an issuer's certificate, PEM.

    Raises:
        UnknownIssuer: the key is no issuer's.
        UnavailableError: the key's place does not answer.
    """
    issuer = house.issuer(entry.owner)
    return write_request(house.store.signer(entry.role, entry.owner, entry.generation), issuer.name, issuer.uscc)


def import_chain(house: House, owner: str, path: Path, *, accepted: str = "", maker: str | None = None) -> Imported:
    """Take in a CA's certificates for one of an issuer's PDF keys.

    The key is found by the certificate. Before anything changes, the chain is judged
    and a trial PDF, which is not kept, has to pass the verifier. What was
    cut off is completed by doing it again.

    Args:
        house: of the installation.
        owner: id of the issuer.
        path: file with the chain; see ``service.certificates``.
        accepted: organisation that the certificate names, written out by a person who answers for it.
        maker: id of that person.

    Raises:
        NotOurKey: it is for none of the issuer's keys, or for a retired one.
        BadChain: the certificates do not follow each other.
        UnfitCertificate: one of them is not fit for it.
        OtherOrganization: it names another organisation than the issuer.
        TrialFailed: our own verifier would not believe it.
    """
    issuer = house.issuer(owner)
    chain = read_chain(path)
    entry = _key_of(house, owner, chain)
    judge_chain(entry.name, entry.public_key, chain, house.now())
    named = organization_of(chain[0])
    if not names_issuer(chain[0], issuer) and (accepted != named or maker is None):
        raise OtherOrganization(named, issuer)
    _try(house, issuer, entry, chain)
    amended = _publish(house, issuer, entry, chain)
    if amended is not None and not amended.published and entry.state is KeyState.ACTIVE:
        # With it in use, nothing could be issued until the list is signed.
        return Imported(entry, amended, in_use=False)
    house.store.set_chain(entry.role, owner, chain, entry.generation)
    serial_number = x509.load_der_x509_certificate(chain[0]).serial_number
    exception = "" if names_issuer(chain[0], issuer) else f" accepted as {named}"
    subject = f"key {entry.name} {_kid(entry)} certificate {serial_number:x}{exception}"
    note_use(house, HistoryKind.KEY_CERTIFIED, subject, maker=maker)
    return Imported(house.store.entry(entry.role, owner, entry.generation), amended, in_use=True)


def _check_owner(house: House, role: Role, owner: str, algorithm: Algorithm | None) -> None:
    if role in {Role.PDF, Role.QR}:
        house.issuer(owner)
    if role is Role.PDF and algorithm is Algorithm.ED25519:
        raise UnusablePDFKey(algorithm)


def _made(house: House, role: Role, owner: str, public_key: bytes) -> KeyEntry:
    entry = next(one for one in reversed(_keys(house, role, owner)) if one.public_key == public_key)
    note_use(house, HistoryKind.KEY_MADE, f"key {entry.name} {_kid(entry)} in {entry.kept_in}")
    return entry


def _keys(house: House, role: Role, owner: str) -> list[KeyEntry]:
    return [one for one in house.store.entries() if (one.role, one.owner) == (role, owner)]


def _key_of(house: House, owner: str, chain: Sequence[bytes]) -> KeyEntry:
    own = x509.load_der_x509_certificate(chain[0]).public_key()
    public_key = own.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    for entry in _keys(house, Role.PDF, owner):
        if entry.public_key == public_key and entry.state is not KeyState.RETIRED:
            return entry
    raise NotOurKey(owner, Role.PDF)


def _try(house: House, issuer: Issuer, entry: KeyEntry, chain: Sequence[bytes]) -> None:
    """Sign a sample, which stays in memory, and let the verifier judge it."""
    template = house.templates.current(issuer.settings.template)
    samples = SamplePress(template, house.fonts, cache_folder=house.folder.cache / "prefixes")
    signer = house.store.signer(entry.role, entry.owner, entry.generation)
    samples.press = Press(
        template, samples.look, house.fonts, signer, chain[:-1], cache_folder=house.folder.cache / "prefixes"
    )
    document = samples.print(next(iter(samples.samples))).document
    # It is heavy, and every command on keys imports this file.
    from verifier.document import examine  # noqa: PLC0415 - see above

    report = examine(document, anchors=[chain[-1]], crls=(), now=house.now())
    if report.integrity is not Integrity.INTACT or report.trusted is not Trust.YES:
        failed = next((one for one in report.findings if not one.passed), None)
        raise TrialFailed(report.sub_indication or (failed.detail if failed else report.integrity.value))


def _publish(house: House, issuer: Issuer, entry: KeyEntry, chain: Sequence[bytes]) -> Amended | None:
    """Let the trust list name the key, its issuer and the root, unless it does."""

    def change(trust: TrustList) -> TrustList:
        issuers, keys, anchors = trust.issuers, trust.keys, trust.ca_certs
        if issuer.uscc not in {one.uscc for one in issuers}:
            issuers = (*issuers, TrustedIssuer(issuer.uscc, issuer.name))
        if entry.public_key not in {one.public_key for one in keys}:
            new = TrustedKey(Role.PDF, issuer.uscc, entry.algorithm, entry.public_key, entry.created_at)
            keys = (*keys, new)
        if chain[-1] not in anchors:
            anchors = (*anchors, chain[-1])
        return replace(trust, issuers=issuers, keys=keys, ca_certs=anchors)

    now = house.trust
    if change(now) == now:
        return None
    return amend_trust_list(house, change, why=f"certificate of {entry.name}")


def _kid(entry: KeyEntry) -> str:
    return key_id(entry.public_key).hex()
