"""A key of a real installation is stolen: what was stamped before stays good, the rest is unknown, and work goes on."""

import csv
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from fastapi import FastAPI

from credential.cose import key_id
from credential.evidence import read_evidence
from credential.note import BadNote, open_checkpoint
from credential.trust import Role
from keys.entry import KeyState
from keys.store import KeyStore
from registry.log.timestamps import NOTE, STAMP
from service.compromise import BadCompromise, check_since, declare_compromised, lost_certificates, weigh
from service.evidence import evidence_of, read_handed_in
from service.problems import install
from service.published import published_routes
from service.rotation import activate_key
from service.stamping import stamp_checkpoint
from tests import authorities
from tests.asgi_client import Client
from tests.service.at_hand import run
from tests.service.rolling import ISSUER, Bureau, open_bureau, supplied_of
from tests.verifier.world import DirectReader
from verifier.reasons import Word
from verifier.verify import Verifier

GOOD, LOST = (Word.VALID, Word.VALID), (Word.UNKNOWN, Word.UNKNOWN)
HOUR = timedelta(hours=1)
NOW = datetime.now(UTC) + 6 * HOUR


@pytest.fixture
def bureau(issued_data: Path, tmp_path: Path) -> Iterator[Bureau]:
    with open_bureau(issued_data, tmp_path) as opened:
        yield opened


def both_sides(bureau: Bureau) -> tuple[list[str], datetime, list[str]]:
    """Certificates that were stamped, a moment after that, and certificates from after it."""
    early = bureau.serials(1)
    bureau.stamp()
    theft = bureau.clock.go_on(HOUR)
    bureau.clock.go_on(HOUR)
    late = bureau.issue(2)
    bureau.clock.go_on(HOUR)
    bureau.stamp()
    return early, theft, late


@pytest.mark.parametrize("role", [Role.QR, Role.PDF])
def test_a_stolen_signing_key_spares_what_was_stamped_and_work_goes_on_under_the_next(
    role: Role, bureau: Bureau
) -> None:
    house = bureau.house
    early, theft, late = both_sides(bureau)
    stolen = bureau.key(role)
    toll = weigh(house, stolen, theft)
    lost = [one.serial for one in lost_certificates(house, stolen, theft)]
    assert {bureau.words(one) for one in [*early, *late]} == {GOOD}
    declared = declare_compromised(house, stolen, theft)
    assert declared.amended.published
    assert declared.left == ()
    assert declared.successor == bureau.key(role)
    assert bureau.key(role, 1).state is KeyState.RETIRED
    assert {bureau.words(one) for one in early} == {GOOD}
    assert {bureau.words(one) for one in late} == {LOST if role is Role.QR else (Word.UNKNOWN, Word.VALID)}
    assert toll.files == (len(early), len(late))
    assert toll.codes == ((len(early), len(late)) if role is Role.QR else (len(early) + len(late), 0))
    assert (toll.since, toll.last_stamp) == (theft, theft - HOUR)
    assert lost == late
    assert bureau.words(bureau.issue()[0]) == GOOD
    if role is Role.PDF:
        crl = x509.load_der_x509_crl((house.folder.ca / "issuing.crl").read_bytes())
        revoked = crl.get_revoked_certificate_by_serial_number(
            x509.load_der_x509_certificate(stolen.chain[0]).serial_number
        )
        assert revoked is not None
        assert revoked.revocation_date_utc == theft


def test_a_stolen_log_key_loses_nothing_online_since_everything_is_proven_anew(bureau: Bureau) -> None:
    house = bureau.house
    early, theft, late = both_sides(bureau)
    stolen = bureau.key(Role.LOG)
    declared = declare_compromised(house, stolen, theft)
    assert declared.left == ()
    assert {bureau.words(one) for one in [*early, *late]} == {GOOD}
    with pytest.raises(BadNote):
        open_checkpoint(house.log_reader.checkpoint(), stolen.public_key, house.trust.log_origin)
    declare_compromised(house, bureau.key(Role.QR), theft)
    assert {bureau.words(one) for one in early} == {GOOD}  # by a stamp on a checkpoint of the key that was stolen later
    assert {bureau.words(one) for one in late} == {LOST}


def test_after_the_theft_of_the_status_key_all_lists_are_by_the_next_one(bureau: Bureau) -> None:
    serial = bureau.serials(1)[0]
    stale = {name: (bureau.house.folder.status / name).read_bytes() for name in ("1.cwt", "1.jwt")}
    declared = declare_compromised(bureau.house, bureau.key(Role.STATUS), bureau.clock.now())
    assert declared.left == ()
    assert bureau.words(serial) == GOOD
    for name, content in stale.items():
        (bureau.house.folder.status / name).write_bytes(content)
    assert bureau.words(serial) == LOST


def test_without_a_root_at_hand_the_list_is_drafted_and_nothing_is_signed_meanwhile(bureau: Bureau) -> None:
    house = bureau.house
    for file in house.folder.keys.glob("trust-root*"):
        shutil.move(file, bureau.folder)
    declared = declare_compromised(house, bureau.key(Role.QR), bureau.clock.now())
    assert not declared.amended.published
    assert declared.successor is None
    assert [error.code for error in declared.left] == ["key-not-announced"]
    assert bureau.key(Role.QR).generation == 1
    again = declare_compromised(house, bureau.key(Role.QR), bureau.clock.now())
    assert [one.generation for one in house.store.entries() if one.role == Role.QR] == [1, 2]
    assert again.successor is None


def test_a_retired_key_can_be_declared_stolen_too(bureau: Bureau) -> None:
    house = bureau.house
    early, theft, late = both_sides(bureau)
    stolen = bureau.key(Role.QR)
    declare_compromised(house, stolen, bureau.clock.go_on())
    assert {bureau.words(one) for one in [*early, *late]} == {GOOD}
    active = bureau.key(Role.QR)
    declared = declare_compromised(house, bureau.key(Role.QR, 1), theft)
    assert declared.successor is None
    assert declared.left == ()
    assert bureau.key(Role.QR) == active
    assert ({bureau.words(one) for one in early}, {bureau.words(one) for one in late}) == ({GOOD}, {LOST})
    activate_key(house, Role.QR, ISSUER)


def test_the_moment_of_a_theft_is_not_in_the_future_and_moves_later_only_when_that_is_meant(bureau: Bureau) -> None:
    house, entry = bureau.house, bureau.key(Role.QR)
    with pytest.raises(BadCompromise, match="in the future"):
        check_since(house, entry, bureau.clock.now() + timedelta(seconds=1))
    now = bureau.clock.now()
    declare_compromised(house, entry, now - HOUR)
    assert check_since(house, entry, now - 2 * HOUR) == now - 2 * HOUR
    with pytest.raises(BadCompromise, match="--later"):
        check_since(house, entry, now)
    assert check_since(house, entry, now, later=True) == now
    assert check_since(house, entry, now - HOUR + timedelta(microseconds=5)) == now - HOUR


# ---- stamps -----------------------------------------------------------------------------------------------------


def test_a_stamp_is_made_when_it_is_due_and_something_is_new(bureau: Bureau) -> None:
    house = bureau.house
    first = stamp_checkpoint(house)
    assert first is not None
    assert first.stamped == (bureau.authority.url,)
    bureau.clock.go_on(timedelta(minutes=14))
    bureau.issue()
    assert stamp_checkpoint(house) is None
    bureau.authority.at = bureau.clock.go_on(timedelta(minutes=1))
    again = stamp_checkpoint(house)
    assert again is not None
    assert again.size > first.size
    bureau.clock.go_on(HOUR)
    asked = bureau.authority.asked
    assert stamp_checkpoint(house) is None
    assert bureau.authority.asked == asked


def test_an_authority_that_is_down_is_told_and_keeps_no_other_from_being_asked(bureau: Bureau) -> None:
    house = bureau.house
    with authorities.serve_tsa("tsa-late", at=bureau.clock.now()) as second:
        urls = f"{bureau.authority.url},{second.url}"
        house.settings = house.settings.model_copy(update={"tsa_urls": urls})
        second.is_down = True
        done = stamp_checkpoint(house)
        assert done is not None
        assert done.stamped == (bureau.authority.url,)
        assert set(done.failed) == {second.url}
        second.is_down = False
        done = stamp_checkpoint(house, at_once=True)
        assert done is not None
        assert set(done.stamped) == {bureau.authority.url, second.url}
        assert not done.failed
    folders = list((house.folder.log / "timestamps").iterdir())
    assert [len(list(folder.iterdir())) for folder in folders] == [4]


def test_stamps_are_published_again_when_their_files_are_lost(bureau: Bureau) -> None:
    bureau.stamp()
    folder = bureau.house.folder.log / "timestamps"
    before = {path.name: path.read_bytes() for path in folder.rglob("*.*") if path.is_file()}
    shutil.rmtree(folder)
    assert bureau.house.stamped.publish(None) == len(before)
    assert {path.name: path.read_bytes() for path in folder.rglob("*.*") if path.is_file()} == before


def test_stamps_are_handed_out_and_nothing_else_of_their_folder(bureau: Bureau) -> None:
    bureau.stamp()
    app = FastAPI()
    install(app)
    app.include_router(published_routes(bureau.house.folder, bureau.clock.now))
    client = Client(app)
    for file in (path for path in (bureau.house.folder.log / "timestamps").rglob("*.*") if path.is_file()):
        found = client.get(f"/log/timestamps/{file.parent.name}/{file.name}")
        assert (found.status_code, found.content) == (200, file.read_bytes())
        assert "immutable" in found.headers["cache-control"]
        for name in (
            f"{file.parent.name}/..%2F..%2Fcheckpoint",
            f"1-00000000/{file.name}",
            f"{file.parent.name}/x.tst",
        ):
            assert client.get(f"/log/timestamps/{name}").status_code == 404


def test_openssl_verifies_a_published_stamp(bureau: Bureau) -> None:
    bureau.stamp()
    (token,) = (bureau.house.folder.log / "timestamps").rglob(f"*{STAMP}")
    note = token.with_suffix(NOTE)
    assert note.read_text("utf-8") == bureau.house.log_reader.checkpoint()
    root = bureau.folder / "tsa-root.pem"
    certificate = x509.load_der_x509_certificate(authorities.certificate("tsa-root"))
    root.write_bytes(certificate.public_bytes(Encoding.PEM))
    command = ["openssl", "ts", "-verify", "-token_in", "-in", str(token), "-CAfile", str(root), "-data"]
    good = subprocess.run([*command, str(note)], capture_output=True, text=True, check=False)
    assert "Verification: OK" in good.stdout, good.stderr
    note.write_bytes(note.read_bytes() + b"\n")
    assert subprocess.run([*command, str(note)], capture_output=True, check=False).returncode


def test_a_database_that_lost_its_stamps_says_unknown_and_never_forged(
    bureau: Bureau, monkeypatch: pytest.MonkeyPatch
) -> None:
    early, theft, _ = both_sides(bureau)
    declare_compromised(bureau.house, bureau.key(Role.QR), theft)
    assert bureau.words(early[0]) == GOOD
    monkeypatch.setattr(bureau.house.stamped, "_earliest", lambda *_: [])
    assert bureau.words(early[0]) == LOST


# ---- evidence that is taken along -------------------------------------------------------------------------------


def test_evidence_that_was_taken_along_holds_offline_and_a_late_one_does_not(bureau: Bureau) -> None:
    house, folder = bureau.house, bureau.folder
    early, theft, late = both_sides(bureau)
    files = {}
    for serial in (early[0], late[0]):
        files[serial] = folder / f"{serial}.json"
        files[serial].write_bytes(evidence_of(house, serial, with_claims=True))
    declare_compromised(house, bureau.key(Role.QR), theft)
    declare_compromised(house, bureau.key(Role.PDF), theft)
    declare_compromised(house, bureau.key(Role.LOG), theft)
    assert {bureau.words(one) for one in early} == {GOOD}
    handed_in = read_handed_in(files.values())
    supplied = replace(supplied_of(house), evidence=handed_in.evidence, claims=handed_in.claims)
    without = Verifier(None, house.trust, DirectReader(), supplied_of(house))
    offline = Verifier(None, house.trust, DirectReader(), supplied)
    reasons = {}
    for serial in files:
        document, text = house.documents.fetch_pdf(serial), bureau.qr_text(serial)
        reasons[serial] = {one.reason for one in (offline.verify_file(document, NOW), offline.verify_qr(text, NOW))}
        blind = {one.reason for one in (without.verify_file(document, NOW), without.verify_qr(text, NOW))}
        assert blind == {"key-compromised"}
    assert reasons == {early[0]: {"register-not-asked"}, late[0]: {"key-compromised"}}


def test_the_command_exports_evidence_and_verify_takes_it(issued_data: Path, tmp_path: Path) -> None:
    with open_bureau(issued_data, tmp_path) as bureau:
        serial = bureau.serials(1)[0]
        out = tmp_path / "evidence.json"
        assert run("--data", issued_data, "evidence", serial, "--out", out).error == "not-stamped-yet"
        bureau.stamp()
        document = tmp_path / "certificate.pdf"
        document.write_bytes(bureau.house.documents.fetch_pdf(serial))
    assert run("--data", issued_data, "evidence", serial, "--out", out).code == 0
    assert run("--data", issued_data, "evidence", serial, "--out", out).error == "file-trouble"
    assert run("--data", issued_data, "evidence", "nothing", "--out", tmp_path / "x").error == "unknown-serial"
    assert read_evidence(out.read_bytes()).claims == b""
    trust = issued_data / "public/trust-list.json"
    asked = ("--data", tmp_path / "nowhere", "verify", document, "--json", "--trust", trust)
    ran = run(*asked, "--evidence", out)
    assert ran.code == 2, ran  # nobody can say valid who asked nobody
    assert '"seal-logged"' in ran.out
    assert '"seal-logged"' not in run(*asked).out
    assert run(*asked, "--evidence", document).error == "bad-evidence"
    assert run(*asked, "--evidence", tmp_path / "missing").error == "evidence-unreadable"
    assert run("--data", issued_data, "verify", document, "--evidence", out).error == "trust-needed"


# ---- the command line -------------------------------------------------------------------------------------------


def test_the_command_changes_nothing_before_the_key_is_confirmed(issued_data: Path, tmp_path: Path) -> None:
    data = issued_data
    kid = _kid(data)
    since = datetime.now().astimezone().isoformat()
    lost = tmp_path / "lost.csv"
    asked = ("--data", data, "keys", "compromised", "qr", "--issuer", "nb", "--since", since)
    before = (data / "public/trust-list.json").read_bytes()
    dry = run(*asked, "--dry-run", "--list", lost)
    assert dry.code == 0, dry
    assert "Nothing was changed" in dry.out
    assert f"--confirm {kid[:8]}" in dry.out
    assert "becomes unknown" in dry.out
    rows = list(csv.reader(lost.read_text("utf-8-sig").splitlines()))
    assert len(rows) == 1 + 4  # nothing was ever stamped
    assert run(*asked).code == 0
    assert run(*asked, "--confirm", "00000000").error == "wrong-confirmation"
    assert run(*asked, "--dry-run", "--confirm", kid[:8]).code == 0
    assert (data / "public/trust-list.json").read_bytes() == before
    done = run(*asked, "--confirm", kid[:8])
    assert done.code == 0, done
    assert "the next key is active" in done.out
    assert (data / "public/trust-list.json").read_bytes() != before
    assert _kid(data) != kid


def test_commands_say_the_next_step(issued_data: Path) -> None:
    def keys(*arguments: str) -> str:
        ran = run("--data", issued_data, "keys", *arguments)
        assert ran.code == 0, ran
        return ran.out

    assert "yinzheng keys activate pdf --issuer nb" in keys("roll", "pdf", "--issuer", "nb")
    assert "yinzheng keys retire pdf --issuer nb" in keys("activate", "--role", "pdf", "--issuer", "nb")
    assert "stay good" in keys("retire", "pdf", "--issuer", "nb")


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("roll",), "role-needed"),
        (("roll", "qr"), "role-needed"),
        (("roll", "log", "--issuer", "nb"), "role-needed"),
        (("roll", "trust-root"), "role-not-rolled"),
        (("activate", "log"), None),
        (("compromised", "log", "--since", "yesterday"), "bad-moment"),
        (("compromised", "log", "--since", "2999-01-01"), "bad-compromise-time"),
    ],
)
def test_a_command_that_cannot_be_meant_is_one_sentence(
    arguments: tuple[str, ...], error: str | None, issued_data: Path
) -> None:
    ran = run("--data", issued_data, "keys", *arguments)
    assert (ran.error if ran.code else None) == error


def test_a_stamp_by_hand_says_what_is_missing(issued_data: Path) -> None:
    assert run("--data", issued_data, "log", "stamp").error == "no-timestamp-authority"


def _kid(data: Path) -> str:
    return key_id(KeyStore(data / "keys", None).public_key(Role.QR, ISSUER)).hex()
