"""What the service publishes is enough for whoever has nothing but the docs: the verifier in JavaScript takes it."""

import io
import json
import shutil
import subprocess
from base64 import b64encode
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pikepdf
import pytest

from press.look import render
from service.folder import DataFolder
from tests.service.at_hand import run
from verifier.symbol import read_symbols

JS = Path(__file__).resolve().parents[1] / "interop" / "js" / "verify.mjs"


def base64(value: bytes) -> str:
    return b64encode(value).decode()


def attached(document: bytes, name: str) -> bytes:
    with pikepdf.open(io.BytesIO(document)) as pdf:
        return bytes(pdf.attachments[name].get_file().read_bytes())


def published(data: Path, certificate: Path, form: str) -> dict[str, Any]:
    """Everything about one certificate that anybody can get, read as plain files."""
    parts = DataFolder(data)
    document = certificate.read_bytes()
    (text,) = [one for one in read_symbols(render(document, 150)) if "/c/" in one]
    pinned = json.loads(parts.roots.read_text("utf-8"))
    entries = parts.log / "tile" / "entries"
    bundles = [path for path in entries.rglob("*") if path.is_file()]
    newest = max(bundles, key=lambda path: int(path.name))  # fewer than 256 entries: one partial bundle holds them all
    (token,) = parts.status.glob(f"*.{form}")
    return {
        "check": "published",
        "envelope": base64(parts.trust_list.read_bytes()),
        "roots": pinned["roots"],
        "threshold": pinned["threshold"],
        "seen": 1,
        "now": int(datetime.now(UTC).timestamp()),
        "origins": [text.partition("/c/")[0]],
        "text": text,
        "document": base64(document),
        "claims": base64(attached(document, "certificate.cose")),
        "proof": attached(document, "certificate.tlog-proof").decode(),
        "note": (parts.log / "checkpoint").read_text("utf-8"),
        "bundles": [base64(newest.read_bytes())],
        "token": base64(token.read_bytes()),
    }


def judge(**cases: Mapping[str, Any]) -> dict[str, str | None]:
    node = shutil.which("node")
    assert node is not None, "Node.js is needed to run the tests"
    given = {"world": {}, "cases": [{**case, "name": name} for name, case in cases.items()]}
    ran = subprocess.run([node, JS], input=json.dumps(given).encode(), capture_output=True, check=False, timeout=120)
    assert ran.returncode == 0, ran.stderr.decode()
    return {one["name"]: one["step"] for one in json.loads(ran.stdout)}


@pytest.mark.parametrize("form", ["cwt", "jwt"])
def test_a_stranger_verifies_what_the_service_issued(issued: Path, certificates: list[Path], form: str) -> None:
    one, other = (published(issued, path, form) for path in certificates[:2])
    now = one["now"]
    tomorrow = now + int(timedelta(days=1, minutes=1).total_seconds())
    assert judge(
        good=one,
        other=other,
        swapped_qr=one | {"text": other["text"]},
        swapped_claims=one | {"claims": other["claims"]},
        swapped_proof=one | {"proof": other["proof"]},
        saved_again=one | {"document": base64(bytes.fromhex("0a") + b"%PDF-1.7")},
        shorter_log=one | {"bundles": [base64(b"")]},
        tomorrow=one | {"now": tomorrow},
        other_roots=one | {"roots": []},
    ) == {
        "good": None,
        "other": None,
        "swapped_qr": "compare",
        "swapped_claims": "compare",
        "swapped_proof": "proof",
        "saved_again": "entries",
        "shorter_log": "entries",
        "tomorrow": "status-expired",
        "other_roots": "trust-list",
    }


def test_a_stranger_sees_a_revocation(issued_data: Path, certificates: list[Path]) -> None:
    serial = certificates[0].name.partition("-")[0].partition(".")[0]
    why = ("--reason", "issued-in-error", "--decision", "示人社函〔2026〕9号", "--as", "wang", "--approve-as", "li")
    revoked = run("--data", issued_data, "revoke", serial, *why)
    assert revoked.code == 0, revoked
    first, second = (published(issued_data, path, "cwt") for path in certificates[:2])
    assert judge(first=first, second=second) == {"first": "status", "second": None}
