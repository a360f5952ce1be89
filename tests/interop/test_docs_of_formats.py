"""What the pages of formats give as examples is what the program writes, byte for byte."""

import hashlib
import re
from ast import literal_eval
from base64 import b64decode
from pathlib import Path

import cbor2
import pytest

from credential.dsse import pre_authentication_encoding
from credential.leaves import issue_leaf, parse_leaf
from credential.note import open_checkpoint, parse_proof, verifier_key, verify_proof
from credential.qr import parse_qr_text
from credential.trust import PAYLOAD_TYPE, Role
from keys.shares import read_share
from registry.history import HistoryKind

DOCS = Path(__file__).resolve().parents[2] / "docs"
FENCE = re.compile(r"```(?:json)?\n(.*?)```", re.DOTALL)


def page(name: str) -> str:
    return (DOCS / f"{name}.md").read_text("utf-8")


def examples(name: str, heading: str) -> list[str]:
    """The fenced blocks of a section."""
    section = re.split(r"^## ", page(name).partition(f"## {heading}")[2], maxsplit=1, flags=re.MULTILINE)[0]
    return FENCE.findall(section)


def test_the_text_of_the_qr_code() -> None:
    found = parse_qr_text(examples("formats", "7. ")[0].strip())
    assert (found.code, found.message) == ("7F3K9Q2MWX4T8ZBN", bytes.fromhex("d28400"))


def test_what_roots_sign() -> None:
    head = pre_authentication_encoding(PAYLOAD_TYPE, b"").decode().rpartition("0 ")[0]
    assert f"`{head}`" in page("formats")


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.TRUST_ROOT])
def test_every_role_is_named(role: Role) -> None:
    assert f"`{role}`" in page("formats").partition("## 8. ")[2]


def test_the_share() -> None:
    share = read_share(examples("formats", "9. ")[0].splitlines()[1])
    assert (share.number, share.threshold, share.set_name) == (1, 2, "7906")


def test_the_leaf() -> None:
    shown, *_ = examples("formats-log", "1. ")
    leaf = issue_leaf(b"\x01" * 32, bytes(range(16)))
    assert bytes.fromhex(shown) == leaf
    assert parse_leaf(leaf).commitment.hex() in page("formats-log").partition("which is the CBOR")[2]


def test_the_checkpoint_its_key_and_the_proof() -> None:
    note, key = examples("formats-log", "3. ")
    name, _, encoded = key.strip().split("+", 2)
    public_key = bytes.fromhex("302a300506032b6570032100") + b64decode(encoded)[1:]
    assert verifier_key(name, public_key) == key.strip()
    assert open_checkpoint(note, public_key, name).size == 3
    (proof,) = examples("formats-log", "4. ")
    assert parse_proof(proof).checkpoint == note
    assert verify_proof(proof, issue_leaf(b"\x01" * 32, bytes(range(16))), public_key, name).size == 3


def test_the_entry_of_the_history() -> None:
    shown, digest = examples("formats-registry", "4. ")[0].strip().splitlines()
    items = shown.replace("h'000102…1f'", '"@"').replace("null", "None")
    entry = [bytes(range(32)) if item == "@" else item for item in literal_eval(items)]
    assert hashlib.sha256(cbor2.dumps(entry, canonical=True)).hexdigest() == digest.rpartition(" ")[2]


@pytest.mark.parametrize("kind", HistoryKind)
def test_every_kind_of_entry_is_named(kind: HistoryKind) -> None:
    assert f"`{kind}`" in page("formats-registry").partition("## 4. ")[2]
