"""What a person who starts the service on the demo's data may look at first."""

from dataclasses import dataclass

from credential.claims import decode_claims
from credential.cose import open_message
from credential.model import STATE_NAMES, State
from registry.credentials import find_by_batch, read_claims
from service.batches import views
from service.house import House, open_house
from service.settings import Settings


@dataclass(frozen=True, slots=True)
class SamplePage:
    """One page of the demo, named for people."""

    zh: str
    en: str
    address: str


def sample_pages(settings: Settings, origin: str) -> list[SamplePage]:
    """The doors that the role opens; with all of them, one verdict page for every state of the demo's certificates.

    The addresses hold verification codes: show them of a demo only.

    Args:
        settings: name the data folder and the role.
        origin: that the service listens at.
    """
    pages = []
    if settings.role != "issuer":
        pages += [
            SamplePage("核验首页", "home", f"{origin}/"),
            SamplePage("上传文件核验", "check a file", f"{origin}/verify/file"),
            SamplePage("手工输入核验", "type it in", f"{origin}/verify"),
        ]
    if settings.role != "verifier":
        pages.append(SamplePage("持证人领取", "a holder's file", f"{origin}/claim"))
    # A verifier's process has no passphrase to look for codes with, and an issuer's process serves no verdicts.
    return pages + _verdicts(open_house(settings), origin) if settings.role == "all" else pages


def _verdicts(house: House, origin: str) -> list[SamplePage]:
    pages = []
    seen: set[State] = set()
    for batch in reversed(views(house)):
        with house.database.reading() as session:
            for found in find_by_batch(session, batch.id):
                if found.state in seen or found.digest is None:
                    continue
                seen.add(found.state)
                claims = decode_claims(open_message(read_claims(session, house.vault, found)).payload)
                zh, en = STATE_NAMES[found.state]
                pages.append(
                    SamplePage(f"核验结果: {zh}", f"a verdict: {en}", f"{origin}/c/{claims.verification_code}")
                )
    return pages
