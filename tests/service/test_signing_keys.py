"""Certificates of a real CA: asked for, judged one by one, taken in, and believed by the verifier."""

import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from credential.ports import Algorithm
from credential.trust import Role, TrustedKey, TrustList
from keys.entry import KeyEntry, KeyState
from service.agreement import IssuingKeysDisagree, require_agreement
from service.certificates import OtherOrganization
from service.house import House, open_house
from service.settings import Settings
from service.signing_keys import import_chain, make_key, newest_key, request_for
from tests.keys.soft_token import Tool
from tests.service.at_hand import PASSPHRASE, USCC, person_row, run, write_sheet
from tests.service.outside_ca import BUREAU, YEAR, OutsideCa

SERVER_AUTH = "1.3.6.1.5.5.7.3.1"
DOCUMENT_SIGNING = "1.3.6.1.5.5.7.3.36"
SOMEBODY = "另一市人力资源和社会保障局"

Cut = Callable[[OutsideCa, bytes, Path], Path]


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory, made: Path) -> tuple[Path, bytes]:
    """An installation with a second PDF key, and the request for its certificate; copy it."""
    data = Path(shutil.copytree(made, tmp_path_factory.mktemp("asked") / "data", symlinks=True))
    ran = run("--data", data, "keys", "make", "--role", "pdf", "--issuer", "nb")
    assert ran.code == 0, ran
    assert "yinzheng keys csr --issuer nb --out pdf.csr" in ran.out
    ran = run("--data", data, "keys", "csr", "--issuer", "nb")
    assert ran.code == 0, ran
    return data, ran.out.encode("ascii")


@pytest.fixture
def data(asked: tuple[Path, bytes], tmp_path: Path) -> Path:
    return Path(shutil.copytree(asked[0], tmp_path / "data", symlinks=True))


@pytest.fixture
def house(data: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    monkeypatch.setenv("YINZHENG_PASSPHRASE", PASSPHRASE)
    return open_house(Settings(data=data))


@pytest.fixture
def request_pem(asked: tuple[Path, bytes]) -> bytes:
    return asked[1]


@pytest.fixture
def ca() -> OutsideCa:
    return OutsideCa()


def kinds_of_history(data: Path) -> str:
    return run("--data", data, "history", "list").out


# ---- the way of a certificate


def test_a_certificate_of_a_real_ca_comes_in_and_everybody_learns_of_it(
    data: Path, house: House, request_pem: bytes, ca: OutsideCa, tmp_path: Path
) -> None:
    version = house.trust.version
    chain = ca.chain(tmp_path / "chain.pem", ca.answer(request_pem, purposes=(DOCUMENT_SIGNING,)))
    ran = run("--data", data, "keys", "import", "--issuer", "nb", "--chain", chain, "--as", "wang")
    assert ran.code == 0, ran
    assert "keys activate pdf --issuer nb" in ran.out
    assert "B-LT cannot be reached" in ran.out  # this CA names no list

    entry = house.store.entry(Role.PDF, "nb", 2)
    assert entry.state is KeyState.PENDING  # it signs nothing until somebody activates it
    assert [x509.load_der_x509_certificate(one) for one in entry.chain][1:] == [ca.issuing, ca.root]
    trust = house.trust
    assert trust.version == version + 1
    assert ca.root.public_bytes(Encoding.DER) in trust.ca_certs
    assert len(trust.ca_certs) == 2  # what was signed under the other root stays believed
    (listed,) = [key for key in trust.keys if key.public_key == entry.public_key]
    assert (listed.role, listed.issuer) == (Role.PDF, USCC)
    told = kinds_of_history(data)
    assert "pdf.nb@2" in told
    for kind in ("key made", "key certified"):
        assert kind in told.replace("-", " ").lower(), told

    ran = run("--data", data, "keys", "import", "--issuer", "nb", "--chain", chain)  # asked again, it changes nothing
    assert ran.code == 0
    assert house.trust.version == trust.version


def test_a_request_is_not_written_over_another_file(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "request.csr"
    assert run("--data", data, "keys", "csr", "--issuer", "nb", "--out", out).code == 0
    first = out.read_bytes()
    assert x509.load_pem_x509_csr(first).is_signature_valid
    assert run("--data", data, "keys", "csr", "--issuer", "nb", "--out", out).error == "file-trouble"
    assert out.read_bytes() == first


def test_a_request_is_for_the_newest_key_or_the_one_that_is_named(house: House) -> None:
    assert newest_key(house, Role.PDF, "nb").generation == 2
    first = newest_key(house, Role.PDF, "nb", 1)
    request = x509.load_pem_x509_csr(request_for(house, first))
    spki = request.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert spki == first.public_key
    house.store.retire(Role.PDF, "nb", 2, house.now())
    assert newest_key(house, Role.PDF, "nb").generation == 1


def test_another_certificate_for_the_key_in_use_waits_until_the_trust_list_is_signed(
    data: Path, house: House, ca: OutsideCa, tmp_path: Path
) -> None:
    """Else nothing could be issued while the roots are fetched from the safe."""
    answer = ca.answer(request_for(house, newest_key(house, Role.PDF, "nb", 1)))
    chain = ca.chain(tmp_path / "chain.pem", answer)
    before = house.store.chain(Role.PDF, "nb")
    for ending in ("pem", "json"):
        (data / "keys" / f"trust-root.{ending}").rename(tmp_path / f"trust-root.{ending}")
    waits = import_chain(house, "nb", chain)
    assert not waits.in_use
    assert waits.amended is not None
    assert waits.amended.draft is not None
    assert house.store.chain(Role.PDF, "nb") == before

    for ending in ("pem", "json"):
        (tmp_path / f"trust-root.{ending}").rename(data / "keys" / f"trust-root.{ending}")
    done = import_chain(open_house(house.settings), "nb", chain)
    assert done.in_use
    assert house.store.chain(Role.PDF, "nb") == done.entry.chain != before


# ---- chains that are refused, each for one thing


def _no_root(ca: OutsideCa, request: bytes, path: Path) -> Path:
    return ca.write(path, ca.answer(request), ca.issuing)


def _root_first(ca: OutsideCa, request: bytes, path: Path) -> Path:
    return ca.write(path, ca.root, ca.issuing, ca.answer(request))


def _one_left_out(ca: OutsideCa, request: bytes, path: Path) -> Path:
    return ca.write(path, ca.answer(request), ca.root)


def _over(ca: OutsideCa, request: bytes, path: Path) -> Path:
    return ca.chain(path, ca.answer(request, lifetime=timedelta(minutes=30)))


def _for_encryption(ca: OutsideCa, request: bytes, path: Path) -> Path:
    return ca.chain(path, ca.answer(request, usage="key_encipherment"))


def _for_web_servers(ca: OutsideCa, request: bytes, path: Path) -> Path:
    return ca.chain(path, ca.answer(request, purposes=(SERVER_AUTH,)))


def _by_no_ca(_: OutsideCa, request: bytes, path: Path) -> Path:
    other = OutsideCa(is_ca=False)
    return other.chain(path, other.answer(request))


def _only_later(_: OutsideCa, request: bytes, path: Path) -> Path:
    other = OutsideCa(datetime.now(UTC) + YEAR)
    return other.chain(path, other.answer(request))


def _no_certificates(_: OutsideCa, __: bytes, path: Path) -> Path:
    path.write_bytes(b"these are no certificates")
    return path


def _single(ca: OutsideCa, request: bytes, path: Path) -> Path:
    path.write_bytes(ca.answer(request).public_bytes(Encoding.DER))
    return path


def _not_understood(_: OutsideCa, request: bytes, path: Path) -> Path:
    """What no rule of ours looks at, and validation must not pass over (RFC 5280, 4.2)."""
    other = OutsideCa(critical_oddity=True)
    return other.chain(path, other.answer(request))


@pytest.mark.parametrize(
    ("cut", "code", "said"),
    [
        (_no_root, "unfit-certificate", "root at the end"),
        (_root_first, "not-our-key", "none of the pdf keys"),
        (_one_left_out, "bad-chain", "not signed by the next"),
        (_over, "unfit-certificate", "which today is not"),
        (_only_later, "unfit-certificate", "which today is not"),
        (_for_encryption, "unfit-certificate", "key usage"),
        (_for_web_servers, "unfit-certificate", "key usage"),
        (_by_no_ca, "unfit-certificate", "may not issue"),
        (_no_certificates, "unfit-certificate", "PEM or DER"),
        (_single, "unfit-certificate", "root at the end"),
        (_not_understood, "trial-signature-failed", "nothing was changed"),
    ],
)
def test_a_chain_that_nobody_would_believe_is_refused_and_changes_nothing(
    cut: Cut, code: str, said: str, asked: tuple[Path, bytes], tmp_path: Path
) -> None:
    (data, request), ca = asked, OutsideCa()
    before = {path: path.read_bytes() for path in (data / "keys").iterdir()}
    trust = (data / "public" / "trust-list.json").read_bytes()
    ran = run("--data", data, "keys", "import", "--issuer", "nb", "--chain", cut(ca, request, tmp_path / "chain"))
    assert ran.error == code
    assert said in ran.err
    assert {path: path.read_bytes() for path in (data / "keys").iterdir()} == before
    assert (data / "public" / "trust-list.json").read_bytes() == trust


def test_a_certificate_with_a_weak_digest_is_refused(
    asked: tuple[Path, bytes], ca: OutsideCa, tmp_path: Path, tool: Tool
) -> None:
    ca.write_issuing_key(tmp_path / "ca.key")
    ca.write(tmp_path / "ca.pem", ca.issuing)
    (tmp_path / "request.csr").write_bytes(asked[1])
    (tmp_path / "usage").write_text("keyUsage=critical,digitalSignature\n")
    command = [str(tool("openssl")), "x509", "-req", "-sha1", "-in", "request.csr", "-CA", "ca.pem", "-CAkey", "ca.key"]
    command += ["-extfile", "usage", "-days", "30", "-out", "weak.pem"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    weak = x509.load_pem_x509_certificate((tmp_path / "weak.pem").read_bytes())
    chain = ca.chain(tmp_path / "chain.pem", weak)
    ran = run("--data", asked[0], "keys", "import", "--issuer", "nb", "--chain", chain)
    assert (ran.error, "weak digest" in ran.err) == ("unfit-certificate", True)


def test_a_certificate_for_a_retired_key_or_another_issuers_is_refused(
    house: House, request_pem: bytes, ca: OutsideCa, tmp_path: Path
) -> None:
    chain = ca.chain(tmp_path / "chain.pem", ca.answer(request_pem))
    house.store.retire(Role.PDF, "nb", 2, house.now())
    ran = run("--data", house.settings.data, "keys", "import", "--issuer", "nb", "--chain", chain)
    assert ran.error == "not-our-key"


# ---- whose certificate it is


@pytest.mark.parametrize(
    ("name", "code"),
    [(BUREAU, USCC), (BUREAU, f"NTRCN-{USCC}"), (f"{BUREAU}（专用）", f"VATCN-{USCC}"), (BUREAU, "")],
)
def test_the_issuers_code_or_without_one_its_whole_name_is_enough(
    name: str, code: str, house: House, request_pem: bytes, tmp_path: Path
) -> None:
    ca = OutsideCa()
    assert import_chain(house, "nb", ca.chain(tmp_path / "c", ca.answer(request_pem, name=name, code=code))).in_use


@pytest.mark.parametrize(
    ("name", "code"), [(SOMEBODY, ""), (BUREAU, "NTRCN-11330299MB0T00023P"), (SOMEBODY, "11330299MB0T00023P")]
)
def test_another_organisations_certificate_takes_a_person_who_writes_out_its_name(
    name: str, code: str, house: House, request_pem: bytes, tmp_path: Path
) -> None:
    data, ca = house.settings.data, OutsideCa()
    chain = ca.chain(tmp_path / "chain.pem", ca.answer(request_pem, name=name, code=code))
    for accepted, maker in (("", None), ("", "wang"), (name, None), (name[:-1], "wang")):
        with pytest.raises(OtherOrganization, match=name):
            import_chain(house, "nb", chain, accepted=accepted, maker=maker)
    words = ("--issuer", "nb", "--chain", chain, "--accept-organization", name, "--as", "wang")
    ran = run("--data", data, "keys", "import", *words)
    assert ran.code == 0, ran
    told = kinds_of_history(data)
    assert f"accepted as {name}" in told
    assert "wang" in told


# ---- keys that are made


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--role", "trust-root"), "role-made-elsewhere"),
        (("--role", "pdf", "--issuer", "nobody", "--algorithm", "p-256"), "unknown-issuer"),
        (("--role", "pdf", "--issuer", "nb", "--algorithm", "ed25519"), "unusable-pdf-key"),
        (("--role", "pdf", "--issuer", "nb", "--in", "nowhere"), "unknown-key-place"),
        (("--role", "pdf", "--issuer", "nb", "--in", "pkcs11"), "token-not-set"),
        (("--role", "pdf", "--issuer", "nb", "--in", "pkcs11", "--existing", "pdf"), "bad-token-uri"),
    ],
)
def test_a_key_that_cannot_be_made_leaves_nothing(words: tuple[str, ...], code: str, asked: tuple[Path, bytes]) -> None:
    before = sorted((asked[0] / "keys").iterdir())
    assert run("--data", asked[0], "keys", "make", *words).error == code
    assert sorted((asked[0] / "keys").iterdir()) == before


def test_keys_of_every_generation_are_listed_in_the_readers_language(asked: tuple[Path, bytes]) -> None:
    zh = run("--data", asked[0], "keys", "list", environ={"YINZHENG_LANG": "zh"}).out
    assert "待启用" in zh
    assert "加密文件" in zh
    en = run("--data", asked[0], "keys", "list").out
    assert "pending" in en
    assert "active" in en


# ---- PDF signer, COSE key and issuer claim agree


def _without(trust: TrustList, role: Role) -> TrustList:
    return replace(trust, keys=tuple(key for key in trust.keys if key.role is not role))


def _changed(trust: TrustList, role: Role, change: Callable[[TrustedKey], TrustedKey]) -> TrustList:
    return replace(trust, keys=tuple(change(key) if key.role is role else key for key in trust.keys))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda trust, _: replace(trust, issuers=()), "does not name 11649900MB0T000311"),
        (lambda trust, _: replace(trust, ca_certs=()), "root of its signing certificate"),
        (lambda trust, _: _without(trust, Role.PDF), "does not name the key pdf.nb"),
        (lambda trust, _: _without(trust, Role.QR), "does not name the key qr.nb"),
        (
            lambda trust, _: _changed(trust, Role.QR, lambda key: replace(key, issuer="11330299MB0T00023P")),
            "does not name the key qr.nb",
        ),
        (
            lambda trust, _: _changed(trust, Role.QR, lambda key: replace(key, role=Role.STATUS, issuer="")),
            "does not name the key qr.nb",
        ),
        (lambda trust, now: _changed(trust, Role.PDF, lambda key: replace(key, valid_until=now)), "may not sign now"),
        (
            lambda trust, now: _changed(trust, Role.QR, lambda key: replace(key, compromised_since=now + YEAR)),
            "may not sign now",
        ),
    ],
)
def test_nothing_is_issued_with_keys_that_the_trust_list_does_not_name_for_the_issuer(
    change: Callable[[TrustList, datetime], TrustList], said: str, house: House
) -> None:
    trust, issuer, now = house.trust, house.issuer("nb"), house.now()
    pdf, qr = (house.store.entry(role, "nb") for role in (Role.PDF, Role.QR))
    require_agreement(trust, issuer, pdf, qr, now)
    with pytest.raises(IssuingKeysDisagree) as told:
        require_agreement(change(trust, now), issuer, pdf, qr, now)
    assert said in told.value.en


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda pdf, _: replace(pdf, chain=()), "has no certificate"),
        (lambda _, second: second, "has no certificate"),
        (lambda pdf, second: replace(pdf, public_key=second.public_key), "for another key"),
    ],
)
def test_nothing_is_issued_with_a_certificate_of_another_key(
    change: Callable[[KeyEntry, KeyEntry], KeyEntry], said: str, house: House
) -> None:
    pdf, qr = (house.store.entry(role, "nb") for role in (Role.PDF, Role.QR))
    changed = change(pdf, house.store.entry(Role.PDF, "nb", 2))
    with pytest.raises(IssuingKeysDisagree, match=said):
        require_agreement(house.trust, house.issuer("nb"), changed, qr, house.now())


def test_nothing_is_issued_after_the_certificate_ended(house: House) -> None:
    pdf, qr = (house.store.entry(role, "nb") for role in (Role.PDF, Role.QR))
    with pytest.raises(IssuingKeysDisagree, match="not valid now"):
        require_agreement(house.trust, house.issuer("nb"), pdf, qr, house.now() + 4 * YEAR)


def test_a_batch_is_not_issued_with_a_key_that_nobody_was_told_of(data: Path, house: House, tmp_path: Path) -> None:
    """Somebody who may write to the key folder puts a key of his own there."""
    make_key(house, Role.QR, "nb", Algorithm.P256)
    house.store.activate(Role.QR, "nb", 2, house.now())
    sheet = write_sheet(tmp_path / "sheet.csv", [person_row(1)])
    who = ("--issuer", "nb", "--as", "wang", "--approve-as", "li")
    ran = run("--data", data, "issue", sheet, *who)
    assert (ran.code, ran.error) == (2, "issuing-keys-disagree")
    assert "paused" in run("--data", data, "batch", "list").out
