"""A bureau that signs with a token, and somebody who pulls it out while a batch is being issued."""

import shutil
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from credential.leaves import LeafKind, parse_leaf
from credential.ports import Algorithm, Signer
from credential.trust import Role
from keys.entry import KeyState
from keys.pkcs11_signer import end_sessions
from keys.store import KeyStore
from keys.token_errors import TokenUnavailable, WrongPin
from press.cms import CmsTemplate
from registry.log.outbox import logged_leaves
from service import batches
from service.house import House, open_house
from service.runner import Runner
from service.settings import read_settings
from service.signing_keys import import_chain, make_key, request_for
from service.trust import renew_trust_list
from tests.cheap_keys import CHEAP
from tests.keys.soft_token import LABEL, PIN, SoftToken, Tool
from tests.service.at_hand import PASSPHRASE, person_row, run, write_sheet
from tests.service.outside_ca import OutsideCa
from tests.service.test_runner import submitted, until

ROWS = 6
CHUNK = 2


@pytest.fixture(scope="module")
def bureau(tmp_path_factory: pytest.TempPathFactory, made: Path, tool: Tool) -> tuple[Path, SoftToken]:
    """An installation whose issuer signs PDFs and codes with a token; a real CA certified it. Copy it."""
    folder = tmp_path_factory.mktemp("bureau")
    data, token = folder / "data", SoftToken(folder / "token", tool)
    shutil.copytree(made, data, symlinks=True)
    with pytest.MonkeyPatch.context() as doors:
        set_up(doors, token)
        house = opened(data)
        make_key(house, Role.PDF, "nb", Algorithm.RSA_2048, "pkcs11")
        make_key(house, Role.QR, "nb", Algorithm.P256, "pkcs11")
        ca = OutsideCa(house.now())
        answer = ca.answer(request_for(house, house.store.entry(Role.PDF, "nb", 2)))
        import_chain(house, "nb", ca.chain(folder / "chain.pem", answer))
        for role in (Role.PDF, Role.QR):
            house.store.activate(role, "nb", 2, house.now())
        renew_trust_list(house)
        end_sessions()
    return data, token


def set_up(doors: pytest.MonkeyPatch, token: SoftToken) -> None:
    token.use(doors)
    doors.setenv("YINZHENG_PASSPHRASE", PASSPHRASE)
    doors.setenv("YINZHENG_PKCS11_MODULE", str(token.module))
    doors.setenv("YINZHENG_PKCS11_TOKEN", LABEL)
    doors.setenv("YINZHENG_PKCS11_PIN_FILE", str(token.pin_file))
    doors.setattr("issuer.batch.CHUNK_ROWS", CHUNK)
    doors.setattr("service.house.KeyStore", partial(KeyStore, cost=CHEAP))


def opened(data: Path, **settings: object) -> House:
    return open_house(read_settings({}, data=data, **settings))


@pytest.fixture
def token(bureau: tuple[Path, SoftToken], monkeypatch: pytest.MonkeyPatch) -> Iterator[SoftToken]:
    set_up(monkeypatch, bureau[1])
    yield bureau[1]
    bureau[1].write_pin(PIN)
    end_sessions()


@pytest.fixture
def data(bureau: tuple[Path, SoftToken], tmp_path: Path) -> Path:
    return Path(shutil.copytree(bureau[0], tmp_path / "data", symlinks=True))


def approved(house: House, folder: Path) -> int:
    batch = submitted(house, folder, rows=ROWS)
    batches.approve(house, batch.id, checker="li")
    return batch.id


def expect_each_once(house: House, batch_id: int, folder: Path) -> None:
    """Every row has one certificate that verifies, its number follows the one before, and the log has it once."""
    view = batches.view(house, batch_id)
    assert (view.issued, view.to_issue, view.void, view.is_finished, view.pause) == (ROWS, ROWS, 0, True, None)
    assert batches.export(house, batch_id, folder / "out", lambda _: None) == ROWS
    serials = sorted(path.stem for path in (folder / "out").glob("*.pdf"))
    assert len(serials) == ROWS
    numbers = [int(serial[13:19]) for serial in serials]
    assert numbers == list(range(numbers[0], numbers[0] + ROWS))
    with house.database.reading() as session:
        kinds = Counter(parse_leaf(leaf).kind for leaf in logged_leaves(session))
    assert (kinds[LeafKind.ISSUE], kinds[LeafKind.SEAL]) == (ROWS, ROWS)
    ran = run("--data", house.settings.data, "verify", *(folder / "out").glob("*.pdf"))
    assert ran.code == 0, ran.out
    names = [person_row(number)[0] for number in range(ROWS)]
    with house.database.reading():
        assert sorted(row.record.holder.name for row in batches.rows(house, batch_id)) == sorted(names)


class Puller:
    """Pulls the token out after so many certificates were signed."""

    def __init__(self, token: SoftToken, after: int) -> None:
        self._token = token
        self._left = after
        self._sign = CmsTemplate.sign

    def install(self, doors: pytest.MonkeyPatch) -> None:
        def pull_and_sign(template: CmsTemplate, digest: bytes, signer: Signer) -> bytes:
            if self._left == 0:
                self._token.take_away()
            self._left -= 1
            return self._sign(template, digest, signer)

        doors.setattr(CmsTemplate, "sign", pull_and_sign)


@pytest.mark.parametrize("after", range(ROWS))
def test_a_token_pulled_out_before_any_certificate_pauses_the_batch_and_resume_loses_and_doubles_nothing(
    after: int, data: Path, token: SoftToken, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = opened(data)
    batch_id = approved(house, tmp_path)
    with monkeypatch.context() as doors:
        Puller(token, after).install(doors)
        with pytest.raises(TokenUnavailable):
            batches.run(house, batch_id, lambda _: None)
    try:
        paused = batches.view(house, batch_id)
        assert paused.pause is not None
        assert paused.pause.code == "token-unavailable"
        assert paused.issued == after // CHUNK * CHUNK  # whole chunks, and those only
        with pytest.raises(TokenUnavailable):  # it is still away
            batches.run(house, batch_id, lambda _: None)
    finally:
        token.put_back()
    batches.run(house, batch_id, lambda _: None)
    expect_each_once(house, batch_id, tmp_path)


def test_a_token_pulled_out_of_a_pool_of_workers_pauses_the_batch_and_another_process_resumes_it(
    data: Path, token: SoftToken, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.house.POOL_ROWS", 0)
    house = opened(data, workers=2)
    batch_id = approved(house, tmp_path)

    def pull(done: int) -> None:
        if done == CHUNK:
            token.take_away()

    try:
        with pytest.raises(TokenUnavailable):
            batches.run(house, batch_id, pull)
        pause = batches.view(house, batch_id).pause
        assert pause is not None
        assert pause.code == "token-unavailable"  # not that a worker died
    finally:
        token.put_back()
    ran = run("--data", data, "batch", "resume", str(batch_id))
    assert ran.code == 0, ran
    expect_each_once(house, batch_id, tmp_path)


def test_the_command_line_says_in_both_languages_why_a_batch_rests_and_how_to_go_on(
    data: Path, token: SoftToken, tmp_path: Path
) -> None:
    sheet = write_sheet(tmp_path / "sheet.csv", [person_row(number) for number in range(ROWS)])
    who = ("--issuer", "nb", "--as", "wang")
    assert run("--data", data, "issue", sheet, *who).code == 0
    house = opened(data)
    token.take_away()
    end_sessions()
    try:
        batches.approve(house, 1, checker="li")
        ran = run("--data", data, "batch", "resume", "1")
        assert (ran.code, ran.error) == (2, "token-unavailable")
        shown = run("--data", data, "batch", "show", "1", environ={"YINZHENG_LANG": "zh"})
        assert (shown.code, shown.err) == (0, "")  # to look at it nobody needs the token
        assert "已暂停" in shown.out
        zh = run("--data", data, "batch", "status", "1", environ={"YINZHENG_LANG": "zh"}).out
        assert "已暂停" in zh
        assert "插回设备" in zh
        assert "yinzheng batch resume 1" in zh
        en = run("--data", data, "batch", "status", "1").out
        assert "paused" in en
        assert "put it back" in en
        assert PIN not in zh + en
        assert '"code": "token-unavailable"' in run("--data", data, "batch", "status", "1", "--json").out
    finally:
        token.put_back()
    assert run("--data", data, "batch", "resume", "1").code == 0
    expect_each_once(house, 1, tmp_path)


def test_the_service_goes_on_by_itself_once_the_token_is_back(
    data: Path, token: SoftToken, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.runner.RETRY_SECONDS", 0.2)
    monkeypatch.setattr("service.runner.BATCH_PAUSE", 0.2)
    house = opened(data)
    runner = Runner(house)
    batch_id = approved(house, tmp_path)
    token.take_away()
    end_sessions()
    try:
        runner.start()
        until(lambda: runner.trouble(batch_id) is not None)
        trouble = runner.trouble(batch_id)
        assert trouble is not None
        assert trouble.code == "token-unavailable"
    finally:
        token.put_back()
    runner.wake()
    until(lambda: batches.view(house, batch_id).is_finished)
    runner.stop()
    expect_each_once(house, batch_id, tmp_path)


def test_a_wrong_pin_waits_for_a_person_and_is_not_tried_again_and_again(
    data: Path, token: SoftToken, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fifteen wrong tries lock SoftHSM2's user; cards lock after three."""
    monkeypatch.setattr("service.runner.RETRY_SECONDS", 0.0)
    house = opened(data)
    batch_id = approved(house, tmp_path)
    token.write_pin("000000")
    end_sessions()
    runner = Runner(house)
    runner.start()
    until(lambda: runner.trouble(batch_id) is not None)
    runner.wake()
    trouble = runner.trouble(batch_id)
    assert isinstance(trouble, WrongPin)
    runner.stop()
    token.write_pin(PIN)
    batches.run(house, batch_id, lambda _: None)
    expect_each_once(house, batch_id, tmp_path)


def test_the_keys_in_the_token_are_the_ones_that_sign(data: Path, token: SoftToken) -> None:
    house = opened(data)
    for role in (Role.PDF, Role.QR):
        first, second = (house.store.entry(role, "nb", generation) for generation in (1, 2))
        assert (first.state, second.state, second.kept_in) == (KeyState.RETIRED, KeyState.ACTIVE, "pkcs11")
        assert second.reference.startswith(f"pkcs11:token={LABEL};object={role}.nb%402;id=")
    listed = run("--data", data, "keys", "list", environ={"YINZHENG_LANG": "zh"}).out
    assert "密码设备" in listed
    assert "使用中" in listed
    assert token.module.exists()
