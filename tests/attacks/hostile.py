"""Ask what becomes of a hostile file, in a process of its own: intake reads it, and its annotated copy is written."""

import json
import select
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.intake.samples import review_row, sheet_of

MEMORY, SECONDS = 2_000_000_000, 60
PROJECT = Path(__file__).resolve().parents[2]
# Runs beside the test under limits of its own; says what came of the file as one line of JSON.
CHILD = """
import json, resource, sys, warnings
from dataclasses import replace
from pathlib import Path
resource.setrlimit(resource.RLIMIT_AS, ({memory}, {memory}))
resource.setrlimit(resource.RLIMIT_CPU, ({seconds} * 5, {seconds} * 5))
from credential.errors import InputError
from credential.schema import PhotoNeed
from intake import read_records
from intake.annotate import annotate
from tests.intake.samples import TODAY, full_schema
schema = replace(full_schema(), photo=PhotoNeed.NONE)
for line in sys.stdin:
    file = Path(line.rstrip("\\n"))
    try:
        result = read_records(file, schema, photos=None, today=TODAY)
        made = annotate(file, result, to=file.with_name(file.name + ".copy.xlsx"))
        answer = [made.kind.value, len(result.records), made.notes[0].zh if made.notes else ""]
    except InputError as fault:
        answer = [fault.code, fault.en, fault.zh]
    print(json.dumps(answer), flush=True)
"""

Make = Callable[..., Path]
Answer = tuple[str, Any, str]
Outcome = Callable[[Path], Answer]


class Reader:
    """A process that reads files one by one under limits; one that dies or hangs fails the test it was asked in."""

    def __init__(self, folder: Path) -> None:
        self._errors = folder / "stderr"
        code = CHILD.format(memory=MEMORY, seconds=SECONDS)
        with self._errors.open("wb") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-c", code],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                cwd=PROJECT,
            )

    def outcome(self, file: Path) -> Answer:
        """What became of a file: kind of copy, rows and note; or code and sentences."""
        pipes = self._process
        assert pipes.stdin is not None
        assert pipes.stdout is not None
        pipes.stdin.write(f"{file}\n")
        pipes.stdin.flush()
        ready, _, _ = select.select([pipes.stdout], [], [], SECONDS)
        assert ready, f"{file.name} took more than {SECONDS} seconds"
        line = pipes.stdout.readline()
        assert line, f"the process died: {self._errors.read_text()}"
        assert not self._errors.read_text()
        first, second, third = json.loads(line)
        return first, second, third

    def end(self) -> None:
        """End the process, whatever it does."""
        self._process.kill()
        self._process.communicate()

    @property
    def is_alive(self) -> bool:
        """Whether it can be asked."""
        return self._process.poll() is None


@pytest.fixture(scope="module")
def readers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Reader]]:
    """The process that reads, at the end of the list; a new one is appended when it has died."""
    started = [Reader(tmp_path_factory.mktemp("reader"))]
    yield started
    for one in started:
        one.end()


@pytest.fixture
def outcome(readers: list[Reader], tmp_path: Path) -> Outcome:
    if not readers[-1].is_alive:
        readers.append(Reader(tmp_path))
    return readers[-1].outcome


def clear(answer: Answer, file: Path) -> bool:
    """A refusal names the file, in both languages."""
    return file.name in answer[1] and file.name in answer[2]


@pytest.fixture
def good(make_xlsx: Make) -> Path:
    return make_xlsx({"表": sheet_of([review_row(1), review_row(3)])})


def part(file: Path, name: str = "xl/worksheets/sheet1.xml") -> bytes:
    with zipfile.ZipFile(file) as archive:
        return archive.read(name)
