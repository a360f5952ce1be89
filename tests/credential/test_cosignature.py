"""Cosignatures and requests for them, against C2SP's pages, another witness's test, and Go."""

import base64
import hashlib
import os
import shutil
import struct
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from credential.cosignature import (
    LATEST_SECONDS,
    MAX_PROOF_LINES,
    MAX_REQUEST_BYTES,
    BadNamedKey,
    BadWitnessRequest,
    WitnessRequest,
    cosign,
    cosignature_lines,
    format_request,
    parse_request,
    read_cosignatures,
    read_log_key,
    read_witness_key,
    witness_key,
    witness_of,
)
from credential.note import (
    BadNote,
    Checkpoint,
    WrongNoteKey,
    checkpoint_text,
    parse_note,
    sign_checkpoint,
    verifier_key,
)
from credential.ports import Algorithm
from credential.trust import Witness
from tests.fakes_issuer import MemorySigner

AT = datetime(2026, 11, 22, 14, 0, 0, tzinfo=UTC)
LOG = MemorySigner("log", Algorithm.ED25519)
SIGNER = MemorySigner("witness", Algorithm.ED25519)
NAME = "witness.example.com/w1"
WITNESS = witness_of(NAME, SIGNER)
OTHER = witness_of("other.example.com", MemorySigner("other witness", Algorithm.ED25519))
NOTE = sign_checkpoint(Checkpoint("rsj.example/log", 3, hashlib.sha256(b"root").digest()), LOG)
TEXT = parse_note(NOTE).text
COSIGNED = NOTE + cosign(TEXT, NAME, SIGNER, AT)

# The example of tlog-cosignature; its page names no key, so it vouches for the framing only.
SPEC_LINE = (
    "— witness.example.com/w1 "
    "jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n"
)
SPEC_SECONDS = 1679315147
# The key of Go's checksum database, whose name is not its origin.
SUMDB_KEY = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8"


def by_hand(text: str, line: str, raw_key: bytes, name: str) -> int:
    """Verify a line as tlog-cosignature's words say, with nothing of ours; gives its time."""
    dash, written, encoded = line.removesuffix("\n").split(" ")
    content = base64.b64decode(encoded, validate=True)
    assert (dash, written, len(content)) == ("\u2014", name, 4 + 8 + 64)
    assert content[:4] == hashlib.sha256(name.encode() + b"\n" + b"\x04" + raw_key).digest()[:4]
    (seconds,) = struct.unpack(">Q", content[4:12])
    public = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(b"witness").digest()).public_key()
    assert public.public_bytes_raw() == raw_key
    public.verify(content[12:], b"cosignature/v1\ntime %d\n" % seconds + text.encode())
    return int(seconds)


# ---- cosignatures ---------------------------------------------------------------------------------------------


def test_a_cosignature_is_what_the_page_says() -> None:
    line = cosign(TEXT, NAME, SIGNER, AT)
    assert by_hand(TEXT, line, WITNESS.public_key, NAME) == int(AT.timestamp())


def test_the_example_of_the_page_is_framed_as_ours() -> None:
    content = base64.b64decode(SPEC_LINE.split(" ")[2])
    assert int.from_bytes(content[4:12], "big") == SPEC_SECONDS
    assert len(content) == len(base64.b64decode(cosign(TEXT, NAME, SIGNER, AT).split(" ")[2]))
    assert parse_note(NOTE + SPEC_LINE).signatures[1].name == NAME


def test_who_cosigned_is_told_with_the_time() -> None:
    (found,) = read_cosignatures(COSIGNED, (OTHER, WITNESS))
    assert (found.witness, found.seconds) == (WITNESS, int(AT.timestamp()))


def test_a_note_without_lines_of_witnesses_has_none() -> None:
    assert read_cosignatures(NOTE, (WITNESS,)) == ()


def test_a_line_of_somebody_unknown_is_ignored() -> None:
    assert read_cosignatures(COSIGNED, (OTHER,)) == ()


def test_one_witness_counts_once_however_often_it_signs() -> None:
    later = COSIGNED + cosign(TEXT, NAME, SIGNER, AT.replace(hour=15))
    (found,) = read_cosignatures(later, (WITNESS,))
    assert found.seconds == int(AT.replace(hour=15).timestamp())


def test_of_several_lines_of_a_witness_the_latest_is_taken() -> None:
    lines = [cosign(TEXT, NAME, SIGNER, AT.replace(hour=hour)) for hour in (14, 16, 15)]
    assert cosignature_lines(NOTE + "".join(lines), (OTHER, WITNESS)) == lines[1]
    assert cosignature_lines(NOTE, (WITNESS,)) == ""


def test_the_log_key_under_the_witness_type_is_no_witness() -> None:
    """A plain note signature has another type, and so another key id."""
    as_log = sign_checkpoint(Checkpoint(NAME, 3, bytes(32)), SIGNER).split("\n\n")[1]
    assert read_cosignatures(NOTE + as_log, (WITNESS,)) == ()


def altered(change: Callable[[bytearray], None]) -> str:
    content = bytearray(base64.b64decode(COSIGNED.rsplit(" ", 1)[1]))
    change(content)
    return COSIGNED.rsplit(" ", 1)[0] + " " + base64.b64encode(content).decode() + "\n"


@given(place=st.integers(4, 75), bit=st.integers(0, 7))
def test_any_flipped_bit_behind_the_key_id_spoils_the_note(place: int, bit: int) -> None:
    def flip(content: bytearray) -> None:
        content[place] ^= 1 << bit

    with pytest.raises(BadNote):
        read_cosignatures(altered(flip), (WITNESS,))


def test_a_cosignature_of_another_tree_spoils_the_note() -> None:
    other = sign_checkpoint(Checkpoint("rsj.example/log", 4, bytes(32)), LOG)
    with pytest.raises(BadNote, match="does not fit"):
        read_cosignatures(other + COSIGNED.split("\n\n")[1].split("\n")[1] + "\n", (WITNESS,))


@pytest.mark.parametrize("seconds", [0, LATEST_SECONDS + 1], ids=["no time", "past the last time"])
def test_a_time_out_of_range_spoils_the_note_though_it_is_signed(seconds: int) -> None:
    signed = SIGNER.sign(f"cosignature/v1\ntime {seconds}\n{TEXT}".encode())

    def put(content: bytearray) -> None:
        content[4:] = seconds.to_bytes(8, "big") + signed

    with pytest.raises(BadNote, match="form"):
        read_cosignatures(altered(put), (WITNESS,))


def test_a_signature_of_another_length_spoils_the_note() -> None:
    with pytest.raises(BadNote, match="form"):
        read_cosignatures(altered(lambda content: content.append(0)), (WITNESS,))


def test_only_an_ed25519_key_cosigns() -> None:
    with pytest.raises(WrongNoteKey):
        cosign(TEXT, NAME, MemorySigner("p", Algorithm.P256), AT)


# ---- keys -----------------------------------------------------------------------------------------------------


def test_a_witness_key_is_read_as_it_was_written() -> None:
    text = witness_key(WITNESS)
    assert read_witness_key(text) == WITNESS
    name, key_id, encoded = text.split("+", 2)
    assert (name, base64.b64decode(encoded)) == (NAME, b"\x04" + WITNESS.public_key)
    assert key_id == hashlib.sha256(f"{NAME}\n".encode() + b"\x04" + WITNESS.public_key).hexdigest()[:8]


def test_a_log_key_is_read_as_it_was_written() -> None:
    assert read_log_key(verifier_key("rsj.example/log", LOG.public_key)) == ("rsj.example/log", LOG.public_key)


def test_the_key_of_go_s_checksum_database_is_read() -> None:
    name, key = read_log_key(SUMDB_KEY)
    assert verifier_key(name, key) == SUMDB_KEY


@pytest.mark.parametrize(
    "text",
    [
        "",
        NAME,
        witness_key(WITNESS)[:-1],
        witness_key(WITNESS) + "\n",
        witness_key(WITNESS).replace("w1", "w2"),
        witness_key(WITNESS).replace(".", " ", 1),
        witness_key(WITNESS).upper(),
        verifier_key(NAME, SIGNER.public_key),
    ],
    ids=["nothing", "a name", "cut off", "a line end", "another name", "a space", "capitals", "a log's key"],
)
def test_what_is_no_witness_key_is_refused(text: str) -> None:
    with pytest.raises(BadNamedKey):
        read_witness_key(text)


def test_a_witness_key_is_no_log_key() -> None:
    with pytest.raises(BadNamedKey, match="a log's"):
        read_log_key(witness_key(WITNESS))


def test_a_log_key_with_a_wrong_hash_is_refused() -> None:
    with pytest.raises(BadNamedKey, match="hash"):
        read_log_key(SUMDB_KEY.replace("033de0ae", "033de0af"))


def test_the_cosignature_printed_in_the_format_page_is_good() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "formats-log.md").read_text("utf-8")
    blocks = [block.removeprefix("\n") for block in page.split("```")[1::2]]
    cosigned = [block for block in blocks if block.startswith("rsj.example/log\n")][1]
    witness = read_witness_key(next(block for block in blocks if block.startswith("hr.example/witness+")).strip())
    (found,) = read_cosignatures(cosigned, (witness,))
    assert found.seconds == int(AT.timestamp())


# ---- requests -------------------------------------------------------------------------------------------------

PROOF = tuple(hashlib.sha256(bytes([number])).digest() for number in range(MAX_PROOF_LINES))


@pytest.mark.parametrize(("old", "hashes"), [(0, 0), (2, 1), (10**18, MAX_PROOF_LINES)])
def test_a_request_is_read_as_it_was_written(old: int, hashes: int) -> None:
    request = WitnessRequest(old, PROOF[:hashes], COSIGNED)
    read, checkpoint = parse_request(format_request(request).encode())
    assert read == request
    assert checkpoint_text(checkpoint) == TEXT


BAD_REQUESTS = {
    "nothing": "",
    "no old line": f"\n{NOTE}",
    "a leading zero": f"old 03\n\n{NOTE}",
    "a minus": f"old -1\n\n{NOTE}",
    "another word": f"size 3\n\n{NOTE}",
    "two spaces": f"old  3\n\n{NOTE}",
    "no empty line": f"old 3\n{NOTE.replace(chr(10) * 2, chr(10))}",
    "a hash of 31 bytes": f"old 3\n{base64.b64encode(bytes(31)).decode()}\n\n{NOTE}",
    "a hash that is no base64": f"old 3\n{'*' * 44}\n\n{NOTE}",
    "one hash too many": format_request(WitnessRequest(3, (*PROOF, bytes(32)), NOTE)),
    "too long": format_request(WitnessRequest(3, (), NOTE)) + "x" * MAX_REQUEST_BYTES,
    "no signature": f"old 3\n\n{TEXT}\n",
    "no checkpoint": "old 3\n\nhello\n\n" + NOTE.split("\n\n")[1],
}


@pytest.mark.parametrize("body", BAD_REQUESTS.values(), ids=BAD_REQUESTS.keys())
def test_a_malformed_request_is_refused(body: str) -> None:
    with pytest.raises(BadWitnessRequest):
        parse_request(body.encode())


def test_a_request_that_is_no_text_is_refused() -> None:
    with pytest.raises(BadWitnessRequest, match="UTF-8"):
        parse_request(b"old 0\n\n\xff\n")


@given(st.binary(max_size=200))
def test_random_bytes_are_refused_and_nothing_else_happens(body: bytes) -> None:
    with pytest.raises(BadWitnessRequest):
        parse_request(body)


# ---- another program ------------------------------------------------------------------------------------------

GO_CHECK = """package main

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"os"

	"golang.org/x/mod/sumdb/note"
)

// A verifier of tlog-cosignature, type 0x04, written from its page for this test.
type cosigner struct {
	name string
	key  ed25519.PublicKey
}

func (c cosigner) Name() string { return c.name }

func (c cosigner) KeyHash() uint32 {
	sum := sha256.Sum256(append([]byte(c.name+"\\n\\x04"), c.key...))
	return binary.BigEndian.Uint32(sum[:4])
}

func (c cosigner) Verify(msg, sig []byte) bool {
	if len(sig) != 72 {
		return false
	}
	signed := fmt.Sprintf("cosignature/v1\\ntime %d\\n%s", binary.BigEndian.Uint64(sig[:8]), msg)
	return ed25519.Verify(c.key, []byte(signed), sig[8:])
}

func main() {
	text, err := io.ReadAll(os.Stdin)
	var key []byte
	fmt.Sscanf(os.Args[2], "%x", &key)
	log, fault := note.NewVerifier(os.Args[3])
	if err != nil || fault != nil {
		fmt.Println(err, fault)
		os.Exit(2)
	}
	opened, err := note.Open(text, note.VerifierList(log, cosigner{os.Args[1], key}))
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(len(opened.Sigs), len(opened.UnverifiedSigs))
}
"""


@pytest.fixture(scope="session")
def go_check(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Go's own note package, with a cosigner written from the page; built once."""
    folder = tmp_path_factory.mktemp("cosigner")
    (folder / "check.go").write_text(GO_CHECK, "utf-8")
    go = shutil.which("go")
    assert go is not None, "install golang-go and golang-golang-x-mod-dev"
    environment = {
        "GO111MODULE": "off",
        "GOPATH": "/usr/share/gocode",
        "GOFLAGS": "",
        "PATH": "/usr/bin:/bin",
        "HOME": os.environ.get("HOME", str(folder)),  # where Go keeps its own packages, once they are compiled
    }
    subprocess.run([go, "build", "-o", "check", "check.go"], cwd=folder, env=environment, check=True, timeout=300)
    return folder / "check"


def asked_of_go(check: Path, note: str) -> tuple[int, str]:
    log_key = verifier_key("rsj.example/log", LOG.public_key)
    done = subprocess.run(
        [check, NAME, WITNESS.public_key.hex(), log_key], input=note.encode(), capture_output=True, check=False
    )
    return done.returncode, done.stdout.decode().strip()


def test_go_finds_our_cosignature_good(go_check: Path) -> None:
    unknown = cosign(TEXT, OTHER.name, MemorySigner("other witness", Algorithm.ED25519), AT)
    assert asked_of_go(go_check, COSIGNED) == (0, "2 0")
    assert asked_of_go(go_check, COSIGNED + unknown) == (0, "2 1")


def test_go_refuses_a_cosignature_of_another_time(go_check: Path) -> None:
    def later(content: bytearray) -> None:
        content[11] ^= 1

    assert asked_of_go(go_check, altered(later))[0] == 1


def test_a_witness_is_a_name_and_a_key() -> None:
    renamed = Witness("elsewhere.example", WITNESS.public_key)
    assert read_cosignatures(COSIGNED, (renamed,)) == ()
