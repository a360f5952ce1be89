"""The commands about the log, as an operator, an auditor and a monitor use them."""

import json
import shutil
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from tests.registry.log.conftest import all_files
from tests.service.at_hand import run


@pytest.fixture
def data(issued: Path, tmp_path: Path) -> Path:
    copy = tmp_path / "data"
    shutil.copytree(issued, copy, symlinks=True)
    return copy


@pytest.fixture(scope="module")
def key(issued: Path) -> str:
    """The log's key, as an operator reads it off the screen for a monitor."""
    shown = run("--data", issued, "log", "verify")
    assert shown.code == 0, shown
    return next(word for word in shown.out.split() if word.startswith("zs.example.gov.cn/log+"))


@pytest.fixture(scope="module")
def serial(issued: Path) -> str:
    return min((issued.parent / "out").rglob("*.pdf")).stem.split("-")[0]


@pytest.fixture
def served(data: Path) -> Iterator[str]:
    """Address of the public log folder."""
    handler = partial(Quiet, directory=str(data / "public" / "log"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


# ---- a monitor: no data folder, no passphrase -----------------------------------------------------------------


def test_a_monitor_needs_only_the_address_and_the_key(served: str, key: str, tmp_path: Path) -> None:
    state = tmp_path / "seen.json"
    none = {"YINZHENG_PASSPHRASE": ""}
    watch = partial(run, "--data", tmp_path / "nothing", "log", "monitor", served, "--key", key, "--state", state)
    first = watch("--json", environ=none)
    told = json.loads(first.out)
    assert (first.code, told["before"], told["counts"]["issue"], told["counts"]["seal"]) == (0, 0, 4, 4)
    again = watch("--json", environ=none)
    assert json.loads(again.out)["before"] == json.loads(again.out)["size"] == told["size"]
    assert "只增未改" in watch(environ=none | {"YINZHENG_LANG": "zh"}).out


def test_a_monitor_keeps_both_checkpoints_of_a_log_that_shrank(data: Path, key: str, tmp_path: Path) -> None:
    state, folder = tmp_path / "seen.json", data / "public" / "log"
    older = tmp_path / "older"
    shutil.copytree(folder, older)
    for lost in (data / "public" / "status").glob("1.*"):
        lost.unlink()  # so that the list is published, and logged, again
    assert run("--data", data, "status", "refresh").code == 0
    assert run("log", "monitor", folder, "--key", key, "--state", state).code == 0
    size = json.loads(run("log", "monitor", folder, "--key", key, "--state", state, "--json").out)["size"]
    before = state.read_text()
    refused = run("log", "monitor", older, "--key", key, "--state", state)
    assert size > 21
    assert (refused.code, refused.error) == (1, "log-shrank")
    assert (tmp_path / "seen.json.log-shrank.txt").read_text().count("zs.example.gov.cn/log\n") == 2
    assert state.read_text() == before


@pytest.mark.parametrize(
    ("address", "error"),
    [("http://127.0.0.1:9/log", "log-unreachable"), ("no-such-folder", "no-checkpoint")],
)
def test_an_address_without_a_log_is_told(address: str, error: str, key: str, tmp_path: Path) -> None:
    ran = run("log", "monitor", address, "--key", key, "--state", tmp_path / "seen.json")
    assert (ran.code, ran.error) == (2, error)


def test_a_key_with_a_typing_error_or_of_two_logs_is_refused(key: str, tmp_path: Path) -> None:
    mistyped = key[:-1] + ("A" if key[-1] != "A" else "B")
    assert run("log", "monitor", tmp_path, "--key", mistyped).error == "bad-named-key"
    example = "rsj.example/log+d75c5026+AZsfhHkc/HZjBFhU04netcqVRJ2HXydqg4QLBgqznPxx"  # of docs/formats-log.md
    assert run("log", "monitor", tmp_path, "--key", key, "--key", example).error == "different-logs"


# ---- proofs ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("of", ["issue", "seal"])
def test_a_proof_is_written_and_anybody_checks_it(issued: Path, key: str, serial: str, of: str, tmp_path: Path) -> None:
    path = tmp_path / "a.tlog-proof"
    made = run("--data", issued, "log", "prove", serial, "--of", of, "--out", path)
    assert made.code == 0, made
    leaf = next(word for word in made.out.split() if word.startswith("836"))
    outside = partial(run, "--data", tmp_path / "nothing", "log", "prove", "--check", path, "--key", key)
    assert outside("--leaf", leaf).code == 0
    assert outside("--leaf", leaf[:-2] + "00").error == "bad-log-proof"
    assert outside().code == outside("--leaf", "zz").code == 2
    path.write_text(path.read_text().replace("index ", "index 1"))
    assert outside("--leaf", leaf).error == "bad-log-proof"


def test_what_is_not_in_the_log_has_no_proof(issued: Path, tmp_path: Path) -> None:
    assert (
        run("--data", issued, "log", "prove", "33020020260630009999", "--out", tmp_path / "a").error == "unknown-serial"
    )
    assert run("--data", issued, "log", "prove").code == 2
    assert not (tmp_path / "a").exists()


# ---- mirrors --------------------------------------------------------------------------------------------------


def test_the_log_is_mirrored_and_the_mirror_is_watched(issued: Path, key: str, tmp_path: Path) -> None:
    mirror = tmp_path / "mirror"
    assert "0 → " in run("--data", issued, "log", "publish", mirror).out
    assert " 0 files" in run("--data", issued, "log", "publish", mirror).out
    log = all_files(issued / "public" / "log")
    log.pop(".lock", None)
    assert all_files(mirror).items() <= log.items()
    assert run("log", "monitor", mirror, "--key", key, "--state", tmp_path / "seen.json").code == 0


def test_s3_needs_a_key_file_that_nobody_else_can_read(issued: Path, tmp_path: Path) -> None:
    assert run("--data", issued, "log", "publish", "s3://bucket/log").code == 2
    secret = tmp_path / "s3"
    secret.write_text("id\nsecret\n")
    secret.chmod(0o644)
    refused = run("--data", issued, "log", "publish", "s3://bucket/log", "--credentials", secret)
    assert refused.error == "private-file-open-to-others"


# ---- openings -------------------------------------------------------------------------------------------------


def test_an_auditor_checks_what_was_opened_without_the_installation(
    issued: Path, served: str, key: str, serial: str, tmp_path: Path
) -> None:
    path = tmp_path / "openings.jsonl"
    made = run("--data", issued, "log", "open", "--all", "--out", path)
    assert made.code == 0, made
    assert path.stat().st_mode & 0o077 == 0
    outside = partial(run, "--data", tmp_path / "nothing", "log", "open", "--check", path, "--key", key)
    checked = outside()
    assert checked.code == 0, checked
    assert serial in checked.out
    assert outside("--against", served).code == 0
    lines = path.read_text().splitlines(keepends=True)
    opened = [json.loads(line) for line in lines[1:]]
    assert {one["position"] for one in opened} == set(range(len(opened))), "every leaf of a fresh log can be opened"
    path.chmod(0o600)
    path.write_text("".join(lines).replace(opened[3]["salt"], "00" * 16, 1))
    assert outside().error == "bad-opening"


def test_one_serial_one_batch_or_all_and_nothing_else(issued: Path, serial: str, tmp_path: Path) -> None:
    one = run("--data", issued, "log", "open", "--serial", serial, "--out", tmp_path / "one", "--no-proofs")
    assert one.code == 0, one
    assert len((tmp_path / "one").read_text().splitlines()) == 3
    assert run("--data", issued, "log", "open", "--batch", "1", "--out", tmp_path / "batch").code == 0
    assert len((tmp_path / "batch").read_text().splitlines()) == 9
    for arguments in ((), ("--all", "--serial", serial), ("--all",)):
        out = () if arguments == ("--all",) else ("--out", tmp_path / "none")
        assert run("--data", issued, "log", "open", *arguments, *out).code == 2
    for unknown in (("--serial", "33020020260630009999"), ("--batch", "99")):
        assert run("--data", issued, "log", "open", *unknown, "--out", tmp_path / "none").error == "unknown-serial"
    assert not (tmp_path / "none").exists()
