"""The same log over SQLite and over PostgreSQL: places, heads and proofs by either way of asking for leaves."""

import random
from pathlib import Path
from unittest.mock import patch

from credential.note import verify_proof
from registry.log import sequencer

from .conftest import NOW, ORIGIN, TestLog


def test_leaves_are_placed_and_proven_on_either_database(registry_url: str, tmp_path: Path) -> None:
    log = TestLog(registry_url, tmp_path / "log", tmp_path / "elsewhere" / "checkpoint", random.Random(5).randbytes)  # noqa: S311 - a fixed shuffle
    log.put(20)
    log.log.sequence(NOW)
    log.put(300)
    with patch.object(sequencer, "MAX_RUN", 128):
        assert log.log.sequence(NOW).size == 320
    assert sorted(log.check()) == sorted(log.put_so_far)
    together = log.reader.proofs(log.ids)
    apart = log.reader.proofs([log.ids[0], log.ids[-1]])
    assert apart == [together[0], together[-1]]
    for leaf, proof in zip(log.put_so_far, together, strict=True):
        assert verify_proof(proof, leaf, log.signer.public_key, ORIGIN).size == 320
    log.database.close()
