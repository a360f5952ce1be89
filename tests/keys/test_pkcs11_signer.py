"""Keys in a token: OpenSSL verifies what SoftHSM2 signs; tokens that vanish, return, or refuse."""

import multiprocessing
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pkcs11
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pkcs11.util.ec import encode_ec_public_key, encode_named_curve_parameters

from credential.cose import load_public_key, open_message, sign_message
from credential.ports import Algorithm
from keys import pkcs11_signer
from keys.file_signer import generate_key
from keys.pkcs11_signer import ALGORITHMS, TokenPlace, TokenSigner, end_sessions
from keys.pkcs11_uri import TokenUri, read_token_uri
from keys.private_files import OpenToOthers
from keys.token_errors import (
    BadModule,
    KindNotInToken,
    SessionOfAnotherProcess,
    TokenKeyExists,
    TokenNotSet,
    TokenUnavailable,
    UnusableTokenKey,
    WrongPin,
)
from tests.keys.soft_token import LABEL, PIN, SoftToken, Tool


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, tool: Tool) -> tuple[SoftToken, dict[Algorithm, str]]:
    """A token with one key of each kind; RSA keys take a second to make."""
    token = SoftToken(tmp_path_factory.mktemp("hsm") / "token", tool)
    with pytest.MonkeyPatch.context() as doors:
        token.use(doors)
        keys = {algorithm: token.place.create(f"pdf.{algorithm}", algorithm) for algorithm in ALGORITHMS}
        end_sessions()
    return token, keys


@pytest.fixture
def token(made: tuple[SoftToken, dict[Algorithm, str]], monkeypatch: pytest.MonkeyPatch) -> Iterator[SoftToken]:
    made[0].use(monkeypatch)
    yield made[0]
    made[0].write_pin(PIN)
    end_sessions()


@pytest.fixture
def references(made: tuple[SoftToken, dict[Algorithm, str]]) -> dict[Algorithm, str]:
    return made[1]


@pytest.fixture
def signer(token: SoftToken, references: dict[Algorithm, str]) -> TokenSigner:
    return token.place.open(references[Algorithm.P256])


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_openssl_verifies_what_every_kind_of_key_signs(
    algorithm: Algorithm, token: SoftToken, references: dict[Algorithm, str], tmp_path: Path, tool: Tool
) -> None:
    signer = token.place.open(references[algorithm])
    assert signer.algorithm is algorithm
    (tmp_path / "public.der").write_bytes(signer.public_key)
    (tmp_path / "message").write_bytes(b"message" * 1000)
    (tmp_path / "signature").write_bytes(signer.sign(b"message" * 1000))
    verify = ["dgst", "-sha256", "-verify", "public.der", "-keyform", "DER", "-signature", "signature", "message"]
    subprocess.run([str(tool("openssl")), *verify], cwd=tmp_path, check=True, capture_output=True)


def test_signatures_of_p256_are_der_whatever_r_and_s(signer: TokenSigner) -> None:
    for number in range(40):  # a leading zero in r or s comes in about one of 128
        message = b"%d" % number
        opened = open_message(sign_message(message, signer))
        opened.verify(signer.public_key)


def test_a_key_made_in_a_token_never_leaves_it_and_can_only_sign(token: SoftToken, tool: Tool) -> None:
    """By another program's word."""
    command = [str(tool("pkcs11-tool")), "--module", str(token.module), "--login", "--pin", PIN, "--list-objects"]
    listed = subprocess.run(command, env=token.environment, check=True, capture_output=True, text=True).stdout
    private = [part for part in re.split(r"\n(?=\S)", listed) if part.startswith("Private Key Object")]
    assert len(private) == len(ALGORITHMS)
    for one in private:
        usage = re.search(r"Usage: +(.*)", one)
        access = re.search(r"Access: +(.*)", one)
        assert usage is not None
        assert usage[1].strip() == "sign"
        assert access is not None
        assert {"sensitive", "always sensitive", "never extractable", "local"} == set(access[1].strip().split(", "))


def test_a_name_is_given_once_and_only_to_kinds_that_tokens_keep(token: SoftToken) -> None:
    with pytest.raises(TokenKeyExists, match=r"pdf\.p-256"):
        token.place.create("pdf.p-256", Algorithm.P256)
    for other in set(Algorithm) - set(ALGORITHMS):
        with pytest.raises(KindNotInToken, match=other):
            token.place.create("pdf.new", other)


# ---- sessions


_COUNTED = """
import sys
from pathlib import Path
from threading import Thread
from keys.pkcs11_signer import TokenPlace
module, pin_file, *references = sys.argv[1:]
place = TokenPlace(Path(module), "bureau", Path(pin_file))
signers = [place.open(one) for one in references * 2]
threads = [Thread(target=lambda one=one: [one.sign(b"x") for _ in range(5)]) for one in signers]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""


def test_a_process_opens_one_session_and_logs_in_once_for_all_its_keys_and_threads(
    token: SoftToken, references: dict[Algorithm, str], tmp_path: Path, tool: Tool
) -> None:
    """Counted by OpenSC's spy, which stands between us and the token."""
    tool("pkcs11-tool")  # of the same package
    spy = next(Path("/usr/lib").glob("*/pkcs11-spy.so"))
    log = tmp_path / "calls"
    environment = token.environment | {"PKCS11SPY": str(token.module), "PKCS11SPY_OUTPUT": str(log)}
    words = [str(spy), str(token.pin_file), *references.values()]
    command = [sys.executable, "-c", _COUNTED, *words]
    subprocess.run(command, env=os.environ | environment, check=True, capture_output=True)
    calls = re.findall(r"^\d+: (C_\w+)", log.read_text(errors="replace"), re.MULTILINE)
    assert calls.count("C_Initialize") == 1
    assert calls.count("C_OpenSession") == 1
    assert calls.count("C_Login") == 1
    assert calls.count("C_SignInit") == 2 * len(references) * (5 + 1)  # each key is tried once when it is opened


def test_many_threads_share_the_session(signer: TokenSigner) -> None:
    signed: list[bytes] = []
    threads = [threading.Thread(target=lambda: signed.extend(signer.sign(b"x") for _ in range(20))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(signed)) == 120  # ECDSA never signs alike


def _sign_in_child(signer: TokenSigner, module: Path, reference: str, pin_file: Path, answers: object) -> None:
    told = []
    for use in (lambda: signer.sign(b"x"), lambda: TokenPlace(module, LABEL, pin_file).open(reference)):
        try:
            use()
            told.append("signed")
        except SessionOfAnotherProcess as error:
            told.append(error.code)
    answers.put(told)  # type: ignore[attr-defined] # multiprocessing has no class for its queues


_OPENED_AGAIN_AND_AGAIN = """
import sys
from pathlib import Path
from keys.pkcs11_signer import TokenPlace, end_sessions
module, pin_file, reference = sys.argv[1:]
for _ in range(12):
    assert TokenPlace(Path(module), "bureau", Path(pin_file)).open(reference).sign(b"x")
    end_sessions()
"""


def test_processes_that_open_the_token_at_once_all_find_it(token: SoftToken, references: dict[Algorithm, str]) -> None:
    """SoftHSM2 hides a token from whoever starts while another logs in; workers do start at once."""
    words = [str(token.module), str(token.pin_file), references[Algorithm.P256]]
    command = [sys.executable, "-c", _OPENED_AGAIN_AND_AGAIN, *words]
    workers = [subprocess.Popen(command, env=os.environ | token.environment, stderr=subprocess.PIPE) for _ in range(4)]
    told = [worker.communicate()[1].decode() for worker in workers]
    assert [worker.returncode for worker in workers] == [0] * 4, told


def test_a_forked_process_never_uses_its_parents_session(
    signer: TokenSigner, token: SoftToken, references: dict[Algorithm, str]
) -> None:
    context = multiprocessing.get_context("fork")
    answers = context.Queue()
    words = (signer, token.module, references[Algorithm.P256], token.pin_file, answers)
    child = context.Process(target=_sign_in_child, args=words)
    child.start()
    assert answers.get(timeout=30) == ["token-forked", "token-forked"]
    child.join()
    assert signer.sign(b"x")  # the parent's session is whole


def test_a_session_that_was_merely_lost_is_opened_anew(signer: TokenSigner, token: SoftToken) -> None:
    pkcs11.lib(str(token.module)).reinitialize()  # as when an HSM restarts: all its handles are void
    assert signer.sign(b"x")


# ---- tokens that are not there


@pytest.mark.parametrize("algorithm", [Algorithm.RSA_2048, Algorithm.P256])
def test_a_token_taken_away_is_told_clearly_and_found_again_when_it_is_back(
    algorithm: Algorithm, token: SoftToken, references: dict[Algorithm, str]
) -> None:
    signer = token.place.open(references[algorithm])
    other = token.place.open(references[Algorithm.RSA_3072])
    assert signer.sign(b"x")
    token.take_away()
    try:
        for _ in range(3):
            with pytest.raises(TokenUnavailable, match=r"'bureau'.*put it back") as told:
                signer.sign(b"x")
        assert "插回" in told.value.zh
        assert PIN not in str(told.value)
        with pytest.raises(TokenUnavailable):
            token.place.open(references[algorithm])
    finally:
        token.put_back()
    assert signer.sign(b"x")
    assert other.sign(b"x")
    assert token.place.open(references[algorithm]).public_key == signer.public_key


def test_a_token_that_is_not_there_from_the_start_is_told(token: SoftToken) -> None:
    with pytest.raises(TokenUnavailable, match="nobody"):
        token.place.open(str(TokenUri("nobody", "pdf")))


def test_a_wrong_pin_is_tried_once_only_for_tokens_lock(token: SoftToken, references: dict[Algorithm, str]) -> None:
    token.write_pin("000000")
    for reason in ("PinIncorrect", "as before", "as before"):
        with pytest.raises(WrongPin, match=reason) as told:
            token.place.open(references[Algorithm.P256])
        assert "000000" not in str(told.value)
    token.write_pin(PIN)
    assert token.place.open(references[Algorithm.P256]).sign(b"x")


def test_a_token_that_comes_back_with_another_pin_is_told(signer: TokenSigner, token: SoftToken) -> None:
    token.write_pin("111111")
    pkcs11.lib(str(token.module)).reinitialize()
    with pytest.raises(WrongPin):
        signer.sign(b"x")
    token.write_pin(PIN)
    assert signer.sign(b"x")


# ---- settings and objects that do not fit


def test_what_is_not_set_or_no_module_is_told_with_the_setting(
    token: SoftToken, references: dict[Algorithm, str], tmp_path: Path
) -> None:
    reference = references[Algorithm.P256]
    for place, setting in (
        (TokenPlace(None, LABEL, token.pin_file), "MODULE"),
        (TokenPlace(token.module, LABEL, None), "PIN_FILE"),
    ):
        with pytest.raises(TokenNotSet, match=setting):
            place.open(reference)
    with pytest.raises(TokenNotSet, match="TOKEN"):
        TokenPlace(token.module, "", token.pin_file).create("pdf", Algorithm.P256)
    (tmp_path / "none.so").write_bytes(b"no library")
    for module in (tmp_path / "none.so", tmp_path / "missing.so"):
        with pytest.raises(BadModule, match=module.name):
            TokenPlace(module, LABEL, token.pin_file).open(reference)


def test_a_pin_file_open_to_others_is_refused(token: SoftToken, references: dict[Algorithm, str]) -> None:
    token.pin_file.chmod(0o644)
    with pytest.raises(OpenToOthers):
        token.place.open(references[Algorithm.P256])


def test_a_reference_may_bring_its_own_pin_file(token: SoftToken, references: dict[Algorithm, str]) -> None:
    uri = read_token_uri(references[Algorithm.P256])
    own = TokenUri(uri.token, uri.object, uri.id, token.pin_file)
    assert TokenPlace(token.module, LABEL, None).open(str(own)).sign(b"x")


@contextmanager
def _writing(token: SoftToken) -> Iterator[pkcs11.Session]:
    end_sessions()
    with pkcs11.lib(str(token.module)).get_token(token_label=LABEL).open(rw=True, user_pin=PIN) as session:
        yield session


def _generate(
    session: pkcs11.Session,
    label: str,
    identifier: bytes,
    *,
    curve: str = "secp256r1",
    private: dict[pkcs11.Attribute, bool] | None = None,
) -> tuple[pkcs11.PublicKey, pkcs11.PrivateKey]:
    named = {pkcs11.Attribute.EC_PARAMS: encode_named_curve_parameters(curve)}
    parameters = session.create_domain_parameters(pkcs11.KeyType.EC, named, local=True)
    return parameters.generate_keypair(label=label, id=identifier, store=True, private_template=private or {})


def test_no_key_two_keys_or_a_stranger_beside_the_key_are_refused(token: SoftToken) -> None:
    with pytest.raises(UnusableTokenKey, match="0 private keys"):
        token.place.open(str(TokenUri(LABEL, "pdf.nobody")))
    with _writing(token) as session:
        for number in (1, 2):
            _generate(session, "twins", bytes([number]))
        public, _ = _generate(session, "mixed", b"\x07")
        public.destroy()
        stranger, _ = _generate(session, "stranger", b"\x08")
        stranger[pkcs11.Attribute.LABEL] = "mixed"
        stranger[pkcs11.Attribute.ID] = b"\x07"
        public, _ = _generate(session, "lonely", b"\x09")
        public.destroy()
    with pytest.raises(UnusableTokenKey, match="2 private keys"):
        token.place.open(str(TokenUri(LABEL, "twins")))
    assert token.place.open(str(TokenUri(LABEL, "twins", b"\x02"))).sign(b"x")
    with pytest.raises(UnusableTokenKey, match="another's"):
        token.place.open(str(TokenUri(LABEL, "mixed", b"\x07")))
    with pytest.raises(UnusableTokenKey, match="no public key or certificate"):
        token.place.open(str(TokenUri(LABEL, "lonely", b"\x09")))


def test_kinds_and_ways_of_keys_that_cannot_sign_batches_are_refused(token: SoftToken) -> None:
    with _writing(token) as session:
        _generate(session, "p-384", b"\x21", curve="secp384r1")
        _generate(session, "p-521", b"\x22", curve="secp521r1")
        _generate(session, "asks", b"\x23", private={pkcs11.Attribute.ALWAYS_AUTHENTICATE: True})
    with pytest.raises(KindNotInToken, match="p-384"):
        token.place.open(str(TokenUri(LABEL, "p-384")))
    with pytest.raises(UnusableTokenKey, match="p-521"):
        token.place.open(str(TokenUri(LABEL, "p-521")))
    with pytest.raises(UnusableTokenKey, match="every signature"):
        token.place.open(str(TokenUri(LABEL, "asks")))


def test_the_public_key_is_taken_from_a_certificate_where_the_token_has_nothing_else(token: SoftToken) -> None:
    """As a CA hands them out."""
    with _writing(token) as session:
        public, _ = _generate(session, "handed out", b"\x31")
        ca = generate_key(Algorithm.P256)
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a CA")])
        day = datetime(2026, 7, 8, tzinfo=UTC)
        key = load_public_key(encode_ec_public_key(public))
        builder = x509.CertificateBuilder(name, name, key, 7, day, day + timedelta(days=1))
        content = {
            pkcs11.Attribute.CLASS: pkcs11.ObjectClass.CERTIFICATE,
            pkcs11.Attribute.CERTIFICATE_TYPE: pkcs11.CertificateType.X_509,
            pkcs11.Attribute.TOKEN: True,
            pkcs11.Attribute.LABEL: "handed out",
            pkcs11.Attribute.ID: b"\x31",
            pkcs11.Attribute.SUBJECT: name.public_bytes(),
            pkcs11.Attribute.VALUE: builder.sign(ca.private_key, SHA256()).public_bytes(Encoding.DER),
        }
        session.create_object(content)
        public.destroy()
    assert token.place.open(str(TokenUri(LABEL, "handed out"))).public_key == key.public_bytes(
        Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    )


def test_a_key_that_the_token_would_let_go_is_destroyed_and_refused(
    token: SoftToken, monkeypatch: pytest.MonkeyPatch
) -> None:
    loose = {**pkcs11_signer._SIGNS_ONLY, pkcs11.Attribute.EXTRACTABLE: True}
    monkeypatch.setattr(pkcs11_signer, "_SIGNS_ONLY", loose)  # SoftHSM2 does what it is told; another may not
    with pytest.raises(UnusableTokenKey, match="copied"):
        token.place.create("qr.loose", Algorithm.P256)
    with pytest.raises(UnusableTokenKey, match="0 private keys"):
        token.place.open(str(TokenUri(LABEL, "qr.loose")))


def test_between_two_tokens_of_one_label_nothing_is_guessed(
    token: SoftToken, tmp_path: Path, tool: Tool, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = SoftToken(tmp_path / "both", tool)
    both.initialise_another(tool)
    both.use(monkeypatch)
    assert both.module == token.module
    with pytest.raises(UnusableTokenKey, match="several tokens"):
        both.place.open(str(TokenUri(LABEL, "pdf.p-256")))
