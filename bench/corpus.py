"""Examine every file of an attack corpus and count what came of it.

``python -m bench.corpus FOLDER`` prints one line a file, the counts as a table
and the time; FOLDER holds ``manifest.csv``, ``pdf/`` and ``trust/``.
"""

import argparse
import csv
import logging
import ssl
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from verifier.report import DocumentReport, Integrity, Trust
from verifier.sandbox import Sandbox

ACCEPTED = {Integrity.INTACT, Integrity.INTACT_WITH_UPDATES}
JUDGED_AT = datetime(2026, 11, 22, tzinfo=UTC)  # the corpus's certificates are of that year


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the manifest, with its file."""

    file: str
    class_: str
    strict_expected: str
    scope: str
    document: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Corpus:
    """All rows, and who is trusted."""

    rows: tuple[Row, ...]
    anchors: tuple[bytes, ...]
    crls: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Judged:
    """What a row demands, what the answer was, and whether it fits."""

    demanded: str
    answer: str
    fits: bool


def load_corpus(folder: Path) -> Corpus:
    """Read manifest, files, root and revocation list."""
    with (folder / "manifest.csv").open(encoding="utf-8", newline="") as manifest:
        rows = tuple(
            Row(
                line["file"],
                line["class"],
                line["strict_expected"],
                line["scope"],
                (folder / line["file"]).read_bytes(),
            )
            for line in csv.DictReader(manifest)
        )
    root = ssl.PEM_cert_to_DER_cert((folder / "trust" / "root.pem").read_text("ascii"))
    return Corpus(rows, (root,), ((folder / "trust" / "root.crl").read_bytes(),))


def judge(row: Row, report: DocumentReport) -> Judged:
    """Compare one answer with what the manifest demands of it."""
    is_accepted = report.integrity in ACCEPTED
    if row.scope == "trust":
        answer = f"{report.integrity}, trusted: {report.trusted}"
        return Judged(f"{row.strict_expected} (trust)", answer, is_accepted and report.trusted is not Trust.YES)
    fits = is_accepted if row.strict_expected == "accept" else not is_accepted
    return Judged(row.strict_expected, str(report.integrity), fits)


def table(judged: Sequence[Judged]) -> str:
    """Write the counts as a Markdown table: demanded, answer, files, whether it fits."""
    counts = Counter(judged)
    lines = ["| demanded | answer | files | fits |", "|---|---|---:|---|"]
    for one, count in sorted(counts.items(), key=lambda item: (item[0].demanded, item[0].answer)):
        lines.append(f"| {one.demanded} | {one.answer} | {count} | {'yes' if one.fits else 'NO'} |")
    fitting = sum(count for one, count in counts.items() if one.fits)
    lines.append(f"| all | | {len(judged)} | {fitting} |")
    return "\n".join(lines)


def main() -> int:
    """Run over the folder given; exits 1 when an answer does not fit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    corpus = load_corpus(parser.parse_args().folder)
    logging.disable(logging.CRITICAL)
    judged, slowest = [], 0.0
    with Sandbox() as sandbox:
        sandbox.look(b"")  # the helper's start is not part of any file's time
        for row in corpus.rows:
            started = time.perf_counter()
            report = sandbox.examine(row.document, anchors=corpus.anchors, crls=corpus.crls, now=JUDGED_AT)
            seconds = time.perf_counter() - started
            slowest = max(slowest, seconds)
            one = judge(row, report)
            judged.append(one)
            failed = [finding.name for finding in report.findings if not finding.passed]
            print(f"{'ok' if one.fits else 'NO':3}{seconds:7.3f} s  {row.file}  {one.answer}  {' '.join(failed)}")
    print(f"\n{table(judged)}\n\nslowest file: {slowest:.2f} s")
    return 0 if all(one.fits for one in judged) else 1


if __name__ == "__main__":
    sys.exit(main())
