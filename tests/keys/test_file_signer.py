"""Keys in encrypted files: openssl reads them and verifies what they sign."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from credential.cose import open_message, sign_message
from credential.ports import Algorithm
from keys.file_signer import BadKeyFile, FileSigner, WrongPassphrase, create_key, generate_key, load_signer
from keys.pkcs8 import COST, ScryptCost, encrypt_pkcs8
from keys.private_files import FileExists, OpenToOthers, UnreadablePrivateFile, write_private

TOOL = Callable[[str], Path]
SECRET = b"correct horse"


@pytest.mark.parametrize("algorithm", list(Algorithm))
def test_openssl_opens_every_kind_of_key_and_verifies_its_signature(
    algorithm: Algorithm, tmp_path: Path, cheap: ScryptCost, tool: TOOL
) -> None:
    signer = create_key(tmp_path / "key.pem", algorithm, SECRET, cheap)
    assert (tmp_path / "key.pem").stat().st_mode & 0o777 == 0o600
    openssl = str(tool("openssl"))
    command = [openssl, "pkey", "-in", "key.pem", "-passin", f"pass:{SECRET.decode()}", "-pubout", "-outform", "DER"]
    public = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True).stdout
    assert public == signer.public_key
    (tmp_path / "public.der").write_bytes(public)
    (tmp_path / "message").write_bytes(b"message")
    (tmp_path / "signature").write_bytes(load_signer(tmp_path / "key.pem", SECRET).sign(b"message"))
    if algorithm is Algorithm.ED25519:
        verify = ["pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", "public.der", "-rawin", "-in", "message"]
        verify += ["-sigfile", "signature"]
    else:
        digest = "-sha384" if algorithm is Algorithm.P384 else "-sha256"
        verify = ["dgst", digest, "-verify", "public.der", "-keyform", "DER", "-signature", "signature", "message"]
    subprocess.run([openssl, *verify], cwd=tmp_path, check=True, capture_output=True)


def test_the_cost_of_real_files_is_read_by_openssl_and_by_us(tmp_path: Path, tool: TOOL) -> None:
    signer = create_key(tmp_path / "key.pem", Algorithm.ED25519, SECRET)
    command = [str(tool("openssl")), "asn1parse", "-in", "key.pem"]
    parsed = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True).stdout
    assert "PBES2" in parsed
    assert ":scrypt" in parsed or ":id-scrypt" in parsed
    assert "aes-256-cbc" in parsed
    assert f":{COST.n:X}" in parsed
    command = [str(tool("openssl")), "pkcs8", "-in", "key.pem", "-passin", f"pass:{SECRET.decode()}", "-outform", "DER"]
    clear = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True).stdout
    expected = signer.private_key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    assert clear == expected
    assert load_signer(tmp_path / "key.pem", SECRET).public_key == signer.public_key


def test_a_file_made_by_openssl_is_read(tmp_path: Path, tool: TOOL) -> None:
    openssl = str(tool("openssl"))
    make = [openssl, "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", "clear.pem"]
    subprocess.run(make, cwd=tmp_path, check=True, capture_output=True)
    close = [openssl, "pkcs8", "-topk8", "-scrypt", "-in", "clear.pem", "-passout", "pass:x", "-out", "key.pem"]
    subprocess.run(close, cwd=tmp_path, check=True, capture_output=True)
    (tmp_path / "key.pem").chmod(0o600)
    assert load_signer(tmp_path / "key.pem", b"x").algorithm is Algorithm.P256


def test_a_key_file_is_never_written_over(tmp_path: Path, cheap: ScryptCost) -> None:
    create_key(tmp_path / "key.pem", Algorithm.ED25519, SECRET, cheap)
    before = (tmp_path / "key.pem").read_bytes()
    with pytest.raises(FileExists):
        create_key(tmp_path / "key.pem", Algorithm.ED25519, SECRET, cheap)
    assert (tmp_path / "key.pem").read_bytes() == before


def test_neither_key_nor_passphrase_stands_in_the_file_or_is_printed(tmp_path: Path, cheap: ScryptCost) -> None:
    signer = create_key(tmp_path / "key.pem", Algorithm.P256, SECRET, cheap)
    clear = signer.private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    content = (tmp_path / "key.pem").read_bytes()
    assert SECRET not in content
    assert clear.splitlines()[1] not in content
    assert repr(signer) == "FileSigner(p-256)"


def test_two_files_of_one_key_differ() -> None:
    cost = ScryptCost(2, 8, 1)
    one = encrypt_pkcs8(b"key", SECRET, bytes(16), bytes(16), cost)
    assert one != encrypt_pkcs8(b"key", SECRET, b"\x01" + bytes(15), bytes(16), cost)
    assert one != encrypt_pkcs8(b"key", SECRET, bytes(16), b"\x01" + bytes(15), cost)
    assert one == encrypt_pkcs8(b"key", SECRET, bytes(16), bytes(16), cost)


@pytest.mark.parametrize("passphrase", [b"", b"wrong", b"correct horse ", b"Correct horse"])
def test_a_wrong_passphrase_is_told_with_the_file(passphrase: bytes, tmp_path: Path, cheap: ScryptCost) -> None:
    create_key(tmp_path / "key.pem", Algorithm.ED25519, SECRET, cheap)
    with pytest.raises(WrongPassphrase, match=r"key\.pem"):
        load_signer(tmp_path / "key.pem", passphrase)


def test_a_key_without_passphrase_is_not_made(tmp_path: Path, cheap: ScryptCost) -> None:
    with pytest.raises(ValueError, match="protects nothing"):
        create_key(tmp_path / "key.pem", Algorithm.ED25519, b"", cheap)
    assert not (tmp_path / "key.pem").exists()


def test_a_key_in_clear_is_refused(tmp_path: Path) -> None:
    key = generate_key(Algorithm.P256).private_key
    write_private(tmp_path / "a", key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    write_private(tmp_path / "b", b"")
    for name in ("a", "b"):
        with pytest.raises(BadKeyFile, match="no encrypted"):
            load_signer(tmp_path / name, SECRET)


def test_kinds_of_keys_that_are_not_ours_are_refused(tmp_path: Path) -> None:
    other = ed448.Ed448PrivateKey.generate()
    closed = BestAvailableEncryption(SECRET)
    write_private(tmp_path / "key.pem", other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, closed))
    with pytest.raises(BadKeyFile, match="not used here"):
        load_signer(tmp_path / "key.pem", SECRET)
    p521 = ec.generate_private_key(ec.SECP521R1())
    write_private(tmp_path / "p521.pem", p521.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, closed))
    with pytest.raises(BadKeyFile, match="curve or size"):
        load_signer(tmp_path / "p521.pem", SECRET)


def test_an_encrypted_key_of_an_unknown_curve_is_refused(tmp_path: Path, tool: TOOL) -> None:
    openssl = str(tool("openssl"))
    make = [openssl, "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:SM2", "-aes256", "-pass", "pass:x"]
    subprocess.run([*make, "-out", "key.pem"], cwd=tmp_path, check=True, capture_output=True)
    (tmp_path / "key.pem").chmod(0o600)
    with pytest.raises(BadKeyFile, match="unknown"):
        load_signer(tmp_path / "key.pem", b"x")


def test_a_file_open_to_others_or_missing_is_refused(tmp_path: Path, cheap: ScryptCost) -> None:
    create_key(tmp_path / "key.pem", Algorithm.ED25519, SECRET, cheap)
    (tmp_path / "key.pem").chmod(0o644)
    with pytest.raises(OpenToOthers):
        load_signer(tmp_path / "key.pem", SECRET)
    with pytest.raises(UnreadablePrivateFile):
        load_signer(tmp_path / "none.pem", SECRET)


@pytest.mark.parametrize("algorithm", [Algorithm.RSA_2048, Algorithm.P256, Algorithm.P384, Algorithm.ED25519])
def test_every_kind_of_key_signs_messages(algorithm: Algorithm) -> None:
    signer = generate_key(algorithm)
    opened = open_message(sign_message(b"payload", signer))
    opened.verify(signer.public_key)
    assert signer.algorithm is algorithm
    assert isinstance(signer, FileSigner)
