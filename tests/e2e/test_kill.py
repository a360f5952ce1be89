"""``kill -9`` in the middle of ``issue``; the same command then completes it: one certificate a row, no gap."""

import csv
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.conftest import BY_TWO
from tests.e2e.processes import CommandLine, sequence_numbers
from tests.service.at_hand import id_number, person_row, run, write_sheet

POOLED_ROWS = 1_001  # from 1,000 on several processes print
REVIEWED = 500


@pytest.fixture
def bureau(installation: CommandLine, tmp_path: Path) -> CommandLine:
    """A copy of the installation, without a certificate."""
    data = Path(shutil.copytree(installation.data, tmp_path / "data", symlinks=True))
    assert run("--data", data, "batch", "list", environ={"YINZHENG_PASSPHRASE": "known to the tests"}).code == 0
    return CommandLine(data, installation.passphrase_file)


def chunk_states(bureau: CommandLine) -> list[str]:
    return [str(state) for (state,) in bureau.rows("SELECT state FROM chunk ORDER BY number")]


def has_pack(bureau: CommandLine) -> bool:
    """A pack of signed PDFs is there, under whatever name it is written."""
    return any("tails" in str(one) for one in (bureau.data / "blobs").rglob("*") if one.is_file())


def expect_complete(bureau: CommandLine, rows: int, out: Path) -> None:
    """Exactly one certificate a row, serials without a gap, a sound log, and every PDF valid."""
    (counted,) = bureau.rows(
        "SELECT count(*), count(DISTINCT serial), count(DISTINCT row_number), count(DISTINCT status_index) "
        "FROM credential"
    )
    serials = [str(serial) for (serial,) in bureau.rows("SELECT serial FROM credential")]
    assert counted == (rows,) * 4
    assert bureau.rows("SELECT count(*), count(DISTINCT credential_id) FROM credential_file") == [(rows, rows)]
    assert sequence_numbers(serials) == list(range(1, rows + 1))
    assert sorted(one.stem for one in out.glob("*.pdf")) == sorted(serials)
    bureau.done("log", "verify")
    verified = bureau.done("verify", out, "--json").lines
    assert [line["verdict"] for line in verified] == ["valid"] * rows
    assert len({line["credential"]["name"] for line in verified}) > 1


def test_killed_at_several_moments_and_then_completed(bureau: CommandLine, shared: Path, tmp_path: Path) -> None:
    command = ("issue", shared / "data" / "review-500.xlsx", *BY_TWO, "--out", tmp_path / "out")
    moments: list[Callable[[], bool]] = [
        lambda: bool(bureau.rows("SELECT 1 FROM batch")),  # submitted, perhaps not approved
        lambda: chunk_states(bureau) == ["reserved"],  # numbers, claims and slots are fixed; nothing is printed
        lambda: has_pack(bureau) or chunk_states(bureau) == ["issued"],  # printed, perhaps not sealed
    ]
    for moment in moments:
        bureau.killed_when(moment, *command)
    bureau.done(*command)
    expect_complete(bureau, REVIEWED, tmp_path / "out")

    word = {"YINZHENG_PASSPHRASE": "known to the tests"}
    as_text = run("--data", bureau.data, "issue", shared / "data" / "review-500.csv", *BY_TWO, environ=word)
    assert as_text.code == 0, as_text
    assert bureau.rows("SELECT count(*) FROM credential") == [(REVIEWED,)]
    edited = edited_sheet(shared / "data" / "review-500.csv", tmp_path / "edited.csv")
    issued = run("--data", bureau.data, "issue", edited, *BY_TWO, environ=word)
    assert issued.code == 0, issued
    rows = "SELECT row_number FROM credential WHERE batch_id = (SELECT max(id) FROM batch) ORDER BY row_number"
    assert bureau.rows(rows) == [(8,), (REVIEWED + 2,)]
    assert bureau.rows("SELECT count(*) FROM credential") == [(REVIEWED + 2,)]


def edited_sheet(original: Path, edited: Path) -> Path:
    """Another employer in row 6, another date of qualification in row 8, and one person more at the end."""
    with original.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.reader(file))
    employer, qualified = rows[0].index("工作单位"), rows[0].index("取得资格时间")
    rows[5][employer] = "示例市另一单位"
    assert rows[7][qualified] != "2026-06-30"
    rows[7][qualified] = "2026-06-30"
    rows.append([*rows[1][:2], id_number(5), *rows[1][3:]])
    rows[-1][1] = "女" if int(rows[-1][2][16]) % 2 == 0 else "男"
    with edited.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
    return edited


def test_killed_with_several_processes_at_work(bureau: CommandLine, tmp_path: Path) -> None:
    """No worker outlives the command, for it holds keys; ``killed_when`` waits for that."""
    sheet = write_sheet(tmp_path / "sheet.csv", [person_row(number) for number in range(POOLED_ROWS)])
    command = ("issue", sheet, *BY_TWO)
    bureau.killed_when(lambda: chunk_states(bureau).count("reserved") >= 1, *command)
    assert set(chunk_states(bureau)) <= {"ready", "reserved"}
    bureau.done(*command)

    (counted,) = bureau.rows("SELECT count(*), count(DISTINCT serial), count(DISTINCT row_number) FROM credential")
    assert counted == (POOLED_ROWS,) * 3
    assert chunk_states(bureau) == ["issued"] * 3
    serials = [str(serial) for (serial,) in bureau.rows("SELECT serial FROM credential")]
    assert sequence_numbers(serials) == list(range(1, POOLED_ROWS + 1))
    assert bureau.rows("SELECT count(*) FROM credential_file") == [(POOLED_ROWS,)]
    ran = run("--data", bureau.data, "log", "verify", environ={"YINZHENG_PASSPHRASE": "known to the tests"})
    assert ran.code == 0, ran.err
