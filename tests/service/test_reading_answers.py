"""What a reading process says that was taken over: it is the answer it must be, or none."""

import contextlib
import io
import json
import struct
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credential.schema import RecordSchema
from intake.records import IntakeResult
from press.template_file import load_template
from service.reading import HERE
from service.reading_answers import BadAnswer, Frames, OutOfMemory, Refused, memory_frame, result_frames
from templates import certificate_folder
from tests.service.at_hand import person_row, write_sheet

SCHEMA: RecordSchema = load_template(certificate_folder("professional-title")).schema
PHOTO = b"\xff\xd8\xff photo"


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> IntakeResult:
    """Three people; the first and the last share a photo."""
    sheet = write_sheet(Path(tmp_path_factory.mktemp("answers")) / "a.csv", [person_row(number) for number in range(3)])
    read = HERE.read(sheet, replace(SCHEMA), photos=None, today=date(2026, 11, 22))
    first, second, third = read.records
    return replace(read, records=(replace(first, photo=PHOTO), second, replace(third, photo=PHOTO)))


def frames(*parts: object) -> bytes:
    written = [part if isinstance(part, bytes) else json.dumps(part).encode() for part in parts]
    return b"".join(struct.pack(">I", len(part)) + part for part in written)


def taken(answer: bytes, max_photo_bytes: int = 100) -> Any:
    return Frames(io.BytesIO(answer), max_photo_bytes).result(SCHEMA)


def split(answer: bytes) -> list[bytes]:
    parts, at = [], 0
    while at < len(answer):
        (length,) = struct.unpack_from(">I", answer, at)
        parts.append(answer[at + 4 : at + 4 + length])
        at += 4 + length
    return parts


def test_an_answer_comes_back_as_it_was(result: IntakeResult) -> None:
    answer = b"".join(result_frames(result))

    assert taken(answer) == result
    assert [record.photo for record in taken(answer).records] == [PHOTO, None, PHOTO]
    assert answer.count(PHOTO) == 1


def changed(result: IntakeResult, number: int, **values: object) -> bytes:
    """The answer with values of one JSON frame changed: 0 the head, 2 the first record."""
    parts: list[Any] = split(b"".join(result_frames(result)))
    told = json.loads(parts[number])
    (told[1] if isinstance(told, list) else told).update(values)
    parts[number] = json.dumps(told).encode()
    return frames(*parts)


@pytest.mark.parametrize(
    "values",
    [
        {"kind": "annotated"},
        {"row_count": "3"},
        {"records": 10**9},
        {"records": 4},
        {"photos": -1},
        {"photos": 2},
        {"headings": {"name": ["A"]}},
        {"headings": []},
        {"more": 1},
        {"sheet": None},
        {"shape": "another"},
    ],
)
def test_a_head_that_is_none_ends_the_answer(result: IntakeResult, values: dict[str, object]) -> None:
    with pytest.raises(BadAnswer):
        taken(changed(result, 0, **values))


@pytest.mark.parametrize(
    "values",
    [
        {"row": 0},
        {"row": 3},  # that of the second
        {"row": "2"},
        {"row": True},
        {"shape": "another"},
        {"fields": {"__class__": "a"}},
        {"fields": {"remark": 1}},
        {"fields": {"remark": ["a"]}},
        {"photo": "text"},
        {"holder": None},
        {"holder": {"name": "a", "id_type": "no type", "id_number": "", "sex": ""}},
        {"holder": {"name": 1, "id_type": "111", "id_number": "", "sex": ""}},
    ],
)
def test_a_record_that_no_sheet_gives_ends_the_answer(result: IntakeResult, values: dict[str, object]) -> None:
    with pytest.raises(BadAnswer):
        taken(changed(result, 2, **values))


@pytest.mark.parametrize("number", [-2, 1, 10**30, "0", None])
def test_a_photo_that_is_not_there_ends_the_answer(result: IntakeResult, number: object) -> None:
    parts: list[Any] = split(b"".join(result_frames(result)))
    parts[2] = [number, json.loads(parts[2])[1]]

    with pytest.raises(BadAnswer):
        taken(frames(*parts))


def test_photos_are_no_more_than_they_can_be(result: IntakeResult) -> None:
    answer = b"".join(result_frames(result))

    assert taken(answer, len(PHOTO)) == result
    with pytest.raises(BadAnswer):
        taken(answer, len(PHOTO) - 1)


@pytest.mark.parametrize("length", [1_000_001, 2**32 - 1])
def test_a_length_beyond_the_limit_is_not_waited_for(length: int) -> None:
    with pytest.raises(BadAnswer):
        taken(struct.pack(">I", length) + b"{")


def test_an_answer_that_is_cut_short_is_none(result: IntakeResult) -> None:
    answer = b"".join(result_frames(result))
    for length in range(0, len(answer), 7):
        with pytest.raises(BadAnswer):
            taken(answer[:length])


def test_failures_are_read_and_nothing_else_of_their_kind() -> None:
    assert isinstance(taken(memory_frame()), OutOfMemory)
    assert isinstance(taken(frames({"kind": "refused", "code": "empty-file", "en": "a", "zh": "b"})), Refused)
    lies: list[object] = [
        {"kind": "refused", "code": "empty-file", "en": "a" * 5000, "zh": "b"},
        {"kind": "fault", "place": "KeyError: '330299197001010001'"},
        {"kind": "shout"},
        [],
        {"kind": []},
    ]
    for told in lies:
        with pytest.raises(BadAnswer):
            taken(frames(told))


def is_sound(read: Any) -> bool:
    """Whether every value has its type, whatever it says."""
    if not isinstance(read, IntakeResult):
        return True
    values: list[tuple[Any, type]] = [(one.row, int) for one in read.records]
    values += [(text, str) for one in read.records for text in (one.holder.name, *one.fields.values())]
    values += [(one.photo, bytes) for one in read.records if one.photo is not None]
    values += [(text, str) for one in read.problems for text in (one.column, one.zh, one.en)]
    return all(type(value) is kind for value, kind in values)


@given(at=st.integers(0, 10**6), byte=st.integers(0, 255), more=st.binary(max_size=8))
def test_a_changed_answer_is_of_sound_types_or_none(result: IntakeResult, at: int, byte: int, more: bytes) -> None:
    answer = bytearray(b"".join(result_frames(result)))
    answer[at % len(answer)] = byte
    answer[at % len(answer) : at % len(answer)] = more
    with contextlib.suppress(BadAnswer):
        assert is_sound(taken(bytes(answer)))


@given(st.binary(max_size=200))
def test_noise_is_no_answer(noise: bytes) -> None:
    with pytest.raises(BadAnswer):
        taken(noise)
    with pytest.raises(BadAnswer):
        Frames(io.BytesIO(noise), 0).copy()
