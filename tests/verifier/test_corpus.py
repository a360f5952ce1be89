"""Every file of the attack corpus gets the answer that its manifest demands."""

import csv
from collections import Counter
from pathlib import Path

import pytest

from bench.corpus import Row, judge, load_corpus, table
from tests.verifier.making import NOW
from verifier.document import examine
from verifier.report import DocumentReport, Integrity

ACCEPTED = {Integrity.INTACT, Integrity.INTACT_WITH_UPDATES}


@pytest.fixture(scope="module")
def results(shared: Path) -> dict[str, tuple[Row, DocumentReport]]:
    corpus = load_corpus(shared / "corpus")
    return {
        row.file: (row, examine(row.document, anchors=corpus.anchors, crls=corpus.crls, now=NOW)) for row in corpus.rows
    }


def test_the_corpus_is_there(results: dict[str, tuple[Row, DocumentReport]], shared: Path) -> None:
    with (shared / "corpus" / "manifest.csv").open(encoding="utf-8", newline="") as manifest:
        assert len(results) == sum(1 for _ in csv.DictReader(manifest)) > 0


def test_nothing_that_must_be_refused_is_accepted(results: dict[str, tuple[Row, DocumentReport]]) -> None:
    for file, (row, report) in results.items():
        if row.strict_expected in {"reject", "modified-after-signing"} and row.scope == "integrity":
            assert report.integrity not in ACCEPTED, file
        if row.strict_expected == "reject" and row.scope == "trust":
            assert report.integrity in ACCEPTED, file
            assert report.trusted != "yes", file


def test_everything_that_must_be_accepted_is(results: dict[str, tuple[Row, DocumentReport]]) -> None:
    for file, (row, report) in results.items():
        if row.strict_expected == "accept":
            assert report.integrity in ACCEPTED, (file, [finding for finding in report.findings if not finding.passed])


def test_own_output_is_accepted_and_trusted(results: dict[str, tuple[Row, DocumentReport]]) -> None:
    own = [(row, report) for row, report in results.values() if "gen__" in row.file and row.strict_expected == "accept"]
    assert own
    assert all(report.trusted == "yes" for _, report in own)


def test_a_change_after_signing_is_called_one_wherever_the_signed_revision_is_good(
    results: dict[str, tuple[Row, DocumentReport]],
) -> None:
    words = Counter(
        report.integrity for row, report in results.values() if row.strict_expected == "modified-after-signing"
    )
    others = {
        row.file
        for row, report in results.values()
        if row.strict_expected == "modified-after-signing" and report.integrity is not Integrity.MODIFIED
    }
    # Its signed revision bears an old kind of signature (SHA-1), so nothing in it is good either.
    assert others <= {"pdf/pdfinsec__isa_G.pdf"}, words


def test_the_documents_table_is_that_of_this_run(results: dict[str, tuple[Row, DocumentReport]]) -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "verifying.md").read_text("utf-8")
    verdicts = [judge(row, report) for row, report in results.values()]
    assert table(verdicts) in page
