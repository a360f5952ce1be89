"""Revoking: which issuer, which ban, which two persons; and what is refused."""

import json
from datetime import date, timedelta
from pathlib import Path

import pytest

from credential.model import Ban, RevocationReason, State
from registry.batches import list_batches
from registry.credentials import FoundCredential, UnknownSerial, find_by_batch
from service.changes import Action, IncompleteBan, SeveralIssuers, revoke_credential
from service.house import House, SystemClock
from service.proposals import propose, view
from service.settings import Settings
from tests.service.at_hand import PASSPHRASE, person_row, run, write_sheet

BY = ("--as", "wang", "--approve-as", "li")
WHY = ("--reason", "fraud", "--decision", "示人社函[2026]9号")
BAN = {"--ban-from": "2027-01-01", "--ban-until": "2029-12-31", "--ban-basis": "示人社发[2020]1号"}


def house_of(data: Path) -> House:
    return House(Settings(data=data), PASSPHRASE.encode(), SystemClock())


@pytest.mark.parametrize("left_out", [["--ban-from"], ["--ban-until"], ["--ban-basis"], ["--ban-from", "--ban-basis"]])
def test_a_part_of_a_ban_is_refused(left_out: list[str], issued: Path, certificates: list[Path]) -> None:
    options = [word for name, value in BAN.items() if name not in left_out for word in (name, value)]
    ran = run("--data", issued, "revoke", certificates[0].stem, *WHY, *BY, *options)

    assert (ran.code, ran.error) == (1, "incomplete-ban")


def test_a_ban_that_ends_before_it_begins_is_refused(issued: Path, certificates: list[Path]) -> None:
    with pytest.raises(IncompleteBan):
        revoke_credential(
            house_of(issued),
            certificates[0].stem,
            issuer=None,
            reason=RevocationReason.FRAUD,
            decision="1号",
            maker="wang",
            checker="li",
            ban_from=date(2027, 1, 2),
            ban_until=date(2027, 1, 1),
            ban_basis="1号",
        )


@pytest.mark.parametrize(
    ("options", "error"),
    [
        (["--as", "wang", "--approve-as", "wang"], "same-person"),
        (["--as", "wang", "--approve-as", "nobody"], "unknown-person"),
        ([*BY, "--effective", "tomorrow"], "bad-day"),
        ([*BY, "--effective", (date.today() + timedelta(days=3)).isoformat()], "effective-in-future"),  # noqa: DTZ011 - three days are more than any time zone
        ([*BY, "--decision", ""], "bad-decision"),
        ([*BY, "--issuer", "nobody"], "unknown-issuer"),
    ],
)
def test_what_the_law_does_not_allow_is_refused(
    options: list[str], error: str, issued: Path, certificates: list[Path]
) -> None:
    ran = run("--data", issued, "revoke", certificates[0].stem, *WHY, *options)

    assert (ran.code, ran.error) == (1, error)
    assert run("--data", issued, "verify", certificates[0]).code == 0


def test_an_unknown_serial_is_told(issued: Path) -> None:
    ran = run("--data", issued, "revoke", "330200202600000000", *WHY, *BY)

    assert (ran.code, ran.error) == (1, "unknown-serial")
    with pytest.raises(UnknownSerial):
        revoke_credential(
            house_of(issued),
            "1",
            issuer=None,
            reason=RevocationReason.FRAUD,
            decision="1号",
            maker="wang",
            checker="li",
        )


def test_a_ban_of_ones_own_is_kept_and_brackets_are_shown(issued_data: Path, certificates: list[Path]) -> None:
    options = [word for pair in BAN.items() for word in pair]
    ran = run("--data", issued_data, "revoke", certificates[0].stem, *WHY, *BY, *options)

    assert ran.code == 0, ran.err
    assert WHY[3] in ran.out
    assert f"2027-01-01 — 2029-12-31 (高一级; {BAN['--ban-basis']})" in ran.out
    verdict = run("--data", issued_data, "verify", certificates[0], "--json")
    assert (verdict.code, json.loads(verdict.out)["verdict"]) == (1, "revoked")


def test_what_was_done_is_given_back(issued_data: Path, certificates: list[Path]) -> None:
    house = house_of(issued_data)
    done = revoke_credential(
        house,
        certificates[0].stem,
        issuer=None,
        reason=RevocationReason.FRAUD,
        decision="9号",
        maker="wang",
        checker="li",
        ban_from=date(2027, 1, 1),
        ban_until=date(2027, 12, 31),
        ban_basis="1号",
    )

    assert (done.serial, done.state, done.effective_on) == (certificates[0].stem, State.REVOKED, house.today())
    assert done.ban == Ban(date(2027, 1, 1), date(2027, 12, 31), "高一级", "1号")


def test_a_serial_that_two_issuers_use_needs_the_issuer(issued_data: Path, tmp_path: Path) -> None:
    """Two bodies of one division count alike, so their first serials are the same."""
    other = (
        "--name",
        "示例市职改办",
        "--uscc",
        "11649900MB0T000236",
        "--division",
        "330200",
        "--sample",
        "--pdf-key",
        "p-256",
    )
    assert run("--data", issued_data, "issuer", "add", "zgb", *other).code == 0
    for person in ("sun", "zhou"):
        assert run("--data", issued_data, "person", "add", person, "--name", person, "--issuer", "zgb").code == 0
    sheet = write_sheet(tmp_path / "sheet.csv", [person_row(7)])
    done = run("--data", issued_data, "issue", sheet, "--issuer", "zgb", "--as", "sun", "--approve-as", "zhou")
    assert done.code == 0, done
    (serial,) = [one.serial for one in _credentials(issued_data, "zgb")]
    assert serial in {one.serial for one in _credentials(issued_data, "nb")}

    ran = run("--data", issued_data, "revoke", serial, *WHY, "--as", "sun", "--approve-as", "zhou")
    assert (ran.code, ran.error) == (1, "several-issuers")
    with pytest.raises(SeveralIssuers):
        revoke_credential(
            house_of(issued_data),
            serial,
            issuer=None,
            reason=RevocationReason.FRAUD,
            decision="1号",
            maker="sun",
            checker="zhou",
        )
    named = run("--data", issued_data, "revoke", serial, *WHY, "--as", "sun", "--approve-as", "zhou", "--issuer", "zgb")
    assert named.code == 0, named.err
    states = {
        one.issuer_id: one.state
        for owner in ("nb", "zgb")
        for one in _credentials(issued_data, owner)
        if one.serial == serial
    }
    assert states == {"nb": State.VALID, "zgb": State.REVOKED}


def _credentials(data: Path, issuer: str) -> list[FoundCredential]:
    with house_of(data).database.reading() as session:
        found = [one for batch in list_batches(session) for one in find_by_batch(session, batch.id)]
    return [one for one in found if one.issuer_id == issuer]


def test_a_proposal_is_taken_back_by_the_one_who_made_it_and_by_nobody_else(issued_data: Path) -> None:
    house = house_of(issued_data)
    with house.database.reading() as session:
        serial = find_by_batch(session, 1)[0].serial
    made = propose(house, serial, Action.REVOKE, issuer="nb", reason="fraud", decision="1号", maker="wang")
    command = ("--data", issued_data, "change", "withdraw", str(made.id), "--issuer", "nb", "--as")

    assert run(*command, "li").error == "not-your-proposal"
    assert run(*command, "wang").code == 0
    assert view(house, made.id, issuer="nb").outcome == "withdrawn"
    assert run(*command, "wang").error == "proposal-decided"
    house.database.close()
