"""The runner issues what was approved, rests when it must, and goes on by itself."""

import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from threading import Event

import pytest

from press.strict_table import BadTemplate
from press.template import Template
from registry.issuers import Issuer
from registry.status.token_list import TTL
from service import archiving, batches
from service import runner as runner_module
from service.app import Application
from service.batches import BatchView
from service.house import House, open_house
from service.runner import Runner
from service.settings import Settings
from tests.asgi_client import Client
from tests.service.at_hand import PASSPHRASE, person_row, write_sheet

PATIENCE = 60.0  # seconds until a busy machine has issued a few certificates


@pytest.fixture
def house(data: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    monkeypatch.setenv("YINZHENG_PASSPHRASE", PASSPHRASE)
    return open_house(Settings(data=data))


@pytest.fixture
def runner(house: House) -> Iterator[Runner]:
    made = Runner(house)
    yield made
    made.stop()


def submitted(house: House, folder: Path, first: int = 0, rows: int = 3) -> BatchView:
    sheet = write_sheet(folder / f"sheet-{first}.csv", [person_row(first + number) for number in range(rows)])
    report = batches.check(house, sheet, photos=None, issuer="nb", template="professional-title")
    return batches.submit(house, report, issuer="nb", template="professional-title", maker="wang")


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.05)


def test_an_approved_batch_is_issued_once_the_runner_is_woken(house: House, runner: Runner, tmp_path: Path) -> None:
    runner.start()
    batch = submitted(house, tmp_path)
    batches.approve(house, batch.id, checker="li")
    runner.wake(batch.id)
    until(lambda: batches.view(house, batch.id).is_finished)

    assert batches.view(house, batch.id).issued == 3
    assert runner.trouble(batch.id) is None


def test_a_batch_that_waits_for_its_approval_is_not_touched(house: House, runner: Runner, tmp_path: Path) -> None:
    waiting, approved = submitted(house, tmp_path), submitted(house, tmp_path, first=10)
    batches.approve(house, approved.id, checker="li")
    runner.start()
    until(lambda: batches.view(house, approved.id).is_finished)

    assert batches.view(house, waiting.id).issued == 0
    assert batches.view(house, waiting.id).state == "submitted"


def test_what_a_stopped_service_left_goes_on_at_the_next_start(house: House, tmp_path: Path) -> None:
    batch = submitted(house, tmp_path)
    batches.approve(house, batch.id, checker="li")
    first = Runner(house)
    first.stop()  # before it did anything
    assert batches.view(house, batch.id).issued == 0

    second = Runner(house)
    second.start()
    until(lambda: batches.view(house, batch.id).is_finished)
    second.stop()

    assert batches.view(house, batch.id).issued == 3


def test_a_batch_that_a_rule_refuses_rests_and_says_why_and_others_go_on(
    house: House, runner: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused, other = submitted(house, tmp_path), submitted(house, tmp_path, first=10)
    for batch in (refused, other):
        batches.approve(house, batch.id, checker="li")
    run = batches.run
    tried: list[int] = []

    def fail_once(house: House, batch_id: int, on_progress: Callable[[int], None]) -> BatchView:
        tried.append(batch_id)
        if batch_id == refused.id and tried.count(batch_id) == 1:
            raise batches.NothingToIssue("sheet.csv")  # any refusal
        return run(house, batch_id, on_progress)

    monkeypatch.setattr(batches, "run", fail_once)
    runner.start()
    until(lambda: batches.view(house, other.id).is_finished)

    trouble = runner.trouble(refused.id)
    assert trouble is not None
    assert trouble.code == "nothing-to-issue"
    runner.wake()  # without its number it rests on
    time.sleep(0.2)
    assert tried.count(refused.id) == 1

    runner.wake(refused.id)
    until(lambda: batches.view(house, refused.id).is_finished)
    assert runner.trouble(refused.id) is None


def test_a_fault_in_one_round_does_not_end_the_rounds(
    house: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    rounds: list[int] = []

    def fail(_house: House) -> list[int]:
        rounds.append(1)
        raise ZeroDivisionError

    monkeypatch.setattr(runner_module, "refresh_status_lists", fail)
    monkeypatch.setattr(runner_module, "KEEPING_PAUSE", 0.01)
    quick = Runner(house)
    quick.start()
    until(lambda: len(rounds) > 2)
    quick.stop()

    assert "keeping failed and is tried again: ZeroDivisionError" in caplog.text


def test_status_lists_are_published_anew_past_their_ttl(issued_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("YINZHENG_PASSPHRASE", PASSPHRASE)
    house = open_house(Settings(data=issued_data))
    token = house.status_lists.token(1)
    later = house.now() + TTL
    monkeypatch.setattr(House, "now", lambda _self: later)
    runner = Runner(house)
    runner.start()
    until(lambda: house.status_lists.token(1) != token)
    runner.stop()


def test_the_press_of_each_issuer_is_warm_soon_after_the_start(house: House, runner: Runner) -> None:
    cache = house.folder.cache
    shared = cache.resolve()
    cache.unlink()
    cache.mkdir()
    for one in shared.iterdir():
        if one.name != "prefixes":
            (cache / one.name).symlink_to(one)
    layouts = house.templates.current(house.issuer("nb").settings.template).layouts

    runner.start()
    until(lambda: len(list((cache / "prefixes").glob("[!.]*"))) == len(layouts))


def test_a_press_that_cannot_be_warmed_up_is_logged_and_holds_up_nothing(
    house: House, runner: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    batch = submitted(house, tmp_path)
    batches.approve(house, batch.id, checker="li")
    current = house.templates.current
    asked: list[str] = []

    def first_fails(name: str) -> Template:
        asked.append(name)
        if len(asked) == 1:
            raise BadTemplate("template.toml", "it is being edited", "正在编辑")
        return current(name)

    monkeypatch.setattr(house.templates, "current", first_fails)
    runner.start()
    until(lambda: batches.view(house, batch.id).is_finished)

    assert "the press of nb is not warmed up: bad-template" in caplog.text
    assert batches.view(house, batch.id).issued == 3


def test_the_service_is_ready_while_its_press_warms_up(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("YINZHENG_PASSPHRASE", PASSPHRASE)
    application = Application(Settings(data=data))
    assert application.runner is not None
    is_warming, may_end = Event(), Event()

    def slowly(*_: object) -> list[Issuer]:
        is_warming.set()
        may_end.wait(PATIENCE)
        return []

    monkeypatch.setattr(runner_module, "all_issuers", slowly)
    application.runner.start()
    try:
        assert is_warming.wait(PATIENCE)
        assert Client(application.build()).get("/readyz").status_code == 200
    finally:
        may_end.set()
        application.runner.stop()
        application.desk.close()
        application.house.database.close()


def test_an_authority_that_hangs_keeps_no_list_from_being_published(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    hanging, released = Event(), Event()

    def hang(_house: House) -> None:
        hanging.set()
        released.wait(60)

    rounds: list[str] = []
    monkeypatch.setattr(runner_module, "KEEPING_PAUSE", 0.01)
    monkeypatch.setattr(runner_module, "stamp_checkpoint", hang)
    monkeypatch.setattr(runner_module, "refresh_status_lists", lambda _house: rounds.append("status"))
    monkeypatch.setattr(runner_module, "refresh_crls", lambda _house: rounds.append("crl"))
    runner = Runner(house)
    runner.start()
    try:
        assert hanging.wait(60)
        before = rounds.count("status")
        until(lambda: rounds.count("status") > before + 2 and "crl" in rounds)
    finally:
        released.set()
        runner.stop()


def test_revocation_lists_are_published_when_they_are_due(issued_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("YINZHENG_PASSPHRASE", PASSPHRASE)
    house = open_house(Settings(data=issued_data))
    runner = Runner(house)
    runner.start()
    until((house.folder.ca / "issuing.crl").exists)
    made = (house.folder.ca / "issuing.crl").read_bytes()
    runner.stop()
    later = house.now() + timedelta(days=house.settings.crl_days)
    monkeypatch.setattr(House, "now", lambda _self: later)
    runner = Runner(house)
    runner.start()
    until(lambda: (house.folder.ca / "issuing.crl").read_bytes() != made)
    runner.stop()


def test_evidence_is_extended_when_a_file_is_due_and_only_then(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    extended: list[bool] = []
    due = [0]

    class Status:
        counts = ("count",)

        def due(self, _count: str) -> int:
            return due[0]

    def renew(_house: House, on_progress: Callable[[int], None]) -> archiving.Renewed:
        extended.append(True)
        on_progress(1)
        return archiving.Renewed(extended=1)

    monkeypatch.setattr(archiving, "archive_status", lambda _house: Status())
    monkeypatch.setattr(archiving, "renew_archive", renew)
    runner = Runner(house)
    runner._renew()
    assert not extended
    due[0] = 1
    runner._renew()
    assert extended == [True]
    runner.stop()
    runner._renew()  # is told to stop on the way, which is no fault
    assert extended == [True, True]
