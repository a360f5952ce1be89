"""What the start of the service lists can be opened in the role that it runs in."""

import shutil
from pathlib import Path

import pytest

from service.app import create_app
from service.house import House, SystemClock
from service.serving import sample_pages
from service.settings import Settings
from service.verifying_house import export_verifier_key
from tests.asgi_client import Client
from tests.service.at_hand import PASSPHRASE

ORIGIN = "http://127.0.0.1:8000"


@pytest.mark.parametrize(("role", "least"), [("all", 5), ("issuer", 1), ("verifier", 3)])
def test_every_address_of_the_start_opens_in_its_role(
    role: str, least: int, issued_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("YINZHENG_PASSPHRASE", PASSPHRASE)
    settings = Settings(data=issued_data).model_copy(update={"role": role})
    pages = sample_pages(settings, ORIGIN)

    assert len(pages) >= least
    if role == "verifier":
        export_verifier_key(House(settings, PASSPHRASE.encode("ascii"), SystemClock()))
    client = Client(create_app(settings))
    for page in pages:
        answer = client.get(page.address.removeprefix(ORIGIN), Accept="text/html")
        assert answer.status_code == 200, (page, answer.text)


def test_a_verifier_names_its_pages_without_passphrase_or_keys(
    issued_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("YINZHENG_PASSPHRASE", raising=False)
    shutil.rmtree(issued_data / "keys")
    assert len(sample_pages(Settings(data=issued_data, role="verifier"), ORIGIN)) == 3
