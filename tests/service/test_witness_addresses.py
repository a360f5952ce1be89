"""Where witnesses are asked: addresses that can be asked, and the file that keeps them."""

from pathlib import Path

import pytest

from service.folder import DataFolder
from service.witness_list import BadWitnessAddress, BadWitnessFile, WitnessList, check_address
from tests.registry.log.some_log import NAME

SECOND = "w2.example.com"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hr.example.org",
        "ftp://hr.example.org",
        "http://",
        "https://x:0",
        "https://x:99999",
        "https://a b",
        "https://x?y",
        "https://x#y",
        "https://见证",
    ],
)
def test_an_address_that_cannot_be_asked_is_refused(url: str) -> None:
    with pytest.raises(BadWitnessAddress):
        check_address(url)


def test_a_good_address_loses_its_last_slash() -> None:
    assert check_address("https://hr.example.org/w/") == "https://hr.example.org/w"
    assert check_address("http://127.0.0.1:8000") == "http://127.0.0.1:8000"


def test_a_damaged_file_of_addresses_is_told_and_can_be_written_anew(tmp_path: Path) -> None:
    listed = WitnessList(DataFolder(tmp_path))
    assert listed.addresses() == {}
    listed.set_address(NAME, "https://hr.example.org")
    listed.set_address(SECOND, "https://w2.example.com")
    assert listed.addresses() == {NAME: "https://hr.example.org", SECOND: "https://w2.example.com"}
    for content in ("", "[]", '{"a": 1}', '{"a": "b"}'):
        (tmp_path / "witnesses.json").write_text(content, "utf-8")
        with pytest.raises(BadWitnessFile):
            listed.addresses()
    listed.set_address(NAME, "https://hr.example.org")
    assert listed.addresses() == {NAME: "https://hr.example.org"}
