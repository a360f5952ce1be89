import hashlib
from collections import Counter

import pytest

from bench.profile import Samples, files_table, functions_table
from bench.tables import between
from credential.merkle import root_hash

MARKS = ("<!-- a -->\n", "<!-- b -->\n")


def busy() -> None:
    """Some milliseconds of work, nearly all of it in a function of ours."""
    leaves = [hashlib.sha256(bytes([at])).digest() for at in range(200)]
    for _ in range(20):
        root_hash(leaves)


def test_looks_fall_where_the_time_goes() -> None:
    samples = Samples()
    with samples.taken():
        while samples.looks < 20:
            busy()

    assert samples.files.most_common(1)[0][0].startswith("credential/")
    assert sum(samples.files.values()) == sum(samples.alone.values()) == samples.looks
    assert samples.within[f"tests/bench/test_profile.py {busy.__qualname__}"] == samples.looks


def test_nothing_is_looked_at_when_the_block_has_ended() -> None:
    samples = Samples()
    with samples.taken():
        pass
    before = samples.looks
    busy()

    assert samples.looks == before


def test_shares_are_of_all_looks_and_a_library_names_who_called_it() -> None:
    samples = Samples(
        looks=10,
        alone=Counter({("press/tail.py write", "press/tail.py write"): 6, ("json loads", "press/press.py sign"): 4}),
        within=Counter({"press/tail.py write": 8, "json loads": 4}),
        files=Counter({"press/tail.py": 6, "press/press.py": 4}),
    )

    assert functions_table(samples, 100, 5)[1:] == [
        ("`press/tail.py write`", "60.0", "80.0", "60.0%"),
        ("`json loads`, called by `press/press.py sign`", "40.0", "40.0", "40.0%"),
    ]
    assert files_table(samples, 100, 1)[1:] == [("`press/tail.py`", "60.0", "60.0%")]


def test_a_page_without_the_marks_is_not_written() -> None:
    assert between("x\n<!-- a -->\nold<!-- b -->\ny", MARKS, ["new"]) == "x\n<!-- a -->\n\nnew\n\n<!-- b -->\ny"
    with pytest.raises(ValueError, match="has no"):
        between("x\n<!-- a -->\n", MARKS, ["new"])
