"""Issuers and persons are checked before anything is kept; what is interrupted is completed by the next try."""

from pathlib import Path

import pytest

from credential.ports import Algorithm
from credential.trust import Role
from keys.store import KeyStore
from tests.service.at_hand import PASSPHRASE, run

OTHER = {
    "--name": "示例县人力资源和社会保障局",
    "--uscc": "11649900MB0T000236",
    "--division": "330226",
    "--pdf-key": "p-256",
}


def add(data: Path, issuer: str, changed: dict[str, str] | None = None) -> tuple[int, str]:
    options = ["--sample"] + [word for pair in (OTHER | (changed or {})).items() for word in pair]
    ran = run("--data", data, "issuer", "add", issuer, *options)
    return ran.code, ran.error if ran.code in {1, 2} else ran.out


@pytest.mark.parametrize(
    ("issuer", "changed", "code"),
    [
        ("xs", {"--uscc": "11649900MB0T000312"}, "bad-uscc"),
        ("xs", {"--uscc": "1"}, "bad-uscc"),
        ("xs", {"--division": "33020"}, "bad-division"),
        ("xs", {"--division": "33020a"}, "bad-division"),
        ("xs", {"--division": "３３０２００"}, "bad-division"),
        ("xs", {"--public-url": "http://zs.example.gov.cn"}, "bad-public-address"),
        ("xs", {"--pdf-key": "ed25519"}, "unusable-pdf-key"),
        ("XS", {}, "bad-id"),
        ("../xs", {}, "bad-id"),
        ("nb", {}, "already-exists"),
        ("xs", {"--uscc": "11649900MB0T000311"}, "already-exists"),
    ],
)
def test_a_bad_issuer_is_refused_and_leaves_nothing(
    issuer: str, changed: dict[str, str], code: str, data: Path
) -> None:
    keys = sorted(one.name for one in (data / "keys").iterdir())
    listed = run("--data", data, "issuer", "list").out
    trust = (data / "public" / "trust-list.json").read_bytes()

    assert add(data, issuer, changed) == (2 if code == "unusable-pdf-key" else 1, code)
    assert sorted(one.name for one in (data / "keys").iterdir()) == keys
    assert run("--data", data, "issuer", "list").out == listed
    assert (data / "public" / "trust-list.json").read_bytes() == trust


def test_an_issuer_gets_two_keys_of_its_own_and_a_certificate(data: Path) -> None:
    code, said = add(data, "xs")
    store = KeyStore(data / "keys", PASSPHRASE.encode())

    assert code == 0
    assert "person add" in said  # what comes next
    assert store.entry(Role.PDF, "xs").algorithm is Algorithm.P256
    assert store.entry(Role.QR, "xs").algorithm is Algorithm.P256
    assert len(store.chain(Role.PDF, "xs")) == 3
    assert store.public_key(Role.PDF, "xs") != store.public_key(Role.PDF, "nb")


def test_what_was_interrupted_after_the_keys_is_completed(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The keys are there, the issuer and the trust list are not."""

    def stop(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as doors:
        doors.setattr("service.issuers.publish_crls", stop)
        assert add(data, "xs") == (2, "file-trouble")
    key = KeyStore(data / "keys", None).public_key(Role.PDF, "xs")
    assert "xs" not in run("--data", data, "issuer", "list").out

    assert add(data, "xs")[0] == 0
    assert KeyStore(data / "keys", None).public_key(Role.PDF, "xs") == key


@pytest.mark.parametrize(
    ("person", "issuer", "code"),
    [("zhao", "nobody", "unknown-issuer"), ("wang", "nb", "already-exists"), ("Zhao", "nb", "bad-id")],
)
def test_a_bad_person_is_refused(person: str, issuer: str, code: str, made: Path) -> None:
    ran = run("--data", made, "person", "add", person, "--name", "赵", "--issuer", issuer)

    assert (ran.code, ran.error) == (1, code)


def test_one_person_gets_no_second_id_without_saying_so(data: Path) -> None:
    """Else one person approves under one id what they submitted under the other."""
    for name in ("王经办", "王 经办"):
        again = run("--data", data, "person", "add", "wang2", "--name", name, "--issuer", "nb")
        assert (again.code, again.error) == (1, "same-name")
        assert "--same-name" in again.err
        assert "'wang'" in again.err
    chinese = run(
        "--data", data, "person", "add", "wang2", "--name", "王经办", "--issuer", "nb", environ={"YINZHENG_LANG": "zh"}
    )
    assert "如确为同名的另一人, 请加 --same-name" in chinese.err
    assert "wang2" not in run("--data", data, "person", "list").out

    namesake = run("--data", data, "person", "add", "wang2", "--name", "王经办", "--issuer", "nb", "--same-name")
    assert namesake.code == 0
    assert "wang2" in run("--data", data, "person", "list").out


def test_the_same_name_in_another_issuer_is_another_matter(data: Path) -> None:
    assert add(data, "xs")[0] == 0
    assert run("--data", data, "person", "add", "wang-xs", "--name", "王经办", "--issuer", "xs").code == 0


def test_lists_name_everybody(made: Path) -> None:
    issuers, persons = run("--data", made, "issuer", "list").out, run("--data", made, "person", "list").out

    assert "示例市人力资源和社会保障局" in issuers
    assert "11649900MB0T000311" in issuers
    assert "王经办" in persons
    assert "李审核" in persons


def test_keys_list_names_every_key_without_the_passphrase_being_right(made: Path) -> None:
    ran = run("--data", made, "keys", "list", environ={"YINZHENG_PASSPHRASE": "another"})

    assert ran.code == 0
    for role in ("log", "status", "trust-root", "pdf", "qr"):
        assert role in ran.out


def test_init_again_changes_no_key(data: Path) -> None:
    before = {one.name: one.read_bytes() for one in (data / "keys").iterdir()}
    assert run("--data", data, "init").code == 0

    assert {one.name: one.read_bytes() for one in (data / "keys").iterdir()} == before


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ([], "trial-default"),
        (["--public-url", "https://zs.example.org"], "trial-default"),
        (["--type-code", "11339900MB0T000153001"], "trial-default"),
    ],
)
def test_a_real_issuer_takes_no_default_of_the_trial(options: list[str], code: str, data: Path) -> None:
    ran = run("--data", data, "issuer", "add", "xs", *[word for pair in OTHER.items() for word in pair], *options)

    assert (ran.code, ran.error) == (1, code)


def test_a_demo_folder_takes_no_real_issuer_and_no_init(tmp_path: Path) -> None:
    (tmp_path / "DEMO").write_text("demo")
    ran = run("--data", tmp_path, "init")

    assert (ran.code, ran.error) == (1, "demo-folder")
