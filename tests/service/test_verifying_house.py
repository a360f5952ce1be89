"""A verifier's process: no issuing key, no passphrase, nothing it could write; the same verdicts."""

import shutil
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from credential.claims import decode_claims
from credential.cose import open_message
from credential.errors import UnavailableError
from keys.private_files import OpenToOthers
from registry.credentials import find_by_batch, read_claims
from service.folder import DataFolder, NoDataFolder
from service.house import House, SystemClock
from service.settings import Settings
from service.verifying import VerifyingDesk
from service.verifying_house import NoIssuingKeys, NoVerifierKey, export_verifier_key, open_verifying_house
from tests.service.at_hand import PASSPHRASE, run
from verifier.reasons import Word


def exported(data: Path) -> Settings:
    """Export the verifier's key, then take away all that only the issuing side needs."""
    settings = Settings(data=data)
    export_verifier_key(House(settings, PASSPHRASE.encode("ascii"), SystemClock()))
    folder = DataFolder(data)
    shutil.rmtree(folder.keys)
    shutil.rmtree(folder.blobs)
    return settings


def test_without_any_issuing_key_every_path_verifies(issued_data: Path, certificates: list[Path]) -> None:
    issuing = House(Settings(data=issued_data), PASSPHRASE.encode("ascii"), SystemClock())
    with issuing.database.reading() as session:
        claims = [
            decode_claims(open_message(read_claims(session, issuing.vault, one)).payload)
            for one in find_by_batch(session, 1)
        ]
    house = open_verifying_house(exported(issued_data))
    with VerifyingDesk(house) as desk:
        for certificate in certificates:
            assert desk.verify_file(certificate.read_bytes()).verdict is Word.VALID
        for one in claims:
            assert desk.verify_code(one.verification_code).verdict is Word.VALID
            assert desk.verify_serial(one.serial, one.holder.name).verdict is Word.VALID
            assert desk.verify_serial(one.serial, "某某").verdict is not Word.VALID
    house.database.close()
    assert not DataFolder(issued_data).keys.exists()  # nothing made it again


def test_what_needs_an_issuing_key_is_refused(issued_data: Path) -> None:
    house = open_verifying_house(exported(issued_data))
    for part in ("store", "log", "status_lists"):
        with pytest.raises(NoIssuingKeys, match="issuing side"):
            getattr(house, part)
    house.database.close()


@pytest.mark.parametrize(
    "statement",
    ["UPDATE credential SET state = '01'", "DELETE FROM claim_code", "INSERT INTO log_leaf (leaf) VALUES (X'00')"],
)
def test_a_write_fails_in_the_database(issued_data: Path, statement: str) -> None:
    house = open_verifying_house(exported(issued_data))
    with pytest.raises((DBAPIError, UnavailableError)), house.database.transaction() as session:
        session.execute(text(statement))
    house.database.close()


def test_the_key_file_is_private_and_must_stay_so(issued_data: Path) -> None:
    settings = exported(issued_data)
    key = issued_data / "verifier.key"
    assert key.stat().st_mode & 0o777 == 0o600
    key.chmod(0o644)
    with pytest.raises(OpenToOthers):
        open_verifying_house(settings)


def test_without_a_key_file_the_cure_is_told(issued_data: Path, tmp_path: Path) -> None:
    with pytest.raises(NoVerifierKey, match="export-verifier"):
        open_verifying_house(Settings(data=issued_data))
    with pytest.raises(NoDataFolder):
        open_verifying_house(Settings(data=tmp_path / "nothing"))


def test_the_command_writes_the_file_where_it_is_told(issued_data: Path, tmp_path: Path) -> None:
    target = tmp_path / "other" / "v.key"
    target.parent.mkdir()
    told = run("--data", issued_data, "keys", "export-verifier", "--to", target)
    assert told.code == 0, told
    assert str(target) in told.out
    opened = open_verifying_house(Settings(data=issued_data, verifier_key=target))
    opened.database.close()
    master = House(Settings(data=issued_data), PASSPHRASE.encode("ascii"), SystemClock()).store.master_key()
    assert master.hex() not in target.read_text()


def test_verifying_writes_no_file(issued_data: Path, certificates: list[Path]) -> None:
    house = open_verifying_house(exported(issued_data))

    def everything() -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in issued_data.rglob("*") if path.is_file() and not is_of_sqlite(path)}

    before = everything()
    with VerifyingDesk(house) as desk:
        assert desk.verify_file(certificates[0].read_bytes()).verdict is Word.VALID
    house.database.close()
    assert everything() == before


def is_of_sqlite(path: Path) -> bool:
    """SQLite's own two files beside a database, which readers share too."""
    return path.name.endswith(("-shm", "-wal"))
