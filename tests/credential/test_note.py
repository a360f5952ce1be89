import base64
import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from credential.leaves import issue_leaf
from credential.merkle import inclusion_proof, leaf_hash, root_hash
from credential.note import (
    MAX_NOTE_BYTES,
    MAX_PROOF_BYTES,
    BadCheckpoint,
    BadLogProof,
    BadNote,
    Checkpoint,
    WrongNoteKey,
    checkpoint_text,
    format_proof,
    note_key_id,
    open_checkpoint,
    parse_checkpoint,
    parse_note,
    parse_proof,
    sign_checkpoint,
    sign_note,
    verifier_key,
    verify_note,
    verify_proof,
)
from credential.ports import Algorithm


@dataclass(frozen=True)
class Ed25519Signer:
    """A working signer of the shape of credential.ports.Signer."""

    key: Ed25519PrivateKey
    algorithm: Algorithm = Algorithm.ED25519

    @property
    def public_key(self) -> bytes:
        return _spki(self.key.public_key())

    def sign(self, message: bytes) -> bytes:
        return self.key.sign(message)


def _spki(key: Ed25519PublicKey | ec.EllipticCurvePublicKey) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _key_of(text: str) -> tuple[str, bytes, bytes]:
    """Take a published verifier key apart: name, key id, SPKI."""
    name, key_id, encoded = text.split("+", 2)
    raw = base64.b64decode(encoded)
    assert raw[0] == 1
    return name, bytes.fromhex(key_id), _spki(Ed25519PublicKey.from_public_bytes(raw[1:]))


SIGNER = Ed25519Signer(Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
STRANGER = Ed25519Signer(Ed25519PrivateKey.from_private_bytes(bytes(32)))
ORIGIN = "rsj.example/log"
LEAVES = [b"leaf %d" % number for number in range(11)]
HASHES = [leaf_hash(leaf) for leaf in LEAVES]
HEAD = Checkpoint(ORIGIN, len(LEAVES), root_hash(HASHES))
SIGNED = sign_checkpoint(HEAD, SIGNER)
PROOF = format_proof(5, inclusion_proof(HASHES, 5), SIGNED)

# From the documentation of golang.org/x/mod/sumdb/note, the first implementation of the format.
NEUMANN = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
NEUMANN_SEED = "AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
NEUMANN_TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
NEUMANN_NOTE = (
    NEUMANN_TEXT + "\n— PeterNeumann "
    "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
# The example of C2SP tlog-checkpoint.
SPECIFIED = (
    "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
    "— example.com/behind-the-sofa "
    "Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
)


# ---- vectors of others ----------------------------------------------------------------------------------------


def test_the_note_of_the_go_documentation_verifies() -> None:
    name, key_id, key = _key_of(NEUMANN)
    note = parse_note(NEUMANN_NOTE)
    assert note.text == NEUMANN_TEXT
    assert note_key_id(name, key) == key_id
    verify_note(note, name, key)


def test_our_signing_makes_the_very_bytes_of_the_go_documentation() -> None:
    seed = base64.b64decode(NEUMANN_SEED)[1:]
    signer = Ed25519Signer(Ed25519PrivateKey.from_private_bytes(seed))
    assert sign_note(NEUMANN_TEXT, "PeterNeumann", signer) == NEUMANN_NOTE
    assert verifier_key("PeterNeumann", signer.public_key) == NEUMANN


def test_the_example_of_the_checkpoint_specification_is_read_and_not_believed() -> None:
    note = parse_note(SPECIFIED)
    signature = note.signatures[0]
    assert (signature.name, signature.key_id.hex(), len(signature.signature)) == (
        "example.com/behind-the-sofa", "033de0ae", 64,
    )  # fmt: skip
    checkpoint = parse_checkpoint(note.text)
    assert (checkpoint.origin, checkpoint.size) == ("example.com/behind-the-sofa", 20852163)
    assert checkpoint_text(checkpoint) == note.text
    with pytest.raises(BadNote, match="no signature by"):
        open_checkpoint(SPECIFIED, SIGNER.public_key, "example.com/behind-the-sofa")


def test_the_example_of_the_tlog_proof_specification_is_read() -> None:
    text = (
        "c2sp.org/tlog-proof@v1\nextra YWdlLXYxLjIuMS1kYXJ3aW4tYXJtNjQudGFyLmd6\nindex 73894\n"
        "gSKyXoYZUgZ6jduWYrkDOARinOMGJveXjgMkBTcdPlQ=\nB95lDa8R83lS8n0eG+o0buTxRKQTYFi//1U8anccXmA=\n"
        "\nexample.com/fancylog\n109482\n"
    )
    proof = parse_proof(text)
    assert (proof.index, proof.extra, len(proof.hashes)) == (73894, b"age-v1.2.1-darwin-arm64.tar.gz", 2)
    assert proof.checkpoint == "example.com/fancylog\n109482\n"
    assert format_proof(proof.index, proof.hashes, proof.checkpoint, proof.extra) == text


def test_proofs_have_the_lines_that_the_formats_library_of_transparency_dev_writes() -> None:
    one, two = (hashlib.sha256(word).digest() for word in (b"hash1", b"hash2"))
    encoded = [base64.b64encode(digest).decode() for digest in (one, two)]
    expected = f"c2sp.org/tlog-proof@v1\nindex 5\n{encoded[0]}\n{encoded[1]}\n\ntest checkpoint\n"
    assert format_proof(5, [one, two], "test checkpoint\n") == expected
    assert format_proof(0, [], "checkpoint\n") == "c2sp.org/tlog-proof@v1\nindex 0\n\ncheckpoint\n"


def test_the_proof_printed_in_the_format_page_verifies_for_its_leaf() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "formats-log.md").read_text("utf-8")
    blocks = [block.removeprefix("\n") for block in page.split("```")[1::2]]
    proof = next(block for block in blocks if block.startswith("c2sp.org/tlog-proof@v1"))
    checkpoint = next(block for block in blocks if block.startswith("rsj.example/log\n"))
    name, key_id, key = _key_of(next(block for block in blocks if block.startswith("rsj.example/log+")))
    leaf = issue_leaf(b"\x01" * 32, bytes(range(16)))
    assert note_key_id(name, key) == key_id
    assert verify_proof(proof, leaf, key, name) == open_checkpoint(checkpoint, key, name)
    assert proof.endswith(f"\n\n{checkpoint}")


# ---- notes ----------------------------------------------------------------------------------------------------


def test_a_signed_note_verifies_under_its_key_and_no_other() -> None:
    note = parse_note(sign_note("text\n", "someone", SIGNER))
    verify_note(note, "someone", SIGNER.public_key)
    for name, key in (("someone", STRANGER.public_key), ("other", SIGNER.public_key)):
        with pytest.raises(BadNote, match="no signature by"):
            verify_note(note, name, key)


def test_signatures_of_unknown_keys_are_ignored_and_kept() -> None:
    """A witness adds its line, and the log's signature still counts."""
    line = sign_note("x\n", "witness.example", STRANGER).split("\n\n")[1]
    assert open_checkpoint(SIGNED + line, SIGNER.public_key, ORIGIN) == HEAD
    assert [one.name for one in parse_note(SIGNED + line).signatures] == [ORIGIN, "witness.example"]


def test_one_bad_signature_of_the_known_key_spoils_the_note() -> None:
    bad = sign_note("other\n", ORIGIN, SIGNER).split("\n\n")[1]
    with pytest.raises(BadNote, match="does not fit"):
        open_checkpoint(SIGNED + bad, SIGNER.public_key, ORIGIN)


def test_a_note_may_hold_empty_lines_and_is_split_at_the_last() -> None:
    note = parse_note(sign_note("one\n\n— two\n\nthree\n", "someone", SIGNER))
    assert note.text == "one\n\n— two\n\nthree\n"
    verify_note(note, "someone", SIGNER.public_key)


def test_a_note_with_sixteen_signatures_of_five_kilobytes_is_accepted() -> None:
    lines = "".join(f"— w{number} {base64.b64encode(bytes(4900)).decode()}\n" for number in range(15))
    assert open_checkpoint(SIGNED + lines, SIGNER.public_key, ORIGIN) == HEAD
    with pytest.raises(BadNote, match="longer than"):
        parse_note(SIGNED + lines * 2)


@pytest.mark.parametrize(
    "note",
    [
        "", "\n", "\n\n", "text\n", "text\n\n", "text\n— a AAAAAAA=\n", "text\n\n— a AAAAAAA=",
        "text\n\n- a AAAAAAA=\n",
        "text\n\n—  AAAAAAA=\n", "text\n\n— a+b AAAAAAA=\n", "text\n\n— a\u3000b AAAAAAA=\n", "text\n\n— a AAAA\n",
        "text\n\n— a AAAAAAA\n", "text\n\n— a AAAAAAB=\n", "text\n\n— a AAAAAAA= \n", "te\rxt\n\n— a AAAAAAA=\n",
        "te\tt\n\n— a AAAAAAA=\n", "te\ud800\n\n— a AAAAAAA=\n", "text\n\n— a AAAAAAA=\n\n",
    ],
)  # fmt: skip
def test_what_is_not_a_note_is_refused(note: str) -> None:
    with pytest.raises(BadNote):
        parse_note(note)


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\u00a0b", "a\nb"])
def test_a_key_name_that_could_be_misread_is_refused(name: str) -> None:
    with pytest.raises(BadNote, match="cannot name a key"):
        sign_note("text\n", name, SIGNER)


@pytest.mark.parametrize("text", ["", "text", "te\x00xt\n", "te\rxt\n"])
def test_a_text_that_cannot_stand_in_a_note_is_not_signed(text: str) -> None:
    with pytest.raises(BadNote, match="must end in a newline"):
        sign_note(text, "someone", SIGNER)


def test_only_ed25519_keys_sign_and_verify() -> None:
    with pytest.raises(WrongNoteKey):
        sign_note("text\n", "someone", replace(SIGNER, algorithm=Algorithm.P256))
    with pytest.raises(WrongNoteKey):
        verify_note(parse_note(SIGNED), ORIGIN, _spki(ec.derive_private_key(7, ec.SECP256R1()).public_key()))


# ---- checkpoints ----------------------------------------------------------------------------------------------


def test_signing_a_head_twice_gives_the_same_bytes() -> None:
    assert sign_checkpoint(HEAD, SIGNER) == SIGNED


@given(st.integers(0, 2**62), st.binary(min_size=32, max_size=32))
def test_a_checkpoint_says_what_was_signed(size: int, root: bytes) -> None:
    head = Checkpoint(ORIGIN, size, root)
    assert open_checkpoint(sign_checkpoint(head, SIGNER), SIGNER.public_key, ORIGIN) == head


def test_extension_lines_are_read_and_signed() -> None:
    head = Checkpoint(ORIGIN, 1, bytes(32), ("one", "two"))
    assert open_checkpoint(sign_checkpoint(head, SIGNER), SIGNER.public_key, ORIGIN) == head


def test_a_checkpoint_of_another_log_by_the_same_key_name_is_refused() -> None:
    other = sign_note(checkpoint_text(replace(HEAD, origin="other.example/log")), ORIGIN, SIGNER)
    with pytest.raises(BadCheckpoint, match="it is of the log"):
        open_checkpoint(other, SIGNER.public_key, ORIGIN)


ROOT = base64.b64encode(bytes(32)).decode()


@pytest.mark.parametrize(
    "text",
    [
        "", "\n", f"o\n1\n{ROOT}", f"o\n{ROOT}\n", f"o\n01\n{ROOT}\n", f"o\n-1\n{ROOT}\n", f"o\n+1\n{ROOT}\n",
        f"o\n1 \n{ROOT}\n", f"o\n٣\n{ROOT}\n", f"o\n{10**19}\n{ROOT}\n", f"\n1\n{ROOT}\n", f"o\n1\n{ROOT}\n\nx\n",
        "o\n1\nAAAA\n", f"o\n1\n{ROOT[:-2]}B=\n", f"o\n1\n{ROOT} \n",
    ],
)  # fmt: skip
def test_what_is_not_a_checkpoint_is_refused_even_when_signed(text: str) -> None:
    with pytest.raises(BadCheckpoint):
        parse_checkpoint(text)


@given(st.data())
def test_any_changed_character_of_a_checkpoint_is_found(data: st.DataObject) -> None:
    signed = bytearray(SIGNED.encode())
    signed[data.draw(st.integers(0, len(signed) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises((BadNote, BadCheckpoint)):
        open_checkpoint(signed.decode(errors="surrogateescape"), SIGNER.public_key, ORIGIN)


# ---- proofs ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("index", range(len(LEAVES)))
def test_a_proof_verifies_for_its_leaf_and_no_other(index: int) -> None:
    proof = format_proof(index, inclusion_proof(HASHES, index), SIGNED)
    assert verify_proof(proof, LEAVES[index], SIGNER.public_key, ORIGIN) == HEAD
    for other in set(LEAVES) - {LEAVES[index]}:
        with pytest.raises(BadLogProof, match=f"not at index {index}"):
            verify_proof(proof, other, SIGNER.public_key, ORIGIN)


@given(st.data())
def test_any_changed_byte_of_a_proof_is_found(data: st.DataObject) -> None:
    changed = bytearray(PROOF.encode())
    changed[data.draw(st.integers(0, len(changed) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises((BadLogProof, BadNote, BadCheckpoint)):
        verify_proof(changed.decode(errors="surrogateescape"), LEAVES[5], SIGNER.public_key, ORIGIN)


@given(st.text(max_size=300))
def test_noise_is_no_proof(noise: str) -> None:
    for text in (noise, "c2sp.org/tlog-proof@v1\n" + noise, "c2sp.org/tlog-proof@v1\nindex 0\n\n" + noise):
        with pytest.raises((BadLogProof, BadNote, BadCheckpoint)):
            verify_proof(text, LEAVES[0], SIGNER.public_key, ORIGIN)


@pytest.mark.parametrize(
    "text",
    [
        "c2sp.org/tlog-proof@v1\n", "c2sp.org/tlog-proof@v2\nindex 0\n\nx\n", "c2sp.org/tlog-proof@v1\n\nx\n",
        "c2sp.org/tlog-proof@v1\nindex 01\n\nx\n", "c2sp.org/tlog-proof@v1\nindex -1\n\nx\n",
        "c2sp.org/tlog-proof@v1\nindex notanumber\n\nx\n", "c2sp.org/tlog-proof@v1\nindex 0\nAAAA\n\nx\n",
        "c2sp.org/tlog-proof@v1\nextra !!notbase64!!\nindex 0\n\nx\n",
        "c2sp.org/tlog-proof@v1\nindex 0\nextra AAAA\n\nx\n", f"c2sp.org/tlog-proof@v1\nindex 0\n{ROOT}\n",
        "c2sp.org/tlog-proof@v1\nindex 0" + f"\n{ROOT}" * 64 + "\n\nx\n", "x" * (MAX_PROOF_BYTES + 1),
    ],
)  # fmt: skip
def test_what_is_not_a_proof_is_refused(text: str) -> None:
    with pytest.raises(BadLogProof):
        parse_proof(text)


def test_a_proof_with_a_place_outside_the_tree_is_refused() -> None:
    for index in (len(LEAVES), 2**62):
        with pytest.raises(BadLogProof, match="not at index"):
            verify_proof(format_proof(index, [], SIGNED), LEAVES[0], SIGNER.public_key, ORIGIN)


def test_nothing_is_proven_by_an_empty_tree() -> None:
    empty = sign_checkpoint(Checkpoint(ORIGIN, 0, hashlib.sha256().digest()), SIGNER)
    with pytest.raises(BadLogProof):
        verify_proof(format_proof(0, [], empty), LEAVES[0], SIGNER.public_key, ORIGIN)


def test_limits_leave_room_for_what_verifiers_must_accept() -> None:
    assert MAX_NOTE_BYTES >= 16 * 5000
    assert MAX_PROOF_BYTES > MAX_NOTE_BYTES
