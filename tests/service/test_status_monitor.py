"""A monitor with nothing but the public files finds what an issuer does to its lists behind everybody's back."""

import json
import os
import shutil
import zlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from sqlalchemy import text

from credential.leaves import StatusChange, status_leaf, status_list_leaf
from credential.model import State, StatusValue
from credential.trust import Role
from registry.log.files import replace_durably
from registry.log.monitor import LogForkFound, LogShrank
from registry.log.outbox import put_leaves
from registry.log.tiles import LogDamaged
from registry.status.slots import Slot
from registry.status.token_list import (
    BITS,
    StatusList,
    open_past_token,
    pack_statuses,
    sign_cwt,
    sign_jwt,
)
from registry.status.watched import BadStatusMonitorState
from service.folder import DataFolder
from service.house import House
from service.keeping import refresh_status_lists
from service.pinned import pin_roots, pinned_roots
from service.settings import Settings
from service.status_monitor import Looked, NoListServed, NothingPinned, watch_status
from tests.service.at_hand import PASSPHRASE, run

MINUTE = timedelta(minutes=1)


class Issuer:
    """An issuer with all its keys, whose clock is set by hand, and a monitor outside."""

    def __init__(self, data: Path, outside: Path) -> None:
        self.moment = datetime.now(UTC).replace(microsecond=0)
        self.house = House(Settings(data=data), PASSPHRASE.encode(), self)
        self.state = outside / "state"
        self.pins = DataFolder(outside / "pins")
        self.pins.root.mkdir(parents=True)
        pin_roots(self.pins, *pinned_roots(self.house.folder))
        with self.house.database.reading() as session:
            rows = session.execute(text("SELECT status_list, status_index FROM credential ORDER BY id")).all()
        self.slots = [Slot(*row) for row in rows]

    def now(self) -> datetime:
        return self.moment

    def wait(self, minutes: float) -> None:
        self.moment += minutes * MINUTE

    def change(self, slot: Slot, value: StatusValue, *, leaf: bool = True) -> None:
        """Change a slot and publish, through the program's own encoder, with or without its leaf of kind status."""
        current = self.current()
        values = {at: current.value(at) for at in range(1 << 20) if current.data[at * BITS // 8] and current.value(at)}
        self.publish(values | {slot.index: int(value)})
        if leaf:
            self.note()

    def current(self) -> StatusList:
        return open_past_token(self.house.status_lists.token(1), self.house.store.public_key(Role.STATUS))

    def publish(self, values: dict[int, int], *, logged: bool = True, **changed: object) -> None:
        made = replace(
            self.current(), iat=self.moment, exp=self.moment + timedelta(days=1), data=pack_statuses(values.items())
        )
        made = replace(made, **changed)  # type: ignore[arg-type] # names of its fields
        if logged:
            self.log(status_list_leaf(made.sub, made.iat, made.digest))
        signer = self.house.store.signer(Role.STATUS)
        folder = self.house.folder.status
        replace_durably({folder / "1.cwt": sign_cwt(made, signer), folder / "1.jwt": sign_jwt(made, signer)})

    def note(self) -> None:
        """Log one leaf of kind status; its content is under a salt."""
        change = StatusChange(
            list_uri="https://x.example/status/1",
            index=1,
            state=State.REVOKED,
            value=StatusValue.INVALID,
            effective_on=self.moment.date(),
            recorded_at=self.moment,
        )
        self.log(status_leaf(change, os.urandom(16)))

    def log(self, leaf: bytes) -> None:
        with self.house.database.transaction() as session:
            put_leaves(session, [leaf])
        self.house.log.sequence(self.moment)

    def look(self) -> Looked:
        return watch_status(str(self.house.folder.root / "public"), self.state, self.pins, self.moment)

    def codes(self) -> set[str]:
        return {one.code for one in self.look().alarms}


@pytest.fixture
def issuer(issued: Path, tmp_path: Path) -> Issuer:
    data = Path(shutil.copytree(issued, tmp_path / "data", symlinks=True))
    return Issuer(data, tmp_path)


def test_an_honest_issuer_raises_no_alarm_whatever_it_does(issuer: Issuer) -> None:
    first = issuer.look()
    assert (first.alarms, first.lists, first.changes) == ((), 1, 0)
    for value in (StatusValue.SUSPENDED, StatusValue.VALID, StatusValue.SUPERSEDED, StatusValue.INVALID):
        issuer.wait(3)
        issuer.change(issuer.slots[0], value)
        found = issuer.look()
        assert (found.alarms, found.changes) == ((), 1)


def test_what_the_program_itself_does_raises_no_alarm(issuer: Issuer, certificates: list[Path]) -> None:
    """Two persons revoke by command, a timer publishes, and everything is in the log."""
    data = issuer.house.folder.root
    issuer.look()
    why = ("--reason", "fraud", "--decision", "示人社函〔2026〕9号", "--as", "wang", "--approve-as", "li")
    assert run("--data", data, "revoke", certificates[0].stem, *why).code == 0
    issuer.moment = datetime.now(UTC)
    assert (issuer.look().alarms, issuer.look().changes) == ((), 0)
    issuer.wait(11)
    assert refresh_status_lists(issuer.house) == [1]
    assert issuer.codes() == set()
    assert 1 in {issuer.current().value(slot.index) for slot in issuer.slots}


def test_a_revocation_that_is_taken_back_is_found_and_never_forgotten(issuer: Issuer) -> None:
    """By an insider with every key, who logs everything as it should be."""
    slot = issuer.slots[0]
    issuer.change(slot, StatusValue.INVALID)
    assert issuer.codes() == set()
    for _ in range(3):
        issuer.wait(3)
        issuer.change(slot, StatusValue.VALID)
        (alarm,) = issuer.look().alarms
        assert (alarm.code, alarm.list_number, alarm.slots) == ("taken-back", 1, (slot.index,))
    issuer.wait(3)
    issuer.change(slot, StatusValue.INVALID)
    assert issuer.codes() == set(), "as it should be again"
    proof = sorted((issuer.state / "evidence").glob("*"))
    assert len(proof) == 1, "the same alarm is kept once"
    key = issuer.house.store.public_key(Role.STATUS)
    before = open_past_token((proof[0] / "1.before.cwt").read_bytes(), key)
    after = open_past_token((proof[0] / "1.cwt").read_bytes(), key)
    assert (before.value(slot.index), after.value(slot.index)) == (StatusValue.INVALID, StatusValue.VALID)


@pytest.mark.parametrize("to", [StatusValue.VALID, StatusValue.SUSPENDED])
def test_what_was_superseded_is_not_valid_again(to: StatusValue, issuer: Issuer) -> None:
    issuer.change(issuer.slots[1], StatusValue.SUPERSEDED)
    assert issuer.codes() == set()
    issuer.wait(3)
    issuer.change(issuer.slots[1], to)
    assert issuer.codes() == {"taken-back"}


def test_a_change_without_an_entry_in_the_log_is_found(issuer: Issuer) -> None:
    issuer.look()
    issuer.wait(3)
    issuer.change(issuer.slots[2], StatusValue.SUSPENDED, leaf=False)
    assert issuer.codes() == {"unexplained"}
    issuer.note()
    assert issuer.codes() == set()


def test_a_list_that_is_not_in_the_log_is_found_even_if_it_was_served_for_minutes_only(issuer: Issuer) -> None:
    issuer.look()
    issuer.wait(3)
    issuer.publish({}, logged=False)
    hidden = issuer.current()
    assert issuer.codes() == set(), "the log may be a minute behind"
    issuer.wait(3)
    issuer.publish({})  # and a good one again
    assert issuer.codes() == set()
    issuer.wait(8)
    assert issuer.codes() == {"not-logged"}
    issuer.log(status_list_leaf(hidden.sub, hidden.iat, hidden.digest))
    assert issuer.codes() == set()


@pytest.mark.parametrize(("minutes", "code"), [(26, "not-refreshed"), (24 * 60, "expired")])
def test_a_list_that_is_not_refreshed_is_found(minutes: int, code: str, issuer: Issuer) -> None:
    issuer.publish({})
    issuer.look()
    issuer.wait(minutes)
    assert issuer.codes() == {code}


def test_an_older_list_is_found(issuer: Issuer) -> None:
    folder = issuer.house.folder.status
    issuer.publish({})
    old = {path: path.read_bytes() for path in sorted(folder.glob("1.*"))}
    issuer.wait(3)
    issuer.change(issuer.slots[0], StatusValue.INVALID)
    issuer.look()
    replace_durably(old)
    assert issuer.codes() == {"rolled-back"}
    assert issuer.codes() == {"rolled-back"}, "and again while it is served"


def test_two_lists_of_one_moment_are_found(issuer: Issuer) -> None:
    issuer.publish({})
    issuer.look()
    issuer.publish({issuer.slots[0].index: 1})
    issuer.note()
    assert issuer.codes() == {"two-lists"}


def test_forms_that_differ_are_found(issuer: Issuer) -> None:
    issuer.publish({})
    cwt = (issuer.house.folder.status / "1.cwt").read_bytes()
    issuer.publish({issuer.slots[0].index: 1})
    issuer.note()
    (issuer.house.folder.status / "1.cwt").write_bytes(cwt)
    assert "forms-differ" in issuer.codes()


def test_the_jwt_alone_cannot_take_back_a_revocation(issuer: Issuer) -> None:
    """Its issue time one second off, so that it is no copy of the CWT, and whether the log knows of it or not."""
    slot = issuer.slots[0]
    issuer.change(slot, StatusValue.INVALID)
    assert issuer.codes() == set()
    issuer.wait(3)
    issuer.publish({slot.index: 1})
    good = (issuer.house.folder.status / "1.cwt").read_bytes()
    issuer.publish({}, iat=issuer.moment - timedelta(seconds=1))
    (issuer.house.folder.status / "1.cwt").write_bytes(good)
    assert issuer.codes() == {"taken-back"}


def test_each_form_alone_is_late_rolled_back_and_looked_for_in_the_log(issuer: Issuer) -> None:
    folder = issuer.house.folder.status
    issuer.publish({})
    old = (folder / "1.jwt").read_bytes()
    assert issuer.codes() == set()
    issuer.wait(3)
    issuer.publish({}, logged=False, iat=issuer.moment - timedelta(seconds=1))
    hidden = (folder / "1.jwt").read_bytes()
    issuer.publish({})
    (folder / "1.jwt").write_bytes(hidden)
    assert issuer.codes() == set(), "the log may be a minute behind"
    (folder / "1.jwt").write_bytes(old)
    assert issuer.codes() == {"rolled-back"}
    (folder / "1.jwt").write_bytes(hidden)
    issuer.wait(11)
    assert issuer.codes() == {"not-logged"}
    issuer.wait(14)
    issuer.publish({})
    (folder / "1.jwt").write_bytes(hidden)
    assert issuer.codes() == {"not-logged", "not-refreshed"}


def test_a_cache_that_keeps_one_form_a_while_raises_no_alarm(issuer: Issuer) -> None:
    issuer.publish({})
    jwt = (issuer.house.folder.status / "1.jwt").read_bytes()
    assert issuer.codes() == set()
    issuer.wait(3)
    issuer.change(issuer.slots[0], StatusValue.INVALID)
    (issuer.house.folder.status / "1.jwt").write_bytes(jwt)
    assert issuer.codes() == set()
    issuer.wait(1)
    assert issuer.codes() == set()


def test_a_list_that_is_gone_or_signed_by_somebody_else_is_found(issuer: Issuer) -> None:
    folder = issuer.house.folder.status
    issuer.look()
    whole = {path: path.read_bytes() for path in folder.glob("1.*")}
    (folder / "1.cwt").unlink()
    assert issuer.codes() == {"missing"}
    (folder / "1.jwt").unlink()
    assert issuer.codes() == {"missing"}
    damaged = bytearray(whole[folder / "1.cwt"])
    damaged[-1] ^= 1
    replace_durably(whole | {folder / "1.cwt": bytes(damaged)})
    assert issuer.codes() == {"bad-token"}


def test_a_list_under_another_name_or_of_another_size_is_found(issuer: Issuer) -> None:
    issuer.look()
    name = issuer.current().sub
    issuer.wait(3)
    issuer.publish({}, sub="https://elsewhere.example/status/1")
    assert issuer.codes() == {"renamed"}
    issuer.publish({}, sub=name, data=bytes(1 << 10))
    assert issuer.codes() == {"another-size"}


def test_a_log_that_was_rewritten_is_found(issuer: Issuer) -> None:
    issuer.look()
    log = issuer.house.folder.log
    older = Path(shutil.copytree(log, issuer.state.parent / "older"))
    issuer.wait(3)
    issuer.publish({})
    issuer.look()
    shutil.rmtree(log)
    shutil.copytree(older, log)
    with pytest.raises(LogShrank):
        issuer.look()
    shutil.rmtree(log)
    shutil.copytree(older, log)
    for entries in [one for one in (log / "tile" / "entries").rglob("*") if one.is_file()]:
        entries.write_bytes(entries.read_bytes()[:-1] + b"\0")
    shutil.rmtree(issuer.state)
    with pytest.raises((LogDamaged, LogForkFound)):
        issuer.look()


def test_what_the_monitor_keeps_is_read_back_or_refused(issuer: Issuer) -> None:
    issuer.change(issuer.slots[0], StatusValue.INVALID)
    issuer.look()
    (bits,) = issuer.state.glob("*.bits")
    good = bits.read_bytes()
    for damage in (b"", b"x", zlib.compress(b"short"), good[:-1]):
        bits.write_bytes(damage)
        with pytest.raises(BadStatusMonitorState):
            issuer.look()
    bits.unlink()
    with pytest.raises(BadStatusMonitorState):
        issuer.look()
    bits.write_bytes(good)
    assert issuer.codes() == set()
    for told in ("", "{}", '{"format": "other"}'):
        (issuer.state / "status.json").write_text(told)
        with pytest.raises(BadStatusMonitorState):
            issuer.look()


def test_without_pins_or_lists_there_is_nothing_to_say(issuer: Issuer, tmp_path: Path) -> None:
    place = str(issuer.house.folder.root / "public")
    with pytest.raises(NothingPinned):
        watch_status(place, issuer.state, DataFolder(tmp_path / "none"), issuer.moment)
    with pytest.raises(NoListServed):
        watch_status(str(tmp_path), issuer.state, issuer.pins, issuer.moment)
    shutil.rmtree(issuer.house.folder.status)
    with pytest.raises(NoListServed):
        issuer.look()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def address(issuer: Issuer) -> Iterator[str]:
    """The public folder, served by a web server that knows nothing of us."""
    handler = partial(_Quiet, directory=str(issuer.house.folder.root / "public"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def test_over_the_net_by_command_as_a_timer_would(issuer: Issuer, address: str) -> None:
    refresh_status_lists(issuer.house)
    arguments = ("--data", issuer.pins.root, "status", "monitor", address, "--state", issuer.state)
    good = run(*arguments)
    assert good.code == 0, good.err
    assert "1 status lists, 0 slots changed" in good.out
    issuer.publish({issuer.slots[0].index: 1}, logged=False)
    (issuer.house.folder.status / "1.jwt").unlink()
    bad = run(*arguments, "--json")
    assert bad.code == 1
    told = json.loads(bad.out)
    assert {one["code"] for one in told["alarms"]} == {"missing"}
    assert Path(told["evidence"]).is_dir()
    assert "missing" in run(*arguments).out
