"""Two bureaus whose witnesses cosign each other's log, over HTTP on this machine: the whole way, and what is refused.

One story, told in the order of its tests: each goes on where the one before has left off.
"""

import json
import re
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest

from credential.cosignature import read_cosignatures, read_witness_key
from credential.note import parse_checkpoint, parse_note
from credential.ports import Algorithm
from keys.store import KeyStore
from registry.log.outbox import put_leaves
from registry.log.reader import NotWitnessed
from service.cosigning import WitnessClient
from service.house import House, SystemClock, create_house
from service.settings import Settings
from service.witnessing import open_witness
from service.witnessing_http import witness_app
from tests.e2e.site import free_socket, served
from tests.registry.log.conftest import some_leaves
from tests.service.at_hand import PASSPHRASE, Ran, person_row, run, write_sheet

KEY = re.compile(r"^  (\S+\+[0-9a-f]{8}\+[A-Za-z0-9+/=]+)$", re.MULTILINE)


@dataclass
class Bureau:
    """An installation and the witness that it runs."""

    data: Path
    folder: Path
    name: str
    running: ExitStack = field(default_factory=ExitStack)

    def run(self, *arguments: str | Path) -> Ran:
        return run("--data", self.data, *arguments, environ={"YINZHENG_WITNESS": str(self.folder)})

    def ok(self, *arguments: str | Path) -> str:
        ran = self.run(*arguments)
        assert ran.code == 0, ran
        return ran.out

    def house(self) -> House:
        return House(Settings(data=self.data), PASSPHRASE.encode(), SystemClock())

    @property
    def witness_key(self) -> str:
        return self._printed(self.ok("witness", "list"), f"{self.name}+")

    @property
    def log_key(self) -> str:
        return self._printed(self.ok("witness", "list"), f"{self.house().installation.log_origin}+")

    @staticmethod
    def _printed(out: str, start: str) -> str:
        return next(match[1] for match in KEY.finditer(out) if match[1].startswith(start))

    def open_door(self) -> str:
        """Start the witness; gives its address, another one each time."""
        house = open_witness(self.folder, KeyStore(self.folder / "keys", PASSPHRASE.encode()))
        app = witness_app(house.witness(), house.logs, SystemClock().now)
        return self.running.enter_context(served(app, free_socket()))

    def verdict(self, *arguments: str | Path) -> dict[str, object]:
        answer: dict[str, object] = json.loads(self.run("verify", *arguments, "--json").out.splitlines()[0])
        return answer


@dataclass(frozen=True)
class Story:
    """The two bureaus, and a folder for what they print."""

    ours: Bureau
    theirs: Bureau
    out: Path

    def issue(self, number: int) -> Ran:
        sheet = write_sheet(self.out.parent / f"sheet-{number}.csv", [person_row(number)])
        who = ("--issuer", "nb", "--as", "wang", "--approve-as", "li")
        return self.ours.run("issue", sheet, *who, "--out", self.out / str(number))

    def doctor(self, name: str) -> tuple[str, str]:
        findings = json.loads(self.ours.run("doctor", "--json").out)
        return next((one["level"], one["found"]["en"]) for one in findings if one["name"]["en"] == name)

    def printed(self, number: int) -> Path:
        (found,) = (self.out / str(number)).glob("*.pdf")
        return found


@pytest.fixture(scope="module")
def story(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    root = tmp_path_factory.mktemp("each-other")
    ours = Bureau(Path(shutil.copytree(made, root / "ours", symlinks=True)), root / "our-witness", "zs.example/w")
    theirs = Bureau(root / "theirs", root / "their-witness", "hr.example/w")
    with pytest.MonkeyPatch.context() as cheap:
        cheap.setattr("service.issuers.CA_ALGORITHM", Algorithm.P256)
        create_house(Settings(data=theirs.data), public_url="https://hr.example", passphrase=PASSPHRASE.encode())
        for bureau in (ours, theirs):
            bureau.ok("witness", "init", bureau.name)
    with pytest.MonkeyPatch.context() as patient:  # a busy machine may take longer than its operators would wait
        patient.setattr("service.house.WitnessClient", partial(WitnessClient, patience=60.0, grace=60.0, rest=0.0))
        yield Story(ours, theirs, root / "out")
    ours.running.close()
    theirs.running.close()


def test_two_bureaus_exchange_keys_and_demand_each_other(story: Story) -> None:
    ours, theirs = story.ours, story.theirs
    assert ours.log_key != theirs.log_key
    for one, other in ((ours, theirs), (theirs, ours)):
        one.ok("witness", "trust-log", other.log_key)
    for one, other in ((ours, theirs), (theirs, ours)):
        out = one.ok("witness", "add", other.witness_key, "--url", other.open_door())
        assert "leaves cosigned" in out
        assert one.log_key in out
        assert "witness list" not in one.run("witness", "require", "2").out
        assert one.run("witness", "require", "2").error == "too-few-witnesses"
        assert "1 demanded" in one.ok("witness", "require", "1")
        note = (one.data / "public" / "log" / "checkpoint").read_text("utf-8")
        assert read_cosignatures(note, (read_witness_key(other.witness_key),))
        assert (one.data / "public" / "log" / "checkpoint.witnessed").read_text("utf-8") == note


def test_what_is_printed_carries_the_cosignature_and_is_valid(story: Story) -> None:
    assert story.issue(1).code == 0
    count = {"seen": 1, "known": 1, "demanded": 1}
    online = story.ours.verdict(story.printed(1))
    assert (online["verdict"], online["witnesses"]) == ("valid", count)
    trust = story.ours.data / "public" / "trust-list.json"
    offline = run("verify", story.printed(1), "--trust", trust, "--json")
    told = json.loads(offline.out.splitlines()[0])
    assert (told["reason"], told["witnesses"]) == ("register-not-asked", count)
    assert "1 of 1 witnesses" in story.ours.run("verify", story.printed(1)).out


def test_a_fork_by_a_thief_of_the_log_key_is_not_cosigned_and_proves_nothing(story: Story, tmp_path: Path) -> None:
    """He has the whole installation, keys and passphrase, and goes on by himself while the bureau goes on too."""
    thief = Bureau(Path(shutil.copytree(story.ours.data, tmp_path / "stolen", symlinks=True)), story.ours.folder, "")
    assert story.issue(2).code == 0  # the true log has grown, and is cosigned
    house = thief.house()
    with house.database.transaction() as session:
        ids = put_leaves(session, some_leaves(0, 7))
    house.log.sequence(house.now())
    note = house.log.checkpoint()
    assert parse_checkpoint(parse_note(note).text).size > 0
    assert read_cosignatures(note, house.witness_list.trust().witnesses) == ()
    problem = house.cosigners.replies[story.theirs.name].problem
    assert problem is not None
    with pytest.raises(NotWitnessed):
        house.log_reader.proofs(ids)
    sheet = write_sheet(tmp_path / "sheet.csv", [person_row(77)])
    forged = thief.run(
        "issue", sheet, "--issuer", "nb", "--as", "wang", "--approve-as", "li", "--out", tmp_path / "out"
    )
    assert (forged.code, "not-witnessed" in forged.err) == (2, True)
    assert not list((tmp_path / "out").glob("*.pdf"))


def test_printing_waits_for_a_dead_witness_and_goes_on_when_it_is_back(story: Story) -> None:
    story.theirs.running.close()
    waiting = story.issue(3)
    assert (waiting.code, "[not-witnessed]" in waiting.err) == (2, True)
    assert not list((story.out / "3").glob("*.pdf"))
    again = story.issue(3)
    assert "[not-witnessed]" in again.err
    assert story.doctor("witnesses of the log") == ("bad", "0 of 1 cosigned the newest checkpoint, 1 are demanded")

    serial = str(story.ours.verdict(story.printed(1))["credential"]["serial"])  # type: ignore[index] # JSON of a verdict
    who = ("--as", "wang", "--approve-as", "li")
    revoked = story.ours.run("revoke", serial, "--reason", "fraud", "--decision", "示人社函〔2026〕9号", *who)
    assert revoked.code == 0, revoked  # which no witness holds up
    assert story.ours.verdict(story.printed(1))["verdict"] == "revoked"
    assert story.ours.verdict(story.printed(2))["verdict"] == "valid"

    story.ours.ok("witness", "add", story.theirs.witness_key, "--url", story.theirs.open_door())  # at a new address
    assert story.issue(3).code == 0
    assert story.doctor("witnesses of the log") == ("ok", "1 of 1 cosigned the newest checkpoint, 1 are demanded")
    assert story.ours.verdict(story.printed(3))["witnesses"] == {"seen": 1, "known": 1, "demanded": 1}
    assert story.ours.verdict(story.printed(1))["verdict"] == "revoked"


def test_each_witness_shows_how_far_it_is(story: Story) -> None:
    size = parse_checkpoint(parse_note((story.ours.data / "public/log/checkpoint").read_text("utf-8")).text).size
    out = story.theirs.ok("witness", "list")
    assert re.search(rf"zs\.example\.gov\.cn/log.* {size} ", out)


def test_a_witness_that_is_demanded_cannot_be_removed(story: Story) -> None:
    assert story.ours.run("witness", "remove", story.theirs.name).error == "too-few-witnesses"
    assert story.ours.run("witness", "remove", "nobody.example").error == "unknown-witness"
    story.ours.ok("witness", "require", "0")
    story.ours.ok("witness", "remove", story.theirs.name)
    told = story.ours.verdict(story.printed(2))
    assert (told["verdict"], told["witnesses"]) == ("valid", {"seen": 0, "known": 0, "demanded": 0})
    assert "not witnessed" in story.ours.run("verify", story.printed(2)).out
    assert story.doctor("witnesses of the log") == ("ok", "nobody: not witnessed")


def test_keys_that_have_another_purpose_are_no_witnesses(story: Story) -> None:
    own = story.ours.log_key
    assert story.ours.run("witness", "add", own, "--url", "https://hr.example").error == "bad-named-key"
    assert (
        story.ours.run("witness", "add", story.theirs.witness_key, "--url", "hr.example").error == "bad-witness-address"
    )
    assert story.ours.run("witness", "trust-log", story.ours.witness_key).error == "bad-named-key"
