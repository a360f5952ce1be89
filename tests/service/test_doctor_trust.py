"""What the doctor says of trust: where the roots are, which list waits, whether time stamps are taken."""

from datetime import timedelta
from pathlib import Path

import pytest

from credential.ports import Algorithm
from credential.trust import Role
from keys.file_signer import generate_key
from registry.log.timestamps import Stamp
from service.doctor import Finding, examine_house
from service.house import House, SystemClock
from service.roots import set_roots
from service.settings import Settings
from tests.service.at_hand import PASSPHRASE
from tests.service.test_doctor import at


@pytest.fixture(autouse=True)
def _passphrase(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("YINZHENG_PASSPHRASE", PASSPHRASE)


def test_stamps_that_are_missing_or_old_are_told(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def found(urls: str = "") -> Finding:
        (one,) = (one for one in examine_house(Settings(data=data, tsa_urls=urls)) if one.name[1] == "time stamps")
        return one

    assert found().level == "warn"
    assert "YINZHENG_TSA_URLS" in str(found().cure)
    assert "none" in found("http://127.0.0.1:9/").found[1]
    house = House(Settings(data=data), PASSPHRASE.encode(), SystemClock())
    note = house.log_reader.checkpoint()
    now = house.now()
    house.stamped.keep(Stamp(note, "http://127.0.0.1:9/", b"a token", now, now))
    assert found("http://127.0.0.1:9/").level == "ok"
    at(timedelta(days=2), monkeypatch)
    assert found("http://127.0.0.1:9/").level == "warn"
    assert "log stamp" in str(found("http://127.0.0.1:9/").cure)


def test_a_root_key_beside_the_service_and_a_draft_that_waits_are_told(data: Path) -> None:
    house = House(Settings(data=data), PASSPHRASE.encode(), SystemClock())
    root = house.store.entry(Role.TRUST_ROOT)
    drafted = set_roots(house, [root.public_key, generate_key(Algorithm.ED25519).public_key], 2)
    found = {one.name[1]: one for one in examine_house(Settings(data=data)) if one.level == "warn"}

    assert drafted.draft is not None
    assert drafted.draft.name in found["trust list that waits"].found[1]
    assert "trust sign" in str(found["trust list that waits"].cure)
    assert "yinzheng trust roots" in str(found["trust roots"].cure)
