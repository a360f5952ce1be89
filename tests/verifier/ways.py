"""The ways in to a verifier, for tests that go through all of them."""

from collections.abc import Callable, Mapping
from io import BytesIO

from press.look import render
from tests.verifier import making
from tests.verifier.making import make_root
from tests.verifier.world import NOW, World
from verifier.verdict import Verdict

Way = Callable[[World], Verdict]


def with_updates(world: World) -> bytes:
    return making.add_validation_data(world.issued.document, [make_root().cert])


def qr_copy(world: World) -> bytes:
    """What a scan of the page is: a picture of it in a PDF without any signature."""

    out = BytesIO()
    render(world.issued.document, 200).save(out, "PDF", resolution=200)
    return out.getvalue()


FULL_WAYS: Mapping[str, Way] = {
    "file": lambda world: world.online.verify_file(world.issued.document, NOW),
    "file with updates": lambda world: world.online.verify_file(with_updates(world), NOW),
    "file and line end": lambda world: world.online.verify_file(world.issued.document + b"\n", NOW),
    "qr": lambda world: world.online.verify_qr(world.issued.qr_text, NOW),
    "qr without signature": lambda world: world.online.verify_qr(world.issued.qr_text.partition("#")[0], NOW),
    "code": lambda world: world.online.verify_code(world.issued.claims.verification_code, NOW),
    "serial": lambda world: world.online.verify_serial(
        world.issued.claims.serial, world.issued.claims.holder.name, NOW
    ),
}
COPY_WAYS: Mapping[str, Way] = {"scan": lambda world: world.online.verify_file(qr_copy(world), NOW)}
ALL_WAYS = {**FULL_WAYS, **COPY_WAYS}
