import hashlib

import pytest

from tests.press.certificates import template
from tests.verifier.world import World
from verifier.printed_by import printed_by


def test_the_first_bytes_of_a_certificate_name_the_version_that_printed_it(world: World) -> None:
    document, digest = world.issued.document, world.issued.claims.template_digest

    assert printed_by(document, digest) == template().digest
    assert printed_by(document + b"\nmore", digest) == template().digest


@pytest.mark.parametrize("cut", [0, 100, 5000])
def test_a_document_that_does_not_begin_with_the_prefix_names_nothing(cut: int, world: World) -> None:
    document, digest = world.issued.document, world.issued.claims.template_digest

    assert printed_by(document[:cut], digest) is None
    assert printed_by(b" " + document, digest) is None
    assert printed_by(document, hashlib.sha256(b"another").digest()) is None


def test_a_version_that_was_written_over_is_not_believed(world: World) -> None:
    document, digest = world.issued.document, world.issued.claims.template_digest
    at = document.index(b"urn:sha256:") + len(b"urn:sha256:")
    forged = document[:at] + b"0" * 64 + document[at + 64 :]

    assert printed_by(forged, digest) is None


def test_many_first_objects_cost_no_more_than_a_few(world: World) -> None:
    assert printed_by(b"\n1 0 obj\n" * 100_000, world.issued.claims.template_digest) is None
