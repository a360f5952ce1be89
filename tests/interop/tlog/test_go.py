"""Our log, read by the packages that Go's checksum database is made of: signed notes, tiles, proofs."""

import base64
import hashlib
import os
import random
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from credential.leaves import issue_leaf
from credential.note import Checkpoint, format_proof, sign_checkpoint, verifier_key
from registry.log.paths import Head, TileCache
from registry.log.tiles import Edge, TileFolder
from tests.registry.log.conftest import Ed25519Signer, a_signer

PACKAGES = Path("/usr/share/gocode")  # where Debian puts golang-golang-x-mod-dev
ORIGIN = "rsj.example/log"
SIZES = (300, 40_000, 70_000)
PROVEN = 200


@dataclass(frozen=True)
class MadeLog:
    """A log of 70,000 entries, written in three runs as the sequencer writes them."""

    folder: Path
    signer: Ed25519Signer
    leaves: list[bytes]
    roots: dict[int, bytes]

    @property
    def head(self) -> Head:
        checkpoint = Checkpoint(ORIGIN, SIZES[-1], self.roots[SIZES[-1]])
        return Head((self.folder / "checkpoint").read_text(), checkpoint, TileCache(TileFolder(self.folder)))

    @property
    def key(self) -> str:
        return verifier_key(ORIGIN, self.signer.public_key)


@pytest.fixture(scope="module")
def made_log(tmp_path_factory: pytest.TempPathFactory) -> MadeLog:
    folder = tmp_path_factory.mktemp("log")
    leaves = [issue_leaf(hashlib.sha256(b"%d" % number).digest(), bytes(16)) for number in range(SIZES[-1])]
    tiles, edge, roots = TileFolder(folder), Edge(0, (), b""), {}
    for size in SIZES:
        longer, files = edge.extend(leaves[edge.size : size])
        tiles.write(files)
        tiles.drop_partials(edge.size, size)
        edge, roots[size] = longer, longer.root
    signer = a_signer()
    (folder / "checkpoint").write_text(sign_checkpoint(Checkpoint(ORIGIN, edge.size, edge.root), signer))
    return MadeLog(folder, signer, leaves, roots)


@pytest.fixture(scope="module")
def check(tool: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Callable[..., tuple[int, str]]:
    program = tmp_path_factory.mktemp("go") / "check"
    source = Path(__file__).with_name("check.go")
    environ = os.environ | {"GO111MODULE": "off", "GOPATH": str(PACKAGES), "GOFLAGS": "-p=1", "CGO_ENABLED": "0"}
    environ |= {"GOCACHE": str(program.parent / "cache"), "GOPROXY": "off"}
    built = subprocess.run(
        [tool("go"), "build", "-o", program, source], env=environ, capture_output=True, check=False, text=True
    )
    assert built.returncode == 0, built.stderr

    def run(folder: Path, key: str, given: str = "") -> tuple[int, str]:
        former = [str(size) for size in (1, 255, 256, 257, *SIZES)]
        done = subprocess.run([program, folder, key, *former], input=given, capture_output=True, check=False, text=True)
        return done.returncode, done.stdout + done.stderr

    return run


def _proof(log: MadeLog, index: int) -> str:
    head = log.head
    return format_proof(index, head.path(index, log.leaves[index]), head.note)


def _given(text: str, leaf: bytes) -> str:
    return f"proof {len(text.encode())} {leaf.hex()}\n{text}"


def test_go_finds_signature_root_tiles_and_proofs_of_a_log_of_70_000_entries_right(
    made_log: MadeLog, check: Callable[..., tuple[int, str]]
) -> None:
    head = made_log.head
    picked = random.Random(70).sample(range(SIZES[-1]), PROVEN)  # noqa: S311 - the same ones each time
    given = "".join(
        _given(format_proof(index, head.path(index, made_log.leaves[index]), head.note), made_log.leaves[index])
        for index in (0, SIZES[-1] - 1, *picked)
    )
    for old in (1, 2, 255, 256, 65_535, 65_536, 65_537, *SIZES):
        hashes = [head.root_at(old), *head.consistency(old)]
        told = " ".join(base64.b64encode(one).decode() for one in hashes)
        given += f"consistency {old} {SIZES[-1]} {told}\n"
    assert check(made_log.folder, made_log.key, given) == (0, f"{ORIGIN} 70000 leaves, {PROVEN + 12} proofs\n")


def test_go_refuses_a_proof_of_another_leaf_or_of_growth_that_was_not(
    made_log: MadeLog, check: Callable[..., tuple[int, str]]
) -> None:
    code, said = check(made_log.folder, made_log.key, _given(_proof(made_log, 7), made_log.leaves[8]))
    assert (code, said.startswith("proof: ")) == (1, True), said
    hashes = [made_log.head.root_at(301), *made_log.head.consistency(300)]
    told = " ".join(base64.b64encode(one).decode() for one in hashes)
    code, said = check(made_log.folder, made_log.key, f"consistency 300 {SIZES[-1]} {told}\n")
    assert (code, said.startswith("given growth: ")) == (1, True), said


def test_go_refuses_a_signature_by_another_key(made_log: MadeLog, check: Callable[..., tuple[int, str]]) -> None:
    code, said = check(made_log.folder, verifier_key(ORIGIN, a_signer("another").public_key))
    assert (code, said.startswith("note: ")) == (1, True), said


DAMAGED = ["tile/0/000", "tile/0/272", "tile/0/273.p/112", "tile/1/000", "tile/1/001.p/17", "tile/2/000.p/1",
           "tile/entries/100", "tile/entries/273.p/112", "checkpoint"]  # fmt: skip


@pytest.mark.parametrize("name", DAMAGED)
def test_go_notices_what_we_would_notice(
    name: str, made_log: MadeLog, check: Callable[..., tuple[int, str]], tmp_path: Path
) -> None:
    """It is no check if it cannot fail: one bit of any file, and it does."""
    folder = tmp_path / "log"
    shutil.copytree(made_log.folder, folder, copy_function=os.link)
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 4
    (folder / name).unlink()
    (folder / name).write_bytes(content)
    code, _ = check(folder, made_log.key)
    assert code == 1
