"""A look at status lists ends, and keeps little, whatever their server answers."""

import shutil
from pathlib import Path

import pytest

from credential.trust import Role
from registry.log.tiles import TileFolder
from registry.status.token_list import MAX_TOKEN_BYTES
from service.status_monitor import _fetch_lists
from tests.service.test_status_monitor import Issuer


@pytest.fixture
def issuer(issued: Path, tmp_path: Path) -> Issuer:
    return Issuer(Path(shutil.copytree(issued, tmp_path / "data", symlinks=True)), tmp_path)


@pytest.mark.parametrize("content", [b"<html>hello</html>", b"", None])
def test_a_server_that_answers_to_every_name_ends_the_look(issuer: Issuer, content: bytes | None) -> None:
    """With a page of its own, or with another list's tokens."""
    status = issuer.house.folder.status
    issuer.publish({})
    asked: list[str] = []

    class Everything(TileFolder):
        def __init__(self) -> None:
            super().__init__(issuer.house.folder.root / "public")
            self.fetch = self._fetch

        def _fetch(self, name: str) -> bytes | None:
            asked.append(name)
            if name.startswith("status/1."):
                return (status / name.removeprefix("status/")).read_bytes()
            return (status / "1.cwt").read_bytes() if content is None else content

    keys = [issuer.house.store.public_key(Role.STATUS)]
    assert [number for number, _ in _fetch_lists(Everything(), 0, keys)] == [1]
    assert asked == ["status/1.cwt", "status/1.jwt", "status/2.cwt", "status/2.jwt"]


def test_a_list_that_was_seen_is_told_to_be_bad_and_what_is_no_token_is_not_kept_whole(issuer: Issuer) -> None:
    issuer.publish({})
    issuer.look()
    (issuer.house.folder.status / "1.cwt").write_bytes(bytes(MAX_TOKEN_BYTES * 3))
    found = issuer.look()
    assert {one.code for one in found.alarms} == {"bad-token"}
    assert found.evidence is not None
    assert (found.evidence / "1.cwt").stat().st_size <= MAX_TOKEN_BYTES + 1
