"""A data folder is made in an empty place only, and addresses are bare origins."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.folder import BadPublicUrl, DataFolder, DataFolderInUse, Installation, NoDataFolder, check_public_url
from tests.service.at_hand import run

ABOUT = Installation("https://zs.example.gov.cn", "zs.example.gov.cn/log")


def test_a_folder_with_other_content_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")

    with pytest.raises(DataFolderInUse):
        DataFolder(tmp_path).make(ABOUT)

    assert [one.name for one in tmp_path.iterdir()] == ["thesis.txt"]


def test_init_refuses_a_folder_with_other_content(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    ran = run("--data", tmp_path, "init")

    assert (ran.code, ran.error) == (1, "data-folder-in-use")
    assert [one.name for one in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_folder_says_of_itself_what_it_was_made_with(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path / "data")
    assert not folder.exists()
    folder.make(ABOUT)

    assert folder.exists()
    assert DataFolder(tmp_path / "data").installation() == ABOUT
    assert folder.root.stat().st_mode & 0o077 == 0
    assert ABOUT.status_uri == "https://zs.example.gov.cn/status"


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"public_url": "https://a.example"}', "null", "7"])
def test_a_damaged_description_is_no_installation(content: str, tmp_path: Path) -> None:
    DataFolder(tmp_path).make(ABOUT)
    (tmp_path / "installation.json").write_text(content)

    with pytest.raises(NoDataFolder):
        DataFolder(tmp_path).installation()


def test_an_installation_that_knows_more_than_we_do_is_not_opened(tmp_path: Path) -> None:
    DataFolder(tmp_path).make(ABOUT)
    about = tmp_path / "installation.json"
    about.write_text(json.dumps(json.loads(about.read_text()) | {"cluster": "b"}))

    with pytest.raises(NoDataFolder):
        DataFolder(tmp_path).installation()


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://zs.example.gov.cn", "https://zs.example.gov.cn"),
        ("https://zs.example.gov.cn/", "https://zs.example.gov.cn"),
        ("HTTPS://ZS.Example.gov.cn", "https://zs.example.gov.cn"),
        ("https://zs.example.gov.cn:8443", "https://zs.example.gov.cn:8443"),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("http://localhost:8000/", "http://localhost:8000"),
        ("https://localhost", "https://localhost"),
    ],
)
def test_an_address_becomes_its_bare_origin(url: str, origin: str) -> None:
    assert check_public_url(url) == origin


BAD_URLS = [
    "",
    "zs.example.gov.cn",
    "http://zs.example.gov.cn",
    "ftp://zs.example.gov.cn",
    "https://",
    "https://zs.example.gov.cn/zs",
    "https://zs.example.gov.cn?a=1",
    "https://zs.example.gov.cn#1",
    "https://admin@zs.example.gov.cn",
    "https://zs.example.gov.cn:port",
    "https://zs.example.gov.cn:99999",
    "https://证书.example.cn",
    "http://127.0.0.1.example.cn",
    "http://localhost.example.cn",
    "https://[::1",
    "javascript:alert(1)",
    "https://zs.example.gov.cn \n",
    "https://zs .example.gov.cn",
    "https://zs_\x00.example.gov.cn",
    "https://-.cn",
]


@pytest.mark.parametrize("url", BAD_URLS)
def test_what_is_no_bare_origin_is_refused(url: str) -> None:
    with pytest.raises(BadPublicUrl):
        check_public_url(url)


@given(st.text(max_size=40).map(lambda rest: f"https://{rest}"))
def test_whatever_is_accepted_is_a_bare_origin_for_good(url: str) -> None:
    try:
        origin = check_public_url(url)
    except BadPublicUrl:
        return
    assert check_public_url(origin) == origin
    host = origin.removeprefix("https://").removeprefix("http://")
    assert host.isascii()
    assert not set(host) & set("/?#@ \\\t\r\n\"<>%'")


@pytest.mark.parametrize("url", ["http://zs.example.gov.cn", "https://zs.example.gov.cn/zs"])
def test_init_refuses_a_bad_address_before_it_makes_anything(url: str, tmp_path: Path) -> None:
    ran = run("--data", tmp_path / "data", "init", "--public-url", url)

    assert (ran.code, ran.error) == (1, "bad-public-address")
    assert not (tmp_path / "data").exists()


def test_every_command_says_when_there_is_no_installation(tmp_path: Path) -> None:
    for command in (["doctor"], ["keys", "list"], ["batch", "list"], ["log", "verify"], ["issuer", "list"]):
        ran = run("--data", tmp_path / "nowhere", *command)
        assert ran.code in {1, 2}, command
        assert "no-data-folder" in ran.out + ran.err
        assert not (tmp_path / "nowhere").exists()


def test_a_folder_whose_making_was_cut_off_is_made_at_the_second_try(tmp_path: Path) -> None:
    for name in ("blobs", "public", "reports"):
        (tmp_path / name).mkdir()
    DataFolder(tmp_path).make(ABOUT)

    assert DataFolder(tmp_path).installation() == ABOUT


def test_init_again_keeps_address_and_keys(tmp_path: Path) -> None:
    first = run("--data", tmp_path / "data", "init", "--public-url", "https://a.example.org")
    again = run("--data", tmp_path / "data", "init")
    moved = run("--data", tmp_path / "data", "init", "--public-url", "https://b.example.org")
    other = run("--data", tmp_path / "data", "init", environ={"YINZHENG_PASSPHRASE": "another"})

    assert (first.code, again.code) == (0, 0)
    assert "data folder made" in first.out
    assert "up to date" in again.out
    assert (moved.code, moved.error) == (1, "public-url-fixed")
    assert other.code != 0
    assert other.error == "wrong-passphrase"


def test_a_data_folder_is_closed_to_others_though_its_cache_came_first(tmp_path: Path) -> None:
    (tmp_path / "data" / "cache").mkdir(parents=True)
    (tmp_path / "data").chmod(0o755)
    DataFolder(tmp_path / "data").make(ABOUT)

    assert (tmp_path / "data").stat().st_mode & 0o077 == 0
