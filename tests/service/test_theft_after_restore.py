"""A break-in, then a restore, and only then it is noticed that a key was stolen: the usual order."""

import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from credential.trust import Role
from service.compromise import declare_compromised, weigh
from service.evidence import evidence_of, read_handed_in
from service.house import House
from service.recovering import plan_recovery, recover
from tests.service.rolling import Bureau, open_bureau, supplied_of
from tests.verifier.world import DirectReader
from verifier.reasons import Word
from verifier.verify import Verifier

GOOD, LOST = (Word.VALID, Word.VALID), (Word.UNKNOWN, Word.UNKNOWN)
HOUR = timedelta(hours=1)


def copy_database(source: Path, target: Path) -> None:
    with closing(sqlite3.connect(source)) as database, closing(sqlite3.connect(target)) as copy:
        database.backup(copy)


def lose_the_newest_and_recover(bureau: Bureau, older: Path) -> None:
    """Put an older database in place, and go on as `yinzheng recover --do` does."""
    house = bureau.house
    house.database.close()
    for path in house.folder.root.glob("registry.sqlite*"):
        path.unlink()
    shutil.copy(older, house.folder.database)
    reopen(bureau)
    recover(bureau.house, plan_recovery(bureau.house))
    reopen(bureau)


def reopen(bureau: Bureau) -> None:
    house = bureau.house
    house.database.close()
    bureau.house = House(house.settings, house.passphrase, house.clock, house.reader)


def offline_word(bureau: Bureau, serial: str, evidence: bytes, file: Path) -> str:
    file.write_bytes(evidence)
    house, handed = bureau.house, read_handed_in([file])
    supplied = replace(supplied_of(house), evidence=handed.evidence, claims=handed.claims)
    verifier = Verifier(None, house.trust, DirectReader(), supplied)
    return verifier.verify_file(house.documents.fetch_pdf(serial), house.now()).reason


@pytest.mark.parametrize("role", [Role.QR, Role.PDF])
def test_what_was_stamped_before_theft_and_restore_stays_good_online_and_by_evidence(
    issued_data: Path, tmp_path: Path, role: Role
) -> None:
    with open_bureau(issued_data, tmp_path) as bureau:
        early = bureau.serials(1)
        bureau.stamp()
        last_stamp = bureau.clock.now()
        before = evidence_of(bureau.house, early[0])
        theft = bureau.clock.go_on(HOUR)
        bureau.clock.go_on(HOUR)
        copy_database(bureau.house.folder.database, tmp_path / "older.sqlite")
        late = bureau.issue(2)
        bureau.stamp()
        bureau.clock.go_on(HOUR)
        lose_the_newest_and_recover(bureau, tmp_path / "older.sqlite")
        bureau.stamp()
        bureau.clock.go_on(HOUR)
        assert {bureau.words(one) for one in [*early, *late]} == {GOOD}
        expect_weighed(bureau, role, theft, last_stamp, (len(early), len(late)))
        declare_compromised(bureau.house, bureau.key(role), theft)
        assert {bureau.words(one) for one in early} == {GOOD}
        assert {bureau.words(one)[0] for one in late} == {Word.UNKNOWN}
        after = evidence_of(bureau.house, early[0])
        for evidence in (before, after):
            assert offline_word(bureau, early[0], evidence, tmp_path / "evidence") == "register-not-asked"


def expect_weighed(bureau: Bureau, role: Role, theft: datetime, last_stamp: datetime, files: tuple[int, int]) -> None:
    toll = weigh(bureau.house, bureau.key(role), theft)
    assert (toll.last_stamp, toll.files) == (last_stamp, files)
