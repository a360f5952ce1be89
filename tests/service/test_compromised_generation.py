"""Which of several keys, one after the other, is declared stolen: never the newest in silence."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from credential.trust import Role
from service.compromise import BadCompromise, check_generation, other_generations, weigh
from service.rotation import activate_key, roll_key
from tests.service.at_hand import run
from tests.service.rolling import ISSUER, Bureau, open_bureau

HOUR = timedelta(hours=1)


@pytest.fixture
def bureau(issued_data: Path, tmp_path: Path) -> Iterator[Bureau]:
    with open_bureau(issued_data, tmp_path) as opened:
        yield opened


def test_a_theft_from_before_the_key_was_made_names_the_generation_that_signed_then(bureau: Bureau) -> None:
    house = bureau.house
    begun = bureau.key(Role.QR)
    moments = []
    for _ in range(2):
        moments.append(bureau.clock.go_on(HOUR))
        bureau.clock.go_on(HOUR)
        roll_key(house, Role.QR, ISSUER)
        activate_key(house, Role.QR, ISSUER)
    newest = bureau.key(Role.QR)
    assert newest.generation == 3
    for generation, moment in ((1, moments[0]), (2, moments[1]), (1, begun.created_at - 24 * HOUR)):
        with pytest.raises(BadCompromise) as refused:
            check_generation(house, newest, moment)
        assert f"--generation {generation}" in refused.value.en
        assert f"请加 --generation {generation}" in refused.value.zh
        assert "qr.nb@3" in refused.value.zh
    check_generation(house, newest, newest.created_at)
    assert [one.generation for one in other_generations(house, newest)] == [1, 2]
    assert weigh(house, newest, moments[0]).codes == (0, 0)  # what nobody may read as "nothing is lost"
    assert weigh(house, begun, moments[0]).codes[1] > 0


def test_the_only_key_may_be_stolen_before_its_making(bureau: Bureau) -> None:
    entry = bureau.key(Role.QR)
    check_generation(bureau.house, entry, entry.created_at - HOUR)


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_the_command_refuses_the_newest_and_lists_the_others_with_their_counts(lang: str, issued_data: Path) -> None:
    environ = {"YINZHENG_LANG": lang}
    for verb in ("roll", "activate"):
        assert run("--data", issued_data, "keys", verb, "qr", "--issuer", "nb").code == 0
    since = (datetime.now(UTC) - HOUR).isoformat(timespec="seconds")
    asked = ("--data", issued_data, "keys", "compromised", "qr", "--issuer", "nb", "--since", since)
    refused = run(*asked, environ=environ)
    assert refused.error == "bad-compromise-time"
    assert "--generation 1" in refused.err
    first = run(*asked, "--generation", "1", environ=environ)
    assert first.code == 0, first
    assert f"--since {since} --generation 1 --confirm" in first.out
    assert "qr.nb@2" in first.out
    second = run(*asked, "--generation", "2", environ=environ)
    assert second.code == 0, second
    (line,) = [line for line in second.out.splitlines() if "qr.nb " in line]
    assert line.count(" 0 / 4 ") == 2, line


def test_a_key_that_was_never_rolled_has_no_others_to_list(issued_data: Path) -> None:
    since = datetime.now(UTC).isoformat(timespec="seconds")
    shown = run("--data", issued_data, "keys", "compromised", "qr", "--issuer", "nb", "--since", since)
    assert shown.code == 0, shown
    assert "other generations" not in shown.out
