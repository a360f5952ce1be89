import hashlib
import io

import pytest
from PIL import Image

from bench.made_up import TODAY, bundled_portraits, other_photo, people
from credential.identity import check_id_number, check_name
from intake.photos import PhotoRule, check_photo


def test_every_person_has_another_number_and_another_photo() -> None:
    rows = list(people(0, 600))

    assert len({one.holder.id_number for one in rows}) == 600
    assert len({hashlib.sha256(one.photo or b"").digest() for one in rows}) == 600
    assert len({one.row for one in rows}) == 600


def test_the_same_number_gives_the_same_person_wherever_a_batch_begins() -> None:
    early, late = list(people(0, 300))[250:], list(people(250, 50))

    assert [(one.holder, one.fields, one.photo) for one in early] == [
        (one.holder, one.fields, one.photo) for one in late
    ]


@pytest.mark.parametrize("first", [0, 4_999, 700_000])
def test_people_are_such_as_intake_lets_through(first: int) -> None:
    for one in people(first, 40):
        assert check_id_number(one.holder.id_number, today=TODAY).sex == one.holder.sex
        assert check_name(one.holder.name).notes == ()
        assert one.photo is not None
        assert check_photo(one.photo, PhotoRule()).content == one.photo


def test_another_photo_has_the_same_length_and_decodes_to_nearly_the_same_picture() -> None:
    portrait = bundled_portraits()[0]
    variations = [other_photo(portrait, number) for number in range(1, 400)]

    assert len({*variations, portrait}) == 400
    assert {len(one) for one in variations} == {len(portrait)}
    for photo in variations[::50]:
        with Image.open(io.BytesIO(portrait)) as before, Image.open(io.BytesIO(photo)) as after:
            pairs = zip(before.convert("L").tobytes(), after.convert("L").tobytes(), strict=True)
            assert max(abs(old - new) for old, new in pairs) < 32
